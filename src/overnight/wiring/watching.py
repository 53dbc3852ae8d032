"""The sidecar as a process: started beside an engine, and gone after it has seen the end of it."""

from __future__ import annotations

import contextlib
import os
import signal
import sys
from collections import deque
from collections.abc import Sequence
from contextlib import closing
from pathlib import Path

import msgspec

from overnight.core.durations import iso
from overnight.core.errors import AlreadyRunningError, HomeUnusableError, OvernightError
from overnight.core.events import printable
from overnight.core.settings import Settings
from overnight.host.beside import HEARD_EVERY, LAST_WORD, Beside, Parent, say_something
from overnight.host.files import append, file_at
from overnight.host.home import Home
from overnight.host.interpreter import python_for
from overnight.host.lock import HomeLock, Owner, about_me, read_owner
from overnight.host.priority import give_way
from overnight.host.processes import boot_id
from overnight.host.removal import is_gone
from overnight.wiring import clock, open_store
from overnight.wiring.configuration import read
from overnight.wiring.pages import Pages

#: Seconds that a run in the foreground lasts at least before a process is worth it.
WORTH = 1.0
#: Seconds that it has for its last word where somebody is told of what happened.
LAST_ALERTS = 15.0
#: Seconds between two looks, and until a store that cannot be opened is tried again.
_LOOK_EVERY, _AGAIN_AFTER = 0.1, 1.0
#: Lines that are kept for a full disk.
_MOST_LINES = 100
#: It ends when its parent does and nobody else: not with the rest of a group that is being ended.
_DEAF_TO = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


def command(home: Home, dashboard: Sequence[bytes] = ()) -> list[bytes]:
    """The program, for a supervisor that keeps it going. `dashboard`: the program of one that is served beside it."""
    shown = msgspec.json.encode(list(dashboard))
    return [*map(os.fsencode, python_for("overnight.wiring.watching")), shown, bytes(home.path)]


def beside(home: Home, settings: Settings) -> Beside | None:
    """What watches beside an engine in the foreground; None when nobody wants it."""
    return Beside(command(home), clock, after=WORTH) if settings.monitor else None


def see_off(home: Home, beside: Beside) -> None:
    """Have the last state written when nobody holds the home any more; by ourselves if nobody else does."""
    with contextlib.suppress(Exception):  # the result of the run is what counts
        patience = last_word(home)
        # Where somebody wants to be told of it, a run that is over at once has a last word, too.
        if not (beside.end(patience) or (patience > LAST_WORD and beside.once(patience))):
            write_now(home)


def last_word(home: Home) -> float:
    """Seconds that it has at the end: more where there are alerts, and so messages that it has to write down."""
    with contextlib.suppress(OvernightError):
        if home.config.exists() and read(home).alerts:
            return LAST_ALERTS
    return LAST_WORD


def write_now(home: Home) -> None:
    """Write ``monitor.json`` once, with the last figures that stand there.

    Raises:
        OSError: It could not be written.
        OvernightError: There is nothing to tell, or the store cannot be read.
    """
    from overnight.monitor.snapshot import take
    from overnight.monitor.status_file import MonitoringStatus, describe, write

    try:
        before = MonitoringStatus.read(home.path)
    except OvernightError:
        before = None
    with closing(open_store(home, readonly=True)) as store:
        picture = take(store, home.path, now=clock.now(), most_running=1)
    machine, mean = (before.machine, before.avg_file_duration_seconds) if before else ({}, None)
    write(home.monitor_json, describe(picture, machine, mean))


def main() -> None:
    """Be the sidecar of the home that the last argument names, until its engine and our parent are gone."""
    home = Home(Path(sys.argv[-1]))
    give_way()
    os.umask(0o077)
    for number in _DEAF_TO:
        signal.signal(number, signal.SIG_IGN)
    lock = HomeLock(home.path / "monitor.lock")
    parent = Parent()
    if not _ours(lock, home, parent):
        sys.exit(1)  # somebody else watches, and not for our parent
    try:
        _sweep_up(home)
        log = Log(home.log)
        _remember(log, lock.left_by)
        shown = Pages(home, clock, dashboard=msgspec.json.decode(sys.argv[-2], type=list[bytes]))
        watched = _watch(home, parent, log, shown)
        while watched is None:
            watched = _watch(home, parent, log, shown)
    finally:
        lock.release()
    sys.exit(0 if watched else 1)


