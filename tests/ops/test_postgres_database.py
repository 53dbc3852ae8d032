"""What is special about PostgreSQL: dumps, enums, indexes beside the work, servers that are away, passwords."""

from __future__ import annotations

import socket
import threading
from collections.abc import Iterator
from contextlib import closing, suppress

import pytest

from overnight.core.errors import ConfigurationError, OvernightError
from overnight.core.migrations.addresses import parse as address_of
from overnight.core.migrations.choosing import MigrationError
from overnight.core.migrations.files import Migration, parse
from overnight.core.migrations.statements import Dialect
from overnight.host.clock import SystemClock
from overnight.ops.migrations.databases import open_database
from overnight.ops.migrations.databases.contract import Database, DatabaseUnavailableError
from overnight.ops.migrations.rehearsing import rehearse
from overnight.ops.migrations.running import Runner

CLOCK = SystemClock()


@pytest.fixture
def database(postgres: str) -> Iterator[Database]:
    with closing(open_database(address_of(postgres), wait=20)) as opened:
        yield opened


def migration(text: str, version: str = "001") -> Migration:
    return parse(f"{version}_it.sql", text, Dialect.POSTGRES)


def up(database: Database, *texts: str) -> None:
    for number, text in enumerate(texts, 1):
        assert Runner(database, CLOCK, "me").up(migration(text, f"{number:03}")) is not None


def test_a_dump_that_empties_the_search_path_hides_nothing_from_us(database: Database) -> None:
    dump = "SELECT pg_catalog.set_config('search_path', '', false); CREATE TABLE public.a (x int);"
    up(database, dump, "CREATE TABLE b (x int)")
    assert database.records().applied == {"001", "002"}
    assert {"table public.a", "table public.b"} <= database.schema().keys()


def test_what_runs_outside_of_a_transaction_is_applied_and_not_rehearsed(database: Database) -> None:
    up(database, "CREATE TABLE a (x int)")
    index = migration("-- migrate:up transaction:false\nCREATE INDEX CONCURRENTLY by_x ON a (x);", "002")
    view = migration("CREATE VIEW v AS SELECT x FROM a", "003")
    done = rehearse(database, [index, view], clock=CLOCK)
    assert (done.steps, done.rest, done.error) == ([], [index, view], None)
    assert "outside of a transaction" in done.why
    assert Runner(database, CLOCK, "me").up(index) is not None
    assert "index by_x" in database.schema()


def test_without_the_mark_the_server_says_what_is_wrong(database: Database) -> None:
    up(database, "CREATE TABLE a (x int)")
    with pytest.raises(MigrationError, match="CREATE INDEX CONCURRENTLY cannot run inside a transaction block"):
        Runner(database, CLOCK, "me").up(migration("CREATE INDEX CONCURRENTLY by_x ON a (x);", "002"))


def test_a_new_value_of_an_enum_ends_a_rehearsal_and_no_migration(database: Database) -> None:
    """Between two transactions it would be there."""
    up(database, "CREATE TYPE mood AS ENUM ('good')")
    adds, uses = migration("ALTER TYPE mood ADD VALUE 'bad'", "002"), migration("SELECT 'bad'::mood", "003")
    done = rehearse(database, [adds, uses], clock=CLOCK)
    assert [step.migration for step in done.steps] == [adds]
    assert (done.rest, done.error) == ([uses], None)
    assert "after the COMMIT" in done.why
    for one in (adds, uses):
        assert Runner(database, CLOCK, "me").up(one) is not None


def test_the_difference_knows_more_than_tables(database: Database) -> None:
    text = """
    CREATE TYPE mood AS ENUM ('good', 'bad');
    CREATE TABLE a (id serial PRIMARY KEY, m mood NOT NULL DEFAULT 'good', CHECK (id > 0));
    CREATE VIEW v AS SELECT id FROM a;
    CREATE FUNCTION f() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RETURN NEW; END $$;
    CREATE TRIGGER t BEFORE INSERT ON a FOR EACH ROW EXECUTE FUNCTION f();
    """
    (step,) = rehearse(database, [migration(text)], clock=CLOCK).steps
    assert {change.name for change in step.changes} == {
        *("type mood", "table public.a", "index a_pkey", "sequence public.a_id_seq"),
        *("view public.v", "function f()", "trigger t on public.a"),
    }
    (table,) = (change for change in step.changes if change.name == "table public.a")
    assert "+ m mood NOT NULL DEFAULT 'good'::mood" in table.lines
    assert any(line.startswith("+ a_id_check CHECK") for line in table.lines)


