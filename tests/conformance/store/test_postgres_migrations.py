"""A store on PostgreSQL as an older program has left it: brought forward by whoever leads it, whole or not at all."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
from contextlib import closing
from pathlib import Path

import psycopg
import pytest
from store_parts import NOON, SmallEngine, settlement, task, thrice_at_once

from overnight.core.errors import HomeUnusableError, StoreBusyError, StoreOutdatedError
from overnight.core.states import TaskState
from overnight.store.postgres import PostgresStore, migrations
from overnight.store.postgres.lease import Lease
from overnight.store.postgres.link import Link

_OLD = Path(__file__).with_name("postgres_schema_7.sql")


def ask(postgres: str, sql: str) -> list[tuple[object, ...]]:
    with psycopg.connect(postgres, autocommit=True) as connection:
        answer = connection.execute(sql.encode())
        return list(answer) if answer.description else []


def version(postgres: str) -> object:
    return ask(postgres, "SELECT schema_version FROM overnight.meta")[0][0]


@pytest.fixture
def old(postgres: str) -> str:
    """A store of schema 7 with tasks in all states."""
    with closing(PostgresStore.open(postgres, create=True)) as store:
        engine = SmallEngine(store)
        for state in TaskState:
            if state is not TaskState.PENDING:
                engine.bring(state, state.value)
        store.add([task("first"), task("second")], now=NOON)
    ask(postgres, "ALTER SCHEMA overnight RENAME TO made; CREATE SCHEMA overnight")
    ask(postgres, f"SET search_path = overnight; {_OLD.read_text('utf-8')}")
    ask(postgres, _CARRY)
    return postgres


#: What is in the tables of the newest form, into those of the old one.
_CARRY = """
DO $$
DECLARE one record; columns text; highest bigint;
BEGIN
    FOR one IN SELECT table_name AS name FROM information_schema.tables WHERE table_schema = 'overnight' LOOP
        SELECT string_agg(quote_ident(column_name), ', ') INTO columns
          FROM information_schema.columns
         WHERE table_schema = 'overnight' AND table_name = one.name AND column_name <> 'schema_version';
        IF one.name = 'meta' THEN
            EXECUTE 'UPDATE overnight.meta SET (' || columns || ') = (SELECT ' || columns || ' FROM made.meta)';
            CONTINUE;
        END IF;
        EXECUTE 'DELETE FROM overnight.' || one.name;
        EXECUTE 'INSERT INTO overnight.' || one.name || ' (' || columns || ') SELECT ' || columns
             || ' FROM made.' || one.name;
        FOR highest IN SELECT 1 FROM information_schema.columns
                 WHERE table_schema = 'overnight' AND table_name = one.name AND column_name = 'id' LOOP
            EXECUTE 'SELECT coalesce(max(id), 0) + 1 FROM overnight.' || one.name INTO highest;
            PERFORM setval(pg_get_serial_sequence('overnight.' || one.name, 'id'), highest, false);
        END LOOP;
    END LOOP;
    DROP SCHEMA made CASCADE;
