"""A damaged store is rebuilt from checkpoint and journal, exactly; what cannot be known is said; nothing is deleted."""

from __future__ import annotations

import errno
import os
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import msgspec
import pytest
from damaging import LARGE, POPPER, Ruin, flip, page_of, recover
from keeping import NOON, Place, action

from overnight.core.errors import DiskFullError, StoreDamagedError
from overnight.core.states import TaskState
from overnight.executors.local.marks import Mark, MarksFile, Ring, State
from overnight.executors.nodes.placements import Placements
from overnight.host import results
from overnight.host.home import Home, past
from overnight.monitor.books import audit
from overnight.monitor.tail import last_seq
from overnight.ops import repair, swapping
from overnight.ops.repair import damage
from overnight.ops.rollback import find, roll_back
from overnight.store.copies.shelf import Shelf
from overnight.store.sqlite import SqliteStore

S = TaskState
Spoil = Callable[[Home], None]


@pytest.fixture(scope="module")
def ruin(tmp_path_factory: pytest.TempPathFactory) -> Ruin:
    return Ruin(tmp_path_factory.mktemp("ruin"))


@pytest.fixture
def home(ruin: Ruin) -> Home:
    return ruin.copy("case")


@pytest.fixture
def place(tmp_path: Path) -> Iterator[Place]:
    made = Place(tmp_path)
    yield made
    made.store.close()


def mended(home: Home) -> repair.Mended:
    done = recover(home)
    assert done is not None
    return done


def told(home: Home) -> list[dict[str, Any]]:
    """The journal, once the rebuilt store has been drained by the next engine."""
    place = SqliteStore.open(home.store)
    repair_journal(home, place)
    assert audit(place, home.journal) == []
    place.close()
    return [msgspec.json.decode(line) for line in home.journal.read_bytes().splitlines()]


def repair_journal(home: Home, store: SqliteStore) -> None:
    from overnight.engine.journal import Journal

    Journal(home.journal, store).close()


# -- what is found ----------------------------------------------------------------------------


def test_a_whole_store_is_left_alone(ruin: Ruin, home: Home) -> None:
    assert recover(home) is None
    assert past(home).epoch == 0
    assert ruin.lost(home) == []


