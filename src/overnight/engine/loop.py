"""The turn: gather, decide, one transaction, act. One plain loop, one thread.

Each round takes in what workers and people said, asks `core` what to make of it, writes everything
in one transaction, and only then acts on it: nothing is sent before COMMIT, so an attempt is on
record before it runs, and nothing is acknowledged before COMMIT, so an outcome is never lost. The
loop decides nothing that could be decided in `core`, and keeps nothing that is not in the store or
the marks: it may be killed between any two lines.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING

from overnight.core.claims import Bind
from overnight.core.error_rules import Rule
from overnight.core.errors import OvernightError, StoreDamagedError
from overnight.core.nodes import NodeNews
from overnight.core.states import TaskState
from overnight.core.stopping import Ask, Mode, StoppedBy, Stopping
from overnight.core.verdict import Settlement
from overnight.engine.agenda import Agenda
from overnight.engine.attempts import Attempts, Running
from overnight.engine.brake import Alarm, Brake, silent
from overnight.engine.clockwatch import Jumps
from overnight.engine.conditions import Conditions, Limits
from overnight.engine.freezing import ASK_AGAIN, Freezing
from overnight.engine.goal import Goal
from overnight.engine.journal import Journal
from overnight.engine.journaling import Journaling
from overnight.engine.news import News
from overnight.engine.orders import OrderBook
from overnight.engine.own import OwnWork
from overnight.engine.popped import IsAlive
from overnight.engine.ports import Bell, Machine, Observer, Rescue, Room, StopSource, give_up
from overnight.engine.quotas import Quotas
from overnight.engine.recovery import EVERY, as_revival, as_settlement, recover
from overnight.engine.result import Result
from overnight.engine.retention import Retention
from overnight.engine.room_needed import BRIEFLY, PUT_OFF, RoomNeeded
from overnight.engine.scheduling import Scheduling, Surroundings
from overnight.engine.wishes import Wishes
from overnight.executors.contract import Executor
from overnight.host.clock import Clock
from overnight.host.fences import Fences, OnlyOurs
from overnight.host.waiter import Waiter
from overnight.store.contract import Claim, Counts, Store, Turn

if TYPE_CHECKING:  # most homes have no nodes
    from overnight.core.placing import Look

#: Seconds between two looks at what no bell announces: the STOP file, the store's change token.
TICK = 1.0
#: Seconds that outcomes may wait for company before they are written, when no slot is idle.
LINGER = 0.02
#: Outcomes that are written at once.
ENOUGH = 64
#: Seconds that the engine stands back after COMMIT for a producer that said it waits.
GAP = 0.005

Settled = Sequence[tuple[Running | None, Settlement]]


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
        room: Whether the store can write.
        machine: What there is of disk, memory and CPUs.
        limits: What a person has set about how much runs here.
        goal: When it is done.
        observer: Who wants to know.
        resources: What this machine has of each named resource.
        ids: Of those that are handed out by name.
        bind: Which tasks become tasks of a workflow when they are claimed.
        rules: What a person has said about failures.
        alarm: Told when so many have failed alike that the others wait, and when they go on.
        is_alive: Whether the owner of a popped task, a process, still lives.
        rescue: What to do when the store's file is not at its place any more; raises when nothing helps.
        by: Who this engine is, for the events.
        surroundings: The environment of what schedules add.
        fences: Which attempts were of this home's engines, where the store is one of many homes.
        nodes: What has happened to the machines on which attempts run since this was last asked.
        stocks: What each of them has, where attempts run on nodes; `resources` is what there is for all together then.
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
        machine: Machine,
        limits: Limits,
        goal: Goal,
        observer: Observer,
        resources: Mapping[str, float] | None = None,
        ids: Mapping[str, Sequence[str]] | None = None,
        bind: Bind | None = None,
        rules: Sequence[Rule] = (),
        alarm: Alarm = silent,
        is_alive: IsAlive = lambda _: True,
        rescue: Rescue = give_up,
        by: str = "engine",
        surroundings: Surroundings = ({}, ()),
        fences: Fences | OnlyOurs = EVERY,
        nodes: Callable[[], Sequence[NodeNews]] = list,
        stocks: Look | None = None,
    ) -> None:
        self._store = store
        self._executor = executor
        self._clock = clock
        self._waiter = waiter
        self._bell = bell
        self._stops = stops
        self._journaling = Journaling(journal, clock)
        self._goal = goal
        self._observer = observer
        self._by = by
        self._fences = fences
        self._nodes = nodes
        self._rescue = rescue
        self._orders = OrderBook(store, resources or {}, ahead=goal.ahead(), ids=ids, bind=bind, stocks=stocks)
        self._rules = rules
        self._attempts = Attempts(executor, store, self._orders, rules, own_slot=limits.bounds.most)
        self._quotas = Quotas(store, self._orders, clock)
        self._agenda = Agenda(self._attempts, clock)
        self._own = OwnWork(self._orders, self._attempts, executor, self._agenda, store, clock)
        self._brake = Brake(store, self._orders, self._attempts, clock, limits.brake, alarm)
        self._freezing = Freezing(self._agenda, self._attempts, executor, clock)
        self._room_needed = RoomNeeded(self._run_out_of_room, self._stand_by)
        self._wishes = Wishes(
            self._agenda, self._attempts, self._orders, store, clock, observer, self._room_needed, self._freezing
        )
        self._conditions = Conditions(limits, machine, room, executor, self._agenda, clock, observer)
        self._scheduling = Scheduling(store, self._orders, self._agenda, clock, surroundings)
        self._retention = Retention(store, executor, clock, keep=limits.keep_finished)
        self._jumps = Jumps(clock, store, self._agenda, self._retention)
        self._news = News(store, self._orders, self._agenda, self._journaling, clock, is_alive)
        self._producer_waits = False
        self._next_tick = 0.0
        self.fence = 0

    # -- life --------------------------------------------------------------------------------

    def run(self) -> Result:
        """Recover, work, and leave the store exact.

        Raises:
            StaleEngineError: A newer engine has taken the store.
            StoreUnavailableError: The store's answer is unknown; a fresh process must read again.
            StoreDamagedError: It cannot be read; whoever takes the home next must mend it first.
        """
        try:
            self._begin()
            with self._store.waiting(BRIEFLY):
                while not self._over():
                    self._gather(self._patience())
                    self._wishes.obey()
                    if self._anything_to_write():
                        self._turn()
                    self._tick()
        finally:
            self._executor.close()
        return self._end()

    def _begin(self) -> None:
        now = self._clock.now()
        # Whoever asked for a stop until now meant the engine of that time; from here on it is this one.
        self._agenda.obeyed = [control.id for control in self._store.orders().controls if control.task_id is None]
        self.fence = self._store.take_fence(now=now, by=self._by)
        self._fences.note(self.fence)
        recovered = recover(
            self._store, self._executor, fence=self.fence, now=now, rules=self._rules, ours=self._fences
        )
        self._agenda.settled = [(None, settlement) for settlement in recovered]
        self._own.recovered(recovered)
        self._orders.read(self._clock.monotonic())
        if onward := self._executor.onward():
            self._attempts.take_over(self._store.left_open(), onward, moment=self._clock.monotonic())
        self._wishes.stop_for([*self._stops.take(), *self._stops.look()])
        self._wishes.obey()
        self._conditions.look(idle=False, wanted=False)
        with self._room_needed:
            self._scheduling.look(fence=self.fence, stopping=self._wishes.stopping.mode)
        self._turn()

    def _over(self) -> bool:
        return self._own.at_rest(leaving=self._work_is_over())

    def _work_is_over(self) -> bool:
        # What cannot be written for want of room is kept by the executor until the next engine asks for it.
        given_up = self._conditions.full and self._wishes.stopping.mode is Mode.NOW
        if len(self._attempts) > self._attempts.own or (
            (self._agenda.settled or self._orders.controls) and not given_up
        ):
            return False
        if self._wishes.stopping.mode is not Mode.RUN:
            return True
        counts = self._store.counts()
        if not (self._goal.reached(counts) or self._only_people_can_help(counts)):
            if not self._agenda.may_claim and self._only_storms_are_left():
                self._wishes.stop_for([Ask.HALT])
            return self._wishes.stopping.mode is not Mode.RUN
        with self._room_needed:
            return not self._news.give_back()  # whoever has died since the last look leaves us something to do
        return False

    def _only_people_can_help(self, counts: Counts) -> bool:
        """Whether all that is left waits for tasks that are held."""
        if self._agenda.due_at is not None or (self._agenda.may_claim and counts.waiting):
            return False  # time lets something go on, or nobody has looked yet whether it does
        moving = counts.pending + counts.running - counts.popped
        return bool(counts.held) and not moving and self._goal.leaves_to_people()

    def _only_storms_are_left(self) -> bool:
        """Whether all that is left fails for everybody, and no further try would mend it."""
        return self._agenda.due_at is None and self._brake.leaves_to_people() and self._goal.leaves_to_people()

    def _end(self) -> Result:
        why = self._wishes.stopping.by or StoppedBy.QUEUE_EMPTY
        with contextlib.suppress(*PUT_OFF):  # then the last word is missing, and nothing else
            self._keep_file()
            self._store.stand_down(fence=self.fence, now=self._clock.now(), why=why)
        with self._store.waiting(BRIEFLY):
            self._journaling.close()
        if self._wishes.stopping.mode is not Mode.RUN:
            self._stops.obeyed()
        counts = self._store.counts()
        self._observer.ticked(counts, [])
        return Result(why, self._wishes.stopping.exit_code, counts)

    # -- gather ------------------------------------------------------------------------------

    def _patience(self) -> float:
        """Seconds that the loop may sleep."""
        if self._can_claim() or self._can_claim_own() or self._wishes.is_late():
            return 0.0
        moment = self._clock.monotonic()
        wakes = [
            self._next_tick,
            *self._journaling.wakes(),
            self._wishes.ask_again_at,
            self._freezing.ask_again_at,
            self._wishes.stopping.deadline,
        ]
        patience = min(wake for wake in wakes if wake is not None) - moment
        return max(0.0, min(patience, self._agenda.until_claim(), self._agenda.until_own()))

    def _gather(self, patience: float) -> None:
        self._listen(patience)
        if self._agenda.settled:
            self._linger()
        if self._agenda.until_claim() <= 0:
            self._agenda.may_claim = True
        if self._agenda.until_own() <= 0:
            self._agenda.may_claim_own = True

    def _linger(self) -> None:
        """Let outcomes gather for a moment, while no slot waits for more work."""
        until = self._clock.monotonic() + LINGER
        while len(self._agenda.settled) < ENOUGH and not self._attempts.starving():
            left = until - self._clock.monotonic()
            if left <= 0:
                return
            self._listen(left)

    def _listen(self, patience: float) -> None:
        ready = self._waiter.wait((self._bell, self._stops, self._executor), patience)
        self._jumps.notice()  # before anything is judged by the new time
        if self._bell in ready:
            self._answer_bell()
        if self._stops in ready:
            self._wishes.stop_for(self._stops.take())
        self._agenda.take_in(self._executor.events())
        self._agenda.hear(self._nodes())

    def _answer_bell(self) -> None:
        words = self._bell.drain()
        self._producer_waits = b"w" in words
        self._news.look()

    # -- one transaction ---------------------------------------------------------------------

    def _can_claim(self) -> bool:
        return (
            self._agenda.may_claim
            and not self._conditions.closed
            and self._wishes.stopping.mode is Mode.RUN
            and self._attempts.has_room()
        )

    def _can_claim_own(self) -> bool:
        """No gate holds up what the runner has to do itself: it may be to say that one does."""
        return self._own.can_claim() and not self._conditions.full and self._wishes.stopping.mode is Mode.RUN

    def _anything_to_write(self) -> bool:
        laid_down = self._agenda.settled or self._agenda.obeyed or self._agenda.notes
        return bool(laid_down) or self._can_claim() or self._can_claim_own()

    def _turn(self) -> None:
        self._heed_quotas()
        began = self._heed_failures()
        own = self._can_claim_own()  # a turn claims for one or the other
        rooms = self._attempts.rooms() if self._can_claim() and not own else {}
        claim = self._own.claim() if own else self._claim(rooms) if rooms else None
        turn = self._commit(claim)
        if turn is None:
            return
        settled = self._agenda.written()
        if self._agenda.obeyed:
            self._agenda.obeyed = []
            self._orders.read(self._clock.monotonic())
        self._brake.claimed(turn.claimed)
        if own:
            self._own.start(turn)
        else:
            self._attempts.start(turn.claimed, rooms, moment=self._clock.monotonic())
        self._orders.spend(turn.claimed)
        self._orders.heed(turn, self._clock.monotonic())
        self._tell(settled, turn)
        goes_on = self._let_go_on()
        self._see_goal()
        if began:
            self._agenda.take_in(self._attempts.take_back())  # what was handed out ahead would fail alike
        self._learn(None if own else claim, turn)
        self._agenda.may_claim = self._agenda.may_claim or goes_on
        if self._wishes.something_froze:
            self._wishes.something_froze = False
            self._next_tick = 0.0  # whoever looks is told at once
        self._stand_back()

    def _heed_failures(self) -> bool:
        """Brake or give up before anything more is claimed. Returns whether a storm has begun."""
        began = False
        with self._room_needed:
            began = self._brake.heed(self._agenda)
        failing = [
            settlement.task_id
            for running, settlement in self._agenda.settled
            if settlement.state is TaskState.FAILED and not settlement.step and not self._own.has(running, settlement)
        ]
        if failing and (ask := self._goal.given_up(failing)) is not None:
            self._wishes.stop_for([ask])
        return began

    def _let_go_on(self) -> bool:
        """End the storms that have passed; whether there was one. What is revived is not at rest any more."""
        ended = None
        with self._room_needed:
            ended = self._brake.end()
        for task_id in ended or ():
            self._goal.settled(task_id, TaskState.PENDING)
            self._observer.settled(None, as_revival(task_id))
        return ended is not None

    def _heed_quotas(self) -> None:
        """Hold queues before anything more is claimed; what was handed out ahead would be told the same."""
        with self._room_needed:
            if self._quotas.heed(self._agenda.settled):
                self._agenda.take_in(self._attempts.take_back())

    def _claim(self, rooms: Mapping[int, float]) -> Claim:
        return self._orders.claim(
            rooms,
            self._attempts.by_lane,
            slots=self._attempts.slots(),
            now=self._clock.now(),
            moment=self._clock.monotonic(),
            probing=self._brake.probing(),
        )

    def _commit(self, claim: Claim | None) -> Turn | None:
        """Write; None when that cannot be done now, and then everything stays as it is until it can."""
        turn = None
        with self._room_needed:
            self._heed_jumps()
            turn = self._store.turn(
                fence=self.fence,
                now=self._clock.now(),
                settlements=[settlement for _, settlement in self._agenda.settled],
                claim=claim,
                obeyed=self._agenda.obeyed,
                notes=self._agenda.notes,
            )
            self._executor.ack()
        return turn

    def _heed_jumps(self) -> None:
        if self._jumps.heed(fence=self.fence):
            self._orders.read(self._clock.monotonic())  # probes of storms were moved along

    def _run_out_of_room(self) -> None:
        self._conditions.ran_out()
        self._stand_by()

    def _stand_by(self) -> None:
        """Until there is room, or whoever holds the store is done."""
        self._waiter.wait((self._stops,), ASK_AGAIN)

    def _tell(self, settled: Settled, turn: Turn) -> None:
        stale = set(turn.stale)
        for running, settlement in settled:
            if self._own.has(running, settlement):
                continue
            if not stale or (settlement.task_id, settlement.attempt) not in stale:
                if not settlement.step:
                    self._goal.settled(settlement.task_id, settlement.state)
                self._observer.settled(running, settlement)
        for rested in turn.rested:
            self._goal.settled(rested.id, rested.state)
            self._observer.settled(None, as_settlement(rested))

    def _see_goal(self) -> None:
        if self._wishes.stopping.mode is Mode.RUN and self._goal.met():
            self._wishes.become(Stopping(Mode.DRAIN, StoppedBy.QUEUE_EMPTY))

    def _learn(self, claim: Claim | None, turn: Turn) -> None:
        """Whether another claim could find something (yes after a find), and else when."""
        dues = (turn.next_due, self._orders.unpaused_at(self._clock.now()))
        self._agenda.due_at = min((due for due in dues if due is not None), default=None)
        self._agenda.own_due_at = turn.own_due if self._orders.has_own else None
        self._agenda.allowed_at = self._orders.allowed_at()
        self._agenda.probe_at = self._brake.wakes_at(self._clock.now())
        if claim is not None:
            self._agenda.may_claim = bool(turn.claimed or turn.opened or turn.rested)

    def _stand_back(self) -> None:
        """Leave the store to a producer that waits for it; SQLite's own waiting is not fair."""
        if self._producer_waits:
            self._producer_waits = False
            self._waiter.wait((self._bell,), GAP)

    # -- now and then ------------------------------------------------------------------------

    def _tick(self) -> None:
        moment = self._clock.monotonic()
        with self._room_needed:
            self._journaling.keep()
            self._store.tidy()
        if moment >= self._next_tick:
            self._next_tick = moment + self._scheduling.within(TICK)
            self._look_now_and_then()

    def _look_now_and_then(self) -> None:
        self._keep_file()
        self._wishes.stop_for(self._stops.look())
        now, moment = self._clock.now(), self._clock.monotonic()
        self._agenda.take_in(self._attempts.unstick(now=now, moment=moment))
        self._agenda.may_claim |= self._attempts.has_news()
        self._own.tidy()
        with self._room_needed:
            self._heed_jumps()
            self._news.give_back()
            self._agenda.may_claim |= self._let_go_on()
            self._scheduling.look(fence=self.fence, stopping=self._wishes.stopping.mode)
            self._retention.step(fence=self.fence)
        if self._agenda.stirred:
            self._agenda.stirred = False
            self._goal.stirred()
        counts = self._store.counts()
        self._look_at_conditions(counts)
        self._observer.ticked(counts, self._attempts.of_people())

    def _keep_file(self) -> None:
        """Commits into a file that somebody has deleted succeed, and would be gone with us."""
        try:
            self._store.check_file()
        except StoreDamagedError as error:
            with contextlib.suppress(OvernightError):  # should that fail, the journal is all there is
                self._journaling.flush()
            self._rescue(error)

    def _look_at_conditions(self, counts: Counts) -> None:
        working = self._wishes.stopping.mode is Mode.RUN
        self._conditions.look(
            idle=not len(self._attempts) and not self._agenda.may_claim,
            wanted=working and self._agenda.may_claim and counts.pending > 0 and not self._attempts.starving(),
        )
