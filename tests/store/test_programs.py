"""What programs do to a store where no engine is: it stays small, and nothing goes wrong between two statements."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from overnight.core.errors import DiskFullError
from overnight.core.states import Outcome, TaskState
from overnight.core.task import Action, ActionKind, NewTask
from overnight.core.verdict import Settlement
from overnight.store.contract import Popped, Selector, Verb
from overnight.store.sql import acting
from overnight.store.sqlite import SqliteStore, connection
from overnight.store.sqlite.connection import Database

NOON = 1_700_000_000.0
ACTION = Action(kind=ActionKind.COMMAND, cwd=b"/data", argv=(b"process", b"{}"))


def task(name: str, **options: Any) -> NewTask:
    return NewTask(action=ACTION, input=name.encode(), **options)


def tasks(count: int, **options: Any) -> list[NewTask]:
    return [task(str(number), **options) for number in range(count)]


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "queue.db"


@pytest.fixture
def store(path: Path) -> Iterator[SqliteStore]:
    opened = SqliteStore.open(path, create=True)
    yield opened
    assert opened.recount() == []
    opened.close()


def pop(store: SqliteStore) -> Popped | None:
    return store.pop("default", owner="1:2:boot", now=NOON, by="me")


def complete(store: SqliteStore, one: Popped) -> None:
    done = Settlement(one.task_id, one.attempt, TaskState.COMPLETED, Outcome.COMPLETED, 0, 0, NOON)
    assert store.hand_in([done], now=NOON) == []


def log_size(path: Path) -> int:
    return path.with_name("queue.db-wal").stat().st_size


def test_the_log_stays_bounded_when_programs_work_without_an_engine(
    store: SqliteStore, path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nobody else moves it into the store: a night of popping would fill the disk with it."""
    monkeypatch.setattr(connection, "LONG_LOG", 50)
    store.add(tasks(200), now=NOON)
    sizes = []
    for _ in range(200):
        one = pop(store)
        assert one is not None
        complete(store, one)
        sizes.append(log_size(path))
    assert max(sizes) < 100 * 4096


@pytest.mark.parametrize("verb", ["act", "remove"])
def test_the_log_stays_bounded_when_people_act_without_an_engine(
    store: SqliteStore, path: Path, monkeypatch: pytest.MonkeyPatch, verb: str
) -> None:
    monkeypatch.setattr(connection, "LONG_LOG", 50)
    store.add(tasks(200), now=NOON)
    store.act(Verb.CANCEL, Selector(everything=True), now=NOON, by="me")
    sizes = []
    for number in range(1, 201):
        if verb == "act":
            store.act(Verb.RETRY, Selector(ids=(number,)), now=NOON, by="me")
        else:
            store.remove(Selector(ids=(number,)), now=NOON, by="me")
        sizes.append(log_size(path))
    assert max(sizes) < 100 * 4096


def test_a_log_that_cannot_be_moved_takes_back_no_answer(store: SqliteStore, monkeypatch: pytest.MonkeyPatch) -> None:
    """The tasks are on disk by then: whoever were told otherwise would add them once more."""

    def full(*_: object, **__: object) -> None:
        raise DiskFullError("no room is left; nothing of this is recorded")

    monkeypatch.setattr(Database, "tidy", full)
    assert store.add([task("a")], now=NOON).ids == [1]
    one = pop(store)
    assert one is not None
    complete(store, one)


def test_what_is_next_is_one_picture(store: SqliteStore, path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Somebody removes the task between finding it and reading it: it is shown, as it was, or another one is."""
    store.add([task("a"), task("b")], now=NOON)
    other = SqliteStore.open(path)
    real_lively = store._lanes.lively

    def meanwhile() -> Any:
        found = real_lively()
        monkeypatch.undo()
        other.act(Verb.CANCEL, Selector(ids=(1,)), now=NOON, by="them")
        other.remove(Selector(ids=(1,)), now=NOON, by="them")
        return found

    # Asked for twice; the second time the first place has been found.
    calls = iter([real_lively, meanwhile])

    def lively() -> Any:
        return next(calls)()

    monkeypatch.setattr(store._lanes, "lively", lively)

    found = store.next_up("default", now=NOON)

    assert found is not None
    assert (found.state, found.input) == (TaskState.PENDING, b"a")
    other.close()


def test_pieces_of_a_queue_are_read_from_the_claim_index_without_sorting_what_is_left(
    store: SqliteStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    """And all of them are reached, in every lane."""
    monkeypatch.setattr(acting, "PIECE", 3)
    store.add(tasks(10), now=NOON)
    store.add(tasks(10, priority=5, needs={"gpu": 1.0}), now=NOON)
    store.add(tasks(10, queue="other"), now=NOON)
    plans: list[str] = []
    real_piece = acting._piece

    def explained(connection: Any, sql: str, bindings: tuple[Any, ...]) -> Any:
        if "'pending'" in sql:
            # Values that are bound once cannot be bound again; the plan does not depend on them.
            nothing = tuple(None for _ in bindings)
            plans.append(" ".join(row[3] for row in connection.execute(f"EXPLAIN QUERY PLAN {sql}", nothing)))
        return real_piece(connection, sql, bindings)

    monkeypatch.setattr(acting, "_piece", explained)
    acted = store.act(Verb.CANCEL, Selector(queue="default"), now=NOON, by="me")

    assert (acted.changed, len(set(acted.ids))) == (20, 20)
    assert (store.counts(queue="default").cancelled, store.counts(queue="other").pending) == (20, 10)
    assert len(plans) == 8
    assert all("tasks_claim" in plan and "B-TREE FOR ORDER BY" not in plan for plan in plans)
