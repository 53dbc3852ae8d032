"""A home is tampered with, one thing at a time; each trouble is named, with what to type."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import apsw
import pytest
from keeping import Place, damage

from overnight.core.errors import StoreDamagedError
from overnight.core.states import Reason, TaskState
from overnight.host import results
from overnight.ops.rollback import find, roll_back
from overnight.ops.verification import check_pages, verify
from overnight.store.copies import shelf
from overnight.store.copies.shelf import Entry
from overnight.store.sqlite import SqliteStore, checksums

SECOND_OUTCOME = """
INSERT INTO attempts SELECT task_id, 2, generation, outcome, final, started_at, finished_at, seconds, reason,
       error_class, error, detail, exit_code, signal, cpu_seconds, peak_memory_bytes, output_segment, output_offset,
       output_length, output_printed, slot, node FROM attempts WHERE task_id = 1
"""
#: What is done to the store behind its back, and words of what must be said about it.
TAMPERED = {
    "a counter": ("UPDATE counters SET n = n + 1 WHERE state = 'pending'", "tasks pending in lane", "should be"),
    "a task that has vanished": ("DELETE FROM tasks WHERE id = 4", "task 4", "no such task"),
    "a state": (
        "UPDATE tasks SET state = 'pending', finished_at = NULL WHERE id = 1",
        "state of task 1",
        "completed, as the journal says, and is pending",
    ),
    "a second final outcome": (
        SECOND_OUTCOME,
        "final outcomes of task 1 in generation 1",
        "at most 1, and is 2",
    ),
    "an attempt that has vanished": ("DELETE FROM attempts WHERE task_id = 1", "ended attempts of task 1", "1"),
    "an attempt without a task": (
        "UPDATE attempts SET task_id = 99 WHERE task_id = 2",
        "task of attempt 99/1",
        "no such task",
    ),
    "an open attempt that has vanished": (
        "DELETE FROM running WHERE task_id = 3",
        "open attempt of running task 3",
        "none",
    ),
    "an edge to nowhere": ("INSERT INTO edges VALUES (4, 77)", "task 4, which waits for task 77", "no task 77"),
    "a lane that is not there": ("UPDATE tasks SET lane_id = 55 WHERE id = 4", "lane of task 4", "no such lane"),
    "a number given twice": ("UPDATE meta SET last_task_id = 2", "last task id given", "at least"),
    "attempts that were never told": (
        "UPDATE tasks SET attempt = 7 WHERE id = 4",
        "attempts of task 4",
        "0, as the journal says",
    ),
}


@pytest.fixture
def place(tmp_path: Path) -> Place:
    """Task 1 is completed, 2 has failed, 3 runs, 4 and 5 wait for their turn; all of it is in the journal."""
    made = Place(tmp_path)
    made.add("a", "b", "c", "d", "e")
    made.work()
    made.settle(*made.claim(), state=TaskState.FAILED, reason=Reason.ERROR)
    made.claim()
    made.journal()
    return made


def troubles(place: Place) -> list[str]:
    with closing(SqliteStore.open(place.home.store, readonly=True)) as store:
        found = verify(place.home, store, [place.shelf])
    assert all(one.hint for one in found.troubles)
    return [one.sentence for one in found.troubles]


def tamper(place: Place, sql: str) -> None:
    """As one who knows how; the checksums of the pages are right."""
    place.store.close()
    with closing(apsw.Connection(str(place.home.store), vfs=checksums.VFS)) as connection:
        connection.execute("PRAGMA ignore_check_constraints = 1")
        connection.execute(sql)


def test_a_home_that_nobody_has_tampered_with_is_in_order(place: Place) -> None:
    with closing(SqliteStore.open(place.home.store, readonly=True)) as store:
        found = verify(place.home, store, [place.shelf])
    assert found.troubles == []
    assert (found.tasks, found.removed) == (5, 0)
    assert found.events > 0
    check_pages(place.home)


@pytest.mark.parametrize("what", TAMPERED)
def test_what_was_done_to_the_store_is_named(place: Place, what: str) -> None:
    sql, *words = TAMPERED[what]
    tamper(place, sql)
    found = troubles(place)
    assert any(all(word in sentence for word in words) for sentence in found), found


def edit_journal(place: Place, change: Callable[[list[bytes]], list[bytes]]) -> None:
    lines = place.home.journal.read_bytes().splitlines(keepends=True)
    place.home.journal.write_bytes(b"".join(change(lines)))


def test_a_line_missing_from_the_journal_is_named(place: Place) -> None:
    edit_journal(place, lambda lines: lines[:2] + lines[3:])
    assert any("should be event 3, and is event 4" in sentence for sentence in troubles(place))


def test_a_line_of_the_journal_that_was_changed_is_named(place: Place) -> None:
    edit_journal(place, lambda lines: [line.replace(b'"completed"', b'"failed"') for line in lines])
    assert any("state of task 1 should be failed" in sentence for sentence in troubles(place))


def test_the_end_of_the_journal_cut_off_is_named(place: Place) -> None:
    edit_journal(place, lambda lines: lines[:-2])
    assert any("the newest event in the journal" in sentence for sentence in troubles(place))


def test_events_that_a_rollback_has_undone_do_not_count(place: Place) -> None:
    place.checkpoint()
    place.add("late")
    place.journal()
    place.close()
    source, _ = find("latest", place.home, [place.shelf])
    roll_back(place.home, source, now=place.clock.now(), by="me/1")
    assert troubles(place) == []


def test_a_damaged_checkpoint_is_named(place: Place) -> None:
    place.checkpoint()
    assert troubles(place) == []
    (entry,) = place.shelf.entries()
    entry.store.write_bytes(entry.store.read_bytes()[:-1])
    (found,) = troubles(place)
    assert found.startswith(f"checkpoint {entry.name} should be whole, and is queue.db has")


def test_a_checkpoint_that_goes_while_it_is_read_is_no_trouble(place: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    """An engine at work lets the old ones go."""
    place.checkpoint()

    def troubles_of(entry: Entry) -> list[str]:
        place.shelf.drop([entry.name])
        return shelf.troubles(entry)

    monkeypatch.setattr("overnight.ops.verification.troubles", troubles_of)
    assert troubles(place) == []


def test_a_result_without_its_file_and_a_file_without_its_task_are_named(place: Place) -> None:
    (claimed,) = place.claim()
    reference = results.write(place.home.results, claimed.id, claimed.attempt, b"1" * 100)
    place.settle(claimed, result=reference)
    place.journal()
    assert troubles(place) == []
    (place.home.results / f"{claimed.id}-1.json").rename(place.home.results / "99-1.json")
    found = troubles(place)
    assert any(f"result of task {claimed.id} should be as it was written" in sentence for sentence in found)
    assert any("file 99-1.json among the results" in sentence for sentence in found)
    assert len(found) == 2


def test_a_page_that_does_not_fit_its_checksum_is_damage_and_no_discrepancy(place: Place) -> None:
    place.close()
    damage(place.home.store, 5000)
    with pytest.raises(StoreDamagedError, match="damaged"):
        check_pages(place.home)
