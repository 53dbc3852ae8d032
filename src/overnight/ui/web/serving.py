"""The process: a socket, a server on it, and the link that lets a person in."""

from __future__ import annotations

import asyncio
import contextlib
import ipaddress
import socket
from collections.abc import Callable, Mapping, Sequence
from types import FrameType
from typing import Any

import h11
import msgspec
import uvicorn
from uvicorn.protocols.http.h11_impl import H11Protocol

from overnight import wiring
from overnight.core.errors import UsageError
from overnight.host.home import Home
from overnight.ui.web.access import Access, token_of
from overnight.ui.web.app import make
from overnight.ui.web.guard import Rules, hosts_of, link
from overnight.ui.web.hall import Hall

#: Where it listens when nothing is said; some free port when that is taken.
PORT = 7770
LOOPBACK = "127.0.0.1"
#: Seconds in which a request must have come whole, and for which a connection without one stays.
PATIENCE, IDLE = 10.0, 30.0
#: Seconds between two looks whether it is to go on.
_LOOK_AROUND = 0.5
#: Connections at a time: 32 streams, and what pages ask besides; bytes of a request's head.
_MOST_CONNECTIONS, _MOST_HEAD = 200, 16 * 1024
_OURS = ("127.0.0.1", "localhost", "::1")


class Listening(msgspec.Struct, frozen=True):
    """Where and how. `names`: other names under which it is reached."""

    host: str = LOOPBACK
    #: None: the usual one, or a free one; 0: a free one.
    port: int | None = None
    names: Sequence[str] = ()
    open_metrics: bool = False


class PatientProtocol(H11Protocol):
    """Waits for a request, but not for ever: who sends it in drops holds a place that others want."""

    _timer: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        super().connection_made(transport)
        self._wait(asked=True)

    def data_received(self, data: bytes) -> None:
        super().data_received(data)
        waiting, _ = self.conn.trailing_data
        state = self.conn.their_state
        self._wait(asked=state is h11.SEND_BODY or (state is h11.IDLE and bool(waiting)))

    def connection_lost(self, exc: Exception | None) -> None:
        self._wait(asked=False)
        super().connection_lost(exc)

    def _wait(self, *, asked: bool) -> None:
        """Count from the beginning of a request to its end."""
        if not asked and self._timer is not None:
            self._timer.cancel()
            self._timer = None
        elif asked and self._timer is None:
            self._timer = self.loop.call_later(PATIENCE, self._give_up)

    def _give_up(self) -> None:
        if self.transport is not None:
            self.transport.close()


class _Server(uvicorn.Server):
    """Lets go of its streams before it waits for them."""

    def __init__(self, config: uvicorn.Config, hall: Hall, goes_on: Callable[[], bool]) -> None:
        super().__init__(config)
        self._goes_on = goes_on
        self._hall = hall
        self._loop: asyncio.AbstractEventLoop | None = None
        self._over = asyncio.Event()

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        self._loop = asyncio.get_running_loop()
        await super().startup(sockets)

    async def main_loop(self) -> None:
        """Look around twice a second: ten times, as uvicorn does, costs more than all the rest while nobody looks."""
        # Its count is of tenths of a second; at each tenth of them it renews the date of its answers.
        while not await self.on_tick(0):
            if not self._goes_on():
                self.leave()
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(_LOOK_AROUND):
                    await self._over.wait()

    def handle_exit(self, sig: int, frame: FrameType | None) -> None:
        super().handle_exit(sig, frame)
        self.leave()

    def leave(self) -> None:
        """Come to an end."""
        self.should_exit = True
        if self._loop is not None:
            with contextlib.suppress(RuntimeError):  # it has ended already
                self._loop.call_soon_threadsafe(self._let_go)

    def _let_go(self) -> None:
        self._hall.feed.close()
        self._over.set()


class Dashboard:
    """The dashboard of a home: it listens as soon as it is made, and answers while it runs.

    Args:
        home: Whose.
        listening: Where.
        resources: What the machine has of each named resource.
        goes_on: Asked twice a second, in the loop; it ends when the answer is no.

    Raises:
        UsageError: It cannot listen there.
        OvernightError: The home cannot be used.
    """

    def __init__(
        self,
        home: Home,
        listening: Listening,
        resources: Mapping[str, float],
        goes_on: Callable[[], bool] = lambda: True,
    ) -> None:
        self._access = Access(token_of(home.token), home.id, wiring.clock.now)
        self._listener = listen(listening)
        self.port = int(self._listener.getsockname()[1])
        try:
            hall = Hall(home, resources)
        except BaseException:
            self._listener.close()
            raise
        self.name = listening.names[0] if listening.names else _named(listening.host)
        rules = _rules(listening, self.port)
        self._server = _Server(_config(make(hall, self._access, rules)), hall, goes_on)

    def link(self) -> str:
        """What lets one browser in, once."""
        return link(self.name, self.port, self._access.code())

    def run(self) -> None:
        """Answer until somebody ends it, by a signal or by `end`."""
        self._server.run(sockets=[self._listener])

    def end(self) -> None:
        """Let it come to its end; from any thread."""
        self._server.leave()


def _rules(listening: Listening, port: int) -> Rules:
    bound = [] if _is_every(listening.host) else [listening.host]
    open_paths = {"/healthz", *(["/metrics"] if listening.open_metrics else [])}
    return Rules(hosts_of([*_OURS, *bound, *listening.names], port), frozenset(open_paths))


def listen(listening: Listening) -> socket.socket:
    """A socket that listens.

    Raises:
        UsageError: It cannot.
    """
    family = socket.AF_INET6 if ":" in listening.host else socket.AF_INET
    wanted = [PORT, 0] if listening.port is None else [listening.port]
    for number, port in enumerate(wanted):
        listener = socket.socket(family, socket.SOCK_STREAM)
        try:
            listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            listener.bind((listening.host, port))
            listener.listen(128)
        except OSError as error:
            listener.close()
            if number + 1 < len(wanted):
                continue
            raise UsageError(
                f"nothing can listen at {listening.host}, port {port}: {error.strerror}; the dashboard was not started,"
                " and no task was touched",
                hint="'overnight dashboard --port 0' takes a free one",
            ) from error
        else:
            return listener
    raise AssertionError(wanted)


def is_loopback(host: str) -> bool:
    """Whether only this machine can reach it."""
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


def _is_every(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_unspecified
    except ValueError:
        return False


def _named(host: str) -> str:
    return LOOPBACK if _is_every(host) else host


def _config(app: Any) -> uvicorn.Config:  # noqa: ANN401 - uvicorn takes many kinds
    return uvicorn.Config(
        app,
        http=PatientProtocol,
        ws="none",
        lifespan="on",
        loop="asyncio",
        log_config=None,
        access_log=False,
        server_header=False,
        proxy_headers=False,
        limit_concurrency=_MOST_CONNECTIONS,
        timeout_keep_alive=int(IDLE),
        timeout_graceful_shutdown=2,
        h11_max_incomplete_event_size=_MOST_HEAD,
    )
