"""The journal is numbered without gaps, whatever was cut off."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest

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
