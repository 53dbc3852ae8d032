"""How a turn goes to PostgreSQL: few journeys, many rows in one, and nothing is believed before it is so."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import closing

import psycopg
import pytest
from store_parts import NOON, SmallEngine, settlement, task, tasks

from overnight.core.errors import StoreDamagedError
from overnight.core.states import TaskState
from overnight.store.postgres import PostgresStore
from overnight.store.postgres import link as link_module
from overnight.store.postgres.link import Link


@pytest.fixture
def store(postgres: str) -> Iterator[PostgresStore]:
    with closing(PostgresStore.open(postgres, create=True)) as opened:
        yield opened


def ask(postgres: str, sql: str) -> None:
    with psycopg.connect(postgres, autocommit=True) as connection:
        connection.execute(sql.encode())


# -- journeys ---------------------------------------------------------------------------------


def test_a_turn_waits_for_the_server_three_times(store: PostgresStore, monkeypatch: pytest.MonkeyPatch) -> None:
    """For what it has to know, for what has to have come true, and for COMMIT."""
    engine = SmallEngine(store)
    store.add(tasks(30), now=NOON)
    claim = engine.everything(10)
    claimed = engine.turn(claim=claim).claimed
    claimed = engine.turn(*(settlement(one) for one in claimed), claim=claim).claimed  # now all is prepared
    journeys: list[int] = []
    settle = Link._settle

    def counted(link: Link) -> None:
        if link._unread:
            journeys.append(len(link._unread))
        settle(link)

    monkeypatch.setattr(Link, "_settle", counted)
    assert len(engine.turn(*(settlement(one) for one in claimed), claim=claim).claimed) == 10
    assert len(journeys) == 3


def test_to_complete_touches_no_index(store: PostgresStore) -> None:
    """Else each task costs an entry in every index more, one of them over all identities."""
    link = store._database.connection
    indexes = link.execute("SELECT indexdef FROM pg_indexes WHERE tablename = 'tasks'").fetchall()
    assert len(indexes) == 7
    assert [one for (one,) in indexes if re.search(r"\b(state|finished_at|attempt|result)\b", one)] == []
    engine = SmallEngine(store)
    engine.bring(TaskState.COMPLETED)
    engine.bring(TaskState.RUNNING)
    assert link.execute("SELECT DISTINCT resting FROM tasks").fetchall() == [(None,)]


@pytest.mark.parametrize("state", ["pending", "failed", "held", "cancelled", "waiting"])
def test_what_is_looked_for_by_its_state_is_found_by_an_index(store: PostgresStore, state: str) -> None:
    link = store._database.connection
    for condition in (f"state = '{state}'", f"lane_id = 1 AND state = '{state}'"):
        plan = link.execute(f"EXPLAIN SELECT id FROM tasks WHERE {condition}").fetchall()  # noqa: S608 - these two
        wanted = "tasks_claim" if state == "pending" else "tasks_rare"
        assert any(wanted in row[0] for row in plan), plan


# -- what is foreseen -------------------------------------------------------------------------


def test_a_task_that_a_turn_gives_back_can_be_claimed_by_it(store: PostgresStore) -> None:
    """The head of its lane was read before that was written."""
    engine = SmallEngine(store)
    claimed = engine.one()
    again = engine.turn(settlement(claimed, TaskState.PENDING), claim=engine.everything()).claimed
    assert [(one.id, one.attempt) for one in again] == [(claimed.id, 2)]


def test_what_is_due_in_a_turn_can_be_claimed_by_it(store: PostgresStore) -> None:
    engine = SmallEngine(store)
    claimed = engine.one()
    engine.turn(settlement(claimed, TaskState.WAITING))
    again = engine.turn(now=NOON + 200, claim=engine.everything()).claimed
    assert [(one.id, one.attempt) for one in again] == [(claimed.id, 2)]


def test_what_was_foreseen_in_one_transaction_is_not_believed_in_the_next(store: PostgresStore, postgres: str) -> None:
    with store._database.write("turn"):
        store._database.connection.foresee("SELECT fence FROM meta")
    with closing(PostgresStore.open(postgres)) as other:
        other.take_fence(now=NOON, by="another")
    with store._database.read() as connection:
        assert connection.execute("SELECT fence FROM meta").get == 1


# -- what has to come true --------------------------------------------------------------------


def test_what_does_not_balance_is_not_committed(store: PostgresStore, postgres: str) -> None:
    engine = SmallEngine(store)
    claimed = engine.one()
    ask(postgres, "UPDATE overnight.tasks SET state = 'pending'")
    with pytest.raises(StoreDamagedError, match="3 rows should have changed, 2 did"):
        engine.turn(settlement(claimed))
    with closing(PostgresStore.open(postgres)) as other:
        assert len(other.left_open()) == 1
        assert other.attempts(claimed.id) == []


def test_the_numbers_of_one_transaction_are_not_those_of_the_next(store: PostgresStore) -> None:
    link = store._database.connection

    def raise_fence(condition: str) -> None:
        with store._database.write("note"):
            mark = link.mark()
            link.execute("UPDATE meta SET fence = fence + 1 WHERE " + condition)  # noqa: S608 - one of these two
            link.want(mark, 1)

    raise_fence("fence >= 0")
    with pytest.raises(StoreDamagedError, match="1 rows should have changed, 0 did"):
        raise_fence("fence < 0")


def test_what_is_undone_has_nothing_to_come_true(postgres: str) -> None:
    """An engine that dies before COMMIT, whatever was on its way then."""

    def hook(operation: str, moment: str) -> None:
        if (operation, moment) == ("turn", "before_commit"):
            raise InterruptedError

    with closing(PostgresStore.open(postgres, create=True, hooks=hook)) as store:
        engine = SmallEngine(store)
        store.add([task()], now=NOON)
        with pytest.raises(InterruptedError):
            engine.claim()
        assert store.left_open() == []


# -- many rows --------------------------------------------------------------------------------

_ROWS = [
    (1, 0.5, "same", b"\x00\xff", None),
    (2, -1.5e-300, "same", b"", None),
    (None, None, "same", b"a'\\b", None),
    (2**62, 7, "same", None, None),
]


def test_rows_come_back_as_they_went(store: PostgresStore) -> None:
    link = store._database.connection
    link.execute("CREATE TEMPORARY TABLE sent (n bigint, f float8, t text, b bytea, e text)")
    statement = "INSERT INTO sent (n, f, t, b, e) VALUES (?, ?, ?, ?, ?)"
    link.insert_many(statement, _ROWS)
    assert link.execute("SELECT n, f, t, b, e FROM sent").fetchall() == _ROWS
    link.execute("DELETE FROM sent")
    texts = ["ä'\\ \n", "{a,b}", "", "NULL", '"', "a\0b"]
    link.insert_many(statement, [(n, None, text, None, TaskState.HELD) for n, text in enumerate(texts)])
    assert [row[0] for row in link.execute("SELECT t FROM sent ORDER BY n")] == [*texts[:-1], "a\\x00b"]
    assert {row[0] for row in link.execute("SELECT e FROM sent")} == {"held"}


def test_ways_to_agree_are_not_prepared_without_end(store: PostgresStore, monkeypatch: pytest.MonkeyPatch) -> None:
    """Beyond some, rows count as not agreeing in anything."""
    monkeypatch.setattr(link_module, "_VARIANTS", 2)
    link = store._database.connection
    link.execute("CREATE TEMPORARY TABLE sent (a bigint, b bigint, c bigint)")
    several = [[(1, 1, 2), (2, 1, 2)], [(1, 1, 2), (1, 2, 2)], [(1, 1, 1), (1, 1, 2)], [(3, 1, 1), (4, 2, 1)]]
    for rows in several:
        link.insert_many("INSERT INTO sent VALUES (?, ?, ?)", rows)
    assert link.execute("SELECT a, b, c FROM sent").fetchall() == [row for rows in several for row in rows]
    assert len(link._several) == 3


def test_rows_that_agree_in_everything_are_as_many_as_they_were(store: PostgresStore) -> None:
    link = store._database.connection
    link.execute("CREATE TEMPORARY TABLE sent (n bigint, t text)")
    link.insert_many("INSERT INTO sent VALUES (?, ?)", [(1, "a")] * 2500)
    assert link.execute("SELECT count(*) FROM sent").get == 2500


def test_many_ends_of_all_kinds_in_one_turn(store: PostgresStore) -> None:
    """Each is written by one statement for all of its kind."""
    engine = SmallEngine(store)
    store.add(tasks(9), now=NOON)
    claimed = engine.claim()
    kinds = (TaskState.COMPLETED, TaskState.FAILED, TaskState.WAITING)
    ended = [
        settlement(one, kinds[n % 3], result=b'"%d"' % n if n % 3 == 0 else b"", error=f"e{n}" if n % 3 else "")
        for n, one in enumerate(claimed)
    ]
    engine.turn(*ended)
    for n, one in enumerate(claimed):
        now = store.get(one.id)
        assert (now.state, now.result, now.error) == (kinds[n % 3], ended[n].result, ended[n].error)
    assert store.recount() == []


def test_ids_of_none(store: PostgresStore) -> None:
    """No id at all is a parameter, too."""
    link = store._database.connection
    store.add([task()], now=NOON)
    assert link.execute("SELECT count(*) FROM tasks WHERE id IN carray(?)", (link.ids([]),)).get == 0
    assert link.execute("SELECT count(*) FROM tasks WHERE id NOT IN carray(?)", (link.ids(()),)).get == 1
    assert link.execute("SELECT count(*) FROM tasks WHERE id IN carray(?)", (link.ids(iter([1, 2])),)).get == 1
