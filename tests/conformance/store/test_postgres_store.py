"""What is special about the store on PostgreSQL; what it has in common with others is in tests/conformance/store."""

from __future__ import annotations

import os
import re
import signal
import threading
from collections.abc import Callable, Iterator
from contextlib import closing

import psycopg
import pytest
from psycopg import pq
from store_parts import NOON, SmallEngine, settlement, task, tasks, thrice_at_once

from overnight.core.errors import (
    HomeUnusableError,
    NotFoundError,
    StoreAwayError,
    StoreBusyError,
    StoreUnavailableError,
    UsageError,
)
from overnight.core.states import TaskState
from overnight.store.postgres import PostgresStore, dialect, values
from overnight.store.postgres import store as store_module
from overnight.store.postgres.answers import Answer
from overnight.store.postgres.link import Link
from overnight.store.postgres.meanings import StatementError
from overnight.store.sql.statements import SQL


@pytest.fixture
def store(postgres: str) -> Iterator[PostgresStore]:
    with closing(PostgresStore.open(postgres, create=True)) as opened:
        yield opened


def other(postgres: str, **options: float) -> PostgresStore:
    """Another connection to the same store."""
    return PostgresStore.open(postgres, **options)  # type: ignore[arg-type]  # of floats there is one


def ask(postgres: str, sql: str) -> list[tuple[object, ...]]:
    with psycopg.connect(postgres, autocommit=True) as connection:
        return list(connection.execute(sql.encode()))


def send_away(postgres: str) -> None:
    """End all connections to the store, as a server does that restarts; other tests have others on this server."""
    ask(
        postgres,
        "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
        " WHERE application_name = 'overnight' AND datname = current_database()",
    )


# -- statements -------------------------------------------------------------------------------


def test_the_server_takes_every_statement(store: PostgresStore) -> None:
    link = store._database.connection
    for name, sql in SQL.items():
        link._prepare(sql)
        link.settle()
        assert sql in link._prepared, name


def test_every_patch_still_fits() -> None:
    for name in dialect._PATCHES:
        assert dialect._patched(name, SQL[name]) != SQL[name]


def test_a_patch_that_does_not_fit_any_more_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(dialect._PATCHES, "fence", (("nothing like it", ""),))
    with pytest.raises(ValueError, match="statement fence has no"):
        dialect._patched("fence", SQL["fence"])


@pytest.mark.parametrize(
    ("ours", "theirs"),
    [
        ("a IN carray(?) AND b NOT IN carray(?)", "a = ANY($1) AND b <> ALL($2)"),
        ("SET a = ?2 WHERE b = ?1 OR b = ?1", "SET a = $2 WHERE b = $1 OR b = $1"),
        ("x IN carray(:ids) AND y = :now", "x = ANY($1) AND y = $2"),
        (
            "a IS ? AND b IS NOT 'x' AND c IS NOT NULL",
            "a IS NOT DISTINCT FROM $1 AND b IS DISTINCT FROM 'x' AND c IS NOT NULL",
        ),
        ("FROM tasks INDEXED BY tasks_due WHERE r = x''", r"FROM tasks WHERE r = '\x'::bytea"),
    ],
)
def test_what_differs_is_translated(ours: str, theirs: str) -> None:
    assert dialect.translated(ours).sql == theirs


def test_values_come_back_as_they_went(store: PostgresStore) -> None:
    link = store._database.connection
    sent = (2**62, -1.5e-300, "ä'\\ \n", b"\x00\xff\\x", None, TaskState.HELD, True)
    sql = "SELECT ?::bigint, ?::float8, ?::text, ?::bytea, ?::text, ?::text, ?::bigint"
    assert link.execute(sql, sent).get == (*sent[:5], "held", 1)
    assert link.execute("SELECT ?::text", ("a\0b",)).get == "a\\x00b"  # no text there can have it


def test_what_no_column_can_have_is_refused() -> None:
    with pytest.raises(TypeError, match="list is no value"):
        values.packed([[1]])


def test_a_refused_statement_leaves_the_connection_as_it_was(store: PostgresStore) -> None:
    link = store._database.connection
    with pytest.raises(Exception, match="22012"):
        link.execute("SELECT 1 / ?::int", (0,)).fetchall()
    assert link.execute("SELECT 1 / ?::int", (1,)).get == 1


def test_more_answers_than_are_left_unread(store: PostgresStore) -> None:
    link = store._database.connection
    assert link.executemany("SELECT ?::int", [(n,) for n in range(1000)]).fetchall() == [(n,) for n in range(1000)]


