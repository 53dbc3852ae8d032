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
    for path in sorted(spool.glob("control-*")):
        named = _OF_ATTEMPT.fullmatch(path.name)
        if named and wanted is not None and (int(named[1]), int(named[2])) not in wanted:
            continue
        for report in _lines(path):
            found[report.task, report.attempt] = report
    return found


def _lines(path: Path) -> Iterator[Progress]:
    named = _OF_ATTEMPT.fullmatch(path.name)
    whose = {"task": int(named[1]), "attempt": int(named[2])} if named else {}
    for line in _tail(path).splitlines():
        try:
            report = _decoder.decode(line)
        except (msgspec.MsgspecError, UnicodeDecodeError):
            continue  # a task may write what it likes, and the first line may have lost its beginning
        report = msgspec.structs.replace(report, message=report.message[:_MESSAGE], **whose)
        if report.task and (report.progress is None or 0 <= report.progress <= 1):
            yield report


def _tail(path: Path) -> bytes:
    try:
        with path.open("rb") as file:
            file.seek(max(0, os.fstat(file.fileno()).st_size - _TAIL))
            return file.read(_TAIL)
    except OSError:
        return b""
