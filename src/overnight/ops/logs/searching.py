"""Looking for words in everything that is a log: the journal, what tasks print, the files that are named."""

from __future__ import annotations

import os
import re
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

from overnight.core.events import printable
from overnight.host.files import last_line, open_regular
from overnight.host.home import Home
from overnight.monitor.tail import full_segments
from overnight.ops.logs.following import NO_TEXT, SAMPLE, Part, Trouble, blocks, matching, news
from overnight.ops.logs.outputs import is_segment, pieces
from overnight.ops.logs.scanning import JOURNAL, OUTPUT

#: Bytes of the end of a file in which its last lines are looked for.
_TAIL = 1024 * 1024
#: Bytes of a line that are shown.
LONGEST = 4096


class Line(NamedTuple):
    """A line of a log. `number` counts from 1 within what was read of its file; `task_id`: whose output it is."""

    source: str
    number: int
    content: bytes
    task_id: int | None = None


class Found(NamedTuple):
    """A line that was looked for, with those around it."""

    line: Line
    before: list[Line]
    after: list[Line]


def sources(home: Home, patterns: Sequence[str]) -> list[Path]:
    """Every file that is a log, the journal first."""
    segments = [*full_segments(home.journal), home.journal]
    return [
        *filter(os.path.lexists, segments),
        *sorted(home.output.glob("slot-*.seg")),
        *matching(patterns, home.config.parent),
    ]


def lines(
    home: Home, paths: Iterable[Path], told: Callable[[Trouble], None], *, task: int | None = None
) -> Iterator[Line]:
    """All lines of these files, one after the other.

    Args:
        home: Whose journal and outputs are told apart from other files.
        paths: Which.
        told: Called with what cannot be read.
        task: Only what this task has printed.
    """
    for one in news(paths, {}):
        if isinstance(one, Trouble):
            told(one)
            continue
        try:
            if is_segment(one.position.path):
                yield from _printed(one, task)
            elif task is None:
                yield from _written(home, one)
        except OSError as error:
            told(Trouble(one.position.path, error.strerror or str(error)))


def _printed(part: Part, task: int | None) -> Iterator[Line]:
    number = 0
    for piece in pieces(part):
        for content in piece.lines.splitlines():
            number += 1
            if task in (None, piece.task_id):
                yield Line(OUTPUT, number, content[:LONGEST], piece.task_id)


def _written(home: Home, part: Part) -> Iterator[Line]:
    name = Path(os.fsdecode(part.position.path))
    source = JOURNAL if name.parent == home.path else printable(os.fspath(name))
    number = 0
    for block, _ in blocks(part):
        for content in block.splitlines():
            number += 1
            yield Line(source, number, content[:LONGEST])


def search(found: Iterable[Line], pattern: re.Pattern[bytes], *, context: int) -> Iterator[Found]:
    """The lines in which a pattern is, each with so many lines of its own source before and after it."""
    before: deque[Line] = deque(maxlen=context or None)
    waiting: deque[Found] = deque()
    for line in found:
        while waiting and (len(waiting[0].after) >= context or waiting[0].line.source != line.source):
            yield waiting.popleft()
        for one in waiting:
            one.after.append(line)
        around = [one for one in before if one.source == line.source] if context else []
        if pattern.search(line.content):
            waiting.append(Found(line, around, []))
        if context:
            before.append(line)
    yield from waiting


def last(path: Path, count: int) -> list[bytes]:
    """The last whole lines of a file, at most so many, of the last MiB.

    Raises:
        OSError: It cannot be read, or is no text.
    """
    with open_regular(Path(os.path.realpath(path))) as file:
        if b"\0" in os.pread(file.fileno(), SAMPLE, 0):
            raise OSError(None, NO_TEXT)
        _, end = last_line(file.fileno())
        start = max(0, end - _TAIL)
        content = os.pread(file.fileno(), end - start, start)
    found = content.splitlines()
    return [line[:LONGEST] for line in (found[1:] if start else found)[-count:]] if count else []
