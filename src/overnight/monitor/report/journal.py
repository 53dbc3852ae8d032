"""The few events of a stretch of time that tell of no task, out of a journal of many.

A journal grows by some hundred bytes for each thing that happens to a task. Its lines are in the order of
time, so the beginning of the window is found by halving; and most lines are passed over without being cut
out: a search goes from end to end of them, and stops at the few whose first bytes are others.
"""

from __future__ import annotations

import mmap
import os
import re
from collections.abc import Collection, Iterator
from datetime import datetime
from pathlib import Path
from typing import BinaryIO, NamedTuple

import msgspec

from overnight.core.durations import iso
from overnight.core.event_names import EventName
from overnight.core.incidents import Noted, noted
from overnight.host.files import last_line
from overnight.monitor.tail import full_segments

_AT = re.compile(rb'"at":"([^"]+)"')
#: Within a text the quotes would be written otherwise.
_OF_ENGINES = b'"event":"processor_'
#: The end of a line, and the beginning of one that tells of no task.
_TELLING = re.compile(rb'\n\{"seq":\d+,"event":"(?!file_|step_|late_)')
#: Bytes below which halving is not worth it, and that are read at one go.
_NEAR, _BLOCK = 65536, 1 << 18


class Notes(NamedTuple):
    """What was found: the events, and when the last event of all happened (POSIX seconds)."""

    notes: list[Noted]
    last_at: float | None


def notes_since(journal: Path, since: float) -> Notes:
    """The events after an instant that tell of no task.

    Args:
        journal: ``events.jsonl`` of a home; full segments lie beside it.
        since: POSIX seconds.
    """
    found: list[Noted] = []
    last = b"\n"
    for block in _blocks(journal, iso(since).encode()):
        lines = last + block
        lines = lines[: lines.rfind(b"\n") + 1]  # what follows is on its way
        found += (note for note in _told(lines) if note.at >= since)
        last = lines[lines.rfind(b"\n", 0, -1) + 1 :]
    return Notes(found, instant_of(last))


def _told(lines: bytes) -> Iterator[Noted]:
    """The events of whole lines that tell of no task; the first line only comes before the second one."""
    for match in _TELLING.finditer(lines):
        begin, end = match.start() + 1, lines.find(b"\n", match.end())
        note = _noted(lines[begin:end], lines[lines.rfind(b"\n", 0, begin - 1) + 1 : begin])
        if note is not None:
            yield note


def engine_at(journal: Path, instant: float) -> float | None:
    """When the engine began that was at work at an instant, by its last word before; None: there was none.

    Args:
        journal: ``events.jsonl`` of a home; full segments lie beside it.
        instant: POSIX seconds.
    """
    for path in [journal, *reversed(full_segments(journal))]:
        for note in _of_engines(path):
            if note.at < instant:
                return note.at if note.event is EventName.PROCESSOR_STARTED else None
    return None


def last_crash(journal: Path, since: float, *, runs: bool) -> float | None:
    """When the first engine began after the last one that ended without a word; None: none did so lately.

    Where nobody has begun since, it is when that one itself began: nobody knows more.

    Args:
        journal: ``events.jsonl`` of a home; full segments lie beside it.
        since: POSIX seconds; what was found before is old.
        runs: Whether an engine is at work now.
    """
    after: Noted | None = None
    for path in [journal, *reversed(full_segments(journal))]:
        for note in _of_engines(path):
            if note.event is EventName.PROCESSOR_STARTED:
                if after is not None and after.event is EventName.PROCESSOR_STARTED:
                    return after.at if after.at >= since else None
                if after is None and not runs:
                    return note.at if _last_of(journal) >= since else None
            after = note
            if after.at < since:
                return None
    return None


def _last_of(journal: Path) -> float:
    """When the last event of all happened; 0 where that is not known."""
    try:
        with journal.open("rb") as file:
            return instant_of(last_line(file.fileno())[0]) or 0.0
    except FileNotFoundError:
        return 0.0


