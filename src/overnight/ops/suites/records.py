"""What a run of tests says while it runs: one file, one line for each thing, written as it happens.

The file is held (a shared lock) by whoever still writes to it: us, and the plug-in in pytest. When nobody holds
it any more, whoever comes next takes it in; one without an end is that of a run that was killed. The kernel lets go
for the dead, so no number of a process has to be looked up.
"""

from __future__ import annotations

import fcntl
import os
import re
from collections.abc import Iterator
from pathlib import Path

import msgspec

from overnight.core.events import printable
from overnight.core.suites import MOST_MESSAGE, Ended, Result, TestOutcome, named, numbered
from overnight.host.files import names_in, open_regular

SUFFIX = ".jsonl"
#: The name of a record whose first line is not written yet.
_ASIDE = re.compile(r"\.[0-9a-f]{16}")
#: Seconds after which one that nobody holds was left by somebody who was killed; between making and holding one lie
#: microseconds.
_OLD = 3600.0
#: Bytes of one line; a longer one was not written by us.
_LONGEST = 1024 * 1024


class _Line(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, tag_field="kind"):
    """One thing."""


class Began(_Line, frozen=True, kw_only=True, tag="run"):
    """The first line: what is run, and with which code. `at`: POSIX seconds. `task_id`, `attempt`: whose it is."""

    suite: str
    command: str
    at: float
    code: str
    task_id: int | None = None
    attempt: int | None = None


class End(_Line, frozen=True, kw_only=True, tag="end"):
    """The last line: how the command ended. `code`: empty, or another one when it is not to be compared."""

    exit_code: int | None = None
    signal: int | None = None
    seconds: float
    code: str = ""


class _Session(_Line, frozen=True, tag="session"):
    """A test runner begins."""


class _Finished(_Line, frozen=True, tag="finished"):
    """It is through."""


class Trouble(_Line, frozen=True, kw_only=True, tag="trouble"):
    """Why results are missing."""

    why: str


class _Begun(_Line, frozen=True, kw_only=True, tag="begun"):
    """A test begins."""

    name: str


class Told(_Line, frozen=True, kw_only=True, tag="result"):
    """An attempt has ended."""

    name: str
    outcome: TestOutcome
    seconds: float = 0.0
    message: str = ""


_Any = Began | End | _Session | _Finished | Trouble | _Begun | Told
_decoder: msgspec.json.Decoder[_Any] = msgspec.json.Decoder(_Any)


class Run(msgspec.Struct, frozen=True, kw_only=True):
    """A run as it was told. `record`: another word for each run. `seconds`: None where nobody saw its end."""

    record: str
    suite: str
    command: str
    began_at: float
    code: str
    seconds: float | None = None
    ended: Ended = Ended()
    task_id: int | None = None
    attempt: int | None = None
    results: list[Result]


class Writer:
    """Writes the record of one run. Others may append to `path` meanwhile.

    Args:
        directory: Of the records; made when it is missing.
        began: The first line.

    Raises:
        OSError: It cannot be written.
    """

    def __init__(self, directory: Path, began: Began) -> None:
        directory.mkdir(mode=0o700, exist_ok=True)
        name = os.urandom(8).hex()
        self.path = directory / f"{name}{SUFFIX}"
        aside = directory / f".{name}"
        self._descriptor = os.open(aside, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_APPEND | os.O_CLOEXEC, 0o600)
        try:
            fcntl.flock(self._descriptor, fcntl.LOCK_SH)
            self.say(began)
            aside.rename(self.path)  # from here on it can be found, and is held already
        except BaseException:
            aside.unlink(missing_ok=True)
            self.close()
            raise

    def say(self, line: _Line) -> None:
        """Write one line.

        Raises:
            OSError: It could not be written.
        """
        os.write(self._descriptor, msgspec.json.encode(line) + b"\n")

    def close(self) -> None:
        """Let go of it."""
        os.close(self._descriptor)


def left(directory: Path) -> Iterator[tuple[Path, Run]]:
    """The records that nobody writes to any more."""
    for name in names_in(directory):
        if name.endswith(SUFFIX) and (run := _taken(directory / name)):
            yield directory / name, run


def sweep(directory: Path, *, now: float) -> None:
    """Remove what was left by those who were killed before their record had its name. `now`: POSIX seconds.

    Raises:
        OSError: It could not be removed.
    """
    for name in names_in(directory):
        if _ASIDE.fullmatch(name) and _is_left(directory / name, now):
            (directory / name).unlink(missing_ok=True)


def _is_left(path: Path, now: float) -> bool:
    try:
        with open_regular(path) as file:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            return now - os.fstat(file.fileno()).st_mtime > _OLD
    except OSError:  # somebody writes to it, or has just given it its name
        return False


def _taken(path: Path) -> Run | None:
    try:
        with open_regular(path) as file:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            return read(path.stem, file)
    except OSError:  # somebody writes to it, or has just taken it in
        return None


def read(record: str, lines: Iterator[bytes]) -> Run | None:
    """What a record says; None when it is none. Lines that are torn or are not ours are passed over."""
    began, end, trouble, sessions = None, None, "", 0
    results: list[Result] = []
    begun: dict[str, None] = {}
    for line in map(_decoded, lines):
        match line:
            case Began():
                began = line
            case End():
                end = line
            case _Session():
                sessions += 1
            case _Finished():
                sessions -= 1
            case Trouble():
                trouble = line.why
            case _Begun():
                begun[line.name] = None
            case Told():
                begun.pop(line.name, None)
                results.append(as_result(line))
    if began is None:
        return None
    results += [Result(named(printable(name)), 1, TestOutcome.UNFINISHED) for name in begun]
    return Run(
        record=record,
        suite=began.suite,
        command=began.command,
        began_at=began.at,
        code=(end.code if end else "") or began.code,
        seconds=end.seconds if end else None,
        ended=_ended(end, max(0, sessions), trouble),
        task_id=began.task_id,
        attempt=began.attempt,
        results=numbered(results),
    )


def _decoded(line: bytes) -> _Any | None:
    if len(line) > _LONGEST:
        return None
    try:
        return _decoder.decode(line)
    except (msgspec.DecodeError, UnicodeDecodeError):
        return None


def _ended(end: End | None, open_sessions: int, trouble: str) -> Ended:
    if end is None:
        return Ended(open_sessions=open_sessions, trouble=trouble)
    return Ended(exit_code=end.exit_code, signal=end.signal, open_sessions=open_sessions, trouble=trouble)


def as_result(told: Told) -> Result:
    """An attempt as it is kept: its names within bounds, and fit for a database."""
    message = printable(told.message)[:MOST_MESSAGE]
    return Result(named(printable(told.name)), 1, told.outcome, max(0.0, told.seconds), message)
