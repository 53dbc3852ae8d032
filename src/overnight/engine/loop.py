"""The turn: gather, decide, one transaction, act. One plain loop, one thread.

Each round takes in what workers and people said, asks `core` what to make of it, writes everything
in one transaction, and only then acts on it: nothing is sent before COMMIT, so an attempt is on
record before it runs, and nothing is acknowledged before COMMIT, so an outcome is never lost. The
loop decides nothing that could be decided in `core`, and keeps nothing that is not in the store or
the marks: it may be killed between any two lines.
"""

from __future__ import annotations

import contextlib
import math
from collections.abc import Iterable, Mapping, Sequence

import msgspec

from overnight.core.errors import DiskFullError
from overnight.core.states import TaskState
from overnight.core.stopping import Ask, Mode, StoppedBy, Stopping, after, overdue
from overnight.core.verdict import EXIT_DONE_AND_STOP, Settlement
from overnight.engine.attempts import Attempts, Running
from overnight.engine.goal import Goal
from overnight.engine.journal import Journal
from overnight.engine.orders import OrderBook
from overnight.engine.ports import Bell, Observer, Room, StopSource
from overnight.engine.recovery import INTENTS, recover
from overnight.executors.contract import Event, Executor
from overnight.host.clock import Clock
from overnight.host.waiter import Waiter
from overnight.store.contract import Claim, Control, Counts, Selector, Store, Turn, Verb

#: Seconds between two looks at what no bell announces: the STOP file, the store's change token.
TICK = 1.0
#: Seconds that outcomes may wait for company before they are written, when no slot is idle.
LINGER = 0.01
#: Outcomes that are written at once.
ENOUGH = 64
#: Seconds that the engine stands back after COMMIT for a producer that said it waits.
GAP = 0.005
#: Seconds between two drains of the outbox while events flow.
JOURNAL_EVERY = 0.1
#: Seconds between TERM and KILL when the engine stops at once.
STOP_GRACE = 5.0
#: Seconds after which an attempt that had not begun is asked again to end.
ASK_AGAIN = 0.05

Settled = Sequence[tuple[Running | None, Settlement]]


class Result(msgspec.Struct, frozen=True):
    """How a run of the engine ended. `exit_code` None: as the tasks' outcomes say."""

    stopped_by: StoppedBy
    exit_code: int | None
    counts: Counts


