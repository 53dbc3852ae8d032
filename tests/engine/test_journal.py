"""The journal is numbered without gaps, whatever was cut off."""

from __future__ import annotations

import errno
import io
import json
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from overnight.core.errors import DiskFullError
from overnight.core.task import Action, ActionKind, NewTask
from overnight.engine.journal import Journal
from overnight.monitor.books import audit
from overnight.monitor.tail import JournalTail, last_seq
from overnight.store.sqlite import SqliteStore

NOON = 1_800_000_000.0


@pytest.fixture
def store(tmp_path: Path) -> Iterator[SqliteStore]:
    made = SqliteStore.open(tmp_path / "queue.db", create=True, migrate=True)
    yield made
    made.close()


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "events.jsonl"


def add(store: SqliteStore, *names: str) -> None:
    action = Action(kind=ActionKind.CALL, cwd=b"/", call="m:f")
    store.add([NewTask(action=action, input=name.encode()) for name in names], now=NOON)


def numbers(path: Path) -> list[int]:
    return [json.loads(line)["seq"] for line in path.read_text().splitlines()]


def test_events_are_numbered_from_one_in_the_order_in_which_they_became_true(store: SqliteStore, path: Path) -> None:
    add(store, "a", "b")
    add(store, "c")
    journal = Journal(path, store)
    assert journal.pump() == 3
    assert numbers(path) == [1, 2, 3]
    assert [json.loads(line)["input"] for line in path.read_text().splitlines()] == ["a", "b", "c"]
    journal.close()


def test_what_is_synced_leaves_the_outbox_and_the_numbers_go_on(store: SqliteStore, path: Path) -> None:
    add(store, "a", "b")
    journal = Journal(path, store)
    journal.close()
    assert store.outbox(10) == []
    add(store, "c")
    Journal(path, store).close()
    assert numbers(path) == [1, 2, 3]
    assert audit(store, path) == []


def test_a_crash_between_writing_and_forgetting_repeats_no_line(store: SqliteStore, path: Path) -> None:
    add(store, "a", "b")
    Journal(path, store).pump()
    add(store, "c")
    Journal(path, store).close()
    assert numbers(path) == [1, 2, 3]


@pytest.mark.parametrize("cut", [1, 20, 400])
def test_a_torn_last_line_is_written_again_whole(store: SqliteStore, path: Path, cut: int) -> None:
    add(store, "a", "b", "c", "d", "e")
    Journal(path, store).pump()
    content = path.read_bytes()
    path.write_bytes(content[:-cut])
    Journal(path, store).close()
    assert path.read_bytes() == content


def test_a_journal_that_somebody_deleted_goes_on_with_its_numbers(store: SqliteStore, path: Path) -> None:
    add(store, "a", "b")
    Journal(path, store).close()
    path.unlink()
    add(store, "c")
    Journal(path, store).close()
    assert numbers(path) == [3]


def test_a_full_segment_is_set_aside_and_the_numbers_go_on(store: SqliteStore, path: Path) -> None:
    journal = Journal(path, store, rotate_bytes=1)
    for name in "abc":
        add(store, name)
        journal.pump()
        journal.sync()
    add(store, "d")
    journal.close()
    segments = sorted(path.parent.glob("events-*.jsonl"))
    assert [number for segment in segments for number in numbers(segment)] == [1, 2, 3, 4]
    assert audit(store, path) == []


def test_an_audit_finds_a_missing_event(store: SqliteStore, path: Path) -> None:
    add(store, "a", "b", "c")
    Journal(path, store).close()
    lines = path.read_bytes().splitlines(keepends=True)
    path.write_bytes(lines[0] + lines[2])
    (finding,) = audit(store, path)
    assert (finding.expected, finding.found) == ("event 2", "event 3")


def test_an_audit_finds_a_journal_that_was_cut_short(store: SqliteStore, path: Path) -> None:
    add(store, "a", "b")
    Journal(path, store).close()
    path.write_bytes(path.read_bytes().splitlines(keepends=True)[0])
    assert [finding.expected for finding in audit(store, path)] == ["at least 2"]