END $$
"""


def test_it_is_brought_forward_and_goes_on(old: str) -> None:
    told: list[str] = []
    with closing(PostgresStore.open(old, migrate=True, told=told.append)) as store:
        assert len(told) == 1
        assert "from schema 7 to 8" in told[0]
        assert store.recount() == []
        counts = store.counts()
        assert (counts.pending, counts.running, counts.waiting, counts.held) == (2, 1, 1, 1)
        assert (counts.completed, counts.failed, counts.cancelled) == (1, 1, 1)
        engine = SmallEngine(store)
        first, second = engine.claim()
        engine.turn(settlement(first), settlement(second, TaskState.FAILED))
        retried = engine.turn(now=NOON + 200, claim=engine.everything()).claimed
        assert [one.attempt for one in retried] == [2]
        assert store.add([task("third")], now=NOON).ids == [second.id + 1]
        assert store.recount() == []
    PostgresStore.open(old).close()


def test_the_tables_are_those_of_a_new_store(old: str, postgres: str) -> None:
    PostgresStore.open(old, migrate=True).close()
    mark = "&" if "?" in postgres else "?"
    PostgresStore.open(f"{postgres}{mark}options=-csearch_path%3Dfresh", create=True).close()
    for what in _SHAPE:
        migrated, fresh = ask(postgres, what.format("overnight")), ask(postgres, what.format("fresh"))
        assert [str(row).replace("fresh.", "overnight.") for row in fresh] == [str(row) for row in migrated]


_SHAPE = (
    """SELECT table_name, column_name, data_type, is_nullable, replace(column_default, '{0}.', ''),
              generation_expression FROM information_schema.columns WHERE table_schema = '{0}' ORDER BY 1, 2""",
    "SELECT indexdef FROM pg_indexes WHERE schemaname = '{0}' ORDER BY 1",
    """SELECT replace(conrelid::regclass::text, '{0}.', ''), conname, pg_get_constraintdef(oid) FROM pg_constraint
        WHERE connamespace = '{0}'::regnamespace ORDER BY 1, 2, 3""",
    """SELECT attrelid::regclass::text, attname, attstorage, attcompression FROM pg_attribute
        WHERE attname = 'lines' AND attrelid IN ('{0}.outbox'::regclass, '{0}.batch_lines'::regclass) ORDER BY 1""",
    """SELECT relname, relpersistence, (SELECT string_agg(one, ' ' ORDER BY one) FROM unnest(reloptions) AS one)
         FROM pg_class
        WHERE relnamespace = '{0}'::regnamespace AND relkind <> 't' ORDER BY 1""",
)


def test_who_does_not_lead_it_changes_nothing(old: str) -> None:
    for create, readonly in ((True, False), (False, True)):
        with pytest.raises(StoreOutdatedError, match="schema version 7 and this program wants 8; nothing") as caught:
            PostgresStore.open(old, create=create, readonly=readonly)
        assert "'overnight restart'" in caught.value.hint
    assert version(old) == 7
    lease = Lease(old, holder="me", home="mine")  # who wants to lead it has to be able to ask
    assert lease.take() == ""
    lease.close()


def test_many_bring_it_forward_once(old: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """All of them have seen the old one before the first begins."""
    all_here, check = threading.Barrier(3, timeout=30), migrations.check

    def together(link: Link, *, older: bool) -> bool:
        is_newest = check(link, older=older)
        all_here.wait()
        return is_newest

    monkeypatch.setattr(migrations, "check", together)
    told: list[str] = []
    made: list[str] = []

    def hook(operation: str, moment: str) -> None:
        if (operation, moment) == ("migrate", "after_commit"):
            made.append(moment)

    for one in thrice_at_once(lambda: PostgresStore.open(old, migrate=True, told=told.append, hooks=hook)):
        assert one.recount() == []
        one.close()
    assert (len(told), len(made)) == (1, 1)


_KILLED = """
import os, signal, sys
from overnight.store.postgres import PostgresStore

def hook(operation, moment):
    if moment == sys.argv[2]:
        os.kill(os.getpid(), signal.SIGKILL)

