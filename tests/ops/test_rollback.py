"""Going back to a checkpoint: what was then is now, nothing is given twice, and nothing is deleted."""

from __future__ import annotations

import errno
import os
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from keeping import NOON, Place, action, damage, new_task

from overnight.core.errors import NotFoundError, StoreDamagedError
from overnight.core.states import Reason, TaskState
from overnight.host.home import Past, past
from overnight.monitor.books import audit
from overnight.ops import swapping
from overnight.ops.rollback import Rolled, find, plan, roll_back
from overnight.store.copies.shelf import LATEST, Shelf

S = TaskState


@pytest.fixture
def place(tmp_path: Path) -> Iterator[Place]:
    made = Place(tmp_path)
    yield made
    made.journal()
    assert audit(made.store, made.home.journal, holds=past(made.home).holds) == []
    made.store.close()


def back(place: Place, name: str = "latest") -> Rolled:
    """Go back, as a process that holds the lock."""
    place.store.close()
    source, bad = find(name, place.home, [place.shelf])
    rolled = roll_back(place.home, source, now=place.clock.now(), by="me/1", passed_over=bad)
    place.reopen()
    place.fence = place.store.take_fence(now=place.clock.now(), by="test")
    return rolled


def test_what_was_then_is_now(place: Place) -> None:
    place.add("a", "b", "c")
    place.work()
    made = place.checkpoint()
    place.add("d")
    place.work(3)
    rolled = back(place)
    assert rolled.source.name == made.name
    assert place.states() == {"a": S.COMPLETED, "b": S.PENDING, "c": S.PENDING}
    assert place.store.counts().completed == 1


def test_the_plan_says_what_would_run_again_and_what_would_be_gone(place: Place) -> None:
    place.add("a", "b", "c")
    place.work()
    place.checkpoint()
    place.add("d", "e")
    place.work(2)
    place.journal()
    source, _ = find("latest", place.home, [place.shelf])
    planned = plan(place.home, source)
    assert [task.input for task in planned.again_first] == [b"b", b"c"]
    assert (planned.again, planned.gone, planned.held) == (2, 2, 0)
    assert place.states()["b"] is S.COMPLETED
    assert list(place.home.path.glob(f"{swapping.READY}*")) == []


def test_the_present_store_is_set_aside_and_can_be_gone_back_to(place: Place) -> None:
    place.add("a", "b")
    place.checkpoint()
    place.work(2)
    rolled = back(place)
    assert place.states() == {"a": S.PENDING, "b": S.PENDING}
    assert rolled.aside is not None
    assert rolled.aside.parent == place.home.aside
    back(place, str(rolled.aside))
    assert place.states() == {"a": S.COMPLETED, "b": S.COMPLETED}
    assert past(place.home).epoch == 2


def test_a_rollback_is_an_event_and_raises_the_epoch(place: Place) -> None:
    place.add("a")
    made = place.checkpoint()
    place.work()
    place.journal()
    before = len(place.events())
    rolled = back(place)
    assert past(place.home) == Past(1, (rolled.undone,))
    assert rolled.undone == (made.position, before)
    event = next(event for event in place.events() if event["event"] == "checkpoint_restored")
    assert (event["checkpoint"], event["position"], event["epoch"], event["by"]) == (
        made.name,
        made.position,
        1,
        "me/1",
    )
    assert event["seq"] > before


def test_no_number_is_given_twice(place: Place) -> None:
    """Ids, fences and event numbers go on, or something of the undone time could be taken for something of this one."""
    place.add("a")
    place.checkpoint()
    undone = place.add("b", "c")
    fence = place.store.take_fence(now=NOON, by="another")
    place.journal()
    back(place)
    assert place.fence > fence
    assert place.add("d")[0] > max(undone)
    numbers = [event["seq"] for event in place.events()]
    assert numbers == list(range(1, len(numbers) + 1))


def test_what_ran_then_is_pending_and_what_runs_at_most_once_is_held(place: Place) -> None:
    place.add("plain")
    place.add("once", action=action(at_most_once=True))
    place.claim(2)
    place.checkpoint()
    rolled = back(place)
    assert place.states() == {"plain": S.PENDING, "once": S.HELD}
    once = next(task for task in map(place.store.get, (1, 2)) if task.input == b"once")
    assert once.reason is Reason.INTERRUPTED
    assert once.deaths == 0
    assert rolled.held == 1


