"""What the parts of the loop lay down for each other: what is to be written, and what there may be to do."""

from __future__ import annotations

import math
from collections.abc import Iterable

import msgspec

from overnight.core.events import Event as Note
from overnight.core.events import stamp
from overnight.core.node_events import told
from overnight.core.nodes import NodeNews
from overnight.core.states import TaskState
from overnight.core.stopping import Ask
from overnight.core.verdict import EXIT_DONE_AND_STOP, Settlement
from overnight.engine.attempts import Attempts, Running
from overnight.executors.contract import Event, Froze
from overnight.host.clock import Clock

#: Notes kept while the store takes none.
MOST_NOTES = 100


class Agenda:
    """What the next transaction has to write, and whether it could find something to claim.

    Args:
        attempts: Who judges what is reported.
        clock: For the judgement.
    """

    def __init__(self, attempts: Attempts, clock: Clock) -> None:
        self._attempts = attempts
        self._clock = clock
        #: Attempts that have ended and are not settled in the store.
        self.settled: list[tuple[Running | None, Settlement]] = []
        #: Whether there is a failure among them, and how many of them the brake has heard of.
        self.failing = False
        self.heeded = 0
        #: Ids of controls that have been done.
        self.obeyed: list[int] = []
        #: What the engine itself has to tell.
        self.notes: list[Note] = []
        #: What stands still from now on, or goes on.
        self.froze: list[tuple[Running, bool]] = []
        #: Stops that tasks have asked for.
        self.asks: list[Ask] = []
        #: Whether a claim could find something, as far as is known.
        self.may_claim = True
        #: The same of the runner's own tasks, and when time alone lets one of them start, by the wall clock.
        self.may_claim_own = True
        self.own_due_at: float | None = None
        #: When time alone lets something be claimed: by the wall clock, and by the monotonic one.
        self.due_at: float | None = None
        self.allowed_at: float | None = None
        #: The same of a storm, by the wall clock: when one of what fails for everybody is tried again.
        self.probe_at: float | None = None
        #: Whether anybody else has changed the store since the goal was last told.
        self.stirred = False

    def written(self) -> list[tuple[Running | None, Settlement]]:
        """All that was laid down is in the store; returns what was settled."""
        settled, self.settled = self.settled, []
        self.failing, self.heeded, self.notes = False, 0, []
        return settled

    def until_claim(self) -> float:
        """Seconds until time alone lets something of people be claimed; for ever when it would help nothing."""
        if self.may_claim:
            return math.inf  # it is something else that is waited for: a slot, room on the disk, the end
        waits = [math.inf]
        if self.due_at is not None:
            waits.append(self.due_at - self._clock.now())
        if self.probe_at is not None:
            waits.append(self.probe_at - self._clock.now())
        if self.allowed_at is not None:
            waits.append(self.allowed_at - self._clock.monotonic())
        return min(waits)

    def until_own(self) -> float:
        """The same of the runner's own tasks."""
        if self.may_claim_own or self.own_due_at is None:
            return math.inf
        return self.own_due_at - self._clock.now()

    def stir(self) -> None:
        """A claim of either kind could find something."""
        self.may_claim = self.may_claim_own = True

    def take_in(self, events: Iterable[Event]) -> None:
        """Have reports judged; late ones are dropped."""
        now = self._clock.now()
        for event in events:
            if isinstance(event, Froze):  # with its attempt: the next event may be its end
                running = self._attempts.get(event.task_id)
                if running is not None and running.key == event.key:
                    self.froze.append((running, event.frozen))
            elif (judged := self._attempts.settle(event, now=now)) is not None:
                self.settled.append(judged)
                if self._attempts.is_own(judged[0]):
                    self.may_claim_own = True
                    continue
                self.may_claim = True  # it may have freed a slot of a queue or a resource, or come back itself
                settlement = judged[1]
                if settlement.fingerprint:
                    self.failing = True
                if settlement.exit_code == EXIT_DONE_AND_STOP and settlement.state is TaskState.COMPLETED:
                    self.asks.append(Ask.HALT)

    def hear(self, news: Iterable[NodeNews]) -> None:
        """Tell what has happened to nodes."""
        for one in news:
            self.note(told(one, at=stamp(self._clock.now())))

    def note(self, *notes: Note) -> None:
        """Tell this with the next transaction. While the store takes none, the oldest are forgotten in the end."""
        self.notes = [*self.notes, *notes][-MOST_NOTES:]

    def shift(self, seconds: float) -> None:
        """The wall clock has jumped by so many seconds: retries that are not settled yet move along with it."""
        self.settled = [(running, _moved(settlement, seconds)) for running, settlement in self.settled]

    def is_settling(self, task_id: int) -> bool:
        """Whether an attempt of this task has ended and is not settled in the store."""
        return any(settlement.task_id == task_id for _, settlement in self.settled)


def _moved(settlement: Settlement, seconds: float) -> Settlement:
    if settlement.not_before is None or settlement.reason is None:  # an instant that the task has named stays
        return settlement
    return msgspec.structs.replace(settlement, not_before=settlement.not_before + seconds)
