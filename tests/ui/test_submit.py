"""Large calls are all or nothing, and the same call goes on where it ended. On a real store."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import msgspec
import pytest

from overnight.core.states import Outcome, Reason, TaskState
from overnight.core.task import Action, ActionKind, NewTask
from overnight.store.contract import Claim, Selector, Store, Verb
from overnight.store.sqlite import SqliteStore
from overnight.ui.cli import submit as room
from overnight.ui.cli.submit import Resumed, resume, submit

NOON = 1_800_000_000.0
ACTION = Action(ActionKind.COMMAND, b"/work", argv=(b"gzip",))


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


def put(store: Store, source: Inputs, *, unique: bool = False) -> list[int]:
    return submit(store, source, now=NOON, by="me", owner="me", is_alive=lambda _: True, unique=unique).ids


def go_on(store: Store, source: Inputs, *, changed: bool = False, again: bool = False) -> Resumed:
    return resume(store, source, now=NOON, by="me", owner="me", is_alive=lambda _: True, changed=changed, again=again)


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
    submit(store, Inputs("a", "b", "c"), now=NOON, by="me", owner="me", is_alive=lambda name: name == "alive")
    assert [batch for batch, _, _ in store.open_batches()] == [alive]
    assert store.counts().total == 3


def test_unique_leaves_out_what_is_there(store: Store) -> None:
    put(store, Inputs("a", "b"))
    added = submit(store, Inputs("b", "c", "d"), now=NOON, by="me", owner="me", is_alive=lambda _: True, unique=True)
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

    assert resumed == Resumed(added=[5], revived=[2], held=[3], cancelled=[4], skipped=1)
    assert store.get(2).state is TaskState.PENDING
    assert store.get(2).generation == 2
    assert sorted(resumed.ids) == [2, 3, 4, 5]


def test_inputs_that_have_changed_are_named_and_run_again_only_when_asked(store: Store) -> None:
    go_on(store, Inputs("a", "b", stamp="10:1"))
    settle(store, {})

    assert go_on(store, Inputs("a", "b", stamp="10:1")).changed == []
    named = go_on(store, Inputs("a", "b", stamp="11:2"))
    assert (named.changed, named.skipped, named.added) == ([b"a", b"b"], 2, [])

    anew = go_on(store, Inputs("a", "b", stamp="11:2"), changed=True)
    assert (anew.changed, anew.skipped, anew.added) == ([b"a", b"b"], 0, [3, 4])
    settle(store, {})
    assert go_on(store, Inputs("a", "b", stamp="11:2")) == Resumed(skipped=2)


def test_a_file_that_has_gone_is_not_called_changed(store: Store) -> None:
    go_on(store, Inputs("a", stamp="10:1"))
    settle(store, {})
    assert go_on(store, Inputs("a", stamp="")) == Resumed(skipped=1)


def test_again_runs_all_anew_but_what_is_under_way(store: Store) -> None:
    go_on(store, Inputs("a", "b", "c"))
    settle(store, {"b": TaskState.FAILED})
    go_on(store, Inputs("d"))
    resumed = go_on(store, Inputs("a", "b", "c", "d"), again=True)
    assert resumed == Resumed(added=[5, 6, 7], under_way=[4])


def test_another_directory_is_another_task(store: Store) -> None:
    elsewhere = msgspec.structs.replace(ACTION, cwd=b"/elsewhere")
    go_on(store, Inputs("a"))
    assert not store.find([NewTask(elsewhere, b"a")])
