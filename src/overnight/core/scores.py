"""How well it went without anybody: three shares, each with what it is a share of.

*Autonomy*: of the tasks that came to an end, those that completed and that no person has queued again or
released. One that failed, was cancelled or is held waits for a person or has had one, so it counts as needing
one: a night of failures that nobody has looked at yet is not autonomous. What the storm brake revives needs nobody.
*Recovery rate*: of the tasks that met an error which another attempt can mend, or lost their worker, and
are finished, those that completed.
*Execution efficiency*: of the seconds that attempts took, those of attempts that completed.

Steps of workflows have attempts and so count for the last two; for the first only the tasks that somebody added.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable

import msgspec

from overnight.core.states import FINAL, TaskState

#: Tasks looked at, the newest ones: the scores speak of the present and cost the same however many there are.
WINDOW = 10_000


class Group(msgspec.Struct, frozen=True, array_like=True):
    """Tasks that are alike in all that the scores ask for."""

    state: TaskState
    #: A person has queued it once more after its end, or released it.
    is_touched: bool
    is_step: bool
    #: Some attempt of it failed and not for good, or lost its worker.
    met_error: bool
    tasks: int
    #: Of all their attempts, and of those that completed.
    seconds: float = 0.0
    useful_seconds: float = 0.0


class Share(msgspec.Struct, frozen=True):
    """A part of a whole."""

    part: float
    whole: float

    @property
    def value(self) -> float | None:
        """Between 0 and 1; None where there is nothing to be a part of."""
        return self.part / self.whole if self.whole > 0 else None


class Scores(msgspec.Struct, frozen=True):
    """All three."""

    autonomy: Share
    recovery: Share
    efficiency: Share


def scores(groups: Iterable[Group]) -> Scores:
    """Work them out."""
    groups = list(groups)
    ended = [one for one in groups if not one.is_step and (one.state in FINAL or one.state is TaskState.HELD)]
    met = [one for one in groups if one.met_error and one.state in FINAL]
    return Scores(
        autonomy=_share(ended, lambda one: _completed(one) and not one.is_touched),
        recovery=_share(met, _completed),
        efficiency=Share(sum(one.useful_seconds for one in groups), sum(one.seconds for one in groups)),
    )


def _completed(one: Group) -> bool:
    return one.state is TaskState.COMPLETED


def _share(groups: list[Group], counts: Callable[[Group], bool]) -> Share:
    return Share(sum(one.tasks for one in groups if counts(one)), sum(one.tasks for one in groups))
