"""What the runner of a slot runs, seen from its keeper: by the marks alone, and ended when it must end.

The runner talks to the engine by itself. The keeper looks at the marks at least once a second while a
runner lives: then it sees an attempt that has begun, and from there on it knows exactly when its time
is over. A function cannot be ended without its process, so a limit or a cancel costs the runner; what
it had not begun is handed out again.
"""

from __future__ import annotations

import signal
from collections.abc import Callable
from typing import Protocol

import msgspec

from overnight.core.endings import Ending
from overnight.core.limits import LOOK_SHARE, SHORTEST_PAUSE, Limits, Usage, Watch
from overnight.executors.local.marks import HALT_AT, Mark, Ring, SlotMarks, State
from overnight.executors.local.wire import Cancel, Lag, Message
from overnight.host.clock import SystemClock

#: Seconds between two looks while nothing is known to be due; and while attempts follow each other, of which
#: the next one may take all memory at once.
LOOK = 1.0
LOOK_WHILE_BUSY = 0.25
#: Seconds between two looks for the beginning of an attempt that is to be cancelled.
LOOK_FOR_START = 0.01
#: An attempt that has run so long keeps the reports of those before it waiting.
LAGGING = 0.05

_monotonic = SystemClock().monotonic


class Witness(Protocol):
    """What the keeper knows of the runner's tree."""

    def tell(self, message: Message) -> None:
        """Send to the engine."""

    def measure(self, exact_above: int | None) -> Usage:
        """What the tree of the attempt uses; from so many bytes on shared memory is counted once."""

    def signs(self) -> object:
        """Another one whenever the task has reported something."""


class BeingEnded:
    """An attempt of the runner that is being ended."""

    def __init__(self, why: Ending, mark: Mark, position: int, kill_at: float) -> None:
        self.why = why
        self.mark = mark
        self.position = position
        self.kill_at = kill_at


