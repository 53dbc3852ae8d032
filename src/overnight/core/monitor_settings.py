"""The settings of what watches beside the work, and whom it tells."""

from __future__ import annotations

from overnight.core import kinds
from overnight.core.monitor.notices import LEVELS
from overnight.core.setting import Setting

#: The setting of nobody who is told.
OFF = "off"

MONITOR_SETTINGS = (
    Setting(
        name="monitor",
        kind=kinds.SWITCH,
        default=True,
        help="Keep monitor.json, metrics.prom and the history, by a process beside the work.",
        environment="OVERNIGHT_MONITOR",
        key="monitor.enabled",
    ),
    Setting(
        name="ping",
        kind=kinds.WORD,
        default="",
        default_words="none",
        help="An address that is asked for while an engine works; whoever is there raises the alarm when that ends.",
        environment="OVERNIGHT_PING",
        key="monitor.ping",
    ),
    Setting(
        name="ping_every",
        kind=kinds.DURATION,
        default=60.0,
        help="How often.",
        environment="OVERNIGHT_PING_EVERY",
        key="monitor.ping_every",
        minimum=1.0,
    ),
    Setting(
        name="traces",
        kind=kinds.WORD,
        default="",
        default_words="none",
        help="Address of a collector of OpenTelemetry that gets a trace of each task; needs `overnight[otel]`.",
        environment="OVERNIGHT_TRACES",
        key="monitor.traces",
    ),
    Setting(
        name="system_log",
        kind=kinds.choice(OFF, "journald", "syslog"),
        default=OFF,
        help="Which log of the system is told what happens; journald gets fields such as `OVERNIGHT_TASK_ID`.",
        environment="OVERNIGHT_SYSTEM_LOG",
        key="monitor.system_log",
    ),
    Setting(
        name="system_log_level",
        kind=kinds.choice(*LEVELS),
        default="notice",
        help="The least important thing that it is told: from info on each task that is done, with debug everything.",
        environment="OVERNIGHT_SYSTEM_LOG_LEVEL",
        key="monitor.system_log_level",
    ),
    Setting(
        name="report_targets",
        kind=kinds.COMMAND,
        default=(),
        default_words="none",
        help="Whom `report --send` reaches: names of `[targets.NAME]`.",
        environment="OVERNIGHT_REPORT_TARGETS",
        key="report.targets",
    ),
)
