"""The threads of the dashboard, each with what it alone may touch.

A store is for one thread, so there is one that reads, whatever is asked by however many pages, and another one that
acts, because a write may have to wait for its turn. A third reads files: journal, output, history. Whoever
asks gets an awaitable; no question may take long, since the next one waits for it.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

from overnight import wiring
from overnight.host.home import Home
from overnight.store.contract import Store

T = TypeVar("T")
#: Seconds between two looks whether the store is still the file at its path: a rescue or a rollback replaces it.
LOOK_EVERY = 1.0


class Desk:
    """One home, asked by many.

    Args:
        home: Whose.

    Raises:
        OvernightError: Its store cannot be opened.
    """

    def __init__(self, home: Home) -> None:
        self.home = home
        self._reading = ThreadPoolExecutor(1, "reads")
        self._acting = ThreadPoolExecutor(1, "acts")
        self._filing = ThreadPoolExecutor(1, "files")
        self._when_done: Callable[[], None] = lambda: None
        self._looked_at = wiring.clock.monotonic()
        self._store = self._reading.submit(wiring.open_store, home, readonly=True).result()

    async def read(self, ask: Callable[[Store], T]) -> T:
        """Ask the store."""
        return await asyncio.get_running_loop().run_in_executor(self._reading, self._ask, ask)

    def when_done(self, tell: Callable[[], None]) -> None:
        """Whom to tell, in the loop, when something was changed."""
        self._when_done = tell

    async def act(self, do: Callable[[Store], T]) -> T:
        """Change something, and ring the engine."""
        try:
            return await asyncio.get_running_loop().run_in_executor(self._acting, self._do, do)
        finally:
            self._when_done()

    async def file(self, look: Callable[[], T]) -> T:
        """Read files."""
        return await asyncio.get_running_loop().run_in_executor(self._filing, look)

    def read_now(self, ask: Callable[[Store], T]) -> T:
        """Ask the store from another thread of ours, and wait."""
        return self._reading.submit(self._ask, ask).result()

    def _ask(self, ask: Callable[[Store], T]) -> T:
        now = wiring.clock.monotonic()
        if now - self._looked_at >= LOOK_EVERY:
            self._looked_at = now
            wiring.keep_up(self._store)
        return ask(self._store)

    def _do(self, do: Callable[[Store], T]) -> T:
        store = wiring.open_store(self.home)
        try:
            return do(store)
        finally:
            store.close()
            wiring.ring(self.home)

    def close(self) -> None:
        """Let go of everything; what is under way is waited for."""
        for executor in (self._filing, self._acting):
            executor.shutdown()
        self._reading.submit(self._store.close).result()
        self._reading.shutdown()
