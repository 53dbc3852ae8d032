"""Lines of what tasks print, out of the segments in which their keepers lay it down."""

from __future__ import annotations

import os
from collections.abc import Iterator
from typing import NamedTuple

import msgspec

from overnight.executors.local.segments import HEADER, Stream
from overnight.ops.logs.following import Part

#: Bytes of a line that is not whole yet that are remembered.
_REST = 4096
#: Larger frames are damage.
_LARGEST = 64 * 1024 * 1024


class _Rest(msgspec.Struct, frozen=True):
    task_id: int
    attempt: int
    stream: int
    line: bytes


class Piece(NamedTuple):
    """Whole lines that a task has printed, with when (POSIX seconds) and where the frame of the last one ends."""

    task_id: int
    at: float
    lines: bytes
    end: int
    rest: bytes


def pieces(part: Part) -> Iterator[Piece]:
    """What tasks have printed in a part of a segment. A frame that is not whole waits for the next time.

    Raises:
        OSError: It cannot be read any more.
    """
    open_lines = {(one.task_id, one.attempt, one.stream): one.line for one in _unpacked(part.position.rest)}
    part.file.seek(part.begin)
    at = part.begin
    while at + HEADER.size <= part.end:
        task_id, attempt, stream, when, length = HEADER.unpack(part.file.read(HEADER.size))
        if stream not in (*Stream,) or length > _LARGEST or at + HEADER.size + length > part.end:
            return
        data = part.file.read(length)
        at += HEADER.size + length
        yield Piece(task_id, when, _lines(open_lines, (task_id, attempt), stream, data), at, _packed(open_lines))


def _lines(open_lines: dict[tuple[int, int, int], bytes], key: tuple[int, int], stream: int, data: bytes) -> bytes:
    """The lines that this frame makes whole."""
    if stream == Stream.END:
        return b"".join(open_lines.pop((*key, one), b"") + b"\n" for one in (1, 2) if (*key, one) in open_lines)
    if stream == Stream.GAP:
        return b""
    whole = open_lines.pop((*key, stream), b"") + data
    cut = whole.rfind(b"\n") + 1
    if cut < len(whole):
        open_lines[*key, stream] = whole[cut:][:_REST]
    return whole[:cut]


def _packed(open_lines: dict[tuple[int, int, int], bytes]) -> bytes:
    return msgspec.msgpack.encode([_Rest(*key, line) for key, line in open_lines.items()]) if open_lines else b""


def _unpacked(rest: bytes) -> list[_Rest]:
    try:
        return msgspec.msgpack.decode(rest, type=list[_Rest]) if rest else []
    except msgspec.DecodeError:
        return []


def is_segment(name: bytes) -> bool:
    """Whether a file of this name holds what tasks print."""
    return os.path.basename(name).startswith(b"slot-") and name.endswith(b".seg")  # noqa: PTH119 - bytes