def test_a_table_that_others_hold_is_waited_for_no_longer_than_said(database: Database, postgres: str) -> None:
    import psycopg

    up(database, "CREATE TABLE a (x int)")
    one = migration("ALTER TABLE a ADD COLUMN y int", "002")
    with closing(open_database(address_of(postgres), wait=0.1)) as waiter, psycopg.connect(postgres) as holder:
        holder.execute("SELECT * FROM a")
        for run in (lambda: Runner(waiter, CLOCK, "me").up(one), lambda: rehearse(waiter, [one], clock=CLOCK)):
            with pytest.raises(
                DatabaseUnavailableError, match=r"002_it.sql, statement 1 of 1: others hold what is needed"
            ):
                _raised(run())
    assert Runner(database, CLOCK, "me").up(one) is not None


def _raised(found: object) -> None:
    """A rehearsal keeps what has failed."""
    error = getattr(found, "error", None)
    if isinstance(error, OvernightError):
        raise error


def test_a_server_that_goes_away_undoes_what_it_was_told(database: Database, postgres: str) -> None:
    import psycopg

    text = "CREATE TABLE a (x int); SELECT pg_terminate_backend(pg_backend_pid());"
    with pytest.raises(DatabaseUnavailableError, match="has gone"):
        Runner(database, CLOCK, "me").up(migration(text))
    with psycopg.connect(postgres) as other:
        assert other.execute("SELECT to_regclass('a'), to_regclass('schema_migrations')").fetchone() == (None, None)


def test_a_server_that_is_away_is_named_without_the_password() -> None:
    with socket.socket() as nobody:
        nobody.bind(("127.0.0.1", 0))
        port = nobody.getsockname()[1]
        with pytest.raises(DatabaseUnavailableError, match="cannot connect to postgres://me:") as told:
            open_database(address_of(f"postgres://me:hush-hush@127.0.0.1:{port}/d"), wait=1)
    words = f"{told.value.message} {told.value.hint} {told.value.__cause__}"
    assert "hush-hush" not in words
    assert f"127.0.0.1:{port}" in words


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (lambda it: it.replace("/test_", "/no_such_"), "does not exist"),
        (lambda it: it.replace("postgres@", "nobody_like_that:hush-hush@"), "does not exist"),
        (
            lambda it: it.replace("postgres@", "postgres:hush-hush@") + "&nonsense=hush-hush",
            "makes no sense to psycopg",
        ),
    ],
)
def test_what_the_server_or_the_driver_refuses_is_told_without_the_password(
    postgres: str, change: object, words: str
) -> None:
    assert callable(change)
    with pytest.raises(ConfigurationError) as told:
        open_database(address_of(change(postgres)), wait=5)
    assert words in told.value.message
    assert "hush-hush" not in told.value.message
    assert told.value.__suppress_context__, "nor in what is behind it"


def _refuses_the_password(listener: socket.socket) -> None:
    """As much of a server as somebody needs who has the wrong password."""
    listener.settimeout(20)
    with suppress(TimeoutError), listener.accept()[0] as line:
        line.settimeout(20)
        for answer in (b"N", b"R\0\0\0\x08\0\0\0\x03"):  # no encryption; a password, please
            assert line.recv(1000)
            line.sendall(answer)
        line.recv(1000)
        words = b"SFATAL\0C28P01\0MPasswort-Authentifizierung fehlgeschlagen\0\0"
        line.sendall(b"E" + (len(words) + 4).to_bytes(4, "big") + words)


def test_a_wrong_password_is_no_server_that_is_away() -> None:
    """To look whether it runs, or to try it later, would help nobody. What it says may be said in any language."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        serving = threading.Thread(target=_refuses_the_password, args=(listener,))
        serving.start()
        place = f"127.0.0.1:{listener.getsockname()[1]}/d?gssencmode=disable"
        with pytest.raises(ConfigurationError, match="refuses to let us in") as told:
            open_database(address_of(f"postgres://me:hush-hush@{place}"), wait=20)
        serving.join()
    assert "the password" in str(told.value.hint)
    assert "hush-hush" not in told.value.message


@pytest.mark.parametrize("password", ["hush@hush-more", "hush/hush@more", "hush?hush@more"])
def test_a_password_that_nobody_has_escaped_is_not_taken_for_a_host_and_told(password: str) -> None:
    """The driver ends it at its first sign of an address, and would tell which host was not found."""
    with pytest.raises(ValueError, match="%40") as told:
        address_of(f"postgres://me:{password}@127.0.0.1:1/d")
    assert "hush" not in str(told.value)
    assert "more" not in str(told.value)
