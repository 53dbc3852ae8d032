"""Following an attempt that has not printed yet: what was searched in vain is not searched again."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from overnight.executors.local import output
from overnight.executors.local.segments import HEADER, Stream


def frame(task_id: int, content: bytes) -> bytes:
    return HEADER.pack(task_id, 1, Stream.STDOUT, 0.0, len(content)) + content


class Counting:
    """Headers that are read."""

    size = HEADER.size

    def __init__(self) -> None:
        self.read = 0

    def unpack(self, words: bytes) -> tuple[Any, ...]:
        self.read += 1
        return HEADER.unpack(words)


@pytest.fixture
def headers(monkeypatch: pytest.MonkeyPatch) -> Counting:
    counting = Counting()
    monkeypatch.setattr(output, "HEADER", counting)
    return counting


def test_only_what_is_new_is_searched(tmp_path: Path, headers: Counting) -> None:
    segment = tmp_path / "slot-0-000001.seg"
    segment.write_bytes(frame(1, b"others") * 100)
    following = output.follow(tmp_path, 7, 1)
    assert next(following) == (0, b"")
    assert headers.read == 100
    assert next(following) == (0, b"")
    assert headers.read == 100
    with segment.open("ab") as file:
        file.write(frame(1, b"others") + frame(7, b"ours"))
    assert next(following) == (1, b"ours")
    assert headers.read <= 103


def test_a_frame_that_is_taken_back_and_a_segment_that_is_made_anew_are_no_gap(tmp_path: Path) -> None:
    segment = tmp_path / "slot-0-000001.seg"
    whole, torn = frame(1, b"others"), frame(1, b"x" * 1000)[:50]
    segment.write_bytes(whole * 3 + torn)
    following = output.follow(tmp_path, 7, 1)
    assert next(following) == (0, b"")
    segment.write_bytes(whole * 3 + frame(2, b"o"))
    assert next(following) == (0, b"")
    segment.unlink()
    segment.write_bytes(whole + frame(7, b"ours"))
    assert next(following) == (1, b"ours")
