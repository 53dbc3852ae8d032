"""Reading log files as they grow: each line once, across rotations, and never more of one than can be borne.

A file is known by device and inode and by how it begins, not by its name: one that was renamed goes on
where it was, one that was emptied or whose number was given to another begins anew. What cannot be
read is a trouble that somebody is told, and no reason to stop.
"""

from __future__ import annotations

import glob
import os
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import BinaryIO, NamedTuple

import msgspec

from overnight.host.files import open_regular

#: Bytes of one file that are read in one scan; of more, the newest.
MOST = 256 * 1024 * 1024
#: Bytes that are read at once. A longer line is left out.
BLOCK = 1024 * 1024
#: Bytes by whose being the same a file is taken for the one that it was.
_HEAD = 64
#: Bytes that are looked at to tell what is no text.
SAMPLE = 8192
NO_TEXT = "it is no text (it has zero bytes)"
#: Files of one scan.
MOST_FILES = 1000


class Position(msgspec.Struct, frozen=True, kw_only=True):
    """How far a file was read. `head`: how it begins. `rest`: what `outputs` has begun to read and not finished."""

    path: bytes
    device: int
    inode: int
    offset: int
    head: bytes = b""
    rest: bytes = b""

    @property
    def key(self) -> tuple[int, int]:
        return self.device, self.inode


class Trouble(NamedTuple):
    """Why a file, or a part of it, was not read."""

    path: bytes
    why: str


class Part(NamedTuple):
    """What is new in a file. `file` is open and stands nowhere in particular."""

    file: BinaryIO
    position: Position
    begin: int
    end: int


def matching(patterns: Iterable[str], project: Path) -> list[Path]:
    """The files that patterns name, those of the project by names below it; each once, in order of their names."""
    found: dict[Path, None] = {}
    for pattern in patterns:
        whole = os.path.join(glob.escape(os.fspath(project)), os.path.expanduser(pattern))  # noqa: PTH111, PTH118 - text
        paths = sorted(glob.iglob(whole, recursive=True))  # noqa: PTH207 - absolute patterns, too
        found |= dict.fromkeys(Path(path) for path in paths)
    return [path for path in found if not path.is_dir()][:MOST_FILES]


def news(paths: Iterable[Path], known: Mapping[tuple[int, int], Position]) -> Iterator[Part | Trouble]:
    """What is new in these files, and in what they were before they were rotated; older files first.

    Args:
        paths: By their names now.
        known: How far each was read.
    """
    seen: set[tuple[int, int]] = set()
    for path in paths:
        for one in [*_rotated(path, known), path]:
            yield from _news_of(one, known, seen)


def _news_of(
    path: Path, known: Mapping[tuple[int, int], Position], seen: set[tuple[int, int]]
) -> Iterator[Part | Trouble]:
    name = os.fsencode(path)
    try:
        file = open_regular(Path(os.path.realpath(path)))
    except OSError as error:
        yield Trouble(name, error.strerror or str(error))
        return
    with file:
        state = os.fstat(file.fileno())
        key = state.st_dev, state.st_ino
        if key not in seen:
            seen.add(key)
            try:
                yield from _grown(file, name, state, known.get(key))
            except OSError as error:
                yield Trouble(name, error.strerror or str(error))


def _grown(file: BinaryIO, name: bytes, state: os.stat_result, before: Position | None) -> Iterator[Part | Trouble]:
    sample = file.read(SAMPLE)
    begin = before.offset if before and _is_same(before, sample, state.st_size) else 0
    rest = before.rest if before and begin else b""
    if b"\0" in sample and not name.endswith(b".seg"):
        yield Trouble(name, NO_TEXT)
        return
    if state.st_size - begin > MOST:
        skipped = state.st_size - begin - MOST
        begin, rest = state.st_size - MOST, b""
        yield Trouble(name, f"{skipped:,} bytes were passed over; the newest {MOST // 1024**2} MiB are read")
    position = Position(
        path=name, device=state.st_dev, inode=state.st_ino, offset=begin, head=sample[:_HEAD], rest=rest
    )
    yield Part(file, position, begin, state.st_size)


def _is_same(before: Position, sample: bytes, size: int) -> bool:
    return size >= before.offset and sample.startswith(before.head)


def _rotated(path: Path, known: Mapping[tuple[int, int], Position]) -> list[Path]:
    """Files beside this one that had its name when they were last read, oldest first."""
    mine = [key for key, position in known.items() if position.path == os.fsencode(path)]
    found: dict[Path, float] = {}
    try:
        with os.scandir(path.parent) as entries:
            for entry in entries:
                if entry.name.startswith(path.name) and entry.name != path.name and entry.is_file():
                    state = entry.stat()
                    if (state.st_dev, state.st_ino) in mine:
                        found[Path(entry.path)] = state.st_mtime
    except OSError:
        return []
    return sorted(found, key=lambda one: found[one])


def blocks(part: Part) -> Iterator[tuple[bytes, int]]:
    """What is new, in blocks of whole lines, each with where it ends. A last line that is not whole waits.

    Raises:
        OSError: It cannot be read any more.
    """
    part.file.seek(part.begin)
    carry, at = b"", part.begin
    whole = part.begin == 0 or _begins_a_line(part)
    while at < part.end and (content := part.file.read(min(BLOCK, part.end - at))):
        at += len(content)
        cut = content.rfind(b"\n") + 1
        if not cut:
            if len(carry) + len(content) > BLOCK:
                whole, carry = False, b""
                yield b"", at
            else:
                carry += content
            continue
        block = carry + content[:cut]
        if not whole:
            block = block[block.find(b"\n") + 1 :]
            whole = True
        carry = content[cut:]
        yield block, at - len(carry)


def _begins_a_line(part: Part) -> bool:
    part.file.seek(part.begin - 1)
    return part.file.read(1) == b"\n"
