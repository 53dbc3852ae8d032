"""The runner's own tasks: what it has to do besides the work of people, such as to tell somebody of it.

They are tasks like any other, in queues whose names no person can use (`core.lanes.is_own`), so they survive what
tasks survive. They run one at a time in a slot of their own: work of people can neither starve them nor lose
a slot to them. The slot is there only while something is done in it, for an idle engine is to cost nothing.

Nobody waits for them: they are no part of any goal, and no failure of theirs stops or slows the work of people.
What runs when the work is over is given a moment to end well; what does not is taken up by the next engine.
"""

from __future__ import annotations

from collections.abc import Iterable

from overnight.core.lanes import is_own
from overnight.core.verdict import Settlement
from overnight.engine.agenda import Agenda
from overnight.engine.attempts import Attempts, Running
from overnight.engine.orders import OrderBook
from overnight.executors.contract import Executor
from overnight.host.clock import Clock
from overnight.store.contract import Claim, Store, Turn

#: Seconds without work after which the slot goes. What is done each minute (`health`) finds it there: to start two
#: processes and import all checks costs some ten times what the checks themselves do.
IDLE = 90.0
#: Seconds that what runs is given to end by itself when the work is over, and between TERM and KILL then.
PARTING, GRACE = 5.0, 1.0
#: Seconds until the slot is asked for again when it could not be had.
AGAIN = 1.0


class OwnWork:
    """Claims the runner's own tasks, and keeps their slot.

    Args:
        orders: Whether there are any.
        attempts: What runs; knows the number of the slot.
        executor: Whose slot it is.
        agenda: Whether a claim could find something.
        store: Knows the queue of what an earlier engine has left.
        clock: Monotonic.
    """

    def __init__(
        self, orders: OrderBook, attempts: Attempts, executor: Executor, agenda: Agenda, store: Store, clock: Clock
    ) -> None:
        self._orders = orders
        self._attempts = attempts
        self._executor = executor
        self._agenda = agenda
        self._store = store
        self._clock = clock
        #: Monotonic seconds: when the slot last had something, None while there is none; when it may be asked for.
        self._used_at: float | None = None
        self._not_before = 0.0
        #: When what runs is ended, because all else is over.
        self._parting_at: float | None = None
        #: What an earlier engine has left open of them.
        self._left: frozenset[int] = frozenset()

    def recovered(self, settlements: Iterable[Settlement]) -> None:
        """These attempts of an earlier engine have been judged."""
        places = self._store.places([settlement.task_id for settlement in settlements])
        self._left = frozenset(task_id for task_id, (queue, _) in places.items() if is_own(queue))

    def has(self, running: Running | None, settlement: Settlement) -> bool:
        """Whether this is about a task of the runner's own."""
        return self._attempts.is_own(running) or (running is None and settlement.task_id in self._left)

    def can_claim(self) -> bool:
        """Whether there may be something to start, and the slot is free."""
        if not (self._agenda.may_claim_own and self._orders.has_own):
            return False
        return self._parting_at is None and not self._attempts.own and self._clock.monotonic() >= self._not_before

    def claim(self) -> Claim:
        """What to claim."""
        return self._orders.claim_own()

    def start(self, turn: Turn) -> None:
        """Hand out what the turn has claimed. Without a slot it goes back, and is claimed again a little later."""
        self._agenda.may_claim_own = bool(turn.claimed)
        slot, moment = self._attempts.own_slot, self._clock.monotonic()
        if not turn.claimed or slot is None:
            return
        if self._executor.set_aside(slot):
            self._used_at = moment
            self._attempts.start(turn.claimed, {slot: 1.0}, moment=moment)
        else:
            self._not_before = moment + AGAIN
            self._agenda.take_in(self._attempts.refuse(turn.claimed, slot, moment=moment))

    def tidy(self) -> None:
        """Let the slot go when it has been idle for a while."""
        moment = self._clock.monotonic()
        if self._attempts.own:
            self._used_at = moment
        elif self._used_at is not None and moment - self._used_at >= IDLE:
            self._used_at = None
            self._executor.set_aside(None)

    def at_rest(self, *, leaving: bool) -> bool:
        """Whether the engine may leave; when it wants to, what still runs is given its moment, and is ended then."""
        if not leaving or not self._attempts.own:
            self._parting_at = self._parting_at if leaving else None
            return leaving
        moment = self._clock.monotonic()
        if self._parting_at is None:
            self._parting_at = moment + PARTING
        elif moment >= self._parting_at:
            self._attempts.end_own(grace=GRACE)
        return False
