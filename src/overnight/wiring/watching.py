"""The sidecar as a process: started beside an engine, and gone after it has seen the end of it."""

from __future__ import annotations

import contextlib
import os
import select
import sys
import time
from contextlib import closing
from pathlib import Path

from overnight.core.durations import iso
from overnight.core.errors import AlreadyRunningError, OvernightError
from overnight.core.settings import Settings
from overnight.engine.voice import open_log
from overnight.host.beside import HEARD_EVERY, Beside, say_something
from overnight.host.home import Home
from overnight.host.interpreter import python_for
from overnight.host.lock import HomeLock, about_me, read_owner
from overnight.wiring import clock, open_store

#: Seconds that a run in the foreground lasts at least before a process is worth it, and that its end may take.
WORTH, LAST_WORD = 0.3, 2.0
#: How much less than the work it may have of a CPU.
_NICE = 5
#: Seconds between two looks, and until a store that cannot be opened is tried again.
_LOOK_EVERY, _AGAIN_AFTER = 0.1, 1.0


def command(home: Home) -> list[bytes]:
    """The program, for a supervisor that keeps it going."""
    return [*map(os.fsencode, python_for("overnight.wiring.watching")), bytes(home.path)]


def beside(home: Home, settings: Settings) -> Beside | None:
    """What watches beside an engine in the foreground; None when nobody wants it."""
    return Beside(command(home), clock, after=WORTH) if settings.monitor else None


def see_off(home: Home, beside: Beside) -> None:
    """Have the last state written when nobody holds the home any more; by ourselves if nobody else does."""
    if not beside.end(LAST_WORD):
        with contextlib.suppress(OSError, OvernightError):
            write_now(home)


def write_now(home: Home) -> None:
    """Write ``monitor.json`` once.

    Raises:
        OSError: It could not be written.
        OvernightError: There is nothing to tell, or the store cannot be read.
    """
    from overnight.monitor.snapshot import take
    from overnight.monitor.status_file import StatusFile, describe

    with closing(open_store(home, readonly=True)) as store:
        picture = take(store, home.path, now=clock.now())
    StatusFile(home.monitor_json).write(describe(picture, {}, None))


def main() -> None:
    """Be the sidecar of the home that the last argument names, until its engine and our parent are gone."""
    home = Home(Path(sys.argv[-1]))
    os.nice(_NICE)
    os.umask(0o077)
    with contextlib.suppress(OSError):  # a full disk: then nobody hears of us
        log = open_log(home)
        os.dup2(log, sys.stderr.fileno())
        os.close(log)
    lock = HomeLock(home.path / "monitor.lock")
    parent = _Parent()
    if not _ours(lock, home, parent):
        return
    try:
        while not _watch(home, parent):
            pass
    finally:
        lock.release()


class _Parent:
    """Whoever has started us: gone when the pipe that is our standard input has no other end."""

    def __init__(self) -> None:
        self.gone = False

    def wait(self, seconds: float) -> bool:
        """Let time pass, no longer than until it goes; whether it is gone."""
        if self.gone:
            time.sleep(seconds)
        elif select.select([0], [], [], seconds)[0]:
            self.gone = not os.read(0, 1)
        return self.gone


def _ours(lock: HomeLock, home: Home, parent: _Parent) -> bool:
    """Be the only one; False when our parent goes before that."""
    while True:
        say_something()
        try:
            lock.acquire(about_me(home.path, now=clock.now()))
        except AlreadyRunningError:
            if parent.wait(_AGAIN_AFTER):
                return False
        else:
            return True


def _watch(home: Home, parent: _Parent) -> bool:
    """Watch one store file; True at the end, False when another one has taken its place."""
    from overnight.host.gauges import MachineGauges
    from overnight.host.resources import Machine
    from overnight.monitor.sidecar import Sidecar
    from overnight.monitor.snapshot import take

    say_something()
    try:
        store = open_store(home, readonly=True)
    except OvernightError:
        return parent.wait(_AGAIN_AFTER)
    with closing(store):
        file = _file(home)
        sidecar = Sidecar(
            home.path,
            store,
            look=lambda: take(store, home.path, now=clock.now()),
            gauges=MachineGauges(Machine(home.path), clock),
            clock=clock,
            told=_tell,
        )
        over = False
        heard = clock.monotonic()
        while not over and _file(home) == file:
            sidecar.round()
            if clock.monotonic() - heard >= HEARD_EVERY:
                heard = clock.monotonic()
                say_something()
            over = parent.wait(_LOOK_EVERY) and read_owner(home.lock) is None
        sidecar.finish()
    return over


def _file(home: Home) -> tuple[int, int] | None:
    """Which file the store is."""
    try:
        found = home.store.stat()
    except OSError:
        return None
    return found.st_dev, found.st_ino


def _tell(words: str) -> None:
    print(f"{iso(clock.now())} monitor: {words}", file=sys.stderr, flush=True)  # noqa: T201 - the log
