"""What holds for every kind of database: a migration is all or nothing, runs once, and a rehearsal leaves nothing."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import ExitStack, closing
from pathlib import Path
from typing import Any

import apsw
import pytest

from overnight.core.errors import ConfigurationError
from overnight.core.migrations.addresses import parse as address_of
from overnight.core.migrations.choosing import MigrationError
from overnight.core.migrations.files import Migration, parse
from overnight.core.migrations.standing import Condition, Deed, standings
from overnight.core.migrations.statements import Dialect
from overnight.host.clock import SystemClock
from overnight.ops.migrations.databases import open_database
from overnight.ops.migrations.databases.contract import Database, DatabaseUnavailableError
from overnight.ops.migrations.rehearsing import rehearse
from overnight.ops.migrations.running import Runner

CLOCK = SystemClock()
Open = Callable[..., Database]


@pytest.fixture(params=list(Dialect))
def address(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    if request.param is Dialect.SQLITE:
        return f"sqlite:{tmp_path}/app.db"
    found: str = request.getfixturevalue("postgres")
    return found


@pytest.fixture
def opened(address: str) -> Iterator[Open]:
    """Opens the database of this test, as often as one likes."""
    with ExitStack() as stack:

        def again(*, wait: float = 20.0) -> Database:
            return stack.enter_context(closing(open_database(address_of(address), wait=wait)))

        yield again


@pytest.fixture
def database(opened: Open) -> Database:
    return opened()


def migration(database: Database, text: str, version: str = "001") -> Migration:
    return parse(f"{version}_it.sql", text, database.dialect)


def runner(database: Database) -> Runner:
    return Runner(database, CLOCK, "somebody@here")


def ask(address: str, query: str) -> list[tuple[Any, ...]]:
    """What somebody else finds in it."""
    if address.startswith("sqlite:"):
        connection = apsw.Connection(address.removeprefix("sqlite:"))
        found = [tuple(row) for row in connection.execute(query)]
        connection.close()
        return found
    import psycopg

    with psycopg.connect(address, autocommit=True) as other:
        cursor = other.execute(query.encode())
        return cursor.fetchall() if cursor.description else []


MAKE = "CREATE TABLE users (id integer PRIMARY KEY, name varchar(20) NOT NULL);"
BROKEN = f"{MAKE}\nINSERT INTO users VALUES (1, 'a');\nINSERT INTO users VALUES (1, 'b');\n"


def test_what_is_applied_is_there_and_on_record(database: Database, address: str) -> None:
    one = migration(database, MAKE)
    seconds = runner(database).up(one)
    assert seconds is not None
    assert ask(address, "SELECT count(*) FROM users") == [(0,)]
    (record,) = database.records().log
    assert (record.version, record.deed, record.filename, record.by) == (
        "001",
        Deed.APPLIED,
        one.filename,
        "somebody@here",
    )
    assert record.checksum == one.checksum
    assert abs(record.at - CLOCK.now()) < 600
    assert ask(address, "SELECT version FROM schema_migrations") == [("001",)], "as dbmate has it"


def test_a_failure_in_the_middle_leaves_all_as_it_was_and_names_the_statement(database: Database, address: str) -> None:
    runner(database).up(migration(database, "CREATE TABLE before (a integer)"))
    was = database.schema()
    with pytest.raises(MigrationError) as told:
        runner(database).up(migration(database, BROKEN, "002"))
    assert "002_it.sql:3:1: error: statement 3 of 3: " in told.value.message
    assert "INSERT INTO users VALUES (1, 'b');" in told.value.message
    assert "nothing of it was done" in told.value.message
    assert database.schema() == was
    assert [(one.version, one.deed) for one in database.records().log] == [("001", Deed.APPLIED), ("002", Deed.FAILED)]
    assert ask(address, "SELECT version FROM schema_migrations") == [("001",)]


def test_a_slip_is_shown_where_it_is(database: Database) -> None:
    with pytest.raises(MigrationError) as told:
        runner(database).up(migration(database, "-- migrate:up\nSELECT 1;\nSELECT 2,\n  no_such_thing;"))
    assert "001_it.sql:4:3: error: statement 2 of 2: " in told.value.message


def test_a_constraint_that_is_looked_at_in_the_end_undoes_all(database: Database, address: str) -> None:
    turn_on = "PRAGMA foreign_keys = ON" if database.dialect is Dialect.SQLITE else "SELECT 1"
    database.execute(turn_on)
    text = (
        "CREATE TABLE a (id integer PRIMARY KEY); INSERT INTO a VALUES (1);"
        "CREATE TABLE b (a integer REFERENCES a DEFERRABLE INITIALLY DEFERRED); INSERT INTO b VALUES (7);"
    )
    with pytest.raises(MigrationError, match="in the end"):
        runner(database).up(migration(database, text))
    assert database.schema().keys() - {"schema public", "extension plpgsql"} == set()
    assert database.records().applied == frozenset()
    assert ask(address, "SELECT 1") == [(1,)]


def test_the_way_down_takes_it_back(database: Database) -> None:
    runner(database).up(migration(database, "CREATE TABLE a (x integer)"))
    was = database.schema()
    one = migration(database, f"-- migrate:up\n{MAKE}\n-- migrate:down\nDROP TABLE users;", "002")
    runner(database).up(one)
    assert database.schema() != was
    assert runner(database).down(one) is not None
    assert database.schema() == was
    assert [record.deed for record in database.records().log] == [Deed.APPLIED, Deed.APPLIED, Deed.UNDONE]
    assert database.records().applied == {"001"}
    assert runner(database).up(one) is not None, "and up again"


def test_a_rehearsal_shows_all_and_leaves_nothing(database: Database, address: str) -> None:
    runner(database).up(migration(database, MAKE))
    ask(address, "INSERT INTO users VALUES (1, 'a')")
    was, tables = database.schema(), database.records()
    changed = (
        "ALTER TABLE users ADD COLUMN email varchar(30); UPDATE users SET email = 'x';"
        "CREATE INDEX by_email ON users (email);"
    )
    two = migration(database, changed, "002")
    three = migration(database, "CREATE VIEW everybody AS SELECT email FROM users", "003")
    done = rehearse(database, [two, three], clock=CLOCK)
    assert (done.error, done.rest) == (None, [])
    seen = [(change.sign, change.name.replace("public.", "")) for step in done.steps for change in step.changes]
    assert seen == [("+", "index by_email"), ("~", "table users"), ("+", "view everybody")]
    assert any("email" in line for change in done.steps[0].changes for line in change.lines)
    assert (database.schema(), database.records()) == (was, tables)
    assert ask(address, "SELECT * FROM users") == [(1, "a")]


def test_a_rehearsal_in_an_empty_database_makes_no_tables_of_ours(database: Database) -> None:
    done = rehearse(database, [migration(database, MAKE)], clock=CLOCK)
    assert len(done.steps) == 1
    assert database.records() == database.records().__class__()
    assert not any("migrations" in name for name in database.schema())


def test_a_rehearsal_ends_where_one_fails(database: Database) -> None:
    good = migration(database, "CREATE TABLE good (x integer)")
    bad, later = migration(database, BROKEN, "002"), migration(database, "SELECT 1", "003")
    done = rehearse(database, [good, bad, later], clock=CLOCK)
    assert [step.migration for step in done.steps] == [good]
    assert isinstance(done.error, MigrationError)
    assert "002_it.sql:3" in done.error.message
    assert database.records().applied == frozenset()
    assert runner(database).up(good) is not None, "the connection is as good as new"


def test_of_two_who_planned_the_same_the_second_finds_it_done(opened: Open, address: str) -> None:
    first, second = opened(), opened()
    one = migration(first, f"{MAKE} INSERT INTO users VALUES (1, 'a')")  # noqa: S608 - no words of others
    down = migration(first, "-- migrate:up\nSELECT 1;\n-- migrate:down\nINSERT INTO users VALUES (2, 'b');", "002")
    assert (runner(first).up(one) is None, runner(second).up(one)) == (False, None)
    assert runner(second).up(down) is not None
    assert (runner(first).down(down) is None, runner(second).down(down)) == (False, None)
    assert ask(address, "SELECT count(*) FROM users") == [(2,)]
    assert len(first.records().log) == 3


def test_of_many_at_once_each_migration_runs_once(opened: Open, address: str) -> None:
    """Each has its own connection, and all begin together on an empty database."""
    count = 4
    makes = [migration(opened(), "CREATE TABLE runs (who integer)")]
    makes += [migration(opened(), "INSERT INTO runs VALUES (1)", f"{number:03}") for number in range(2, 6)]
    barrier = threading.Barrier(count)
    won: list[str] = []
    troubles: list[Exception] = []

    def work() -> None:
        with closing(open_database(address_of(address), wait=50)) as own:
            barrier.wait()
            try:
                won.extend(one.version for one in makes if runner(own).up(one) is not None)
            except Exception as error:  # noqa: BLE001 - a thread's error would be lost
                troubles.append(error)

    threads = [threading.Thread(target=work) for _ in range(count)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(120)
    assert troubles == []
    assert sorted(won) == [one.version for one in makes]
    assert ask(address, "SELECT count(*) FROM runs") == [(4,)]


def test_a_lock_of_others_is_waited_for_no_longer_than_said(opened: Open) -> None:
    holder, waiter = opened(), opened(wait=0.1)
    runner(holder).up(migration(holder, MAKE))
    one = migration(holder, "INSERT INTO users VALUES (1, 'a')", "002")
    with holder.transaction():
        with pytest.raises(DatabaseUnavailableError, match=r"for longer than 0.1 s;.*nothing of this was done") as told:
            runner(waiter).up(one)
        assert "OVERNIGHT_MIGRATIONS_WAIT" in told.value.hint
    assert runner(waiter).up(one) is not None


OUTSIDE = """-- migrate:up transaction:false
CREATE TABLE one (x integer);
CREATE TABLE one (x integer);
CREATE TABLE two (x integer);
"""


def test_what_fails_outside_of_a_transaction_is_half_done_and_says_so(database: Database) -> None:
    bad = migration(database, OUTSIDE)
    with pytest.raises(MigrationError, match="what was done before that stays") as told:
        runner(database).up(bad)
    assert "001_it.sql:3:1: error: statement 2 of 3" in told.value.message
    assert "'overnight migrate apply --again 001'" in told.value.hint
    assert any(name.endswith("one") for name in database.schema())
    (found,) = standings([bad], database.records())
    assert found.condition is Condition.HALF_DONE
    with pytest.raises(MigrationError, match="somebody has begun"):
        runner(database).up(bad)
    runner(database).accept(bad)
    assert [one.condition for one in standings([bad], database.records())] == [Condition.APPLIED]


def test_what_was_half_done_runs_anew_when_a_person_says_so(database: Database) -> None:
    bad = migration(database, OUTSIDE)
    with pytest.raises(MigrationError):
        runner(database).up(bad)
    database.execute("DROP TABLE one")
    good = migration(
        database, OUTSIDE.replace("one (x integer);\nCREATE TABLE one", "one (x integer);\nCREATE TABLE three")
    )
    assert runner(database).up(good, again=database.records().last("001")) is not None
    assert [one.condition for one in standings([good], database.records())] == [Condition.APPLIED]


def test_a_way_back_that_fails_outside_of_a_transaction_knows_its_direction(database: Database) -> None:
    """To run the way up anew would be the wrong half of the file."""
    back = "-- migrate:down transaction:false\nDROP TABLE users;\nDROP TABLE none;"
    bad = migration(database, f"-- migrate:up\n{MAKE}\n{back}")
    runner(database).up(bad)
    with pytest.raises(MigrationError, match="what was done before that stays") as told:
        runner(database).down(bad)
    assert "'overnight migrate rollback --again 001 --yes'" in told.value.hint
    assert "apply --again" not in told.value.hint
    assert [one.condition for one in standings([bad], database.records())] == [Condition.HALF_UNDONE]
    with pytest.raises(MigrationError, match="somebody has begun"):
        runner(database).down(bad)
    runner(database).accept(bad, Deed.ACCEPTED_UNDONE)
    assert [one.condition for one in standings([bad], database.records())] == [Condition.PENDING]


def test_what_failed_is_on_record_until_its_file_is_another_one(database: Database) -> None:
    bad = migration(database, "CREATE TABLE a (x integer); SELECT nothing;")
    assert rehearse(database, [bad], clock=CLOCK).error is not None
    assert database.records().failure(bad) is None, "a rehearsal leaves nothing"
    with pytest.raises(MigrationError):
        runner(database).up(bad)
    (found,) = standings([bad], database.records())
    assert (found.condition, found.trouble) == (Condition.PENDING, "it failed when it was applied last")
    good = migration(database, "CREATE TABLE a (x integer);")
    assert standings([good], database.records())[0].trouble == ""
    assert runner(database).up(good) is not None


def test_of_two_who_run_the_same_one_anew_only_the_first_does(opened: Open) -> None:
    """Both have seen it half done. The first may still be at it, or be through, when the second comes to it."""
    first = opened()
    fails, good = (
        migration(first, OUTSIDE),
        migration(first, "-- migrate:up transaction:false\nCREATE TABLE x (x int);"),
    )
    with pytest.raises(MigrationError):
        runner(first).up(fails)
    second = opened()
    seen = second.records().last("001")
    with pytest.raises(MigrationError, match="statement 2 of 3"):
        runner(first).up(migration(first, OUTSIDE.replace("one", "three")), again=seen)
    with pytest.raises(MigrationError, match="somebody has begun"):
        runner(second).up(good, again=seen)
    assert runner(first).up(good, again=first.records().last("001")) is not None
    assert runner(second).up(good, again=seen) is None


@pytest.mark.parametrize(
    "text", ["BEGIN; CREATE TABLE a (x integer);", "BEGIN; CREATE TABLE a (x integer); SELECT nothing;"]
)
def test_a_transaction_that_is_left_open_is_undone(database: Database, text: str) -> None:
    with pytest.raises(MigrationError):
        runner(database).up(migration(database, f"-- migrate:up transaction:false\n{text}"))
    assert not any(name.endswith((" a", ".a")) for name in database.schema())
    assert runner(database).up(migration(database, MAKE, "002")) is not None


def test_an_edited_file_is_known_by_what_it_was(database: Database) -> None:
    one = migration(database, MAKE)
    runner(database).up(one)
    edited = migration(database, MAKE.replace("20", "30"))
    assert [each.condition for each in standings([edited], database.records())] == [Condition.EDITED]
    windows = migration(database, MAKE + "\r\n\r\n")
    assert [each.condition for each in standings([windows], database.records())] == [Condition.APPLIED]
    runner(database).accept(edited)
    assert [each.condition for each in standings([edited], database.records())] == [Condition.APPLIED]


def test_what_dbmate_has_applied_counts(address: str) -> None:
    ask(address, "CREATE TABLE schema_migrations (version varchar(128) primary key)")
    ask(address, "INSERT INTO schema_migrations VALUES ('001')")
    with closing(open_database(address_of(address), wait=5)) as again:
        one = migration(again, MAKE)
        assert [each.condition for each in standings([one], again.records())] == [Condition.APPLIED]
        assert runner(again).up(one) is None
        assert runner(again).up(migration(again, MAKE, "002")) is not None
    assert ask(address, "SELECT count(*) FROM schema_migrations") == [(2,)]


def test_a_table_of_another_program_is_left_alone(address: str, opened: Open) -> None:
    """That of golang-migrate names the last version alone: everything before it would run once more."""
    ask(address, "CREATE TABLE schema_migrations (version bigint primary key, dirty boolean)")
    with pytest.raises(ConfigurationError, match="dirty"):
        opened().records()
