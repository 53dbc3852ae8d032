"""The lease of an engine on a store of many hosts: waited for, held while the engine works, and given back.

It is held by a thread of its own, which also rings the bell of this home when anybody on another host has written. When
the lease is lost, or can no longer be believed in, the process ends at once, whatever its loop is doing: the workers
see that by the end of their line, and end what they run before another engine can begin. An engine that is stopped
does not even see it: then another process ends it (`overnight.host.deadline`).
"""

from __future__ import annotations

import os
import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager, suppress
from typing import NamedTuple, TypeVar

from overnight import wiring
from overnight.core.errors import AlreadyRunningError, NotNowError, OvernightError, StoreBusyError
from overnight.host.clock import asleep_or_awake
from overnight.host.deadline import Deadline
from overnight.host.home import Home
from overnight.host.processes import boot_id
from overnight.host.stop_file import StopFile
from overnight.store.postgres.lease import ENDED, GIVE_UP, RENEW_EVERY, SHORT, Lease
from overnight.wiring.nodes import left_on_nodes
from overnight.wiring.telling import Told

T = TypeVar("T")

#: Seconds between two tries of an engine that stands by.
ASK_EVERY = 0.5
#: Seconds between two looks at whether the lease can still be believed in.
_LOOK_EVERY = 0.2
#: Seconds that the last word of an engine may take.
_LAST_WORD = 0.5
#: What a process ends with that could not hold its lease; whoever watches over it starts another one.
_LOST = 69


def lease_of(home: Home, address: str, linger: float = 0.0) -> Lease:
    """The lease for an engine of this home.

    An earlier one of the same home is dead, for we hold the home. That is so on one machine: the cookies of homes on
    copies of a machine may be the same.

    Args:
        home: The home.
        address: Of the store.
        linger: Seconds for which what it has on nodes may go on after it.
    """
    holder = f"{socket.gethostname()}, process {os.getpid()}"
    return Lease(address, holder=holder, home=f"{home.cookie()}:{boot_id()}", linger=linger)


def waiting(ask: Callable[[], T], told: Told, standing_by: Callable[[], None] | None) -> T:
    """What the store answers; an engine that is to stand by waits while it is away, or an engine brings it forward.

    Args:
        ask: Asks it, and does not wait itself when we do.
        told: What is said about it, once.
        standing_by: Called every half second while it is waited for; None: it is not.

    Raises:
        StoreBusyError: It does not answer, and is not waited for.
    """
    said = ""
    while standing_by is not None:
        try:
            return ask()
        except StoreBusyError as error:
            if said != error.message:
                said = error.message
                told(f"{said.partition(';')[0]}; this engine waits for it", "")
            standing_by()
            threading.Event().wait(ASK_EVERY)
    return ask()


@contextmanager
def leading(
    home: Home, address: str, told: Told, standing_by: Callable[[], None] | None, *, linger: float = 0.0
) -> Iterator[None]:
    """A block in which this is the one engine of the store.

    Args:
        home: Held by the caller.
        address: Of the store, which is there.
        told: What is said about it.
        standing_by: Called every half second while another engine has the store; None: it is not waited for.
        linger: Seconds for which what it has on nodes may go on after it.

    Raises:
        AlreadyRunningError: Another engine has it, and it is not to be waited for.
        NotNowError: A stop was asked for while this one stood by.
    """
    with closing(waiting(lambda: lease_of(home, address, linger), told, standing_by)) as lease:
        keeper = Keeper(lease, home, told, _take(lease, home, told, standing_by))
        try:
            keeper.start()
            yield
        finally:
            keeper.end()
            with suppress(OvernightError):  # then it is over by itself, a little later
                lease.release(left_on_nodes(home))


def _take(lease: Lease, home: Home, told: Told, standing_by: Callable[[], None] | None) -> float:
    """Take the lease. Returns when it was asked for, on the clock of `asleep_or_awake`."""
    stop = StopFile(home.stop)
    before, said = stop.touched(), ""
    asked = asleep_or_awake()
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
        asked = asleep_or_awake()
    return asked


def _ask(lease: Lease, patient: bool) -> str:  # noqa: FBT001  # one of two
    try:
        return lease.take()
    except StoreBusyError:
        if not patient:
            raise
        return "a server that does not answer"


class Keeper(threading.Thread):
    """Holds a lease until it is told to end. See the module.

    Args:
        lease: Ours.
        home: Whose bell is rung.
        told: What is said about it.
        asked: When it was asked for, on the clock of `asleep_or_awake`: the server counts from later on.
    """

    def __init__(self, lease: Lease, home: Home, told: Told, asked: float) -> None:
        super().__init__(name="lease", daemon=True)
        self._lease = lease
        self._home = home
        self._told = told
        self._ending = threading.Event()
        self._held = _Held(asked, SHORT)
        self._deadline = Deadline()
        self._deadline.put_off(self._held.share(ENDED))

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
            if asleep_or_awake() > self._held.share(GIVE_UP):
                self._end_now("its server has not answered for too long, and another engine may take over")

    def _renew(self) -> None:
        asked = asleep_or_awake()
        try:
            granted = self._lease.renew()
        except OvernightError:  # whatever it is: tried again, and `_watch` says when that is too late
            self._held = min(self._held, _Held(asked, self._lease.asked_for), key=_Held.over)
        else:
            if granted is None:
                self._end_now("another engine has taken this store over")
                return
            self._held = _Held(asked, granted)
        with suppress(OSError):  # no room for another process: then `_watch` is alone
            self._deadline.put_off(self._held.share(ENDED))

    def _listen(self, seconds: float) -> None:
        try:
            if self._lease.listen(min(seconds, ASK_EVERY)):
                wiring.ring(self._home)
        except OvernightError:
            self._ending.wait(min(seconds, ASK_EVERY))

    def _end_now(self, why: str) -> None:
        if self._ending.is_set():
            return
        # Said by another thread: whoever reads it may have stopped reading, and that must not keep us.
        words = f"{why}; this engine ends, what it ran is ended with it and will be run again"
        saying = threading.Thread(target=self._told, args=(words, ""), daemon=True)
        saying.start()
        saying.join(_LAST_WORD)
        os._exit(_LOST)

    def end(self) -> None:
        """Hold it no longer."""
        self._ending.set()
        if self.ident is not None:
            self.join()
        self._deadline.close()


class _Held(NamedTuple):
    """A lease as it is believed in."""

    since: float
    seconds: float

    def over(self) -> float:
        """When it ends, at the earliest."""
        return self.share(1.0)

    def share(self, part: float) -> float:
        """When this part of it is over."""
        return self.since + self.seconds * part