def test_what_runs_at_most_once_and_has_begun_since_is_held(place: Place) -> None:
    """It has completed, on the record of a time that is undone; whether it may run again is a person's to say."""
    place.add("begun", "not begun", action=action(at_most_once=True))
    place.checkpoint()
    place.work(1)
    place.journal()
    assert plan(place.home, find("latest", place.home, [place.shelf])[0]).held == 1
    rolled = back(place)
    assert place.states() == {"begun": S.HELD, "not begun": S.PENDING}
    assert rolled.held == 1


def test_what_begun_in_a_time_that_was_undone_before_is_held_all_the_same(place: Place) -> None:
    place.add("once", action=action(at_most_once=True))
    first = place.checkpoint()
    place.work(1)
    back(place)
    back(place, first.name)
    assert place.states() == {"once": S.HELD}


def test_a_large_add_that_was_under_way_is_gone_as_a_whole(place: Place) -> None:
    place.add("a")
    batch = place.store.open_batch(now=NOON, owner="1:2:3")
    place.store.add([new_task(f"x{number}") for number in range(10)], now=NOON, batch=batch)
    place.checkpoint()
    place.store.publish(batch, now=NOON)
    back(place)
    assert place.states() == {"a": S.PENDING}
    assert place.store.open_batches() == []


def test_latest_is_never_of_a_time_that_was_undone(place: Place) -> None:
    """Who goes back twice must not be carried forward by that. By its name an undone one is still to be had."""
    place.add("a", "b")
    first = place.checkpoint()
    place.work()
    undone = place.checkpoint()
    back(place, first.name)
    assert (place.shelf.directory / LATEST).readlink() == Path(first.name)
    place.work()
    assert back(place).source.name == first.name
    assert place.states() == {"a": S.PENDING, "b": S.PENDING}
    assert back(place, undone.name).source.name == undone.name
    assert place.states() == {"a": S.COMPLETED, "b": S.PENDING}
    assert back(place).source.name == undone.name


def test_damaged_checkpoints_are_passed_over_and_told_of(place: Place) -> None:
    place.add("a")
    good = place.checkpoint()
    place.work()
    bad = place.checkpoint()
    damage(place.shelf.directory / bad.name / "queue.db", 5000)
    rolled = back(place)
    assert rolled.source.name == good.name
    failed = [event for event in place.events() if event["event"] == "checkpoint_restore_failed"]
    assert [event["checkpoint"] for event in failed] == [bad.name]


def test_one_that_is_named_and_not_whole_is_refused_and_nothing_changes(place: Place) -> None:
    place.add("a")
    made = place.checkpoint()
    place.work()
    damage(place.shelf.directory / made.name / "queue.db", 5000)
    with pytest.raises(StoreDamagedError, match="not whole"):
        back(place, made.name)
    place.reopen()
    assert place.states() == {"a": S.COMPLETED}
    assert past(place.home).epoch == 0


def test_what_is_no_checkpoint_is_not_found(place: Place, tmp_path: Path) -> None:
    for name in ("20200101-000000-1", str(tmp_path / "nowhere"), "latest"):
        with pytest.raises(NotFoundError):
            find(name, place.home, [place.shelf])


def test_a_checkpoint_that_was_carried_elsewhere_is_found_by_its_path(place: Place, tmp_path: Path) -> None:
    place.add("a")
    made = place.checkpoint()
    elsewhere = tmp_path / "usb" / made.name
    elsewhere.parent.mkdir()
    (place.shelf.directory / made.name).rename(elsewhere)
    place.work()
    back(place, str(elsewhere))
    assert place.states() == {"a": S.PENDING}


def test_a_damaged_store_can_be_gone_back_from(place: Place) -> None:
    place.add("a")
    place.checkpoint()
    place.work()
    place.journal()
    place.close()
    damage(place.home.store, 20)
    back(place)
    assert place.states() == {"a": S.PENDING}


