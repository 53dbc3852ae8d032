"""Large calls are all or nothing, and the same call goes on where it ended. On a real store."""

from __future__ import annotations

from array import array
from collections.abc import Callable, Iterator
from pathlib import Path

import msgspec
import pytest

from overnight.core.errors import DiskFullError
from overnight.core.states import Outcome, Reason, TaskState
from overnight.core.task import Action, ActionKind, NewTask
from overnight.store.contract import Added, Claim, Selector, Store, Verb
from overnight.store.sqlite import SqliteStore
from overnight.ui.cli.submit import Resumed, resume
from overnight.wiring import adding as room
from overnight.wiring.adding import Producer, add_all, chunks

NOON = 1_800_000_000.0
ACTION = Action(ActionKind.COMMAND, b"/work", argv=(b"gzip",))
ME = Producer(NOON, "me", lambda: "me", lambda _: True)


class Inputs:
    """A source of tasks with one action."""

    def __init__(self, *names: str, stamp: str = "") -> None:
        self.inputs = [name.encode() for name in names]
        self.stamp = stamp
        self.dies_at: int | None = None

    def tasks(self, start: int = 0, stop: int | None = None) -> list[NewTask]:
        if self.dies_at is not None and start >= self.dies_at:
            raise KeyboardInterrupt
        return [NewTask(ACTION, one, stamp=self.stamp) for one in self.inputs[start:stop]]


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    opened = SqliteStore.open(tmp_path / "queue.db", create=True, migrate=True)
    yield opened
    opened.close()


