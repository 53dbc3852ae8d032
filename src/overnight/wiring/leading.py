"""The lease of an engine on a store of many hosts: waited for, held while the engine works, and given back.

It is held by a thread of its own, which also rings the bell of this home when anybody on another host has written. When
the lease is lost, or can no longer be believed in, the process ends at once, whatever its loop is doing: the workers
see that by the end of their line, and end what they run before another engine can begin.
"""

from __future__ import annotations

import os
import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager, suppress

from overnight import wiring
from overnight.core.errors import AlreadyRunningError, NotNowError, OvernightError, StoreAwayError
from overnight.host.home import Home
from overnight.host.stop_file import StopFile
from overnight.store.postgres.lease import GIVE_UP, RENEW_EVERY, SHORT, Lease
from overnight.wiring.telling import Told

#: Seconds between two tries of an engine that stands by.
ASK_EVERY = 0.5
#: Seconds between two looks at whether the lease can still be believed in.
_LOOK_EVERY = 0.2
#: What a process ends with that could not hold its lease; whoever watches over it starts another one.
_LOST = 69


def lease_of(home: Home, address: str) -> Lease:
    """The lease for an engine of this home."""
    return Lease(address, holder=f"{socket.gethostname()}, process {os.getpid()}", home=home.cookie())


@contextmanager
def leading(home: Home, address: str, told: Told, standing_by: Callable[[], None] | None) -> Iterator[None]:
    """A block in which this is the one engine of the store.

    Args:
        home: Held by the caller.
        address: Of the store, which is there.
        told: What is said about it.
        standing_by: Called every half second while another engine has the store; None: it is not waited for.

    Raises:
        AlreadyRunningError: Another engine has it, and it is not to be waited for.
        NotNowError: A stop was asked for while this one stood by.
    """
    with closing(lease_of(home, address)) as lease:
        _take(lease, home, told, standing_by)
        keeper = Keeper(lease, home, told)
        keeper.start()
        try:
            yield
        finally:
            keeper.end()
            with suppress(OvernightError):  # then it is over by itself, a little later
                lease.release()


def _take(lease: Lease, home: Home, told: Told, standing_by: Callable[[], None] | None) -> None:
    stop = StopFile(home.stop)
    before, said = stop.touched(), ""
    while holder := _ask(lease, standing_by is not None):
        if standing_by is None:
            raise AlreadyRunningError(
                f"the engine of {holder} works on this store; none was started here",
                hint="'overnight status' to watch it; 'overnight start' has one stand by and take over",
            )
        if said != holder:
            said = holder
            told(f"the engine of {holder} works on this store; this one stands by and takes over when it is gone", "")
        standing_by()
        if stop.touched() != before:
            raise NotNowError("a stop was asked for while this engine stood by; it has begun nothing")
        threading.Event().wait(ASK_EVERY)


def _ask(lease: Lease, patient: bool) -> str:  # noqa: FBT001  # one of two
    try:
        return lease.take()
    except StoreAwayError:
        if not patient:
            raise
        return "a server that does not answer"


class Keeper(threading.Thread):
    """Holds a lease until it is told to end. See the module."""

    def __init__(self, lease: Lease, home: Home, told: Told) -> None:
        super().__init__(name="lease", daemon=True)
        self._lease = lease
        self._home = home
        self._told = told
        self._ending = threading.Event()
        self._since = wiring.clock.monotonic()
        self._granted = SHORT

    def run(self) -> None:
        threading.Thread(target=self._watch, name="lease-watch", daemon=True).start()
        while not self._ending.is_set():
            self._renew()
            until = wiring.clock.monotonic() + RENEW_EVERY
            while not self._ending.is_set() and (left := until - wiring.clock.monotonic()) > 0:
                self._listen(left)

    def _watch(self) -> None:
        """A thread of its own: what asks the server may hang as long as the server does."""
        while not self._ending.wait(_LOOK_EVERY):
            if wiring.clock.monotonic() - self._since > self._granted * GIVE_UP:
                self._end_now("its server has not answered for too long, and another engine may take over")

    def _renew(self) -> None:
        asked = wiring.clock.monotonic()
        with suppress(StoreAwayError):  # tried again; `_watch` says when that is too late
            granted = self._lease.renew()
            if granted is None:
                self._end_now("another engine has taken this store over")
            else:
                self._since, self._granted = asked, granted

    def _listen(self, seconds: float) -> None:
        try:
            if self._lease.listen(min(seconds, ASK_EVERY)):
                wiring.ring(self._home)
        except StoreAwayError:
            self._ending.wait(min(seconds, ASK_EVERY))

    def _end_now(self, why: str) -> None:
        if not self._ending.is_set():
            self._told(f"{why}; this engine ends, what it ran is ended with it and will be run again", "")
            os._exit(_LOST)

    def end(self) -> None:
        """Hold it no longer."""
        self._ending.set()
        self.join()
