"""What people and tasks ask of a running engine: to stop, and to end what runs.

A stop comes by a signal, the STOP file, a control or a task; what each makes of the one before is a table
in `core.stopping`. A control about a task is forgotten in the transaction that has written what it led to.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from overnight.core.stopping import Ask, Mode, Stopping, after, overdue
from overnight.engine.agenda import Agenda
from overnight.engine.attempts import Attempts
from overnight.engine.freezing import ASK_AGAIN, FREEZES, Freezing
from overnight.engine.orders import OrderBook
from overnight.engine.ports import Observer
from overnight.engine.recovery import INTENTS
from overnight.engine.room_needed import RoomNeeded
from overnight.host.clock import Clock
from overnight.store.contract import Control, Selector, Store, Verb

#: Seconds between TERM and KILL when the engine stops at once.
STOP_GRACE = 5.0


class Wishes:
    """How the engine is stopping, and what it was asked to do about single tasks.

    Args:
        agenda: Where what follows is laid down.
        attempts: What can be ended.
        orders: Where controls lie.
        store: Where tasks that run no more are changed.
        clock: Wall clock for the store, monotonic for deadlines.
        observer: Told of stops.
        room_needed: What the store may not be able to write now.
        freezing: Who lets running tasks stand still.
    """

    def __init__(
        self,
        agenda: Agenda,
        attempts: Attempts,
        orders: OrderBook,
        store: Store,
        clock: Clock,
        observer: Observer,
        room_needed: RoomNeeded,
        freezing: Freezing,
    ) -> None:
        self._agenda = agenda
        self._attempts = attempts
        self._orders = orders
        self._store = store
        self._clock = clock
        self._observer = observer
        self._room_needed = room_needed
        self._freezing = freezing
        self.stopping = Stopping()
        #: Whether anything stands still or goes on of which observers have not been told.
        self.something_froze = False
        #: Monotonic seconds at which attempts are asked to end once more.
        self.ask_again_at: float | None = None

    # -- stopping ----------------------------------------------------------------------------

    def stop_for(self, asks: Iterable[Ask], *, grace: float | None = None) -> None:
        """Take in what asks for a stop; `grace` seconds for what runs, None for as long as it takes."""
        deadline = None if grace is None else self._clock.monotonic() + grace
        for ask in asks:
            self.become(after(self.stopping, ask, deadline=deadline))

    def become(self, stopping: Stopping) -> None:
        """Stop like this from now on; what is harder than before is done at once."""
        before, self.stopping = self.stopping, stopping
        if stopping.mode > before.mode:
            self._agenda.take_in(self._attempts.take_back())
            if stopping.mode is Mode.DRAIN:
                self._freezing.thaw_all()
            if stopping.mode is Mode.NOW:
                self._attempts.end_all(grace=STOP_GRACE)
                self.ask_again_at = self._clock.monotonic() + ASK_AGAIN
        if (stopping.mode, stopping.by) != (before.mode, before.by):
            self._observer.stopping(stopping, len(self._attempts) - self._attempts.own)

    # -- obeying -----------------------------------------------------------------------------

    def obey(self) -> None:
        """Do what is asked."""
        self.something_froze = self._freezing.take_in() or self.something_froze
        moment = self._clock.monotonic()
        self.become(overdue(self.stopping, now=moment))
        asks, self._agenda.asks = self._agenda.asks, []
        self.stop_for(asks)
        for control in self._orders.controls:
            if control.id not in self._agenda.obeyed:
                self._obey_one(control)
        with self._room_needed:  # the first that cannot be written is the last one of this round
            self._obey_late()
        if self.ask_again_at is not None and moment >= self.ask_again_at:
            grace = STOP_GRACE if self.stopping.mode is Mode.NOW else None
            self.ask_again_at = moment + ASK_AGAIN if self._attempts.ask_again(grace=grace) else None

    def _obey_one(self, control: Control) -> None:
        if control.task_id is None:
            if control.verb in (Ask.STOP, Ask.STOP_NOW):
                self.stop_for([Ask(control.verb)], grace=float(control.argument) if control.argument else None)
            self._agenda.obeyed.append(control.id)
            return
        running = self._attempts.get(control.task_id)
        if running is None:
            return  # it is late
        if control.verb in FREEZES and not self._freezing.overtaken(control, self._orders.controls):
            self._freezing.obey(control, running, stopping=self.stopping.mode is not Mode.RUN)
        elif running.intent is None and control.verb in INTENTS:
            self._agenda.take_in(self._attempts.end(control.task_id, INTENTS[control.verb]))
            self.ask_again_at = self._clock.monotonic() + ASK_AGAIN

    def is_late(self) -> bool:
        """Whether somebody asked about a task whose attempt has ended before the engine heard of it."""
        return any(True for _ in self._late())

    def _late(self) -> Iterator[tuple[Control, int]]:
        for control in self._orders.controls:
            if control.task_id is not None and self._attempts.get(control.task_id) is None:
                yield control, control.task_id

    def _obey_late(self) -> None:
        """The attempt has ended: once that is written, do to its task what is done to one that does not run."""
        for control, task_id in self._late():
            if control.id in self._agenda.obeyed or self._agenda.is_settling(task_id):
                continue
            if control.verb in INTENTS:
                selector = Selector(ids=(task_id,))
                self._store.act(Verb(control.verb), selector, now=self._clock.now(), by=control.by)
                self._agenda.stirred = True
            self._freezing.done(control)
