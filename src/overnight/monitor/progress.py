"""How far running tasks say they are: the last report of each, by `overnight.progress`.

Reports lie among what is on its way: those of a command in a file of its attempt, which says in its name whose it
is; those of functions in one for each slot, where each line says it.
"""

from __future__ import annotations

import os
import re
from collections.abc import Container, Iterator
from pathlib import Path

import msgspec

#: Bytes at the end of a file that are looked at; a report is one line.
_TAIL = 8192
#: Characters of a message.
_MESSAGE = 200
_OF_ATTEMPT = re.compile(r"control-[0-9]+-([0-9]+)-([0-9]+)")


class Progress(msgspec.Struct, frozen=True):
    """What a task said last. `progress` is a fraction from 0 to 1; None when it has not said."""

    progress: float | None = None
    message: str = ""
    task: int = 0
    attempt: int = 0


_decoder = msgspec.json.Decoder(Progress, strict=False)


def reports(spool: Path, wanted: Container[tuple[int, int]] | None = None) -> dict[tuple[int, int], Progress]:
    """The last report of each attempt that has made one, by task and attempt.

    Args:
        spool: Where they lie.
        wanted: The attempts; files that are of others alone are not read. None: all of them.
    """
    found: dict[tuple[int, int], Progress] = {}
    try:
        names = sorted(name for name in os.listdir(spool) if name.startswith("control-"))  # noqa: PTH208 - as names
    except FileNotFoundError:
        return found
    for name in names:
        whose = _whose(name)
        if whose is not None and wanted is not None and whose not in wanted:
            continue
        for report in _lines(f"{spool}/{name}", whose):
            found[report.task, report.attempt] = report
    return found


def _whose(name: str) -> tuple[int, int] | None:
    """The attempt that a file is of; None for one that functions share."""
    named = _OF_ATTEMPT.fullmatch(name)
    return (int(named[1]), int(named[2])) if named else None


def _lines(path: str, whose: tuple[int, int] | None) -> Iterator[Progress]:
    for line in _tail(path).splitlines():
        try:
            report = _decoder.decode(line)
        except (msgspec.MsgspecError, UnicodeDecodeError):
            continue  # a task may write what it likes, and the first line may have lost its beginning
        task, attempt = whose or (report.task, report.attempt)
        report = Progress(report.progress, report.message[:_MESSAGE], task, attempt)
        if report.task and (report.progress is None or 0 <= report.progress <= 1):
            yield report


def _tail(path: str) -> bytes:
    try:
        file = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    except OSError:
        return b""
    try:
        return os.pread(file, _TAIL, max(0, os.fstat(file).st_size - _TAIL))
    finally:
        os.close(file)