def test_numbers_that_a_damaged_store_may_have_given_are_passed_over(place: Place) -> None:
    """Nobody wrote the journal when they were added, and the store cannot be asked any more."""
    place.add("a")
    place.checkpoint()
    given = place.add("b", "c")
    place.close()
    damage(place.home.store, 0, b"?" * 4096)
    back(place)
    assert place.states() == {"a": S.PENDING}
    assert place.add("d")[0] > max(given)


def test_a_damaged_line_of_the_journal_does_not_keep_anybody_from_going_back(place: Place) -> None:
    place.add("a")
    place.checkpoint()
    place.work()
    place.journal()
    lines = place.home.journal.read_bytes()
    place.home.journal.write_bytes(lines.replace(b'"event":"file_completed"', b'"ovent":"file_completed"') + b"{}\n")
    back(place)
    place.home.journal.write_bytes(place.home.journal.read_bytes().replace(b"{}\n", b""))
    assert place.states() == {"a": S.PENDING}


def test_a_dry_run_leaves_the_store_alone_that_somebody_makes_ready(place: Place) -> None:
    """It holds no lock, and an engine may be saving its store at that moment; what a dead one left goes."""
    place.add("a")
    place.checkpoint()
    left = place.home.path / f"{swapping.READY}4711-dead"
    left.mkdir()
    with swapping.making_ready(place.home) as ready:
        plan(place.home, find("latest", place.home, [place.shelf])[0])
        assert ready.is_dir()
    assert not left.exists()
    assert not ready.exists()


def test_a_name_that_is_no_text_among_the_checkpoints_stands_in_nobody_s_way(place: Place) -> None:
    place.add("a")
    place.checkpoint()
    place.work()
    (place.shelf.directory / os.fsdecode(b"caf\xe9")).mkdir()
    back(place)
    assert place.states() == {"a": S.PENDING}


def test_a_full_disk_after_the_last_step_makes_no_failure_of_it(place: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*_: object) -> None:
        raise OSError(errno.ENOSPC, "no space left on device")

    place.add("a")
    place.checkpoint()
    place.work()
    monkeypatch.setattr(Shelf, "point", full)
    back(place)
    assert place.states() == {"a": S.PENDING}


# -- killed on the way ------------------------------------------------------------------------


class Death(Exception):  # noqa: N818 - not an error: the end of a process
    """The process is killed here."""


#: What the swap does to the disk, in `swapping`.
DEEDS = ("promise_restore", "sync_directory", "restore_kept")
Deed = Callable[..., Any]


def dying(real: Deed, steps: Iterator[int], last: int) -> Deed:
    """Whoever does it for the `last` time overall dies instead."""

    def deed(*words: Any, **options: Any) -> Any:
        if next(steps) == last:
            raise Death
        return real(*words, **options)

    return deed


def dies(place: Place, last: int) -> bool:
    """Go back, and die at this step; whether there was such a step."""
    steps = iter(range(1000))
    with pytest.MonkeyPatch.context() as patch:
        for name in DEEDS:
            patch.setattr(swapping, name, dying(getattr(swapping, name), steps, last))
        patch.setattr(Path, "rename", dying(Path.rename, steps, last))
        try:
            back(place)
        except Death:
            return True
    return False


def test_whoever_dies_at_any_step_leaves_one_of_the_two_stores(tmp_path: Path) -> None:
    """And the next one to hold the home finishes what was promised."""
    then, now = {"a": S.PENDING, "b": S.PENDING}, {"a": S.COMPLETED, "b": S.COMPLETED}
    seen = []
    for step in range(100):
        place = Place(tmp_path / str(step))
        place.add("a", "b")
        place.checkpoint()
        place.work(2)
        place.journal()
        died = dies(place, step)
        swapping.keep_promise(place.home)
        place.reopen()
        promised = past(place.home).epoch == 1
        assert place.states() == (then if promised else now)
        place.journal()
        assert audit(place.store, place.home.journal, holds=past(place.home).holds) == []
        place.store.close()
        seen.append(promised)
        if not died:
            break
    assert len(seen) > 8
    assert {True, False} == set(seen)
    assert seen == sorted(seen)