def test_each_connection_reads_by_itself(store: PostgresStore, postgres: str) -> None:
    """The keeper of a lease reads in a thread of its own: an engine that reads meanwhile must not get its rows."""
    with closing(other(postgres)) as second:
        assert store._database.connection._reader is not second._database.connection._reader


def test_what_was_foreseen_is_forgotten_with_its_transaction(store: PostgresStore, postgres: str) -> None:
    link = store._database.connection
    pending = "SELECT count(*) FROM tasks"
    with store._database.write("turn"):
        link.foresee(pending)
    with closing(other(postgres)) as producer:
        producer.add([task()], now=NOON)
    assert link.execute(pending, ()).get == 1


def test_a_failure_that_was_passed_over_is_told_at_the_end(store: PostgresStore) -> None:
    """The server answers such a COMMIT with ROLLBACK, and not with an error."""
    link = store._database.connection

    def write() -> None:
        with store._database.write("turn"):
            link.settle()  # it has the pen
            with pytest.raises(StatementError, match="22012"):
                link.execute("SELECT 1 / 0").fetchall()

    with pytest.raises(StatementError, match="ROLLBACK for COMMIT"):
        write()
    assert store._database.own_changes == 0
    assert store.add([task()], now=NOON).ids == [1]


# -- one writer at a time ---------------------------------------------------------------------