def overwrite_a_third(home: Home) -> None:
    size = home.store.stat().st_size
    with home.store.open("r+b") as file:
        file.seek(size // 3)
        file.write(b"\xa5" * (size // 3))


def zero_the_middle(home: Home) -> None:
    size = home.store.stat().st_size
    with home.store.open("r+b") as file:
        file.seek(size // 3)
        file.write(bytes(size // 3))


def replace_by_text(home: Home) -> None:
    home.store.write_bytes(b"not a store at all\n" * 1000)


def empty(home: Home) -> None:
    home.store.write_bytes(b"")


SPOILS: list[Spoil] = [
    overwrite_a_third,
    zero_the_middle,
    replace_by_text,
    empty,
    lambda home: home.store.unlink(),
    lambda home: flip(home.store, 20),
    lambda home: flip(home.store, home.store.stat().st_size // 2),
]


@pytest.mark.parametrize("spoil", SPOILS)
def test_whatever_has_happened_to_the_store_all_of_it_is_there_again(ruin: Ruin, home: Home, spoil: Spoil) -> None:
    newest = ruin.checkpoints(home)[0].name
    spoil(home)
    done = mended(home)
    assert done.checkpoint == newest
    assert ruin.lost(home) == []
    assert damage(home) == ""
    assert past(home).epoch == done.epoch == 1


def test_nothing_is_deleted_and_the_rest_is_told(home: Home) -> None:
    overwrite_a_third(home)
    spoilt = home.store.read_bytes()
    done = mended(home)
    assert done.aside is not None
    assert (done.aside / "queue.db").read_bytes() == spoilt
    event = told(home)[-1]
    assert (event["event"], event["checkpoint"], event["epoch"], event["aside"]) == (
        "checkpoint_restored",
        done.checkpoint,
        1,
        str(done.aside),
    )
    assert event["replayed"] == done.replayed > 0


def test_popped_tasks_keep_their_owner_and_large_results_their_file(home: Home) -> None:
    home.store.unlink()
    mended(home)
    store = SqliteStore.open(home.store)
    assert [one.owner for one in store.popped()] == [POPPER]
    (path,) = home.results.iterdir()
    task = store.get(int(path.name.partition("-")[0]))
    results.sweep(home.results, store.states)
    assert results.read(home.results, task.result) == LARGE
    store.close()


# -- what it is rebuilt from ------------------------------------------------------------------


def test_damaged_checkpoints_are_passed_over_and_told(ruin: Ruin, home: Home) -> None:
    newest, second, third = ruin.checkpoints(home)
    flip(newest / "queue.db", 5000)
    flip(second / "manifest.json", 100)
    home.store.unlink()
    done = mended(home)
    assert done.checkpoint == third.name
    assert {name for name, _ in done.passed_over} == {newest.name, second.name}
    assert ruin.lost(home) == []
    failed = [event["checkpoint"] for event in told(home) if event["event"] == "checkpoint_restore_failed"]
    assert set(failed) == {newest.name, second.name}


def test_without_a_checkpoint_the_journal_alone_makes_it_again(ruin: Ruin, home: Home) -> None:
    shutil.rmtree(home.checkpoints)
    home.store.unlink()
    done = mended(home)
    assert done.checkpoint == ""
    assert ruin.lost(home) == []


def tree(home: Home) -> dict[str, bytes]:
    """Every file but the one that SQLite makes for whoever looks."""
    files = [path for path in sorted(home.path.rglob("*")) if path.is_file() and path.suffix != ".db-shm"]
    return {str(path): path.read_bytes() for path in files}


def cut_the_beginning(home: Home) -> None:
    home.journal.write_bytes(b"".join(home.journal.read_bytes().splitlines(keepends=True)[5:]))


@pytest.mark.parametrize("spoil", [lambda home: home.journal.unlink(), cut_the_beginning])
def test_without_anything_to_begin_with_nothing_is_changed(home: Home, spoil: Spoil) -> None:
    shutil.rmtree(home.checkpoints)
    overwrite_a_third(home)
    spoil(home)
    before = tree(home)
    with pytest.raises(StoreDamagedError, match="nothing was changed") as caught:
        recover(home)
    assert caught.value.exit_code == 6
    assert caught.value.hint
    after = tree(home)
    assert {name: after[name] for name in before} == before
    assert past(home).epoch == 0


def test_full_segments_of_the_journal_are_read_too_and_a_torn_line_is_not(ruin: Ruin, home: Home) -> None:
    lines = home.journal.read_bytes().splitlines(keepends=True)
    for begin in range(0, len(lines) - 50, 50):
        part = lines[begin : begin + 50]
        (home.path / f"events-{begin + 50:012d}.jsonl").write_bytes(b"".join(part))
    home.journal.write_bytes(b"".join(lines[(len(lines) - 51) // 50 * 50 + 50 :]) + b'{"seq":99999,"ev')
    shutil.rmtree(home.checkpoints)
    home.store.unlink()
    done = mended(home)
    assert done.replayed == len(lines)
    assert ruin.lost(home) == []


def test_what_the_journal_has_not_yet_is_taken_from_the_damaged_store(place: Place) -> None:
    place.add("a")
    place.journal()
    place.checkpoint()
    place.add("b", "c")
    place.work()
    place.close()
    flip(place.home.store, page_of(place.home.store, "tasks") + 2000)
    done = mended(place.home)
    place.reopen()
    assert place.states() == {"a": S.COMPLETED, "b": S.PENDING, "c": S.PENDING}
    assert done.lost == []
    events = told(place.home)
    assert [event["id"] for event in events if event["event"] == "file_added"] == [1, 2, 3]


@pytest.mark.parametrize("more", [0, 2])
def test_what_only_the_checkpoint_has_for_the_journal_is_written_there(place: Place, more: int) -> None:
    """It was made between a COMMIT and the line about it, and the store has nothing to tell any more."""
    place.add("a")
    place.journal()
    place.add("b", "c")
    place.work()
    place.checkpoint()
    place.add(*"de"[:more])
    place.close()
    place.home.store.unlink()
    mended(place.home)
    place.reopen()
    assert place.states() == {"a": S.COMPLETED, "b": S.PENDING, "c": S.PENDING}
    kinds = [event["event"] for event in told(place.home)]
    assert kinds.count("file_added") == 3
    assert kinds.count("file_completed") == 1


def test_a_store_whose_log_has_vanished_is_older_than_its_journal(place: Place) -> None:
    place.add("a", "b")
    place.close()
    place.reopen()
    place.fence = place.store.take_fence(now=NOON, by="test")
    place.work()
    place.journal()
    content = place.home.store.read_bytes()
    place.store.close()
    place.home.store.write_bytes(content)
    for part in ("-wal", "-shm"):
        Path(f"{place.home.store}{part}").unlink()
    done = mended(place.home)
    assert "older than its journal" in done.wrong
    place.reopen()
    assert place.states() == {"a": S.COMPLETED, "b": S.PENDING}


def test_what_a_rollback_has_undone_stays_undone(place: Place) -> None:
    place.add("a", "b")
    place.checkpoint()
    place.work(2)
    place.add("gone")
    undone = place.checkpoint()
    place.journal()
    place.store.close()
    (_, first) = place.shelf.entries()
    roll_back(place.home, find(first.name, place.home, [place.shelf])[0], now=NOON, by="me")
    place.reopen()
    place.journal()
    place.store.close()
    place.home.store.unlink()
    done = mended(place.home)
    assert done.checkpoint == first.name != undone.name
    place.reopen()
    assert place.states() == {"a": S.PENDING, "b": S.PENDING}
    assert place.add("new")[0] > 3


@pytest.mark.parametrize("where", ["copy_file", "swap"])
def test_without_room_for_another_store_nothing_is_changed(
    home: Home, where: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_: object) -> None:
        raise OSError(errno.ENOSPC, "no room")

    overwrite_a_third(home)
    before = tree(home)
    monkeypatch.setattr(repair, where, refuse)
    with pytest.raises(DiskFullError, match="nothing was changed"):
        recover(home)
    after = tree(home)
    assert {name: after[name] for name in before} == before


def test_a_home_whose_name_is_no_text_is_mended_too(tmp_path: Path) -> None:
    place = Place(tmp_path / os.fsdecode(b"caf\xe9"))
    place.add("a")
    place.checkpoint()
    place.journal()
    place.close()
    overwrite_a_third(place.home)
    done = mended(place.home)
    assert done.checkpoint
    place.reopen()
    assert place.states() == {"a": S.PENDING}
    place.store.close()


# -- what cannot be known ---------------------------------------------------------------------


def test_missing_events_are_named_by_their_numbers(home: Home) -> None:
    lines = home.journal.read_bytes().splitlines(keepends=True)
    home.journal.write_bytes(b"".join([*lines[:-10], *lines[-6:-4], b"garbage\n", *lines[-3:]]))
    total = last_seq(home.journal)
    home.store.unlink()
    done = mended(home)
    assert f"events {total - 9} to {total - 6} and event {total - 3}: missing from the journal" in done.lost
    assert "1 damaged line of the journal" in done.lost
    assert damage(home) == ""


def test_a_journal_that_is_gone_leaves_the_newest_checkpoint(ruin: Ruin, home: Home) -> None:
    newest = ruin.checkpoints(home)[0]
    home.journal.unlink()
    home.store.unlink()
    done = mended(home)
    assert (done.checkpoint, done.replayed) == (newest.name, 0)
    assert f"after event {done.position}" in done.lost[-1]
    assert damage(home) == ""


def test_no_number_is_given_again_when_it_is_not_known_which_were(home: Home) -> None:
    store = SqliteStore.open(home.store)
    last = max(task.id for task in store.tasks(repair_query()))
    store.close()
    home.store.unlink()
    mended(home)
    store = SqliteStore.open(home.store)
    from keeping import new_task

    assert store.add([new_task("next")], now=NOON).ids[0] > last + 1000
    store.close()


def repair_query() -> Any:
    from overnight.store.contract import Query

    return Query(limit=1000)


def begun_by_marks(home: Home, task_id: int, attempt: int) -> None:
    """As a killed engine leaves them."""
    file = MarksFile(home.marks)
    file.grow(1)
    slot = file.map(0)
    file.close()
    slot.begin(Ring.KEEPER, 5, Mark(task_id, attempt, 99, NOON, 50.0, -1.0, 5.0, 0.0, State.STARTED))
    slot.close()


def handed_to_a_node(home: Home, task_id: int, attempt: int) -> None:
    """As a killed engine leaves it."""
    placements = Placements(home.placements, 16.0, dict)
    placements.begin()
    placements.note("a", [(task_id, attempt)])


@pytest.mark.parametrize("begun_by_marks", [begun_by_marks, handed_to_a_node])
def test_an_attempt_of_which_only_the_marks_know_is_on_record_again(
    place: Place, begun_by_marks: Callable[[Home, int, int], None]
) -> None:
    """Else a task that may run only once would run a second time."""
    (once, other) = place.add("once", "other", action=action(at_most_once=True))
    place.journal()
    place.checkpoint()
    (claimed,) = place.claim(1)
    begun_by_marks(place.home, claimed.id, claimed.attempt)
    place.close()
    place.home.store.unlink()
    for part in ("-wal", "-shm"):
        Path(f"{place.home.store}{part}").unlink(missing_ok=True)
    done = mended(place.home)
    assert done.begun == 1
    place.reopen()
    assert [(one.task_id, one.attempt) for one in place.store.left_open()] == [(once, 1)]
    assert place.store.get(other).state is S.PENDING
    assert place.store.recount() == []


# -- killed on the way ------------------------------------------------------------------------


class Death(Exception):  # noqa: N818 - not an error: the end of a process
    """The process is killed here."""


DEEDS = ("promise_restore", "sync_directory", "restore_kept")


def dies(home: Home, last: int) -> bool:
    """Mend, and die at this step; whether there was such a step."""
    steps = iter(range(1000))

    def dying(real: Callable[..., Any]) -> Callable[..., Any]:
        def deed(*words: Any, **options: Any) -> Any:
            if next(steps) == last:
                raise Death
            return real(*words, **options)

        return deed

    with pytest.MonkeyPatch.context() as patch:
        for name in DEEDS:
            patch.setattr(swapping, name, dying(getattr(swapping, name)))
        patch.setattr(Path, "rename", dying(Path.rename))
        try:
            recover(home)
        except Death:
            return True
    return False


def test_whoever_dies_at_any_step_leaves_it_to_the_next(ruin: Ruin) -> None:
    for step in range(100):
        home = ruin.copy("dying")
        overwrite_a_third(home)
        died = dies(home, step)
        swapping.keep_promise(home)
        recover(home)
        assert ruin.lost(home) == []
        assert past(home).epoch == 1
        if not died:
            break
    assert step > 6


def test_shelves_of_a_second_place_count_too(ruin: Ruin, home: Home, tmp_path: Path) -> None:
    newest = ruin.checkpoints(home)[0].name
    home.checkpoints.rename(tmp_path / "second")
    home.store.unlink()
    second = Shelf(tmp_path / "second", home.id)
    done = repair.mend(home, damage(home), [Shelf(home.checkpoints, home.id), second], now=NOON, by="me")
    assert done.checkpoint == newest
    assert ruin.lost(home) == []