def test_a_tail_sees_every_event_once_across_rotations(store: SqliteStore, path: Path) -> None:
    journal = Journal(path, store, rotate_bytes=300)
    tail = JournalTail(path)
    seen: list[int] = []
    for name in "abcdefgh":
        add(store, name, name + name)
        journal.pump()
        seen += [event["seq"] for event in tail.news()]
        journal.sync()
    seen += [event["seq"] for event in tail.news()]
    assert seen == list(range(1, 17))
    journal.close()


def test_a_tail_begins_after_the_number_that_is_known(store: SqliteStore, path: Path) -> None:
    add(store, "a", "b", "c")
    Journal(path, store).close()
    assert [event["seq"] for event in JournalTail(path, after=2).news()] == [3]
    assert last_seq(path) == 3


def full_disk(monkeypatch: pytest.MonkeyPatch, *, after: int) -> None:
    """From now on a write takes so many bytes and then fails for want of room."""
    real = os.write
    left = after

    def write(file: int, data: bytes) -> int:
        nonlocal left
        if left == 0:
            raise OSError(errno.ENOSPC, "No space left on device")
        written = real(file, data[:left])
        left -= written
        return written

    monkeypatch.setattr("overnight.engine.journal.os.write", write)


@pytest.mark.parametrize("room", [0, 10, 400])
def test_a_full_disk_tears_no_line_and_what_is_missing_is_written_when_there_is_room(
    store: SqliteStore, path: Path, monkeypatch: pytest.MonkeyPatch, room: int
) -> None:
    add(store, "a", "b")
    journal = Journal(path, store)
    journal.pump()
    journal.sync()
    add(store, "c", "d", "e")
    with monkeypatch.context() as patch:
        full_disk(patch, after=room)
        with pytest.raises(DiskFullError):
            journal.pump()
    add(store, "f")
    journal.pump()
    journal.close()
    assert numbers(path) == [1, 2, 3, 4, 5, 6]
    assert audit(store, path) == []


