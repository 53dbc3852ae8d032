"""The settings of the storm brake."""

from __future__ import annotations

from overnight.core import kinds
from overnight.core.setting import Setting
from overnight.core.storms import Policy

STORM_SETTINGS = (
    Setting(
        name="storm_after",
        kind=kinds.COUNT,
        default=Policy().after,
        help="So many tasks in a row that fail alike stop the others until one that is tried succeeds; 0 for never.",
        environment="OVERNIGHT_STORM_AFTER",
        key="storms.after",
        minimum=0,
        maximum=1_000_000,
    ),
    Setting(
        name="storm_probe",
        kind=kinds.DURATION,
        default=Policy().first_probe,
        help="How long after that one of them is tried; then after twice that time, four times ...",
        environment="OVERNIGHT_STORM_PROBE",
        key="storms.probe",
        minimum=0.1,
    ),
    Setting(
        name="storm_longest",
        kind=kinds.DURATION,
        default=Policy().longest_probe,
        help="The longest time between two such tries.",
        environment="OVERNIGHT_STORM_LONGEST",
        key="storms.longest",
        minimum=0.1,
    ),
    Setting(
        name="on_storm",
        kind=kinds.COMMAND,
        default=(),
        default_words="none",
        help="A command that is run when a storm begins or ends; `OVERNIGHT_WHY` and `OVERNIGHT_HOME` tell it more.",
        environment="OVERNIGHT_ON_STORM",
        key="storms.on_storm",
    ),
)
