"""Every setting, in one list: its flag, its environment name, its place in ``overnight.toml``, its default.

The command line, the reading of the file, ``config show`` and the page of reference all come from
`SETTINGS`. What is said nearest to the call wins: flag, then environment, then file, then default;
and where a value came from is kept, since "why is it five minutes?" is what people ask.
"""

from __future__ import annotations

from collections.abc import Mapping
from enum import StrEnum
from typing import Any

import msgspec

from overnight.core import kinds
from overnight.core.durations import quoted
from overnight.core.errors import UsageError
from overnight.core.kinds import Kind
from overnight.core.task import DEFAULT_KILL_GRACE, DEFAULT_RETRIES, DEFAULT_TIMEOUT, Action, ActionKind, Backoff

#: Names of environment variables that a task sees, by which it must not be configured by accident.
TASK_VARIABLES = frozenset(
    f"OVERNIGHT_{name}"
    for name in (
        *("TASK_ID", "ATTEMPT", "MAX_ATTEMPTS", "INPUT", "QUEUE", "WORKFLOW", "STEP", "SLOT", "DEADLINE"),
        *("WORK_DIR", "CONTROL", "COOKIE", "GPU"),
    )
)


class Origin(StrEnum):
    """Where a value was said."""

    FLAG = "flag"
    ENVIRONMENT = "environment"
    FILE = "file"
    DEFAULT = "default"


class Setting(msgspec.Struct, frozen=True):
    """One thing that can be set."""

    name: str
    kind: Kind
    default: Any
    #: One sentence, for ``--help`` and the reference.
    help: str
    #: As typed, or empty where there is none.
    flag: str = ""
    environment: str = ""
    #: Table and key in ``overnight.toml``.
    key: str = ""
    #: Smallest and largest number that makes sense.
    minimum: float | None = None
    maximum: float | None = None
    #: What is said instead of the default where that is decided later.
    default_words: str = ""
    #: The sources add up instead of replacing each other.
    adds: bool = False

    def read(self, written: object) -> Any:  # noqa: ANN401 - the kind decides the type
        """The value that somebody wrote.

        Raises:
            ValueError: With what is wrong and what is accepted.
        """
        value = self.kind.read(written)
        if isinstance(value, int | float):
            if self.minimum is not None and value < self.minimum:
                raise ValueError(f"{quoted(written)} is too little; at least {self.kind.show(self.minimum)}")
            if self.maximum is not None and value > self.maximum:
                raise ValueError(f"{quoted(written)} is too much; at most {self.kind.show(self.maximum)}")
        return value

    def show(self, value: object) -> str:
        """A value as somebody would write it."""
        if self.default_words and value == self.default:
            return self.default_words
        return self.kind.show(value)


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
    Setting(
        name="slots",
        kind=kinds.COUNT_OR_AUTO,
        default=None,
        help="How many attempts run at the same time; auto is one a CPU.",
        flag="-j, --jobs",
        environment="OVERNIGHT_SLOTS",
        key="queue.default.slots",
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
    Setting(
        name="retries",
        kind=kinds.COUNT,
        default=DEFAULT_RETRIES,
        help="Further attempts after a failed one; interruptions are not counted.",
        flag="--retries",
        environment="OVERNIGHT_RETRIES",
        key="defaults.retries",
        minimum=0,
        maximum=1_000_000,
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
)


class Placed(msgspec.Struct, frozen=True):
    """A value out of a file, already read, and where it stands: ``overnight.toml:3``."""

    value: Any
    where: str


class Source(msgspec.Struct, frozen=True):
    """Where a value came from: the origin, and the flag, variable or line by name; empty for a default."""

    origin: Origin
    where: str = ""


class Settings(msgspec.Struct, frozen=True):
    """All values. Durations in seconds, sizes in bytes; the fields are those of `SETTINGS`, and a test holds that."""

    #: Empty: to be found.
    home: str
    #: None: one a CPU.
    slots: int | None
    #: None: no limit.
    timeout: float | None
    retries: int
    backoff: Backoff
    kill_grace: float
    keep_output: int
    env: tuple[str, ...]
    workflow: str
    log_level: str
    journal_rotate_at: int
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


HEAD = """\
# Settings

Generated from the list in `src/overnight/core/settings.py` by `make docs`; a test compares the two.

What is said nearest to the call wins: the flag, then the environment, then `overnight.toml` (beside
`.overnight/`), then the default. `overnight config show` prints what is in use, and where it was said.
Keys that are not known are errors.
"""

TAIL = """\
## Further tables of `overnight.toml`

| table | key | what it says |
|---|---|---|
| `[queue.NAME]` | `slots` | how many of this queue run at the same time; `"auto"`: no limit of its own |
| `[queue.NAME]` | `rate` | how many start in a time: `"10/s"`, `"30/m"`, `"100/h"` |
| `[resources]` | `NAME` | how much there is of something tasks need: a number, or a list of ids that are handed out |
| `[workflow.NAME]` | | a recipe of steps |
"""


def page() -> str:
    """``docs/settings.md``, whole."""
    head = ["setting", "flag", "environment", "`overnight.toml`", "default", "accepts", "what it is"]
    lines = [_line(head), _line(["---"] * len(head)), *(_line(_cells(setting)) for setting in SETTINGS)]
    return "\n".join([HEAD, *lines, "", TAIL])


def _cells(setting: Setting) -> list[str]:
    default = setting.default_words or f"`{setting.show(setting.default)}`"
    return [
        f"**{setting.name}**",
        " ".join(f"`{flag}`" for flag in setting.flag.split(", ") if flag),
        f"`{setting.environment}`",
        f"`{setting.key}`" if setting.key else "",
        default,
        setting.kind.accepts,
        setting.help,
    ]


def _line(cells: list[str]) -> str:
    return f"| {' | '.join(cells)} |"