@pytest.fixture(autouse=True)
def _small_chunks(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(room, "CHUNK", 2)


def add(
    store: Store, source: Inputs, *, unique: bool = False, is_alive: Callable[[str], bool] = lambda _: True
) -> Added:
    total = len(source.inputs)
    return add_all(store, chunks(source.tasks, total), total, ME._replace(is_alive=is_alive), unique=unique)


def put(store: Store, source: Inputs, *, unique: bool = False) -> list[int]:
    return add(store, source, unique=unique).ids


def go_on(store: Store, source: Inputs, *, changed: bool = False, again: bool = False) -> Resumed:
    return resume(store, source, ME, changed=changed, again=again)


def settle(store: Store, states: dict[str, TaskState]) -> None:
    """Run everything that is pending; the inputs named end in these states, the others complete."""
    from overnight.core.verdict import Settlement

    fence = store.take_fence(now=NOON, by="engine")
    lanes = {lane.id: {"work": 1.0} for lane in store.orders().lanes}
    claim = Claim(count=100, lanes=lanes, pools={"work": 100.0})
    claimed = store.turn(fence=fence, now=NOON, claim=claim).claimed
    store.turn(
        fence=fence,
        now=NOON + 1,
        settlements=[
            Settlement(
                task_id=one.id,
                attempt=one.attempt,
                state=(state := states.get(one.input.decode(), TaskState.COMPLETED)),
                outcome=Outcome.COMPLETED if state is TaskState.COMPLETED else Outcome.FAILED,
                failures=one.failures,
                deaths=one.deaths,
                started_at=NOON,
                reason={TaskState.FAILED: Reason.ERROR, TaskState.HELD: Reason.POISON}.get(state),
            )
            for one in claimed
        ],
    )


def test_a_large_call_arrives_in_order(store: Store) -> None:
    ids = put(store, Inputs("a", "b", "c", "d", "e"))
    assert [store.get(one).input for one in ids] == [b"a", b"b", b"c", b"d", b"e"]
    assert ids == sorted(ids)
    assert store.open_batches() == []


def test_a_large_call_that_is_interrupted_leaves_nothing(store: Store) -> None:
    source = Inputs("a", "b", "c", "d", "e")
    source.dies_at = 4
    with pytest.raises(KeyboardInterrupt):
        put(store, source)
    assert store.counts().total == 0
    assert store.open_batches() == []


def test_what_a_dead_producer_left_is_removed_by_the_next_and_a_living_one_is_not_disturbed(store: Store) -> None:
    dead = store.open_batch(now=NOON, owner="dead")
    store.add([NewTask(ACTION, b"half")], now=NOON, batch=dead)
    alive = store.open_batch(now=NOON, owner="alive")
    add(store, Inputs("a", "b", "c"), is_alive=lambda name: name == "alive")
    assert [batch for batch, _, _ in store.open_batches()] == [alive]
    assert store.counts().total == 3


def test_unique_leaves_out_what_is_there(store: Store) -> None:
    put(store, Inputs("a", "b"))
    added = add(store, Inputs("b", "c", "d"), unique=True)
    assert len(added.ids) == 2
    assert added.known == [2]


def test_the_same_call_again_adds_nothing_while_its_tasks_wait(store: Store) -> None:
    first = go_on(store, Inputs("a", "b", "c"))
    again = go_on(store, Inputs("c", "b", "a"))
    assert sorted(again.under_way) == first.added
    assert again.added == []
    assert store.counts().total == 3


def test_the_same_call_skips_what_is_done_revives_what_failed_and_leaves_people_s_decisions(store: Store) -> None:
    names = ("done", "failed", "held", "cancelled")
    go_on(store, Inputs(*names))
    store.act(Verb.CANCEL, Selector(ids=(4,)), now=NOON, by="me")
    settle(store, {"failed": TaskState.FAILED, "held": TaskState.HELD})

    resumed = go_on(store, Inputs(*names, "new"))

    assert resumed == Resumed(
        added=[5], revived=[2], held=[3], cancelled=[4], completed=array("q", [1]), ids=[2, 3, 4, 5]
    )
    assert store.get(2).state is TaskState.PENDING
    assert store.get(2).generation == 2


def test_the_tasks_of_a_call_are_told_in_the_order_of_its_inputs(store: Store) -> None:
    """Whether they are new or were there before, and over several transactions: outputs are printed in this order."""
    go_on(store, Inputs("c", "a"))
    settle(store, {"a": TaskState.FAILED})
    resumed = go_on(store, Inputs("new 1", "a", "new 2", "b", "c", "new 3"))
    assert resumed.skipped == 1
    assert [store.get(one).input for one in resumed.ids] == [b"new 1", b"a", b"new 2", b"b", b"new 3"]


def test_inputs_that_have_changed_are_named_and_run_again_only_when_asked(store: Store) -> None:
    go_on(store, Inputs("a", "b", stamp="10:1"))
    settle(store, {})

    assert go_on(store, Inputs("a", "b", stamp="10:1")).changed == []
    named = go_on(store, Inputs("a", "b", stamp="11:2"))
    assert (named.changed, named.skipped, named.added) == ([b"a", b"b"], 2, [])

    anew = go_on(store, Inputs("a", "b", stamp="11:2"), changed=True)
    assert (anew.changed, anew.skipped, anew.added) == ([b"a", b"b"], 0, [3, 4])
    settle(store, {})
    assert go_on(store, Inputs("a", "b", stamp="11:2")) == Resumed(completed=array("q", [3, 4]))


def test_a_file_that_has_gone_is_not_called_changed(store: Store) -> None:
    go_on(store, Inputs("a", stamp="10:1"))
    settle(store, {})
    assert go_on(store, Inputs("a", stamp="")) == Resumed(completed=array("q", [1]))


def test_again_runs_all_anew_but_what_is_under_way(store: Store) -> None:
    go_on(store, Inputs("a", "b", "c"))
    settle(store, {"b": TaskState.FAILED})
    go_on(store, Inputs("d"))
    resumed = go_on(store, Inputs("a", "b", "c", "d"), again=True)
    assert resumed == Resumed(added=[5, 6, 7], under_way=[4], ids=[5, 6, 7, 4])


def test_another_directory_is_another_task(store: Store) -> None:
    elsewhere = msgspec.structs.replace(ACTION, cwd=b"/elsewhere")
    go_on(store, Inputs("a"))
    assert not store.find([NewTask(elsewhere, b"a")])


def test_what_is_revived_is_not_called_changed_when_it_has_worked_on_the_file_as_it_is(store: Store) -> None:
    """It failed with one version of the file and was run again with another: that one is what it completed with."""
    put(store, Inputs("failed", "pending", stamp="1:1"))
    settle(store, {"failed": TaskState.FAILED, "pending": TaskState.FAILED})
    store.act(Verb.RETRY, Selector(ids=(2,)), now=NOON, by="me")

    go_on(store, Inputs("failed", "pending", stamp="2:2"))
    settle(store, {})
    later = go_on(store, Inputs("failed", "pending", stamp="2:2"))

    assert (later.skipped, later.changed) == (2, [])
    assert go_on(store, Inputs("failed", stamp="3:3")).changed == [b"failed"]


def test_running_everything_anew_leaves_the_stamp_of_what_had_failed(store: Store) -> None:
    """That task stays as it is; a new one has the new stamp."""
    put(store, Inputs("a", stamp="1:1"))
    settle(store, {"a": TaskState.FAILED})
    assert go_on(store, Inputs("a", stamp="2:2"), again=True).added == [2]
    assert [store.get(number).stamp for number in (1, 2)] == ["1:1", "2:2"]


def test_a_watched_file_that_was_mended_is_tried_again_though_the_disk_was_full_the_first_time(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    """By the size and time on record it is known what to revive: the new ones are noted with that, or not at all."""

    def look() -> Resumed:
        return resume(store, Inputs("a", stamp="2:2"), ME, revive_all=False)

    put(store, Inputs("a", stamp="1:1"))
    settle(store, {"a": TaskState.FAILED})
    with monkeypatch.context() as full:
        full.setattr(store, "act", _no_room)
        with pytest.raises(DiskFullError):
            look()
    assert look().revived == [1]
    assert (store.get(1).state, store.get(1).stamp) == (TaskState.PENDING, "2:2")
    settle(store, {"a": TaskState.FAILED})
    assert look().revived == []


def _no_room(*_words: object, **_how: object) -> None:
    raise DiskFullError("no room", hint="make some")