def test_writers_take_turns(store: PostgresStore, postgres: str) -> None:
    """Each waits for the one before: no number is given twice, and none is lost."""
    rounds, each = 5, 3

    def add(name: str) -> None:
        with closing(other(postgres)) as mine:
            for _ in range(rounds):
                mine.add([task(name)] * each, now=NOON)

    threads = [threading.Thread(target=add, args=(str(n),)) for n in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert store.counts().pending == 3 * rounds * each
    assert store.recount() == []


def test_a_writer_that_waits_too_long_is_told(store: PostgresStore, postgres: str) -> None:
    with closing(other(postgres, patience=0.05)) as late, store._database.write("add"):
        store._database.connection.settle()  # now it has the pen
        with pytest.raises(StoreBusyError, match="busy for too long; nothing was changed"):
            late.add([task()], now=NOON)


def test_what_others_have_changed_is_seen_and_what_oneself_has_is_not(store: PostgresStore, postgres: str) -> None:
    before = store.change_token()
    store.add([task()], now=NOON)
    assert store.change_token() == before
    with closing(other(postgres)) as producer:
        producer.add([task()], now=NOON)
    assert store.change_token() != before


def test_the_planner_is_told_of_a_large_add(
    store: PostgresStore, postgres: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Else it believes that there is next to nothing, until a vacuum happens to come by."""
    monkeypatch.setattr(store_module, "_MANY", 50)
    batch = store.open_batch(now=NOON, owner="me")
    store.add(tasks(60), now=NOON, batch=batch)
    store.publish(batch, now=NOON)
    assert ask(postgres, "SELECT reltuples FROM pg_class WHERE oid = 'overnight.tasks'::regclass") == [(60.0,)]


def test_many_make_one_store(postgres: str) -> None:
    for one in thrice_at_once(lambda: PostgresStore.open(postgres, create=True)):
        one.close()


# -- a server that goes away ------------------------------------------------------------------


def test_an_operation_that_finds_the_server_gone_waits_and_is_done(store: PostgresStore, postgres: str) -> None:
    store.add([task("a")], now=NOON)
    send_away(postgres)
    assert store.add([task("b")], now=NOON).ids == [2]
    send_away(postgres)
    assert store.counts().pending == 2


def test_the_server_may_go_away_in_the_middle(postgres: str) -> None:
    """What was begun is undone by it, and done again."""
    moments: list[str] = []

    def hook(operation: str, moment: str) -> None:
        moments.append(moment)
        if operation == "add" and moments == ["before_commit"]:
            send_away(postgres)

    with closing(PostgresStore.open(postgres, create=True, hooks=hook)) as store:
        store.add(tasks(3), now=NOON)
        assert store.counts().pending == 3
        assert moments == ["before_commit", "before_commit", "after_commit"]


def test_the_server_may_go_away_while_the_tables_are_made(postgres: str, monkeypatch: pytest.MonkeyPatch) -> None:
    made: list[int] = []
    tables = dialect.tables

    def interrupted() -> list[str]:
        made.append(1)
        if len(made) == 1:
            send_away(postgres)
        return tables()

    monkeypatch.setattr(dialect, "tables", interrupted)
    with closing(PostgresStore.open(postgres, create=True)) as store:
        assert store.counts().total == 0
    assert len(made) == 2


@pytest.mark.parametrize("committed", [True, False])
def test_nobody_is_left_without_an_answer_to_commit(
    store: PostgresStore,
    committed: bool,  # noqa: FBT001  # a parameter
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """The connection is lost on the way of COMMIT: whether it was done is asked afterwards."""
    commits = lose_commit(monkeypatch, committed=committed)
    store.add([task()], now=NOON)
    assert store.counts().pending == 1
    assert len(commits) == (1 if committed else 2)


def lose_commit(
    monkeypatch: pytest.MonkeyPatch, then: Callable[[Link], None] = lambda _: None, *, committed: bool = True
) -> list[str]:
    """Have the connection lost at the first COMMIT, which is done or not. Returns all of them.

    `then` is called with each statement's connection after that.
    """
    settle, execute = Link.settle, Link.execute
    commits: list[str] = []

    def watched(self: Link, statement: str, bindings: object = (), /) -> object:
        if commits:
            then(self)
        if statement == "COMMIT":
            commits.append(statement)
            if len(commits) == 1:
                if committed:
                    execute(self, statement)
                    self.is_inside = False
                    settle(self)
                raise self._lost("cut off")
        return execute(self, statement, bindings)

    monkeypatch.setattr(Link, "execute", watched)
    return commits


def test_the_server_may_go_away_again_while_it_is_asked_about_commit(
    store: PostgresStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It is asked once more; what it has recorded is not done a second time."""
    lost: list[Link] = []

    def lose_the_next(link: Link) -> None:
        if len(lost) < 2:
            lost.append(link)
            raise link._lost("cut off")

    lose_commit(monkeypatch, lose_the_next)
    assert store.add([task()], now=NOON).ids == [1]
    assert store.counts().total == 1


def test_what_may_be_recorded_is_not_done_again_by_itself(
    store: PostgresStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The server stays away for too long to be asked, and is there a moment later."""
    store._database._server_patience = 0.3
    address = store._database._address

    def away(_: Link) -> None:
        store._database._address = "postgresql://nobody@127.0.0.1:1/none"

    connect = store._database._connect

    def connecting() -> Link:
        store._database._address = "postgresql://nobody@127.0.0.1:1/none"
        try:
            return connect()
        finally:
            store._database._address = address

    commits = lose_commit(monkeypatch, away)
    monkeypatch.setattr(store._database, "_connect", connecting)
    with pytest.raises(StoreUnavailableError, match="did not say afterwards what became of it") as caught:
        store.add([task()], now=NOON)
    assert not isinstance(caught.value, StoreAwayError)
    assert commits == ["COMMIT"]
    monkeypatch.undo()
    store.reopen()
    assert store.counts().total == 1


def test_a_server_that_lets_us_in_and_goes_away_each_time_is_let_be(
    store: PostgresStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As one does before which a proxy stands: nobody tries for ever, and without a breath."""
    tried: list[str] = []

    def counts(_: object, **__: object) -> None:
        tried.append("")
        raise store._database.connection._lost("cut off")

    store._database._server_patience = 1.0
    monkeypatch.setattr("overnight.store.sql.reading.counts", counts)
    with pytest.raises(StoreAwayError):
        store.counts()
    assert len(tried) == 6


def test_what_is_published_stays_published_when_the_planner_cannot_be_told(
    postgres: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It had been done: to do it again would have said that there is no such batch, and nothing was added."""
    monkeypatch.setattr(store_module, "_MANY", 1)

    def hook(operation: str, moment: str) -> None:
        if (operation, moment) == ("publish", "after_commit"):
            send_away(postgres)

    with closing(PostgresStore.open(postgres, create=True, hooks=hook)) as store:
        batch = store.open_batch(now=NOON, owner="me")
        store.add(tasks(2), now=NOON, batch=batch)
        assert store.publish(batch, now=NOON) == 2
        assert store.counts().pending == 2


class Refusal:
    """The last word of a server, as libpq has it: transaction_timeout of version 17, or what a proxy says."""

    error_message = b"terminating connection due to transaction timeout"

    def error_field(self, field: int) -> bytes:
        return b"25P04" if field == pq.DiagnosticField.SQLSTATE else b"FATAL"


def test_the_last_word_of_a_server_is_one_whatever_its_number(store: PostgresStore) -> None:
    """Nothing comes after it, and so nothing may be waited for."""
    refused = store._database.connection._refused(Refusal())  # type: ignore[arg-type]  # all that is looked at
    assert isinstance(refused, StoreAwayError)
    assert store.add([task()], now=NOON).ids == [1]


def test_an_answer_that_nobody_waited_for_is_not_taken_for_another(
    store: PostgresStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Ctrl-C comes between a question and its answer: the next question is asked on a new connection."""
    link, result = store._database.connection, Link._result

    def interrupted(_: Link) -> object:
        monkeypatch.setattr(Link, "_result", result)
        raise KeyboardInterrupt

    monkeypatch.setattr(Link, "_result", interrupted)
    with pytest.raises(KeyboardInterrupt):
        link.execute("SELECT 'stale'::text").fetchall()
    assert link.is_lost
    with pytest.raises(StoreAwayError, match="the connection was closed"):
        Answer(link, None).fetchall()
    assert store.counts().total == 0


def test_a_server_that_stays_away_is_told_after_a_while(postgres: str) -> None:
    with closing(PostgresStore.open(postgres, create=True, patience=0.3)) as store:
        store._database._address = "postgresql://nobody:s3cret@127.0.0.1:1/none"
        send_away(postgres)
        with pytest.raises(StoreAwayError, match="does not answer") as caught:
            store.add([task()], now=NOON)
        assert "s3cret" not in f"{caught.value} {caught.value.hint}"


def test_a_frozen_server_is_not_waited_for_without_end(store: PostgresStore) -> None:
    link = store._database.connection
    (pid,) = link.execute("SELECT pg_backend_pid()").fetchall()[0]
    link.patience = 0.2
    os.kill(pid, signal.SIGSTOP)
    try:
        with pytest.raises(StoreAwayError, match=re.escape("no answer for 0.2 s")):
            link.execute("SELECT 1").fetchall()
    finally:
        os.kill(pid, signal.SIGCONT)


# -- what people are told ---------------------------------------------------------------------


def test_a_password_is_in_no_message(postgres_server: str) -> None:
    address = postgres_server.replace("postgres@", "nobody:s3cret@", 1)
    with pytest.raises(HomeUnusableError, match="does not exist") as caught:
        PostgresStore.open(address)
    assert "s3cret" not in f"{caught.value} {caught.value.hint}"
    assert "nobody:***@" in str(caught.value)


def test_a_database_without_a_store_is_no_empty_one(postgres: str) -> None:
    with pytest.raises(NotFoundError, match="there is no store at"):
        PostgresStore.open(postgres)


@pytest.mark.usefixtures("store")
def test_another_version_is_refused(postgres: str) -> None:
    with psycopg.connect(postgres) as connection:
        connection.execute("UPDATE overnight.meta SET schema_version = 99")
    with pytest.raises(HomeUnusableError, match="has schema version 99"):
        PostgresStore.open(postgres)


@pytest.mark.usefixtures("store")
def test_a_store_from_before_a_release_is_refused(postgres: str) -> None:
    with psycopg.connect(postgres) as connection:
        connection.execute("DROP TABLE overnight.alive")
    with pytest.raises(HomeUnusableError, match="of before a release"):
        PostgresStore.open(postgres)


def test_there_is_no_file_to_copy(store: PostgresStore, tmp_path: object) -> None:
    with pytest.raises(UsageError, match="there is no file"):
        store.copy_to(tmp_path)  # type: ignore[arg-type]
    store.check_file()
    store.tidy()


@pytest.mark.usefixtures("store")
def test_who_only_reads_cannot_write(postgres: str) -> None:
    with closing(PostgresStore.open(postgres, readonly=True)) as reader:
        assert reader.counts().total == 0
        with pytest.raises(HomeUnusableError, match="read-only"):
            reader.add([task()], now=NOON)


def test_a_night_of_it(store: PostgresStore) -> None:
    """All kinds of ends, and the books balance."""
    engine = SmallEngine(store)
    for state in (TaskState.COMPLETED, TaskState.FAILED, TaskState.HELD, TaskState.WAITING, TaskState.RUNNING):
        engine.bring(state, state.value)
    engine.turn(settlement(engine.one("more"), result=b'{"n":1}'))
    counts = store.counts()
    assert (counts.completed, counts.failed, counts.held, counts.waiting, counts.running) == (2, 1, 1, 1, 1)
    assert store.recount() == []
    assert store.get(6).result == b'{"n":1}'
