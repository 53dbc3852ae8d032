"""The settings of the look at logs."""

from __future__ import annotations

from overnight.core import kinds
from overnight.core.setting import Setting

LOG_SETTINGS = (
    Setting(
        name="log_files",
        kind=kinds.FILE_PATTERNS,
        default=(),
        default_words="none",
        help="Log files that `overnight logs` looks at besides the journal and what tasks print.",
        environment="OVERNIGHT_LOG_FILES",
        key="logs.files",
    ),
    Setting(
        name="log_units",
        kind=kinds.NAMES,
        default=(),
        default_words="none",
        help="Units of systemd whose entries in the log of the system `overnight logs` looks at as well.",
        environment="OVERNIGHT_LOG_UNITS",
        key="logs.units",
    ),
)
