"""Everything that the routes ask, put together once, and let go of at the end."""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections.abc import Callable, Mapping
from typing import Generic, TypeVar

from overnight import wiring
from overnight.core.errors import NotFoundError
from overnight.core.scores import WINDOW, Scores, scores
from overnight.host.clock import Clock
from overnight.host.home import Home
from overnight.store.contract import Store
from overnight.ui.web.answers import CauseView
from overnight.ui.web.desk import Desk
from overnight.ui.web.feed import Feed
from overnight.ui.web.logs import Logs
from overnight.ui.web.past import PastTimes
from overnight.ui.web.pictures import causes, pulse
from overnight.ui.web.programs import Programs
from overnight.ui.web.recent import Recent
from overnight.ui.web.records import checkpoints

#: Share of a CPU that may go into counting one thing.
_SHARE = 0.003
T = TypeVar("T")
#: Seconds between two portions of a journal that is new to us: nobody waits, and work goes first.
_PAUSE = 0.05


class Kept(Generic[T]):
    """An answer of the store that takes a while: asked for anew when that has changed, but not the whole time.

    Args:
        ask: Asks for it.
        clock: For the pace.
    """

    def __init__(self, ask: Callable[[Store], T], clock: Clock) -> None:
        self._ask = ask
        self._clock = clock
        self._found: T | None = None
        self._token: int | None = None
        self._good_until = 0.0

    def of(self, store: Store) -> T:
        """That of the store. For the thread that reads."""
        token = store.change_token()
        if self._found is None or (token != self._token and self._clock.monotonic() >= self._good_until):
            began = time.thread_time()
            self._found, self._token = self._ask(store), token
            self._good_until = self._clock.monotonic() + (time.thread_time() - began) / _SHARE
        return self._found

    def forget(self) -> None:
        """Ask anew, however long that takes."""
        self._good_until = 0.0


class Hall:
    """The dashboard of one home without its door.

    Args:
        home: Whose.
        resources: What the machine has of each named resource, by the settings.

    Raises:
        OvernightError: The store cannot be opened.
    """

    def __init__(self, home: Home, resources: Mapping[str, float]) -> None:
        self.resources = resources
        self.desk = Desk(home)
        self.feed = Feed(self.desk, lambda store, seq: pulse(store, home.path, seq, wiring.clock.now()), wiring.clock)
        self.past = PastTimes(self.desk)
        self.logs = Logs(home.output, self.desk.read_now)
        self.causes = Kept[list[CauseView]](causes, wiring.clock)
        self.recent = Recent(wiring.clock)
        self.desk.when_done(self._forget)
        self.scores = Kept[Scores](lambda store: scores(store.scored(WINDOW)), wiring.clock)
        self.programs = Programs(home)
        self._reading: asyncio.Task[None] | None = None

    async def checkpoint(self, name: str) -> str:
        """The name of a checkpoint that there is: a command would take the path of any file as well.

        Raises:
            NotFoundError: There is none of this name that can be trusted.
        """
        found = await self.desk.file(lambda: checkpoints(self.desk.home))
        if not any(one.name == name and not one.trouble for one in found.checkpoints):
            raise NotFoundError(
                f"there is no checkpoint {name!r}; nothing was changed", hint="'overnight checkpoint list'"
            )
        return name

    def begin(self) -> None:
        """Read what the journal holds by now, a portion at a time. In the loop."""
        self._reading = asyncio.create_task(self._read_journal())

    def _forget(self) -> None:
        """Somebody did something, and wants to see it."""
        for one in (self.recent, self.causes, self.scores):
            one.forget()

    async def end(self) -> None:
        """Let go of everything."""
        self.feed.close()
        if self._reading is not None:
            self._reading.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await self._reading
        await self.programs.close()
        await asyncio.get_running_loop().run_in_executor(None, self.desk.close)

    async def _read_journal(self) -> None:
        more = True
        while more:
            more = await self.desk.file(self.past.catch_up)
            await asyncio.sleep(_PAUSE)
