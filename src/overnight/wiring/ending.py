"""Ending whoever works in a home: asked first, and gone past when it does not answer.

An ask goes two ways: by the STOP file, which works whatever the store is doing, and by a control, which
is on record with who asked. An engine that does not even begin to stop is killed; its workers notice
and end what they run, its supervisor ends what is left and goes, and the next start finds the books
exact. A process is signalled only if it is still the one that took the lock.
"""

from __future__ import annotations

import contextlib
import signal
import time
from collections.abc import Callable

from overnight import wiring
from overnight.core.errors import AlreadyRunningError, NotRunningError, OvernightError
from overnight.core.stopping import Ask
from overnight.host import doorbell
from overnight.host.home import Home
from overnight.host.lock import HomeLock, Owner, read_owner
from overnight.host.processes import Identity, alive, send
from overnight.host.stop_file import StopFile, Touched
from overnight.host.sweep import sweep
from overnight.monitor.snapshot import read_engine_file

#: Seconds between two looks at the lock.
LOOK_EVERY = 0.05
#: Seconds that a busy store may take to take in an ask at once, which the STOP file has told already.
STORE_PATIENCE = 2.0
#: Seconds after which one that is still adding its inputs is interrupted.
ADDING_PATIENCE = 1.0
#: Seconds after which an engine that has not begun to stop is killed, and one that has.
DEAF_PATIENCE, STOP_PATIENCE = 5.0, 15.0
#: Seconds that a supervisor whose engine was killed may take to end what is left.
SUPERVISOR_PATIENCE = 10.0
#: Seconds for the workers of what was killed, and for all to be seen dead.
WORKERS_PATIENCE, SWEEP_PATIENCE = 3.0, 10.0

Told = Callable[[str], None]


def ask(home: Home, *, now: bool = False, grace: float | None = None) -> Touched | None:
    """Ask for a stop.

    Args:
        home: Whose engine.
        now: End what runs.
        grace: Let what runs finish, but at most so many seconds.

    Returns:
        The STOP file that asks now, for `see_ended`; None when it has been obeyed already.

    Raises:
        OvernightError: The store did not take in the grace; the rest is told by the STOP file.
    """
    stop_file = StopFile(home.stop)
    stop_file.ask(now=now)
    asked = stop_file.touched()
    try:
        with contextlib.closing(wiring.open_store(home, patience=STORE_PATIENCE)) as store:
            verb = Ask.STOP_NOW if now else Ask.STOP
            store.ask(verb, now=wiring.clock.now(), by=wiring.who(), argument="" if grace is None else str(grace))
    except OvernightError:
        if grace is not None:
            raise
    wiring.ring(home)
    return asked


def see_ended(home: Home, holder: Owner, *, asked: Touched | None, now: bool, told: Told) -> None:
    """Return when `holder` does not hold the home any more.

    A STOP file that was not obeyed goes with it; one that came later is meant for whoever holds the home next.

    Args:
        home: The home.
        holder: Who held it when it was asked to stop.
        asked: What `ask` returned.
        now: Go past one that does not answer.
        told: What is done to it, for people.

    Raises:
        OvernightError: It does not answer, and which process it is cannot be told.
    """
    force = _Force(home, told) if now else None
    stop_file = StopFile(home.stop)
    there = stop_file.touched()
    while (owner := read_owner(home.lock)) is not None and _is_same(owner, holder):
        asked = there  # it lay there before the holder was seen to hold the home still
        if force:
            force.apply(owner)
        time.sleep(LOOK_EVERY)
        there = stop_file.touched()
    if force:
        force.clear()
    stop_file.remove_if(asked)


def _is_same(owner: Owner, holder: Owner) -> bool:
    """Whether it is still the same engine, or the same supervisor with another one."""
    if holder.supervisor is not None:
        return owner.supervisor in (holder.supervisor, None)
    return owner.pid in (holder.pid, None)


class _Force:
    """Goes past a holder that does not answer, step by step."""

    def __init__(self, home: Home, told: Told) -> None:
        self._home = home
        self._told = told
        self._began = wiring.clock.monotonic()
        #: When no engine was left but its supervisor, which was to follow.
        self._alone_since: float | None = None
        self._interrupted = self._killed = False

    def apply(self, owner: Owner) -> None:
        """Do what the time has come for."""
        moment = wiring.clock.monotonic()
        engine = owner.who()
        if owner.is_supervisor or (engine is not None and not alive(engine)):
            self._alone_since = self._alone_since or moment
            if moment - self._alone_since >= SUPERVISOR_PATIENCE:
                self._kill(owner, owner.who_supervises(), "the supervisor")
                self._alone_since = moment
        elif moment - self._began >= (STOP_PATIENCE if _is_stopping(self._home, owner) else DEAF_PATIENCE):
            self._kill(owner, engine, "the engine")
        elif moment - self._began >= ADDING_PATIENCE and not self._interrupted:
            self._interrupted = True
            self._interrupt_adding(engine)

    def _interrupt_adding(self, engine: Identity | None) -> None:
        """Nobody is there to hear the bell: it has not begun to work."""
        if not doorbell.ring(self._home.doorbell) and engine is not None and send(engine, signal.SIGINT):
            self._told(f"process {engine.pid} has not begun to work and is interrupted; it adds nothing more")

    def _kill(self, owner: Owner, who: Identity | None, what: str) -> None:
        if who is not None and send(who, signal.SIGKILL):
            self._killed = True
            self._told(f"{what} (process {who.pid}) does not answer and is killed; the workers end what they run")
        elif read_owner(self._home.lock) == owner:  # otherwise it has just gone by itself
            raise NotRunningError(
                f"{what} does not answer, and which process it is cannot be told; it was not killed",
                hint="look for the process that has the file 'lock' of the home open, as with 'lsof'",
            )

    def clear(self) -> None:
        """See dead what was left by one that was killed, unless somebody works in the home again."""
        if not self._killed:
            return
        lock = HomeLock(self._home.lock)
        with contextlib.suppress(AlreadyRunningError), lock:
            lock.acquire({})
            cookie = f"OVERNIGHT_COOKIE={self._home.cookie()}".encode()
            keeper = b"OVERNIGHT_ROLE=keeper"
            stuck = sweep(cookie, seconds=SWEEP_PATIENCE, patience=WORKERS_PATIENCE, patient_with=keeper)
            if stuck:
                self._told(f"processes that cannot be ended (stuck in the kernel?): {sorted(stuck)[:10]}")


def _is_stopping(home: Home, owner: Owner) -> bool:
    """Whether the engine has begun to stop, by its own word."""
    said = read_engine_file(home.engine_info)
    return said is not None and said.pid == owner.pid and said.state == "stopping"