class RunnerWatch:
    """The limits of one slot's functions, and the cancels.

    Args:
        witness: The keeper.
        marks: Of the slot.
        send: Sends a signal to the runner and its group.
        printed: How much the attempt of the moment has printed.
    """

    def __init__(
        self, witness: Witness, marks: SlotMarks, send: Callable[[int], None], printed: Callable[[], int]
    ) -> None:
        self._witness = witness
        self._marks = marks
        self._send = send
        self._printed = printed
        self._limits = Limits()
        self._cancels: dict[tuple[int, int], Cancel] = {}
        self._watch: Watch | None = None
        self._position = -1
        #: Seconds that the attempt of the moment was frozen.
        self._rested = 0.0
        self._lag_told = -1
        self.ending: BeingEnded | None = None
        #: Since when the runner should be dead and is not, monotonic.
        self.stuck_since: float | None = None

    def begin(self, limits: Limits) -> None:
        """A new runner, whose functions have these limits besides those in their marks."""
        self._limits = limits
        self._watch, self._position, self.ending, self.stuck_since = None, -1, None, None
        self._rested = 0.0

    @property
    def peak(self) -> int | None:
        """The most memory seen of the attempt of the moment, bytes."""
        return self._watch.peak or None if self._watch is not None else None

    # -- looking -----------------------------------------------------------------------------

    def look(self, moment: float, mark: Mark, position: int) -> float:
        """Look at the attempt of the moment, and do what is due. Returns when to look again, monotonic."""
        runs = mark.state == State.STARTED
        again = moment + (LOOK_WHILE_BUSY if runs or position != self._position else LOOK)
        if position != self._position:
            self._position, self._watch, self._rested = position, None, 0.0
        self._cancels = {key: cancel for key, cancel in self._cancels.items() if self._still_to_begin(cancel, moment)}
        if self._cancels:
            again = moment + LOOK_FOR_START
        if self.ending is None and runs:
            again = min(again, self._judge(mark, moment))
        return self._press(self.ending, moment) if self.ending is not None else again

    def rested(self, seconds: float) -> None:
        """What runs has been frozen for so long: its limits stood still with it."""
        self._rested += seconds
        if self._watch is not None:
            self._watch.rested(seconds)

    def _judge(self, mark: Mark, moment: float) -> float:
        if self._position != self._lag_told and moment - mark.start > LAGGING:
            self._lag_told = self._position
            self._witness.tell(Lag())
        over = mark.start + mark.limit + self._rested if mark.limit >= 0 else moment + LOOK
        if mark.limit >= 0 and moment >= over:
            self.end(Ending.TIMEOUT, mark, self._position, mark.grace, moment)
            return moment
        if self._limits.first_look() is None:
            return over
        return min(over, self._look_at_tree(mark, moment))

    def _look_at_tree(self, mark: Mark, moment: float) -> float:
        watch = self._watch = self._watch or Watch(self._limits, mark.start + self._rested)
        if moment >= watch.due:
            usage = self._witness.measure(self._limits.memory_bytes)
            signs = (self._printed(), self._witness.signs())
            why = watch.look(usage, signs, moment=moment, cost=_monotonic() - moment)
            if why is not None:
                self.end(why, mark, self._position, mark.grace, moment)
        return watch.due

    # -- ending ------------------------------------------------------------------------------

    def cancel(self, cancel: Cancel) -> None:
        """End an attempt, if need be when it begins. The engine says so again and again; the shortest grace counts."""
        key = (cancel.task_id, cancel.attempt)
        before = self._cancels.get(key, cancel).grace
        graces = [grace for grace in (before, cancel.grace) if grace is not None]
        self._cancels[key] = msgspec.structs.replace(cancel, grace=min(graces, default=None))

    def forget_cancels(self) -> None:
        """What was to be cancelled is in the books as lost."""
        self._cancels = {}

    def _still_to_begin(self, cancel: Cancel, moment: float) -> bool:
        mark = self._marks.read(Ring.RUNNER, cancel.position)
        if mark.state == State.EMPTY:
            return True
        if mark.key == (cancel.task_id, cancel.attempt) and mark.state == State.STARTED:
            grace = mark.grace if cancel.grace is None else cancel.grace
            self.end(Ending.CANCELLED, mark, cancel.position, grace, moment)
        return False

    def end(self, why: Ending, mark: Mark, position: int, grace: float, moment: float) -> None:
        """TERM now, KILL after `grace` seconds. A second call only hurries."""
        if self.ending is not None:
            self.ending.kill_at = min(self.ending.kill_at, moment + grace)
        elif self._halted_in(mark, position):
            self.ending = BeingEnded(why, mark, position, moment + grace)
            self._send(signal.SIGTERM)
            self._send(signal.SIGCONT)

    def end_by_wall(self) -> None:
        """The kernel has killed something for want of memory, and the runner is dead."""
        position = self._marks.position()
        mark = self._marks.read(Ring.RUNNER, position)
        if self.ending is None and mark.state == State.STARTED:
            self.ending = BeingEnded(Ending.MEMORY, mark, position, 0.0)

    def _halted_in(self, mark: Mark, position: int) -> bool:
        """Let the runner begin nothing more; whether it is still where `mark` was read, so that nobody else is hit."""
        self._marks.memory[HALT_AT] = 1
        if self._marks.read(Ring.RUNNER, position) == mark:
            return True
        self._marks.memory[HALT_AT] = 0
        return False

    def _press(self, ending: BeingEnded, moment: float) -> float:
        """TERM was sent; KILL when the grace is over, or when the tree takes the machine along."""
        if moment < ending.kill_at and not self._runs_away():
            return min(ending.kill_at, moment + max(SHORTEST_PAUSE, LOOK_SHARE * (_monotonic() - moment)))
        self._send(signal.SIGKILL)
        self.stuck_since = self.stuck_since or moment
        return moment + LOOK

    def _runs_away(self) -> bool:
        return self._watch is not None and self._watch.is_runaway(self._witness.measure(self._limits.memory_bytes))
