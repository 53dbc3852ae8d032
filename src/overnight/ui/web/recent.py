"""Answers that many ask for at the same time: made once for all of them.

Five open windows ask five times for the same charts. What was answered a moment ago is answered again, whoever
asks, and who asks while an answer is being made waits for that one. Whoever does something sees it at once: all
is forgotten then.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import NamedTuple

from starlette.responses import Response

from overnight.host.clock import Clock

#: Answers that are kept at most; seconds for which one is good: what hardly changes, and what people wait for.
_MOST, SLOW, QUICK = 64, 5.0, 2.0


class _Kept(NamedTuple):
    made: asyncio.Task[Response]
    good_until: float


class Recent:
    """Answers by what was asked. In the loop alone.

    Args:
        clock: For how long.
    """

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._kept: dict[object, _Kept] = {}

    async def of(self, asked: object, seconds: float, make: Callable[[], Awaitable[Response]]) -> Response:
        """The answer to what was asked, at most so many seconds old."""
        now = self._clock.monotonic()
        kept = self._kept.get(asked)
        if kept is None or now >= kept.good_until:
            if len(self._kept) >= _MOST:
                self._kept.clear()
            kept = self._kept[asked] = _Kept(asyncio.ensure_future(_made(make)), now + seconds)
        # Whoever goes away does not take the answer of the others along.
        try:
            return await asyncio.shield(kept.made)
        except BaseException:
            self._kept.pop(asked, None)
            raise

    def forget(self) -> None:
        """Everything may be different now."""
        self._kept.clear()


async def _made(make: Callable[[], Awaitable[Response]]) -> Response:
    return await make()
