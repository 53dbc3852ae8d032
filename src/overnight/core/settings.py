"""Every setting, in one list: its flag, its environment name, its place in ``overnight.toml``, its default.

The command line, the reading of the file, ``config show`` and the page of reference all come from
`SETTINGS`. What is said nearest to the call wins: flag, then environment, then file, then default;
and where a value came from is kept, since "why is it five minutes?" is what people ask.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import msgspec

from overnight.core import kinds, supervision
from overnight.core.backup_settings import BACKUP_SETTINGS
from overnight.core.checkpoint_settings import CHECKPOINT_SETTINGS
from overnight.core.dormant_settings import DORMANT_SETTINGS
from overnight.core.errors import UsageError
from overnight.core.gates import Thresholds
from overnight.core.limit_settings import LIMIT_SETTINGS
from overnight.core.log_settings import LOG_SETTINGS
from overnight.core.migration_settings import MIGRATION_SETTINGS
from overnight.core.monitor_settings import MONITOR_SETTINGS
from overnight.core.node_settings import NODE_SETTINGS
from overnight.core.setting import Origin, Placed, Setting, Source
from overnight.core.store_settings import STORE
from overnight.core.storm_settings import STORM_SETTINGS
from overnight.core.suite_settings import SUITE_SETTINGS
from overnight.core.task import (
    DEFAULT_KILL_GRACE,
    DEFAULT_RETRIES,
    DEFAULT_TIMEOUT,
    MOST_RETRIES,
    Action,
    ActionKind,
    Backoff,
)

SETTINGS = (
    Setting(
        name="home",
        kind=kinds.PATH,
        default="",
        default_words="found upward from the current directory",
        help="The directory of one installation.",
        flag="--home",
        environment="OVERNIGHT_HOME",
    ),
    STORE,
    Setting(
        name="slots",
        kind=kinds.COUNT_OR_AUTO,
        default=None,
        help="How many attempts run at the same time; auto begins with one a CPU and follows load, memory and disk.",
        flag="-j, --jobs",
        environment="OVERNIGHT_SLOTS",
        key="queue.default.slots",
        minimum=1,
        maximum=4096,
    ),
    Setting(
        name="slots_min",
        kind=kinds.COUNT,
        default=1,
        help="With auto, there are never fewer slots.",
        environment="OVERNIGHT_SLOTS_MIN",
        key="slots.min",
        minimum=1,
        maximum=4096,
    ),
    Setting(
        name="slots_max",
        kind=kinds.COUNT,
        default=None,
        default_words="twice the CPUs",
        help="With auto, there are never more slots.",
        environment="OVERNIGHT_SLOTS_MAX",
        key="slots.max",
        minimum=1,
        maximum=4096,
    ),
    Setting(
        name="timeout",
        kind=kinds.LIMIT,
        default=DEFAULT_TIMEOUT,
        help="How long one attempt may take before its whole process tree is ended.",
        flag="--timeout",
        environment="OVERNIGHT_TIMEOUT",
        key="defaults.timeout",
    ),
    *NODE_SETTINGS,
    *LIMIT_SETTINGS,
    Setting(
        name="retries",
        kind=kinds.COUNT,
        default=DEFAULT_RETRIES,
        help="Further attempts after a failed one; interruptions are not counted.",
        flag="--retries",
        environment="OVERNIGHT_RETRIES",
        key="defaults.retries",
        minimum=0,
        maximum=MOST_RETRIES,
    ),
    Setting(
        name="backoff",
        kind=kinds.BACKOFF,
        default=Backoff(),
        help="How long a retry waits: first, then times the factor, at most so long.",
        environment="OVERNIGHT_BACKOFF",
        key="defaults.backoff",
    ),
    Setting(
        name="kill_grace",
        kind=kinds.DURATION,
        default=DEFAULT_KILL_GRACE,
        help="How long a process that was asked to end (TERM) may take before it is killed.",
        environment="OVERNIGHT_KILL_GRACE",
        key="defaults.kill_grace",
        maximum=3600.0,
    ),
    Setting(
        name="keep_output",
        kind=kinds.SIZE,
        default=Action(ActionKind.COMMAND, b"/").keep_output,
        help="How much of each attempt's output is kept, half from its beginning and half from its end.",
        environment="OVERNIGHT_KEEP_OUTPUT",
        key="defaults.keep_output",
        minimum=0,
    ),
    Setting(
        name="inline_result",
        kind=kinds.SIZE,
        default=Action(ActionKind.CALL, b"/").inline_result,
        help="How large a function's result may be to be kept in the store; a larger one goes into a file of its own.",
        environment="OVERNIGHT_INLINE_RESULT",
        key="defaults.inline_result",
        minimum=0,
        maximum=64 * 1024 * 1024,
    ),
    Setting(
        name="env",
        kind=kinds.NAMES,
        default=(),
        default_words="none but the usual ones",
        help="Further environment variables that a task takes along; what is said in several places adds up.",
        flag="--env",
        environment="OVERNIGHT_ENV",
        key="defaults.env",
        adds=True,
    ),
    Setting(
        name="workflow",
        kind=kinds.WORD,
        default="",
        default_words="none",
        help="The workflow of inputs for which nothing else is said.",
        flag="-w, --workflow",
        # Not OVERNIGHT_WORKFLOW: a task sees its own workflow under that name.
        environment="OVERNIGHT_DEFAULT_WORKFLOW",
        key="defaults.workflow",
    ),
    Setting(
        name="log_level",
        kind=kinds.choice("debug", "info", "warning", "error"),
        default="warning",
        help="How much is said on stderr.",
        flag="--log-level",
        environment="OVERNIGHT_LOG_LEVEL",
        key="log.level",
    ),
    Setting(
        name="journal_rotate_at",
        kind=kinds.SIZE,
        default=64 * 1024 * 1024,
        help="The size at which events.jsonl is set aside and a new one begun.",
        environment="OVERNIGHT_JOURNAL_ROTATE_AT",
        key="journal.rotate_at",
        minimum=64 * 1024,
    ),
    *CHECKPOINT_SETTINGS,
    *BACKUP_SETTINGS,
    *LOG_SETTINGS,
    *SUITE_SETTINGS,
    *MIGRATION_SETTINGS,
    *DORMANT_SETTINGS,
    Setting(
        name="gate_disk",
        kind=kinds.SIZE,
        default=Thresholds().disk,
        help="With less free disk nothing starts, and what runs may finish; 0 for no such gate.",
        environment="OVERNIGHT_GATE_DISK",
        key="gates.disk",
        minimum=0,
    ),
    Setting(
        name="gate_memory",
        kind=kinds.SIZE,
        default=Thresholds().memory,
        default_words="4 GB, or a quarter of the machine's memory where that is less",
        help="With less available memory slots are taken away one by one, down to one; 0 for no such gate.",
        environment="OVERNIGHT_GATE_MEMORY",
        key="gates.memory",
        minimum=0,
    ),
    Setting(
        name="heartbeat_every",
        kind=kinds.DURATION,
        default=300.0,
        help="How often heartbeat.log gets a line.",
        environment="OVERNIGHT_HEARTBEAT_EVERY",
        key="heartbeat.every",
        minimum=1.0,
    ),
    Setting(
        name="keep_finished",
        kind=kinds.LIMIT,
        default=None,
        default_words="for ever",
        help="How long a finished task is kept before it is forgotten with its output, as clean does it.",
        environment="OVERNIGHT_KEEP_FINISHED",
        key="retention.finished",
    ),
    *STORM_SETTINGS,
    Setting(
        name="restart_backoff",
        kind=kinds.BACKOFF,
        default=supervision.DEFAULT_BACKOFF,
        help="How long the supervisor waits before it starts a crashed engine again, give or take a fifth.",
        environment="OVERNIGHT_RESTART_BACKOFF",
        key="supervisor.backoff",
    ),
    Setting(
        name="max_crashes",
        kind=kinds.COUNT,
        default=supervision.DEFAULT_MOST_CRASHES,
        help="Crashes in a row, without ten good minutes in between, after which the supervisor gives up.",
        environment="OVERNIGHT_MAX_CRASHES",
        key="supervisor.max_crashes",
        minimum=1,
        maximum=1_000_000,
    ),
    Setting(
        name="frozen_after",
        kind=kinds.LIMIT,
        default=supervision.DEFAULT_FROZEN_AFTER,
        help="How long an engine may be silent before its supervisor kills it and starts another one.",
        environment="OVERNIGHT_FROZEN_AFTER",
        key="supervisor.frozen_after",
        minimum=5.0,
    ),
    Setting(
        name="on_give_up",
        kind=kinds.COMMAND,
        default=(),
        default_words="none",
        help="A command that the supervisor runs when it gives up; `OVERNIGHT_WHY` and `OVERNIGHT_HOME` tell it more.",
        environment="OVERNIGHT_ON_GIVE_UP",
        key="supervisor.on_give_up",
    ),
    Setting(
        name="inhibit_sleep",
        kind=kinds.SWITCH,
        default=True,
        help="Keep the machine from going to sleep while there is work to do, where the system lets us.",
        environment="OVERNIGHT_INHIBIT_SLEEP",
        key="power.inhibit_sleep",
    ),
    *MONITOR_SETTINGS,
)


class Settings(msgspec.Struct, frozen=True):
    """All values. Durations in seconds, sizes in bytes; the fields are those of `SETTINGS`, and a test holds that."""

    #: Empty: to be found.
    home: str
    #: With its password, where it has one. Empty: a file in the home.
    store: str
    #: None: as the machine can take, between the next two.
    slots: int | None
    slots_min: int
    #: None: twice the CPUs.
    slots_max: int | None
    #: None: no limit.
    timeout: float | None
    #: "here" or "ray".
    on: str
    #: "auto", or HOST:PORT.
    ray_address: str
    ship: bool
    node_lease: float
    #: None: no limit, here and in the next four.
    stall: float | None
    memory: int | None
    max_output: int | None
    open_files: int | None
    processes: int | None
    #: "none", "cgroup", "pidns" or "auto".
    isolation: str
    retries: int
    backoff: Backoff
    kill_grace: float
    keep_output: int
    inline_result: int
    env: tuple[str, ...]
    workflow: str
    log_level: str
    journal_rotate_at: int
    checkpoint_tasks: int
    checkpoint_interval: float
    checkpoint_second: str
    checkpoint_room: int
    checkpoint_keep_all: float
    checkpoint_keep_hourly: float
    checkpoint_keep_daily: float
    #: "own", "restic" or "borg".
    backup_engine: str
    #: Empty: as the environment of its program says.
    backup_repository: str
    backup_password_command: tuple[str, ...]
    backup_include: tuple[str, ...]
    backup_output: bool
    backup_second: str
    backup_room: int
    #: None: however old.
    backup_max_age: float | None
    report_targets: tuple[str, ...]
    log_files: tuple[str, ...]
    tests_keep: int
    #: As written, with its variables; empty: none.
    migrations_database: str
    migrations_folder: str
    migrations_wait: float
    #: Empty: every script of the project.
    dormant_scan: tuple[str, ...]
    dormant_quiet: float
    dormant_grace: float
    log_units: tuple[str, ...]
    #: 0: no gate.
    gate_disk: int
    #: 0: no gate; None: as fits the machine.
    gate_memory: int | None
    heartbeat_every: float
    #: None: for ever.
    keep_finished: float | None
    #: 0: never.
    storm_after: int
    storm_probe: float
    storm_longest: float
    #: Empty: none.
    on_storm: tuple[str, ...]
    restart_backoff: Backoff
    max_crashes: int
    #: None: never.
    frozen_after: float | None
    #: Empty: none.
    on_give_up: tuple[str, ...]
    inhibit_sleep: bool
    monitor: bool
    #: Empty: none.
    ping: str
    ping_every: float
    #: Empty: nobody is told.
    traces: str
    #: "off", "journald" or "syslog".
    system_log: str
    system_log_level: str
    #: Name of a setting to where its value was said, the strongest first.
    sources: dict[str, tuple[Source, ...]]


class Row(msgspec.Struct, frozen=True):
    """One line of ``config show``."""

    name: str
    value: str
    origin: Origin
    #: Flag, variable or line, several if they add up.
    where: str


def resolve(*, flags: Mapping[str, object], environ: Mapping[str, str], configured: Mapping[str, Placed]) -> Settings:
    """Put all sources together.

    Args:
        flags: Name of a setting to what its flag said; None for a flag that was not given.
        environ: The environment. A variable that is set to nothing is as good as not set.
        configured: What the file says (`Configuration.settings`).

    Raises:
        UsageError: A flag or a variable has no meaning.
    """
    values: dict[str, Any] = {}
    sources: dict[str, tuple[Source, ...]] = {}
    for setting in SETTINGS:
        said = _said(setting, flags, environ, configured)
        if not said:
            values[setting.name], sources[setting.name] = setting.default, (Source(Origin.DEFAULT),)
        elif setting.adds:
            everything = [name for value, _ in said for name in value]
            values[setting.name], sources[setting.name] = tuple(dict.fromkeys(everything)), tuple(at for _, at in said)
        else:
            values[setting.name], sources[setting.name] = said[0][0], (said[0][1],)
    return Settings(**values, sources=sources)


def _said(
    setting: Setting, flags: Mapping[str, object], environ: Mapping[str, str], configured: Mapping[str, Placed]
) -> list[tuple[Any, Source]]:
    """What was said about a setting, and where, the strongest first."""
    found = []
    flag = flags.get(setting.name)
    if flag is not None and flag != ():
        name = setting.flag.split(", ")[-1]
        found.append((_read(setting, flag, name), Source(Origin.FLAG, name)))
    variable = environ.get(setting.environment, "")
    if variable:
        found.append((_read(setting, variable, setting.environment), Source(Origin.ENVIRONMENT, setting.environment)))
    if setting.name in configured:
        placed = configured[setting.name]
        found.append((placed.value, Source(Origin.FILE, placed.where)))
    return found


def _read(setting: Setting, written: object, where: str) -> Any:  # noqa: ANN401 - the kind decides the type
    try:
        return setting.read(written)
    except ValueError as error:
        raise UsageError(
            f"{where}: {error}; nothing was started", hint=f"say it anew, or leave {where} out for the default"
        ) from None


def rows(settings: Settings) -> list[Row]:
    """What ``config show`` shows, in the order of the list."""
    return [
        Row(
            setting.name,
            setting.show(getattr(settings, setting.name)),
            settings.sources[setting.name][0].origin,
            ", ".join(source.where for source in settings.sources[setting.name]),
        )
        for setting in SETTINGS
    ]