def test_a_journal_that_cannot_be_closed_for_want_of_room_leaves_the_rest_to_the_next_engine(
    store: SqliteStore, path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    journal = Journal(path, store)
    add(store, "a", "b")
    with monkeypatch.context() as patch:
        full_disk(patch, after=20)
        journal.close()
    Journal(path, store).close()
    assert numbers(path) == [1, 2]


def test_a_journal_deleted_under_a_running_engine_loses_nothing_that_was_not_safe(
    store: SqliteStore, path: Path
) -> None:
    journal = Journal(path, store)
    add(store, "a")
    journal.pump()
    journal.sync()
    add(store, "b")
    journal.pump()
    path.unlink()
    add(store, "c")
    journal.pump()
    journal.close()
    assert numbers(path) == [2, 3]


def test_a_journal_emptied_under_a_running_engine_goes_on_with_its_numbers(store: SqliteStore, path: Path) -> None:
    journal = Journal(path, store)
    add(store, "a")
    journal.pump()
    os.truncate(path, 0)
    journal.sync()
    add(store, "b")
    journal.close()
    assert numbers(path) == [1, 2]


def test_a_torn_last_line_is_cut_off_however_long_it_is(store: SqliteStore, path: Path) -> None:
    add(store, "a")
    Journal(path, store).close()
    whole = path.read_bytes()
    path.write_bytes(whole + b'{"seq":2,"result":"' + b"x" * 5_000_000)
    Journal(path, store).close()
    assert path.read_bytes() == whole


def test_the_number_of_a_very_long_last_line_is_known(store: SqliteStore, path: Path) -> None:
    add(store, "a")
    Journal(path, store).pump()
    path.write_bytes(path.read_bytes()[:-2] + b',"x":"' + b"x" * 5_000_000 + b'"}\n')
    Journal(path, store).close()
    assert numbers(path) == [1]
    assert last_seq(path) == 1


def test_an_audit_of_a_journal_that_is_being_written_finds_nothing(
    store: SqliteStore, path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Half of a line is there when it is read, and the other half a moment later."""
    add(store, "a", "b")
    Journal(path, store).close()
    content = path.read_bytes()
    path.write_bytes(content[:-10])
    writes = iter([content[-10:]])
    file = os.open(path, os.O_WRONLY | os.O_APPEND)

    def append(data: bytes) -> None:
        os.write(file, data)

    class Growing(io.BufferedReader):
        def readline(self, size: int | None = -1) -> bytes:
            line = super().readline(size)
            if line and not line.endswith(b"\n"):
                append(next(writes))
            return line

        def __next__(self) -> bytes:
            if line := self.readline():
                return line
            raise StopIteration

    monkeypatch.setattr(Path, "open", lambda self, _mode: Growing(io.FileIO(self)))
    assert [found for found in audit(store, path) if not found.what.startswith("the newest")] == []
    os.close(file)


def test_an_audit_during_a_rotation_finds_nothing(
    store: SqliteStore, path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    journal = Journal(path, store, rotate_bytes=1)
    for name in "ab":
        add(store, name)
        journal.pump()
        journal.sync()
    add(store, "c")
    journal.pump()
    real = Path.glob

    def glob(self: Path, pattern: str) -> list[Path]:
        found = list(real(self, pattern))
        journal.sync()  # rotates
        add(store, "d")
        journal.pump()
        return found

    monkeypatch.setattr(Path, "glob", glob)
    assert audit(store, path) == []
    monkeypatch.undo()
    journal.close()


def test_a_tail_that_begins_in_a_segment_of_old_misses_nothing(store: SqliteStore, path: Path) -> None:
    journal = Journal(path, store, rotate_bytes=1)
    for name in "abc":
        add(store, name)
        journal.pump()
        journal.sync()
    add(store, "d")
    journal.pump()
    assert [event["seq"] for event in JournalTail(path, after=1).news()] == [2, 3, 4]
    journal.close()


def test_the_last_number_is_known_right_after_a_rotation(store: SqliteStore, path: Path) -> None:
    journal = Journal(path, store, rotate_bytes=1)
    add(store, "a", "b")
    journal.close()
    assert path.stat().st_size == 0
    assert last_seq(path) == 2


def test_a_tail_over_a_rotation_at_the_worst_moment_misses_nothing(
    store: SqliteStore, path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The file is looked at, then rotated, then opened."""
    journal = Journal(path, store, rotate_bytes=1)
    tail = JournalTail(path)
    add(store, "a")
    journal.pump()
    assert [event["seq"] for event in tail.news()] == [1]
    add(store, "b")
    journal.pump()
    real = Path.stat

    def stat(self: Path, **words: Any) -> os.stat_result:
        found = real(self, **words)
        if self == path:
            monkeypatch.undo()
            journal.sync()  # rotates
            add(store, *"cdefgh")
            journal.pump()
        return found

    monkeypatch.setattr(Path, "stat", stat)
    seen = [event["seq"] for event in tail.news()]
    monkeypatch.undo()
    seen += [event["seq"] for event in tail.news()]
    assert seen == list(range(2, journal.seq + 1))
    journal.close()


def test_what_a_large_add_has_to_say_is_never_in_memory_as_a_whole(
    store: SqliteStore, path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """And many small rows are read many at a time all the same."""
    monkeypatch.setattr("overnight.engine.journal.LARGE_BYTES", 4000)
    for chunk in range(60):
        add(store, *(f"{chunk} {number}" for number in range(100 if chunk < 30 else 1)))
    read = store.outbox
    portions: list[int] = []

    def outbox(limit: int, *, after: int = 0) -> list[Any]:
        rows = read(limit, after=after)
        portions.append(sum(len(row.lines) for row in rows))
        return rows

    monkeypatch.setattr(store, "outbox", outbox)
    journal = Journal(path, store)
    assert journal.pump() == 3030
    assert numbers(path) == list(range(1, 3031))
    assert max(portions) < 100_000
    assert len(portions) < 20
    journal.close()
