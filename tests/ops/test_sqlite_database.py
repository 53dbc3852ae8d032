"""What is special about SQLite: a rehearsal works on a copy beside the file, and takes no other one's away."""

from __future__ import annotations

from contextlib import closing
from pathlib import Path

import pytest

from overnight.core.errors import NotNowError
from overnight.core.migrations.addresses import parse as address_of
from overnight.core.migrations.files import parse
from overnight.core.migrations.statements import Dialect
from overnight.host.clock import SystemClock
from overnight.ops.migrations.databases import open_database
from overnight.ops.migrations.databases.contract import Database
from overnight.ops.migrations.rehearsing import rehearse
from overnight.ops.migrations.running import Runner


@pytest.fixture
def database(tmp_path: Path) -> Database:
    return open_database(address_of(f"sqlite:{tmp_path}/app.db"), wait=1)


def up(database: Database, text: str, version: str = "001") -> None:
    assert Runner(database, SystemClock(), "me").up(parse(f"{version}_it.sql", text, Dialect.SQLITE)) is not None


def test_two_may_rehearse_at_once(database: Database, tmp_path: Path) -> None:
    up(database, "CREATE TABLE a (x)")
    with (
        database.rehearsal() as first,
        closing(open_database(address_of(f"sqlite:{tmp_path}/app.db"), wait=1)) as other,
        other.rehearsal() as second,
    ):
        assert len(list(tmp_path.glob(".overnight-rehearsal-*/copy"))) == 2
        for stage in (first, second):
            up(stage, "CREATE TABLE b (x)", "002")
    assert [path.name for path in tmp_path.iterdir()] == ["app.db"]
    database.close()


def test_a_mode_that_wants_a_file_beside_it_is_rehearsed_too(database: Database, tmp_path: Path) -> None:
    up(database, "CREATE TABLE a (x)")
    with database.rehearsal() as stage:
        up(stage, "-- migrate:up transaction:false\nPRAGMA journal_mode = WAL; INSERT INTO a VALUES (1);", "002")
    assert [path.name for path in tmp_path.iterdir()] == ["app.db"]
    database.close()


@pytest.mark.parametrize("text", ["ATTACH 'other.db' AS o; DELETE FROM o.b;", "VACUUM main INTO 'other.db'"])
def test_what_reaches_another_file_is_not_rehearsed(database: Database, tmp_path: Path, text: str) -> None:
    """There is no copy of that one, and it would be changed for real."""
    up(database, "CREATE TABLE a (x)")
    with closing(open_database(address_of(f"sqlite:{tmp_path}/other.db"), wait=1)) as other:
        up(other, "CREATE TABLE b (x); INSERT INTO b VALUES (1)")
    before = (tmp_path / "other.db").read_bytes()
    moved = text.replace("other.db", f"{tmp_path}/other.db")
    outside = parse("002_it.sql", f"-- migrate:up transaction:false\n{moved}", Dialect.SQLITE)
    done = rehearse(database, [outside], clock=SystemClock())
    assert (done.steps, done.rest, done.error) == ([], [outside], None)
    assert "another file" in done.why
    assert (tmp_path / "other.db").read_bytes() == before
    database.close()


def test_without_room_for_a_copy_there_is_no_rehearsal(database: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("overnight.ops.migrations.databases.sqlite.free_bytes", lambda _: 1000)
    with pytest.raises(NotNowError, match=r"1.0 kB are free beside sqlite:.*nothing was changed"), database.rehearsal():
        pass
    database.close()


def test_what_a_migration_sets_for_its_connection_does_not_reach_the_next(database: Database) -> None:
    """Foreign keys that one switches on outside of a transaction would break what the next one rebuilds."""
    up(database, "CREATE TABLE a (id INTEGER PRIMARY KEY); CREATE TABLE b (a INTEGER REFERENCES a)")
    up(database, "-- migrate:up transaction:false\nPRAGMA foreign_keys = ON;", "002")
    up(database, "INSERT INTO b VALUES (7)", "003")
    database.close()