def _sweep_up(home: Home) -> None:
    """Remove what one that was killed has begun to write."""
    for name in (home.monitor_json.name, "metrics.prom"):
        for path in home.path.glob(f".{name}.*.tmp"):
            path.unlink(missing_ok=True)


def _remember(log: Log, before: Owner | None) -> None:
    """Say that an earlier one was killed, by us because it hung or by somebody else; not what a reboot has ended."""
    if before is not None and before.boot_id == boot_id():
        log.tell(f"the one before (process {before.pid}) has ended without a word; the work went on, and so do we")


class Log:
    """What people should know, as lines of the log of the home.

    Nothing is lost on a full disk: it is written as soon as there is room. The file may be set aside at any time.

    Args:
        path: The log.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        #: What could not be written yet.
        self._lines: deque[bytes] = deque(maxlen=_MOST_LINES)

    def tell(self, words: str) -> None:
        """Write a line, or keep it until that can be done."""
        self._lines.append(f"{iso(clock.now())} monitor: {printable(words)}\n".encode())
        self.write()

    def write(self) -> None:
        """Write what was kept."""
        with contextlib.suppress(OSError):
            while self._lines:
                append(self._path, self._lines[0], durable=False)
                self._lines.popleft()


def _ours(lock: HomeLock, home: Home, parent: Parent) -> bool:
    """Be the only one; False when our parent goes before that."""
    while True:
        say_something()
        try:
            lock.acquire(about_me(home.path, now=clock.now()))
        except AlreadyRunningError:
            if parent.wait(_AGAIN_AFTER):
                return False
        except HomeUnusableError:
            if is_gone(home):  # the engine says so
                return False
            raise
        else:
            return True


def _watch(home: Home, parent: Parent, log: Log, shown: Pages) -> bool | None:
    """Watch one store file; None when another one has taken its place, else whether the last state was written."""
    from overnight.host.gauges import MachineGauges
    from overnight.host.resources import Machine
    from overnight.monitor.sidecar import Sidecar
    from overnight.monitor.snapshot import take
    from overnight.wiring.alerting import judge_of, pinger_of
    from overnight.wiring.listening import tellings

    say_something()
    try:
        store = open_store(home, readonly=True)
    except OvernightError:
        return False if parent.wait(_AGAIN_AFTER) else None
    with closing(store):
        file, chief = file_at(home.store), _chief(home)
        sidecar = Sidecar(
            home.path,
            store,
            look=lambda: take(store, home.path, now=clock.now(), most_running=1),
            gauges=MachineGauges(Machine(home.path), clock),
            clock=clock,
            told=log.tell,
            judge=judge_of(home, store, log.tell),
            pinger=pinger_of(home, log.tell),
            tellings=tellings(home, store, log.tell),
        )
        heard, over = clock.monotonic(), False
        while not over and file_at(home.store) == file:
            sidecar.round()
            log.write()
            shown.tend()
            if clock.monotonic() - heard >= HEARD_EVERY:
                heard = clock.monotonic()
                say_something()
            chief = chief or _chief(home)
            # Once our parent has gone another one may hold the home, and has somebody else beside it.
            over = parent.wait(_LOOK_EVERY) and ((holder := _chief(home)) is None or holder != chief)
        written = sidecar.finish()
    if over:
        send_what_is_left(home)
    return written if over else None


def send_what_is_left(home: Home) -> None:
    """Have a courier deliver messages when no engine is there to do it; nobody waits for it."""
    if _chief(home) is not None:
        return
    from overnight.core.lanes import OPS_QUEUE

    with contextlib.suppress(OvernightError, OSError), closing(open_store(home, readonly=True)) as store:
        if store.next_up(OPS_QUEUE, now=clock.now()) is None:
            return
        from overnight.wiring.delivering import CALL, start_courier

        if store.next_up(OPS_QUEUE, now=clock.now(), call=CALL) is not None:
            start_courier(home)


def _chief(home: Home) -> tuple[int, int | None] | None:
    """Who holds the home: the same for all engines of one supervisor."""
    owner = read_owner(home.lock)
    return None if owner is None else owner.chief
