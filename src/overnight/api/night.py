"""The program's side of an engine that works for it: starting it, listening to it, and ending it."""

from __future__ import annotations

import contextlib
import os
import selectors
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import NamedTuple

import msgspec

import overnight.api
from overnight import wiring
from overnight.api.access import Access
from overnight.api.actions import here
from overnight.api.engine_process import Finished, Message, Order, Progress, Refused
from overnight.core import errors
from overnight.core.errors import AlreadyRunningError, HomeUnusableError, OvernightError
from overnight.core.stopping import Ask
from overnight.host.home import Home
from overnight.host.lock import read_owner
from overnight.host.signals import SignalWatch

#: Seconds that an engine which was told to end may take: what it runs has 5 s after TERM, then it is killed.
PATIENCE = 15.0

#: Our ends of the pipes to engines. A child that is forked meanwhile lets go of its copies at once: with one of
#: them open an engine would never learn that its program is gone, and would go on without it.
_ours: set[int] = set()
_opening = threading.Lock()


def _let_go() -> None:
    """We are a child that was forked: the engines are our parent's."""
    _opening.release()
    for descriptor in _ours:
        os.close(descriptor)
    _ours.clear()


os.register_at_fork(before=_opening.acquire, after_in_parent=_opening.release, after_in_child=_let_go)

_BOOT = "import sys; sys.path[:] = {paths!r}; from overnight.api.engine_process import main; main()"


def make_ready(home: Home) -> None:
    """To be called before `run`, and before anybody is told that it runs.

    A STOP file that lies there is from another night; who stops this one does so from here on.

    Raises:
        AlreadyRunningError: Another engine holds the home, and the STOP file is for that one.
    """
    if (owner := read_owner(home.lock)) is not None:
        raise AlreadyRunningError(
            f"process {owner.pid or '?'} works on {home.path} already; nothing was started",
            hint="'overnight status' to watch it, 'overnight stop' to end it",
        )
    home.stop.unlink(missing_ok=True)


def stop(access: Access, *, is_ours: bool) -> None:
    """Ask whoever works in a home to stop: what runs may finish, nothing new begins. Comes back at once.

    Args:
        access: The home. Where it is gone, so is whoever worked there.
        is_ours: A run of the caller's own has begun; its engine may not have the home yet.
    """
    try:
        access.want_home()
    except HomeUnusableError:
        return
    if not is_ours and read_owner(access.home.lock) is None:
        return
    # The file reaches an engine that is just starting and would forget what was asked before.
    access.home.stop.touch()
    if access.has_store():
        access.store.ask(Ask.STOP, now=wiring.clock.now(), by=wiring.who())
        access.ring()


def run(
    order: Order,
    *,
    told: Callable[[Progress], None] = lambda _: None,
    look: Callable[[], None] | None = None,
    look_every: float = 0.1,
) -> Finished:
    """Have an engine work in a process of its own until it is done or is stopped.

    In the main thread SIGINT, SIGTERM and SIGHUP go to the engine, which stops as it should. In other
    threads they stay the program's, and the engine is stopped by a stop alone, or with the program.

    Args:
        order: What, and where.
        told: Called with each report of progress.
        look: Called every `look_every` seconds and at the end.
        look_every: Seconds.

    Raises:
        AlreadyRunningError: Another engine holds the home.
        OvernightError: Whatever the engine refused, or that it died.
    """
    with _signals() as signals:
        engine = _start(order)
        try:
            last = _listen(engine, signals, told, look, look_every)
        finally:
            _end(engine)
    if look is not None:
        look()
    if isinstance(last, Finished):
        return last
    raise _meaning(last, engine.process.returncode)


class _Engine(NamedTuple):
    """An engine of ours, and our ends of its pipes."""

    process: subprocess.Popen[bytes]
    #: Open for as long as it is to work.
    stdin: int
    stdout: int


@contextlib.contextmanager
def _signals() -> Iterator[SignalWatch | None]:
    if threading.current_thread() is not threading.main_thread():
        yield None
        return
    with SignalWatch() as watch:
        yield watch


def _start(order: Order) -> _Engine:
    """A Python that imports what this one does. In a session of its own: signals reach it by us."""
    house = str(Path(overnight.api.__file__).parents[2])
    # Python passes over what is no text, such as a Path that a program has put there.
    paths = list(dict.fromkeys([*(entry or here() for entry in sys.path if isinstance(entry, str)), house]))
    words = [sys.executable, "-I", "-S", "-c", _BOOT.format(paths=paths), msgspec.json.encode(order).decode()]
    with _opening:
        its_stdin, stdin = os.pipe()
        stdout, its_stdout = os.pipe()
        _ours.update((stdin, stdout))
    try:
        process = subprocess.Popen(words, stdin=its_stdin, stdout=its_stdout, start_new_session=True)
    except BaseException:
        _close(stdin)
        _close(stdout)
        raise
    finally:
        os.close(its_stdin)
        os.close(its_stdout)
    return _Engine(process, stdin, stdout)


def _close(ours: int) -> None:
    """Close our end of a pipe, unless we are a child that was forked and has let go of it."""
    if ours in _ours:
        _ours.discard(ours)
        os.close(ours)


def _listen(
    engine: _Engine,
    signals: SignalWatch | None,
    told: Callable[[Progress], None],
    look: Callable[[], None] | None,
    look_every: float,
) -> Message | None:
    """Hear the engine out, and pass on what the program is sent. Returns its last word; None when it died."""
    last: Message | None = None
    rest = b""
    with selectors.DefaultSelector() as selector:
        selector.register(engine.stdout, selectors.EVENT_READ)
        if signals is not None:
            selector.register(signals, selectors.EVENT_READ)
        while True:
            ready = {key.fileobj for key, _ in selector.select(None if look is None else look_every)}
            if signals in ready and signals is not None:
                for number in signals.take():
                    engine.process.send_signal(number)
            if engine.stdout in ready:
                piece = os.read(engine.stdout, 65536)
                if not piece:
                    return last
                *lines, rest = (rest + piece).split(b"\n")
                for line in lines:
                    last = msgspec.json.decode(line, type=Message)
                    if isinstance(last, Progress):
                        told(last)
            if look is not None:
                look()


def _end(engine: _Engine) -> None:
    """See it dead. Without our end of its stdin an engine that still works stops at once."""
    _close(engine.stdin)
    try:
        engine.process.wait(PATIENCE)
    except subprocess.TimeoutExpired:
        engine.process.kill()  # its keepers end what it ran
        engine.process.wait()
    _close(engine.stdout)


def _meaning(last: Message | None, status: int) -> OvernightError:
    if isinstance(last, Refused):
        kind: type[OvernightError] = getattr(errors, last.error, OvernightError)
        return kind(last.message, hint=last.hint)
    how = f"was killed by signal {-status}" if status < 0 else f"ended with status {status}"
    return OvernightError(
        f"the engine {how}; nothing is lost, and what it was working on goes back to the queue",
        hint="run() again goes on",
    )