class Engine:
    """Runs the tasks of one store until its goal is reached or it is told to stop.

    Everything that is not a decision comes in from outside, so that one thread can simulate a day.

    Args:
        store: What is true.
        executor: Who runs attempts.
        clock: Wall clock for instants, monotonic for durations.
        waiter: How to wait for the first of several things.
        bell: Rung by producers and people.
        stops: Signals and the STOP file.
        journal: Where events go after COMMIT.
        room: Whether the disk has room.
        goal: When it is done.
        observer: Who wants to know.
        resources: What this machine has of each named resource.
        by: Who this engine is, for the events.
    """

    def __init__(
        self,
        *,
        store: Store,
        executor: Executor,
        clock: Clock,
        waiter: Waiter,
        bell: Bell,
        stops: StopSource,
        journal: Journal,
        room: Room,
        goal: Goal,
        observer: Observer,
        resources: Mapping[str, float] | None = None,
        by: str = "engine",
    ) -> None:
        self._store = store
        self._executor = executor
        self._clock = clock
        self._waiter = waiter
        self._bell = bell
        self._stops = stops
        self._journal = journal
        self._room = room
        self._goal = goal
        self._observer = observer
        self._by = by
        self._orders = OrderBook(store, resources or {})
        self._attempts = Attempts(executor, store, self._orders)
        self._stopping = Stopping()
        self._settled: list[tuple[Running | None, Settlement]] = []
        self._obeyed: list[int] = []
        #: Whether a claim could find something, as far as is known.
        self._may_claim = True
        self._disk_full = False
        self._producer_waits = False
        #: Whether anybody else has changed the store since the goal was last told.
        self._stirred = False
        #: When time alone lets something be claimed: by the wall clock, and by the monotonic one.
        self._due_at: float | None = None
        self._allowed_at: float | None = None
        self._next_tick = 0.0
        self._journal_at: float | None = 0.0
        self._sync_at = 0.0
        self._ask_again_at: float | None = None
        self.fence = 0

    # -- life --------------------------------------------------------------------------------

    def run(self) -> Result:
        """Recover, work, and leave the store exact.

        Raises:
            StaleEngineError: A newer engine has taken the store.
            StoreUnavailableError: The store's answer is unknown; a fresh process must read again.
        """
        try:
            self._begin()
            while not self._over():
                self._gather(self._patience())
                self._obey()
                if self._anything_to_write():
                    self._turn()
                self._tick()
        finally:
            self._executor.close()
        return self._end()

    def _begin(self) -> None:
        now = self._clock.now()
        # Whoever asked for a stop until now meant the engine of that time; from here on it is this one.
        self._obeyed = [control.id for control in self._store.orders().controls if control.task_id is None]
        self.fence = self._store.take_fence(now=now, by=self._by)
        recovered = recover(self._store, self._executor, fence=self.fence, now=now)
        self._settled = [(None, settlement) for settlement in recovered]
        self._orders.read(self._clock.monotonic())
        self._stop_for([*self._stops.take(), *self._stops.look()])
        self._obey()
        self._turn()

    def _over(self) -> bool:
        # What cannot be written for want of room is kept by the executor until the next engine asks for it.
        given_up = self._disk_full and self._stopping.mode is Mode.NOW
        if len(self._attempts) or ((self._settled or self._orders.controls) and not given_up):
            return False
        if self._stopping.mode is not Mode.RUN:
            return True
        return not self._may_claim and self._goal.reached(self._store.counts())

    def _end(self) -> Result:
        why = self._stopping.by or StoppedBy.QUEUE_EMPTY
        with contextlib.suppress(DiskFullError):  # then the last word is missing, and nothing else
            self._store.stand_down(fence=self.fence, now=self._clock.now(), why=why)
        self._journal.close()
        if self._stopping.mode is not Mode.RUN:
            self._stops.obeyed()
        counts = self._store.counts()
        self._observer.ticked(counts, [])
        return Result(why, self._stopping.exit_code, counts)

    # -- gather ------------------------------------------------------------------------------

    def _patience(self) -> float:
        """Seconds that the loop may sleep."""
        if self._can_claim() or self._has_late_controls():
            return 0.0
        moment = self._clock.monotonic()
        wakes = [self._next_tick, self._journal_at, self._ask_again_at, self._stopping.deadline]
        if self._journal.behind:
            wakes.append(self._sync_at)
        patience = min(wake for wake in wakes if wake is not None) - moment
        return max(0.0, min(patience, self._until_claim()))

    def _until_claim(self) -> float:
        """Seconds until time alone lets something be claimed; for ever when it would help nothing."""
        if self._may_claim:
            return math.inf  # it is something else that is waited for: a slot, room on the disk, the end
        waits = [math.inf]
        if self._due_at is not None:
            waits.append(self._due_at - self._clock.now())
        if self._allowed_at is not None:
            waits.append(self._allowed_at - self._clock.monotonic())
        return min(waits)

    def _gather(self, patience: float) -> None:
        self._listen(patience)
        if self._settled:
            self._linger()
        if self._until_claim() <= 0:
            self._may_claim = True

    def _linger(self) -> None:
        """Let outcomes gather for a moment, while no slot waits for more work."""
        until = self._clock.monotonic() + LINGER
        while len(self._settled) < ENOUGH and not self._attempts.starving():
            left = until - self._clock.monotonic()
            if left <= 0:
                return
            self._listen(left)

    def _listen(self, patience: float) -> None:
        ready = self._waiter.wait((self._bell, self._stops, self._executor), patience)
        if self._bell in ready:
            self._answer_bell()
        if self._stops in ready:
            self._stop_for(self._stops.take())
        self._take_in(self._executor.events())

    def _answer_bell(self) -> None:
        words = self._bell.drain()
        self._producer_waits = b"w" in words
        self._look_at_orders()

    def _look_at_orders(self) -> None:
        moment = self._clock.monotonic()
        if self._orders.refresh(moment):
            self._may_claim = self._stirred = True
            self._journal_at = moment

    def _take_in(self, events: Iterable[Event]) -> None:
        now = self._clock.now()
        for event in events:
            if (judged := self._attempts.settle(event, now=now)) is not None:
                self._settled.append(judged)
                self._may_claim = True  # it may have freed a slot of a queue or a resource, or come back itself
                settlement = judged[1]
                if settlement.exit_code == EXIT_DONE_AND_STOP and settlement.state is TaskState.COMPLETED:
                    self._stop_for([Ask.HALT])

    # -- decide ------------------------------------------------------------------------------

    def _stop_for(self, asks: Iterable[Ask], *, grace: float | None = None) -> None:
        deadline = None if grace is None else self._clock.monotonic() + grace
        for ask in asks:
            self._become(after(self._stopping, ask, deadline=deadline))

    def _become(self, stopping: Stopping) -> None:
        before, self._stopping = self._stopping, stopping
        if stopping.mode <= before.mode:
            return
        self._take_in(self._attempts.take_back())
        if stopping.mode is Mode.NOW:
            self._attempts.end_all(grace=STOP_GRACE)
            self._ask_again_at = self._clock.monotonic() + ASK_AGAIN
        self._observer.stopping(stopping, len(self._attempts))

    def _obey(self) -> None:
        """Do what people ask; a control is forgotten in the turn that has done it."""
        moment = self._clock.monotonic()
        self._become(overdue(self._stopping, now=moment))
        for control in self._orders.controls:
            if control.id not in self._obeyed:
                self._obey_one(control)
        if self._ask_again_at is not None and moment >= self._ask_again_at:
            grace = STOP_GRACE if self._stopping.mode is Mode.NOW else None
            self._ask_again_at = moment + ASK_AGAIN if self._attempts.ask_again(grace=grace) else None

    def _obey_one(self, control: Control) -> None:
        if control.task_id is None:
            if control.verb in (Ask.STOP, Ask.STOP_NOW):
                self._stop_for([Ask(control.verb)], grace=float(control.argument) if control.argument else None)
            self._obeyed.append(control.id)
            return
        running = self._attempts.get(control.task_id)
        if running is None:
            self._obey_late(control, control.task_id)
        elif running.intent is None and control.verb in INTENTS:
            self._take_in(self._attempts.end(control.task_id, INTENTS[control.verb]))
            self._ask_again_at = self._clock.monotonic() + ASK_AGAIN

    def _has_late_controls(self) -> bool:
        """Whether somebody asked about a task whose attempt has ended before the engine heard of it."""
        return any(
            control.task_id is not None and self._attempts.get(control.task_id) is None
            for control in self._orders.controls
        )

    def _obey_late(self, control: Control, task_id: int) -> None:
        """The attempt has ended: once that is written, do to its task what is done to one that does not run."""
        if any(settlement.task_id == task_id for _, settlement in self._settled):
            return
        if control.verb in INTENTS:
            selector = Selector(ids=(task_id,))
            try:
                self._store.act(Verb(control.verb), selector, now=self._clock.now(), by=control.by)
            except DiskFullError:
                self._run_out_of_room()
                return
            self._stirred = True
        self._obeyed.append(control.id)

    # -- one transaction ---------------------------------------------------------------------

    def _can_claim(self) -> bool:
        return (
            self._may_claim and not self._disk_full and self._stopping.mode is Mode.RUN and bool(self._attempts.rooms())
        )

    def _anything_to_write(self) -> bool:
        return bool(self._settled or self._obeyed) or self._can_claim()

    def _turn(self) -> None:
        rooms = self._attempts.rooms() if self._can_claim() else {}
        claim = self._claim(rooms) if rooms else None
        turn = self._commit(claim)
        if turn is None:
            return
        settled, self._settled = self._settled, []
        if self._obeyed:
            self._obeyed = []
            self._orders.read(self._clock.monotonic())
        self._attempts.start(turn.claimed, rooms)
        self._orders.spend(turn.claimed)
        self._tell(settled, turn)
        self._learn(claim, turn)
        self._stand_back()

    def _claim(self, rooms: Mapping[int, float]) -> Claim:
        return self._orders.claim(
            sum(rooms.values()),
            self._attempts.by_lane,
            now=self._clock.now(),
            moment=self._clock.monotonic(),
        )

    def _commit(self, claim: Claim | None) -> Turn | None:
        """Write; None when the disk is full, and then everything stays as it is until there is room."""
        try:
            turn = self._store.turn(
                fence=self.fence,
                now=self._clock.now(),
                settlements=[settlement for _, settlement in self._settled],
                claim=claim,
                obeyed=self._obeyed,
            )
        except DiskFullError:
            self._run_out_of_room()
            return None
        self._executor.ack()
        return turn

    def _run_out_of_room(self) -> None:
        if not self._disk_full:
            self._disk_full = True
            self._observer.disk(full=True)
        self._room.ran_out()
        self._waiter.wait((self._stops,), ASK_AGAIN)

    def _tell(self, settled: Settled, turn: Turn) -> None:
        stale = set(turn.stale)
        for running, settlement in settled:
            if not stale or (settlement.task_id, settlement.attempt) not in stale:
                self._goal.settled(settlement.task_id, settlement.state)
                self._observer.settled(running, settlement)

        if self._stopping.mode is Mode.RUN and self._goal.met():
            self._become(Stopping(Mode.DRAIN, StoppedBy.QUEUE_EMPTY))

    def _learn(self, claim: Claim | None, turn: Turn) -> None:
        """Whether another claim could find something (yes after a find), and else when."""
        now, moment = self._clock.now(), self._clock.monotonic()
        self._due_at = min(
            (due for due in (turn.next_due, self._orders.unpaused_at(now)) if due is not None), default=None
        )
        self._allowed_at = self._orders.allowed_at()
        if claim is not None:
            self._may_claim = bool(turn.claimed)
        if self._journal_at is None:
            self._journal_at = moment + JOURNAL_EVERY

    def _stand_back(self) -> None:
        """Leave the store to a producer that waits for it; SQLite's own waiting is not fair."""
        if self._producer_waits:
            self._producer_waits = False
            self._waiter.wait((self._bell,), GAP)

    # -- now and then ------------------------------------------------------------------------

    def _tick(self) -> None:
        moment = self._clock.monotonic()
        try:
            self._keep_journal(moment)
            self._store.tidy()
        except DiskFullError:
            self._run_out_of_room()
            self._journal_at = moment + TICK
        if moment >= self._next_tick:
            self._next_tick = moment + TICK
            self._look_now_and_then()

    def _keep_journal(self, moment: float) -> None:
        if self._journal_at is not None and moment >= self._journal_at:
            self._journal_at = moment + JOURNAL_EVERY if self._journal.pump() else None
        if self._journal.behind and moment >= self._sync_at:
            self._sync_at = moment + TICK
            self._journal.sync()

    def _look_now_and_then(self) -> None:
        self._store.check_file()
        self._stop_for(self._stops.look())
        if self._disk_full and self._room.returned():
            self._disk_full = False
            self._observer.disk(full=False)
        self._take_in(self._attempts.unstick(now=self._clock.now()))
        self._look_at_orders()
        if self._stirred:
            self._stirred = False
            self._goal.stirred()
        self._observer.ticked(self._store.counts(), self._attempts.running())
