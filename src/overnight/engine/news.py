"""What others have done to the store: producers and people, and programs that died with tasks in hand."""

from __future__ import annotations

from overnight.engine.agenda import Agenda
from overnight.engine.journaling import Journaling
from overnight.engine.orders import OrderBook
from overnight.engine.popped import IsAlive, give_back
from overnight.host.clock import Clock
from overnight.store.contract import Store


class News:
    """Looks for changes, and lays down what follows from them.

    Args:
        store: What others change.
        orders: Read anew when they have.
        agenda: Told that there may be something to claim.
        journaling: Told that there are events of others.
        clock: Both clocks.
        is_alive: Whether the owner of a popped task, a process, still lives.
    """

    def __init__(
        self,
        store: Store,
        orders: OrderBook,
        agenda: Agenda,
        journaling: Journaling,
        clock: Clock,
        is_alive: IsAlive,
    ) -> None:
        self._store = store
        self._orders = orders
        self._agenda = agenda
        self._journaling = journaling
        self._clock = clock
        self._is_alive = is_alive
        #: Whether any task may be in the hands of a program: nobody can take one without changing the store.
        self._may_be_popped = True

    def look(self) -> None:
        """Read the orders anew if anybody else has changed the store."""
        if self._orders.refresh(self._clock.monotonic()):
            self._take_note()

    def give_back(self) -> int:
        """Put back what dead programs had popped. Returns how much.

        Raises:
            DiskFullError: There is no room to write it.
        """
        self.look()
        self._may_be_popped = self._may_be_popped and bool(self._store.popped())
        if not self._may_be_popped:
            return 0
        returned = give_back(self._store, self._is_alive, now=self._clock.now())
        if returned:
            self._orders.read(self._clock.monotonic())
            self._take_note()
        return returned

    def _take_note(self) -> None:
        self._may_be_popped = True
        self._agenda.stir()
        self._agenda.stirred = True
        self._journaling.hurry()
