"""One feed for all viewers: the store is asked whether it has changed by one task, however many pages are open.

While nobody looks, nothing is asked. What is sent is always the whole pulse, so a viewer that is slow misses
pictures and never anything of them: each stream keeps the newest one only.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Callable
from functools import partial

import msgspec
from starlette.responses import Response
from starlette.types import Receive, Scope, Send

from overnight.core.errors import OvernightError
from overnight.host.clock import Clock
from overnight.store.contract import Store
from overnight.ui.web.answers import Pulse
from overnight.ui.web.desk import Desk

#: Streams at a time.
MOST_STREAMS = 32
#: Seconds between two looks at the change token, and the share of the time that pictures may take. Eight pictures a
#: second are as many as anybody reads, and each costs a millisecond of caches that have gone cold.
LOOK_EVERY, SHARE = 0.125, 0.03
#: Seconds after which a picture is sent all the same: heartbeats, gates and crashes are not in the store.
BEAT_EVERY = 2.0


class Feed:
    """Watches for changes, and tells everybody.

    Args:
        desk: Whom to ask.
        look: Takes the picture with this number.
        clock: For the pace.
    """

    def __init__(self, desk: Desk, look: Callable[[Store, int], Pulse], clock: Clock) -> None:
        self._desk = desk
        self._look = look
        self._clock = clock
        self._viewers: set[Viewer] = set()
        self._watch: asyncio.Task[None] | None = None
        self._token: int | None = None
        self._seq = 0
        self._newest: bytes | None = None
        self._shown: Pulse | None = None
        self._taken_at = 0.0
        #: Seconds of a CPU that the last picture took.
        self._cost = 0.0

    @property
    def streams(self) -> int:
        """How many look."""
        return len(self._viewers)

    async def pulse(self) -> Pulse:
        """A picture of now, for whoever asks once."""
        self._seq += 1
        seq = self._seq
        return await self._desk.read(lambda store: self._taken(store, seq))

    async def recent(self) -> Pulse:
        """The picture that the streams have, while they have one; else one of now."""
        is_new = self._clock.monotonic() - self._taken_at <= 2 * BEAT_EVERY
        return self._shown if self._shown is not None and is_new else await self.pulse()

    def _taken(self, store: Store, seq: int) -> Pulse:
        # By the CPU and not by the clock: on a busy machine a picture takes long and costs no more than ever.
        began = time.thread_time()
        pulse = self._look(store, seq)
        self._cost = time.thread_time() - began
        return pulse

    def join(self) -> Viewer | None:
        """One more stream; None when there are too many."""
        if len(self._viewers) >= MOST_STREAMS:
            return None
        viewer = Viewer(self._left)
        self._viewers.add(viewer)
        if self._newest is not None and self._watch is not None:
            viewer.tell(self._newest)
        if self._watch is None or self._watch.done():
            self._token = None
            self._watch = asyncio.create_task(self._watching())
        return viewer

    def close(self) -> None:
        """Let everybody go."""
        for viewer in list(self._viewers):
            viewer.leave()
        if self._watch is not None:
            self._watch.cancel()

    def _left(self, viewer: Viewer) -> None:
        self._viewers.discard(viewer)

    async def _watching(self) -> None:
        """Until nobody is left."""
        wait = 0.0
        while self._viewers:
            await asyncio.sleep(wait)
            began = self._clock.monotonic()
            try:
                due = began - self._taken_at >= BEAT_EVERY
                pulse = await self._desk.read(partial(self._news, due=due))
                if pulse is not None:
                    self._tell(pulse)
                    self._taken_at = began
            except OvernightError as error:
                self._say_all(
                    _event("trouble", msgspec.json.encode({"detail": error.message, "hint": error.hint or ""}))
                )
            wait = max(LOOK_EVERY, self._cost / SHARE)
        self._watch = self._newest = self._shown = None

    def _news(self, store: Store, *, due: bool) -> Pulse | None:
        """A picture when the store has changed, or when it is time for one. For the thread that reads."""
        token, before = store.change_token(), self._token
        self._token = token
        if token == before and not due:
            return None
        self._seq += 1
        return self._taken(store, self._seq)

    def _tell(self, pulse: Pulse) -> None:
        self._shown, self._newest = pulse, _event("pulse", msgspec.json.encode(pulse))
        self._say_all(self._newest)

    def _say_all(self, message: bytes) -> None:
        for viewer in self._viewers:
            viewer.tell(message)


class Viewer:
    """One stream, and the newest thing that it has not been told."""

    def __init__(self, left: Callable[[Viewer], None]) -> None:
        self._left = left
        self._next: bytes | None = None
        self._is_there = asyncio.Event()
        self._is_over = False

    def tell(self, message: bytes) -> None:
        """Have it know, instead of what it has not heard yet."""
        self._next = message
        self._is_there.set()

    def leave(self) -> None:
        """Look no more."""
        self._is_over = True
        self._is_there.set()
        self._left(self)

    async def messages(self) -> AsyncIterator[bytes]:
        """Everything that is told from now on, as Server-Sent Events."""
        try:
            yield b"retry: 1000\n\n"
            while not self._is_over:
                await self._is_there.wait()
                self._is_there.clear()
                message, self._next = self._next, None
                if message is not None:
                    yield message
        finally:
            self.leave()


class Stream(Response):
    """What a viewer is told, one message after the other, until one side goes away.

    Args:
        viewer: Whose.
    """

    def __init__(self, viewer: Viewer) -> None:
        super().__init__(media_type="text/event-stream")
        del self.headers["content-length"]
        self._viewer = viewer

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:  # noqa: ARG002 - ASGI's
        gone = asyncio.create_task(self._gone(receive))
        try:
            await send({"type": "http.response.start", "status": self.status_code, "headers": self.raw_headers})
            async for message in self._viewer.messages():
                await send({"type": "http.response.body", "body": message, "more_body": True})
            await send({"type": "http.response.body", "body": b""})
        finally:
            gone.cancel()

    async def _gone(self, receive: Receive) -> None:
        while (await receive())["type"] != "http.disconnect":
            pass
        self._viewer.leave()


def _event(name: str, data: bytes) -> bytes:
    return b"event: %b\ndata: %b\n\n" % (name.encode(), data)
