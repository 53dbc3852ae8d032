"""What shows pages beside the work: the dashboard of ``start --dashboard``, and the writer of ``monitor-init``.

Both are processes of the sidecar, which starts them again when they end. So whatever becomes of them is no trouble
to an engine or its supervisor. They end by themselves when the sidecar has gone, and nobody waits for that: the
file is written once more, and a dashboard lets its port go. What their programs are is known to who asks for them.
"""

from __future__ import annotations

import contextlib
from collections.abc import Sequence
from pathlib import Path
from typing import TypeVar

import msgspec

from overnight.host.beside import LAST_WORD, Beside
from overnight.host.clock import Clock
from overnight.host.files import write_atomically
from overnight.host.home import Home
from overnight.host.lock import about_me
from overnight.host.processes import Identity, alive
from overnight.wiring import clock

T = TypeVar("T")
#: Seconds between two looks whether a file is wanted.
_LOOK_EVERY = 1.0


class Wanted(msgspec.Struct, frozen=True):
    """A file with the first page, to be written again and again."""

    file: bytes
    #: Seconds between two times.
    every: float
    graphs: bool
    #: What writes it.
    program: list[bytes] = []


class Served(msgspec.Struct, frozen=True):
    """A dashboard that is served, as it has said of itself; or why there is none."""

    pid: int = 0
    start: int = 0
    boot_id: str = ""
    port: int = 0
    name: str = ""
    #: POSIX seconds since when.
    started_at: float = 0.0
    #: It runs beside the work, and ends with it.
    beside: bool = False
    trouble: str = ""


def want(home: Home, wanted: Wanted | None) -> None:
    """Have a file written while work goes on, from the next look on; None for no more.

    Raises:
        OSError: It could not be written down.
    """
    if wanted is None:
        _request(home).unlink(missing_ok=True)
    else:
        write_atomically(_request(home), msgspec.json.encode(wanted), durable=False)


def wanted(home: Home) -> Wanted | None:
    """The file that is wanted."""
    return _read(_request(home), Wanted)


def tell(home: Home, *, port: int, name: str, beside: bool) -> None:
    """Say, as a dashboard, where it is served.

    Raises:
        OSError: It could not be written down.
    """
    me = about_me(home.path, now=clock.now())
    said = me | {"port": port, "name": name, "beside": beside}
    write_atomically(_whereabouts(home), msgspec.json.encode(said), durable=False)


def tell_trouble(home: Home, words: str) -> bool:
    """Say why there is none; whether that is news."""
    before = _read(_whereabouts(home), Served)
    with contextlib.suppress(OSError):
        write_atomically(_whereabouts(home), msgspec.json.encode(Served(trouble=words)), durable=False)
    return before is None or before.trouble != words


def served(home: Home) -> Served | None:
    """The dashboard of a home that was started last, if it still runs."""
    found = _read(_whereabouts(home), Served)
    return found if found and found.pid and alive(Identity(found.pid, found.start, found.boot_id)) else None


def last_port(home: Home) -> int:
    """Where the dashboard that was started last was served; 0 when nobody knows."""
    found = _read(_whereabouts(home), Served)
    return found.port if found else 0


def trouble(home: Home) -> str:
    """Why the dashboard that was to be started last is not there; empty when nothing is known."""
    found = _read(_whereabouts(home), Served)
    return found.trouble if found else ""


def forget(home: Home) -> None:
    """Forget where the last one was, and why there was none: another one is about to be started."""
    _whereabouts(home).unlink(missing_ok=True)


class Pages:
    """Keeps them going.

    Args:
        home: Whose.
        clock: Monotonic.
        dashboard: The program that serves one; empty for none.
    """

    def __init__(self, home: Home, clock: Clock, *, dashboard: Sequence[bytes]) -> None:
        self._home = home
        self._clock = clock
        self._dashboard = Beside(dashboard, clock) if dashboard else None
        self._writer: Beside | None = None
        self._looked_at = clock.monotonic() - _LOOK_EVERY

    def tend(self) -> None:
        """Start what does not run and should; cheap enough for every round."""
        now = self._clock.monotonic()
        if now - self._looked_at < _LOOK_EVERY:
            return
        self._looked_at = now
        if self._writer is None and (found := wanted(self._home)) is not None and found.program:
            self._writer = Beside(found.program, self._clock)
        elif self._writer is not None and not _request(self._home).exists():
            self._writer.end(LAST_WORD)
            self._writer = None
        for one in (self._dashboard, self._writer):
            if one is not None:
                one.tend()


def _request(home: Home) -> Path:
    return home.path / "page.json"


def _whereabouts(home: Home) -> Path:
    return home.path / "dashboard.json"


def _read(path: Path, shape: type[T]) -> T | None:
    with contextlib.suppress(OSError, msgspec.DecodeError):
        return msgspec.json.decode(path.read_bytes(), type=shape)
    return None
