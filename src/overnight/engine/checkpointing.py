"""The duty of making checkpoints while the engine works: when to begin one, and what its answer means.

An observer: it is told what was settled and, once a second, that time has passed. It starts the copier
and goes on; nothing here waits. That a page of the store is damaged is usually found by a copier, since
nobody else reads every page; then the engine must not go on.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Protocol, Self

from overnight.core import checkpoints, events, store_events
from overnight.core.checkpoints import Cadence, Due
from overnight.core.durations import format_duration, iso
from overnight.core.errors import StoreDamagedError
from overnight.core.gates import Hold
from overnight.core.states import FINAL, TaskState
from overnight.core.stopping import Mode, Stopping
from overnight.core.task import text
from overnight.core.verdict import Settlement
from overnight.engine.attempts import Running
from overnight.engine.room_needed import PUT_OFF
from overnight.host.clock import Clock
from overnight.store.contract import Counts, Store
from overnight.store.copies.copier import Answer, Done
from overnight.store.copies.making import saved

#: Seconds after its beginning before which an engine makes none: most commands are over by then.
FIRST = 1.0
#: Seconds after one that failed before the next is tried.
AFTER_FAILURE = 60.0
#: Seconds that an engine which ends waits for a copier that is at work.
PATIENCE = 5.0


#: Seconds after which a copier is ended, or so many times what the last one took: a second place on a machine that has
#: gone away would hold it for ever, and nobody would know.
LONGEST = 900.0
TIMES = 10


class Copier(Protocol):
    """Makes a checkpoint beside the work."""

    @property
    def busy(self) -> bool:
        """Whether it is at work."""

    def begin(self, state: dict[str, Any], processed: int) -> None:
        """Begin one; `state` is what its summary says of the processor. Raises OSError."""

    def answer(self) -> Answer | None:
        """What became of it, once. Never waits."""

    def end(self) -> None:
        """Kill it. Never waits: it is busy until it is dead."""

    def close(self, *, patience: float) -> Answer | None:
        """Let it finish for so many seconds, then end it."""


class Last:
    """The newest checkpoint when the engine begins.

    Args:
        age: Seconds since it was made; when there is none, since the home was.
        took: Seconds that it took, or that the first will take.
    """

    def __init__(self, age: float, took: float = 0.0) -> None:
        self.age = age
        self.took = took


class Checkpointing:
    """See the module; one for each engine.

    Args:
        store: What is copied; told of each checkpoint.
        copier: Who copies.
        clock: Wall clock for the record, monotonic for the spacing.
        cadence: How often.
        last: The newest checkpoint that there is.
    """

    def __init__(self, store: Store, copier: Copier, clock: Clock, cadence: Cadence, last: Last) -> None:
        self._store = store
        self._copier = copier
        self._clock = clock
        self._cadence = cadence
        moment = clock.monotonic()
        self._started = moment
        self._started_at = clock.now()
        #: Monotonic seconds.
        self._began = moment - max(0.0, last.age)
        self._took = last.took
        self._not_before = moment + FIRST
        self._finished = 0
        self._processed = 0
        self._failed = 0
        self._stretched = False
        #: What the store looked like when the last one began: it is worth copying when it looks different.
        self._picture: object = None
        self._ending = False
        self._killed = False

    # -- told ---------------------------------------------------------------------------------

    def settled(self, running: Running | None, settlement: Settlement) -> None:  # noqa: ARG002 - contract
        if settlement.state in FINAL and not settlement.step:
            self._finished += 1
            self._processed += settlement.state is TaskState.COMPLETED
            self._failed += settlement.state is TaskState.FAILED

    def stopping(self, stopping: Stopping, still_running: int) -> None:  # noqa: ARG002 - contract
        self._ending = stopping.mode is Mode.NOW

    def limits(self, holds: Sequence[Hold], slots: int) -> None:
        """A gate that holds back tasks holds back no checkpoint."""

    def ticked(self, counts: Counts, running: list[Running]) -> None:
        """Raises StoreDamagedError when a copier has found damage."""
        moment = self._clock.monotonic()
        if self._copier.busy:
            if (answer := self._copier.answer()) is not None:
                self._heed(answer)
            elif not self._killed and moment - self._began > self._longest():
                self._end()
            return
        if moment < self._not_before:
            return
        picture = (self._store.change_token(), counts, self._finished)
        verdict = checkpoints.due(
            self._cadence,
            finished=self._finished,
            changed=picture != self._picture,
            since=moment - self._began,
            took=self._took,
        )
        if verdict is Due.STRETCHED:
            self._stretched = True
        elif verdict is Due.NOW:
            self._begin(moment, picture, running)

    # -- done ---------------------------------------------------------------------------------

    def _begin(self, moment: float, picture: object, running: list[Running]) -> None:
        try:
            self._copier.begin(self._state(running), self._processed)
        except OSError as error:
            self._fail(f"no copier could be started: {error.strerror or error}")
            return
        self._began, self._picture, self._finished = moment, picture, 0

    def _longest(self) -> float:
        return max(LONGEST, TIMES * self._took)

    def _end(self) -> None:
        self._killed = True
        self._copier.end()
        self._fail(f"it was not there after {format_duration(self._longest())}, so its process was killed")

    def _state(self, running: list[Running]) -> dict[str, Any]:
        first = running[0].claimed.input if running else None
        return {
            "status": "running",
            "started_at": iso(self._started_at),
            "stopped_at": None,
            "files_processed": self._processed,
            "files_failed": self._failed,
            "current_file": None if first is None else text(first).encode("utf-8", "backslashreplace").decode(),
        }

    def _heed(self, answer: Answer) -> None:
        if isinstance(answer, Done):
            made = answer.made
            self._took = made.took_seconds
            event = saved(made, at=self._clock.now(), stretched=self._stretched)
            self._stretched = False
            self._tell(event)
        elif answer.kind == StoreDamagedError.__name__:
            raise StoreDamagedError(answer.message, hint="'overnight resume' rebuilds it and goes on")
        elif not self._killed:  # else it was told then
            self._fail(answer.message)
        self._killed = False

    def _fail(self, why: str) -> None:
        self._not_before = self._clock.monotonic() + AFTER_FAILURE
        self._picture = None
        self._tell(store_events.CheckpointFailed(at=events.stamp(self._clock.now()), error=events.printable(why)))

    def _tell(self, event: events.Event) -> None:
        try:
            self._store.note([event])
        except PUT_OFF:
            return  # the gates tell of the disk; the checkpoint is there or not, as its shelf says

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> None:
        """The engine has ended: a copier that is at work may finish, unless there is no time for it.

        Raises:
            StoreDamagedError: It has found damage, after an engine that ended well.
        """
        hurry = self._ending or kind is not None
        answer = self._copier.close(patience=0.0 if hurry else PATIENCE)
        if answer is not None and kind is None:
            self._heed(answer)