PostgresStore.open(sys.argv[1], migrate=True, hooks=hook)
"""


@pytest.mark.parametrize(("moment", "is_new"), [("before_commit", False), ("after_commit", True)])
def test_killed_on_the_way_it_is_old_or_new(old: str, moment: str, is_new: bool) -> None:  # noqa: FBT001
    killed = subprocess.run([sys.executable, "-c", _KILLED, old, moment], env=dict(os.environ), check=False, timeout=60)
    assert killed.returncode == -signal.SIGKILL
    assert version(old) == (8 if is_new else 7)
    with closing(PostgresStore.open(old, migrate=True)) as store:
        assert store.recount() == []
        assert len(SmallEngine(store).claim()) == 2


@pytest.mark.parametrize("statement", [2, len(migrations.MIGRATIONS[8]) - 1])
def test_what_fails_in_the_middle_leaves_the_old_one(old: str, statement: int, monkeypatch: pytest.MonkeyPatch) -> None:
    steps = list(migrations.MIGRATIONS[8])
    steps.insert(statement + 1, "SELECT 1 / (count(*) - 1) FROM meta")
    with monkeypatch.context() as patched:
        patched.setitem(migrations.MIGRATIONS, 8, tuple(steps))
        with pytest.raises(Exception, match="22012"):
            PostgresStore.open(old, migrate=True)
    assert version(old) == 7
    assert ask(old, "SELECT count(*) FROM information_schema.columns WHERE column_name = 'resting'") == [(0,)]


def test_who_was_there_before_cannot_write_any_more(postgres: str) -> None:
    """A program that has looked at the version, and then a newer one has brought the store forward."""
    with closing(PostgresStore.open(postgres, create=True)) as before:
        ask(postgres, "UPDATE overnight.meta SET schema_version = 9, program = '99.0'")
        with pytest.raises(HomeUnusableError, match="has schema version 9 and this program knows 8") as caught:
            before.add([task()], now=NOON)
        assert "'overnight>=99.0'" in caught.value.hint
        assert before.counts().total == 0


def test_an_older_program_is_told_which_one_it_needs(postgres: str) -> None:
    PostgresStore.open(postgres, create=True).close()
    ask(postgres, "UPDATE overnight.meta SET schema_version = 9, program = '99.0'")
    for migrate, readonly in ((False, False), (True, False), (False, True)):
        with pytest.raises(HomeUnusableError, match=r"schema version 9 .*; nothing was changed") as caught:
            PostgresStore.open(postgres, migrate=migrate, readonly=readonly)
        assert caught.value.hint.startswith("pip install 'overnight>=99.0'")
    with pytest.raises(HomeUnusableError, match="schema version 9"):
        Lease(postgres, holder="me", home="mine")


def test_all_of_it_is_done_before_the_server_hears_of_commit(old: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Else it goes on to COMMIT for an engine that was killed meanwhile, and had lost its lease."""
    links: list[Link] = []
    unanswered: list[int] = []
    bring_forward = migrations.bring_forward

    def watched(link: Link, version: int) -> None:
        links.append(link)
        bring_forward(link, version)

    def hook(operation: str, moment: str) -> None:
        if (operation, moment) == ("migrate", "before_commit"):
            unanswered.append(len(links[0]._unread))

    monkeypatch.setattr(migrations, "bring_forward", watched)
    PostgresStore.open(old, migrate=True, hooks=hook).close()
    assert unanswered == [0]


@pytest.mark.parametrize(("patience", "is_new"), [(30.0, True), (0.0, False)])
def test_who_was_ended_for_a_reader_tries_again_while_there_is_time(
    old: str,
    patience: float,
    is_new: bool,  # noqa: FBT001
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    tried: list[Link] = []
    lock = migrations.lock

    def once_the_victim(link: Link) -> int:
        tried.append(link)
        if len(tried) == 1:
            link.execute("DO $$ BEGIN RAISE EXCEPTION USING ERRCODE = 'deadlock_detected'; END $$").fetchall()
        return lock(link)

    monkeypatch.setattr(migrations, "lock", once_the_victim)
    if is_new:
        PostgresStore.open(old, migrate=True, patience=patience).close()
    else:
        with pytest.raises(StoreBusyError):
            PostgresStore.open(old, migrate=True, patience=patience)
    assert version(old) == (8 if is_new else 7)


def test_nobody_reads_what_will_be_changed(old: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """From the first word on: who reads one table and then waits for the next would keep us waiting for the first."""
    locked: list[object] = []
    lock = migrations.lock

    def watched(link: Link) -> int:
        found = lock(link)
        locked.extend(ask(old, _LOCKED)[0])
        return found

    monkeypatch.setattr(migrations, "lock", watched)
    PostgresStore.open(old, migrate=True).close()
    assert locked == [["batch_lines", "meta", "outbox", "tasks"]]


_LOCKED = """
SELECT array_agg(relname::text ORDER BY relname::text) FROM pg_locks JOIN pg_class ON pg_class.oid = relation
 WHERE mode = 'AccessExclusiveLock' AND granted AND relnamespace = 'overnight'::regnamespace
   AND database = (SELECT oid FROM pg_database WHERE datname = current_database())
"""
