"""What can set off an alert: things that happen (``on``), and figures beyond a bound (``when``).

Most of what happens lasts (a storm, a closed gate) and is over at some time; the rest begins and ends at once. A figure
is compared with one bound. Once the alert fires it must come back a little further than that, or one that
trembles around its bound would fire all night. That is never further than the figure can come.
"""

from __future__ import annotations

import math
import operator
import re
from collections.abc import Callable
from enum import StrEnum
from typing import NamedTuple

import msgspec

from overnight.core.durations import format_duration, format_size, parse_duration, parse_size, quoted
from overnight.core.event_names import EventName
from overnight.core.findings import Status
from overnight.core.gauges import GAUGES

#: Part of the bound by which a figure must have come back.
MARGIN = 0.05
_CONDITION = re.compile(r"(?P<figure>[A-Za-z_0-9]+)(?P<blank> *)(?P<sign><=|>=|<|>)(?P<gap> *)(?P<bound>.+)")
_EXAMPLE = "write a figure, <, <=, > or >=, and a bound, as in 'disk_free < 2GB'"


class Trigger(NamedTuple):
    """Something that happens. What does not last has neither an end nor a state."""

    name: str
    help: str
    begins: frozenset[EventName] = frozenset()
    ends: frozenset[EventName] = frozenset()
    #: The picture of now says whether it goes on.
    is_seen: bool = False
    #: Of the answers of checks: of this status or a worse one. There is an alert for each check.
    check: Status | None = None

    @property
    def lasts(self) -> bool:
        """Whether it goes on until something ends it."""
        return self.is_seen or bool(self.ends) or self.check is not None


def _events(*names: EventName) -> frozenset[EventName]:
    return frozenset(names)


_ALL_TRIGGERS = (
    Trigger("run_finished", "an engine has ended, for whatever reason", _events(EventName.PROCESSOR_STOPPED)),
    Trigger(
        "task_failed",
        "a task was given up; many are told as one",
        _events(EventName.FILE_FAILED, EventName.FILE_TIMEOUT),
    ),
    Trigger(
        "task_held",
        "a task waits for a person; over when none does",
        _events(EventName.FILE_HELD, EventName.STEP_HELD),
        is_seen=True,
    ),
    Trigger(
        "storm_brake", "so many tasks fail alike that the rest waits", _events(EventName.STORM_BEGAN), is_seen=True
    ),
    Trigger("crash_budget", "the supervisor has given up; over when an engine runs again", is_seen=True),
    Trigger(
        "checkpoint_failed",
        "no checkpoint could be made; over with the next one",
        _events(EventName.CHECKPOINT_FAILED),
        _events(EventName.CHECKPOINT_SAVED),
    ),
    Trigger(
        "damage_repaired",
        "the store was damaged or taken away, and is whole again",
        _events(EventName.CHECKPOINT_RESTORED, EventName.STORE_RESCUED),
    ),
    Trigger(
        "gate_closed",
        "too little disk or memory: less starts, or nothing",
        _events(EventName.GATE_CLOSED),
        is_seen=True,
    ),
    Trigger(
        "schedule_missed",
        "nothing has run when a schedule was due, or its run before was not done",
        _events(EventName.SCHEDULE_MISSED),
    ),
    Trigger("node_lost", "a node has gone with what it ran, which runs elsewhere", _events(EventName.NODE_LOST)),
    Trigger("check_failed", "a check of `overnight health` fails; each check is an alert", check=Status.FAIL),
    Trigger("check_warned", "a check of `overnight health` warns, fails, or knows nothing", check=Status.WARN),
    Trigger("clock_jumped", "the wall clock was set, or the machine has slept", _events(EventName.CLOCK_JUMPED)),
)
#: Everything that can happen, by its name.
TRIGGERS = {one.name: one for one in _ALL_TRIGGERS}


class Unit(StrEnum):
    """What a figure is counted in."""

    RATIO = "ratio"
    BYTES = "bytes"
    SECONDS = "seconds"
    NUMBER = "number"


class Figure(NamedTuple):
    """A figure that can be compared."""

    name: str
    unit: Unit
    help: str


