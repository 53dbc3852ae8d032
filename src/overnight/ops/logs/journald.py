"""What the log of the system tells of some of its units: entries after the last one that was read, by ``journalctl``.

Where entries came from is remembered by the cursor of the last one. One that the system has let go of
meanwhile leads nowhere; then the newest entries are read, as the first time.
"""

from __future__ import annotations

import selectors
import subprocess
from collections.abc import Iterator, Sequence
from typing import NamedTuple

import msgspec

from overnight.host.clock import Clock

#: Entries that are read the first time, and at most in one look.
FIRST, MOST = 10_000, 500_000
#: Seconds for one look when nothing is said.
SECONDS = 20.0
#: Bytes that are read at once; a longer entry is left out.
_BLOCK = 1024 * 1024
#: Priorities of errors and worse. Source: syslog(3).
_GRAVE = frozenset("0123")


class Entry(NamedTuple):
    """One entry. `at`: POSIX seconds; None when it does not say. `line`: its message, for whoever judges lines."""

    unit: str
    at: float | None
    line: bytes
    is_grave: bool
    cursor: str


class JournaldError(Exception):
    """It cannot be read; with why, for people."""


class _Written(msgspec.Struct):
    """Fields of an entry. A message that is no text is a list of its bytes. Source: journalctl(1), --output=json."""

    message: str | list[int] | None = msgspec.field(name="MESSAGE", default=None)
    priority: str = msgspec.field(name="PRIORITY", default="6")
    at: str = msgspec.field(name="__REALTIME_TIMESTAMP", default="")
    cursor: str = msgspec.field(name="__CURSOR", default="")
    unit: str = msgspec.field(name="_SYSTEMD_UNIT", default="")
    identifier: str = msgspec.field(name="SYSLOG_IDENTIFIER", default="")


def entries(units: Sequence[str], after: str, clock: Clock, seconds: float) -> Iterator[Entry]:
    """The entries of some units after a cursor; the newest without one. It may take so many seconds.

    Raises:
        JournaldError: They cannot be read. What was given before is as it is.
    """
    start = [f"--after-cursor={after}"] if after else [f"--lines={FIRST}"]
    chosen = [f"--unit={unit}" for unit in units]
    argv = ["journalctl", "--output=json", "--quiet", "--no-pager", *start, *chosen]
    try:
        child = subprocess.Popen(argv, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL)
    except OSError as error:
        raise JournaldError(f"journalctl cannot be started ({error.strerror})") from None
    with child:
        try:
            for number, line in enumerate(_lines(child, clock, clock.monotonic() + seconds), 1):
                if (entry := _entry(line)) is not None:
                    yield entry
                if number >= MOST:
                    return
        finally:
            if child.poll() is None:
                child.kill()
    if child.returncode:
        raise JournaldError(f"journalctl ended with exit status {child.returncode}")


def _lines(child: subprocess.Popen[bytes], clock: Clock, until: float) -> Iterator[bytes]:
    """What it prints, line by line, until it ends; `until`: monotonic seconds.

    Raises:
        JournaldError: It takes too long.
    """
    carry = b""
    assert child.stdout is not None  # noqa: S101 - see how it was started
    with selectors.DefaultSelector() as ready:
        ready.register(child.stdout, selectors.EVENT_READ)
        while ready.select(max(0.0, until - clock.monotonic())):
            block = child.stdout.read1(_BLOCK)  # type: ignore[attr-defined]  # a pipe is buffered
            if not block:
                child.wait(max(1.0, until - clock.monotonic()))
                return
            *whole, carry = (carry + block).split(b"\n")
            carry = carry if len(carry) <= _BLOCK else b""
            yield from whole
    raise JournaldError("journalctl has not come to an end in time")


def _entry(line: bytes) -> Entry | None:
    try:
        found = msgspec.json.decode(line, type=_Written)
        message = (
            found.message if isinstance(found.message, str) else bytes(found.message or ()).decode("utf-8", "replace")
        )
        at = int(found.at) / 1e6 if found.at else None
    except (msgspec.MsgspecError, UnicodeDecodeError, ValueError):
        return None
    unit = found.unit or found.identifier
    return Entry(unit, at, message.encode("utf-8", "replace"), found.priority in _GRAVE, found.cursor)