def first_failures(journal: Path, causes: Collection[str], until: float) -> dict[str, float]:
    """When an attempt failed first of each of these causes, whatever became of its task; what never did is left out.

    Args:
        journal: ``events.jsonl`` of a home; full segments lie beside it.
        causes: Fingerprints.
        until: POSIX seconds; what failed later is not looked for.
    """
    left = {cause.encode() for cause in causes if cause}
    found: dict[str, float] = {}
    for path in [*full_segments(journal), journal]:
        for cause, at in _failures(path, frozenset(left), iso(until).encode()) if left else ():
            if at < until:
                found[cause.decode()] = at
                left.discard(cause)
    return found


def _failures(path: Path, causes: Collection[bytes], wanted: bytes) -> Iterator[tuple[bytes, float]]:
    """The first attempt of one file that failed of each cause, before an instant or not long after it."""
    failed = re.compile(rb'"fingerprint":"(' + b"|".join(map(re.escape, causes)) + rb')"')
    seen: set[bytes] = set()
    try:
        with path.open("rb") as file, mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as content:
            _go_to(file, wanted)
            for match in failed.finditer(content, 0, file.tell() + 2 * _NEAR):
                begin = content.rfind(b"\n", 0, match.start()) + 1
                at = None if match[1] in seen else instant_of(content[begin : match.start()])
                if at is not None:
                    seen.add(match[1])
                    yield match[1], at
                if len(seen) == len(causes):
                    return
    except (FileNotFoundError, ValueError):
        return  # between two files; an empty one cannot be mapped


def _of_engines(path: Path) -> Iterator[Noted]:
    """What engines say of themselves in one file, the last first. Costs some milliseconds for 100 MB."""
    try:
        with path.open("rb") as file, mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as content:
            at = len(content)
            while (at := content.rfind(_OF_ENGINES, 0, at)) >= 0:
                begin, end = content.rfind(b"\n", 0, at) + 1, content.find(b"\n", at)
                if end >= 0 and (note := _noted(content[begin:end], b"")) is not None:
                    yield note
    except (FileNotFoundError, ValueError):
        return  # between two files; an empty one cannot be mapped


def _blocks(journal: Path, wanted: bytes) -> Iterator[bytes]:
    """The lines since an instant, and a few before it, many at a time."""
    for path in [*full_segments(journal), journal]:
        try:
            with path.open("rb") as file:
                end = _AT.search(last_line(file.fileno())[0])
                if path == journal or end is None or end[1] >= wanted:
                    _go_to(file, wanted)
                    while data := file.read(_BLOCK):
                        yield data + file.readline()
        except FileNotFoundError:
            continue  # between two files, or there has never been one


def _go_to(file: BinaryIO, wanted: bytes) -> None:
    """Before the first line of that instant, and not far before it."""
    low, high = 0, os.fstat(file.fileno()).st_size
    while high - low > _NEAR:
        middle = (low + high) // 2
        file.seek(middle)
        file.readline()
        found = _AT.search(file.readline())
        if found is not None and found[1] < wanted:
            low = middle
        else:
            high = middle
    file.seek(low)
    if low:
        file.readline()


def _noted(line: bytes, before: bytes) -> Noted | None:
    try:
        fields = msgspec.json.decode(line)
        at = datetime.fromisoformat(fields.pop("at")).timestamp()
        return noted(fields, name=fields.pop("event"), at=at, before=instant_of(before))
    except (msgspec.MsgspecError, UnicodeDecodeError, ValueError, KeyError, TypeError, AttributeError):
        return None  # an event of a later version, or damaged


def instant_of(line: bytes) -> float | None:
    """When the event of a line happened, POSIX seconds; None where it does not say."""
    found = _AT.search(line)
    try:
        return None if found is None else datetime.fromisoformat(found[1].decode()).timestamp()
    except ValueError:
        return None