_UNITS = {"ratio": Unit.RATIO, "bytes": Unit.BYTES, "bytes/s": Unit.BYTES}
_MEASURED = tuple(Figure(one.name, _UNITS.get(one.unit, Unit.NUMBER), one.help) for one in GAUGES)
_WORKED_OUT = (
    Figure("error_rate", Unit.RATIO, "Share of the attempts of the last ten minutes that failed, of ten or more."),
    Figure("queue_age", Unit.SECONDS, "Age of the task that is next in line, the oldest of all queues."),
    Figure("checkpoint_age", Unit.SECONDS, "Since the newest checkpoint."),
    Figure("autonomy", Unit.RATIO, "Share of finished tasks that needed no person."),
    Figure(
        "throughput",
        Unit.RATIO,
        "Attempts completed in the last ten minutes, as a share of what ten minutes of work brought lately.",
    ),
)
#: Every figure by its name.
FIGURES = {one.name: one for one in (*_MEASURED, *_WORKED_OUT)}


#: What is counted in whole numbers.
_WHOLE = frozenset(one.name for one in GAUGES if one.unit in ("count", "bool")) - {"load"}
_COMPARE: dict[tuple[bool, bool], Callable[[float, float], bool]] = {
    (True, False): operator.gt,
    (True, True): operator.ge,
    (False, False): operator.lt,
    (False, True): operator.le,
}


class Condition(msgspec.Struct, frozen=True):
    """A figure below or above a bound. `text` is as it was written."""

    figure: str
    is_above: bool
    bound: float
    text: str = ""
    #: The bound itself counts.
    or_equal: bool = False

    def holds(self, value: float, *, is_active: bool) -> bool:
        """Whether it holds; for an alert that fires it goes on to do so until the figure is clear of the bound."""
        bound = self._clear() if is_active else self.bound
        return _COMPARE[self.is_above, self.or_equal and bound == self.bound](value, bound)

    def _clear(self) -> float:
        """The bound of one that fires."""
        margin = self.bound * MARGIN
        if self.figure in _WHOLE:
            margin = math.floor(margin)
        if self.is_above:
            return self.bound - margin
        is_share = FIGURES[self.figure].unit is Unit.RATIO and self.bound <= 1.0
        return min(self.bound + margin, 1.0) if is_share else self.bound + margin


class ConditionError(ValueError):
    """It is none. `inside`: where in the text."""

    def __init__(self, what: str, inside: int = 0) -> None:
        super().__init__(what)
        self.inside = inside


def parse_condition(words: str) -> Condition:
    """Read ``disk_free < 2GB``.

    Raises:
        ConditionError: With what is wrong, and where.
    """
    found = _CONDITION.fullmatch(words.strip())
    if found is None:
        raise ConditionError(f"{quoted(words)} is no condition; {_EXAMPLE}")
    indent = len(words) - len(words.lstrip())
    figure = FIGURES.get(found["figure"])
    if figure is None:
        raise ConditionError(f"there is no figure {quoted(found['figure'])}", indent)
    try:
        bound = _PARSERS[figure.unit](found["bound"].strip())
    except ValueError as error:
        raise ConditionError(str(error), indent + found.start("bound")) from None
    sign = found["sign"]
    return Condition(figure.name, sign.startswith(">"), bound, words.strip(), or_equal=sign.endswith("="))


def _ratio(words: str) -> float:
    number, percent, rest = words.partition("%")
    try:
        value = float(number) / (100.0 if percent else 1.0)
    except ValueError:
        value = -1.0
    if rest or not 0 <= value < 1e6:  # noqa: PLR2004 - a slip of the finger
        raise ValueError(f"{quoted(words)} is no share; write 20% or 0.2")
    return value


def _number(words: str) -> float:
    try:
        value = float(words)
    except ValueError:
        value = -1.0
    if not 0 <= value < 1e18:  # noqa: PLR2004 - neither infinite nor no number
        raise ValueError(f"{quoted(words)} is no number; write one, as in 100")
    return value


def _bytes(words: str) -> float:
    return float(parse_size(words.removesuffix("/s")))


_PARSERS: dict[Unit, Callable[[str], float]] = {
    Unit.RATIO: _ratio,
    Unit.BYTES: _bytes,
    Unit.SECONDS: parse_duration,
    Unit.NUMBER: _number,
}


def shown(figure: str, value: float) -> str:
    """A figure for people."""
    unit = FIGURES[figure].unit
    if unit is Unit.RATIO:
        return f"{value:.1%}"
    if unit is Unit.BYTES:
        return format_size(value)
    return format_duration(value) if unit is Unit.SECONDS else f"{value:,.6g}"
