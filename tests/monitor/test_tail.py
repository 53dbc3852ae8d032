"""Following the journal across its segments."""

from __future__ import annotations

from itertools import islice
from pathlib import Path
from typing import BinaryIO

import pytest

from overnight.monitor.tail import JournalTail


def written(path: Path, first: int, last: int) -> Path:
    with path.open("ab") as file:
        for seq in range(first, last + 1):
            file.write(b'{"seq":%d,"event":"x"}\n' % seq)
    return path


def numbers(lines: list[bytes]) -> list[int]:
    return [int(line.split(b":")[1].split(b",")[0]) for line in lines]


def test_every_line_comes_once_however_the_journal_is_set_aside(tmp_path: Path) -> None:
    journal = tmp_path / "events.jsonl"
    tail = JournalTail(journal)
    written(journal, 1, 3)
    assert numbers(list(tail.lines())) == [1, 2, 3]
    written(journal, 4, 5).rename(tmp_path / "events-000000000005.jsonl")
    written(journal, 6, 7).rename(tmp_path / "events-000000000007.jsonl")
    written(journal, 8, 8)
    assert numbers(list(tail.lines())) == [4, 5, 6, 7, 8]
    assert list(tail.lines()) == []
    written(journal, 9, 9)
    assert numbers(list(tail.lines())) == [9]


@pytest.mark.parametrize(("read", "more"), [(50, 1), (50, 49), (50, 50), (50, 200), (5, 200)])
def test_a_journal_that_somebody_has_emptied_is_read_from_its_beginning(tmp_path: Path, read: int, more: int) -> None:
    """The writer goes on in it. One that was deleted may have a successor of the same inode."""
    journal = written(tmp_path / "events.jsonl", 1, read)
    tail = JournalTail(journal)
    assert numbers(list(tail.lines())) == list(range(1, read + 1))
    journal.write_bytes(b"")
    written(journal, read + 11, read + 10 + more)
    assert numbers(list(tail.lines())) == list(range(read + 11, read + 11 + more))
    written(journal, read + 11 + more, read + 11 + more)
    assert numbers(list(tail.lines())) == [read + 11 + more]


def test_a_segment_that_is_read_in_portions_is_read_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    written(tmp_path / "events-000000000090.jsonl", 1, 90)
    written(tmp_path / "events.jsonl", 91, 99)
    tail, looked_at = JournalTail(tmp_path / "events.jsonl"), []
    known = JournalTail._unless_known

    def counting(self: JournalTail, line: bytes) -> object:
        looked_at.append(line)
        return known(self, line)

    monkeypatch.setattr(JournalTail, "_unless_known", counting)
    found = [seq for _ in range(10) for seq in numbers(list(islice(tail.lines(), 10)))]
    assert found == list(range(1, 100))
    assert len(looked_at) == 99


def test_a_line_on_its_way_comes_when_it_is_whole(tmp_path: Path) -> None:
    journal = tmp_path / "events.jsonl"
    tail = JournalTail(journal)
    written(journal, 1, 1)
    with journal.open("ab") as file:
        half_written(file)
        assert numbers(list(tail.lines())) == [1]
        file.write(b'"event":"x"}\n')
    assert numbers(list(tail.lines())) == [2]


def half_written(file: BinaryIO) -> None:
    file.write(b'{"seq":2,')
    file.flush()
