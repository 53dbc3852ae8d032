"""How far running tasks say they are: the last report of each, by `overnight.progress`.

Reports lie in a file for each slot, among what is on its way, and go with the next attempt there. They say
themselves which attempt they are of; a command that writes its own lines may leave that out, and is not shown.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import msgspec

#: Bytes at the end of a file that are looked at; a report is one line.
_TAIL = 8192
#: Characters of a message.
_MESSAGE = 200


class Progress(msgspec.Struct, frozen=True):
    """What a task said last. `progress` is a fraction from 0 to 1; None when it has not said."""

    progress: float | None = None
    message: str = ""
    task: int = 0
    attempt: int = 0


_decoder = msgspec.json.Decoder(Progress, strict=False)


def reports(spool: Path) -> dict[tuple[int, int], Progress]:
    """The last report of each attempt that has made one, by task and attempt."""
    found: dict[tuple[int, int], Progress] = {}
    for path in sorted(spool.glob("control-*")):
        for report in _lines(path):
            found[report.task, report.attempt] = report
    return found


def _lines(path: Path) -> Iterator[Progress]:
    for line in _tail(path).splitlines():
        try:
            report = _decoder.decode(line)
        except (msgspec.MsgspecError, UnicodeDecodeError):
            continue  # a task may write what it likes, and the first line may have lost its beginning
        if report.task and (report.progress is None or 0 <= report.progress <= 1):
            yield msgspec.structs.replace(report, message=report.message[:_MESSAGE])


def _tail(path: Path) -> bytes:
    try:
        with path.open("rb") as file:
            file.seek(max(0, os.fstat(file.fileno()).st_size - _TAIL))
            return file.read(_TAIL)
    except OSError:
        return b""
