"""The settings of the look for parts that do nothing."""

from __future__ import annotations

from overnight.core import kinds
from overnight.core.setting import Setting

DORMANT_SETTINGS = (
    Setting(
        name="dormant_scan",
        kind=kinds.PATTERNS,
        default=(),
        default_words="every script of the project",
        help="The files that `overnight dormant` looks at; each of them counts as one that should be used.",
        environment="OVERNIGHT_DORMANT_SCAN",
        key="dormant.scan",
    ),
    Setting(
        name="dormant_quiet",
        kind=kinds.DURATION,
        default=30 * 86400.0,
        help="How long a workflow may not have run before it counts as gone quiet.",
        environment="OVERNIGHT_DORMANT_QUIET",
        key="dormant.quiet",
        minimum=60.0,
    ),
    Setting(
        name="dormant_grace",
        kind=kinds.DURATION,
        default=7 * 86400.0,
        help="How long what is new may wait for its first run before `doctor` warns of it.",
        environment="OVERNIGHT_DORMANT_GRACE",
        key="dormant.grace",
        minimum=0,
    ),
)
