"""Our own store is migrated by itself, never without a copy; an older program says what to install instead."""

from __future__ import annotations

from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from old_stores import make_old

from overnight.core.errors import DiskFullError, HomeUnusableError
from overnight.core.settings import resolve
from overnight.core.version import VERSION as PROGRAM
from overnight.host.home import Home, create, remember_store, written_by
from overnight.host.lock import HomeLock
from overnight.ops.migrations import own_store
from overnight.ops.migrations.own_store import keep_old_schema, look
from overnight.store.sqlite import SqliteStore, migrations
from overnight.store.sqlite.copying import facts
from overnight.wiring.engine import holding
from overnight.wiring.going_back import taking_over

NOON = 1_800_000_000.0
SETTINGS = resolve(flags={}, environ={}, configured={})


@pytest.fixture
def home(tmp_path: Path) -> Home:
    """One that an older program has left, with one task that is done."""
    made = create(tmp_path / ".overnight")
    make_old(made.store, 2)
    remember_store(made)
    card = made.home_json.read_text()
    made.home_json.write_text(card.replace(f'"written_by": "{PROGRAM}"', '"written_by": "0.0.9"'))
    return made


def kept(home: Home) -> list[Path]:
    return sorted(home.aside.glob("schema-*/queue.db"))


def test_whoever_holds_the_home_migrates_it_after_a_copy(home: Home) -> None:
    with holding(home, settings=SETTINGS) as store:
        assert store.counts().completed == 1
    (copy,) = kept(home)
    assert (facts(copy).schema, facts(home.store).schema) == (2, migrations.VERSION)
    assert (copy.stat().st_mode & 0o777, copy.parent.stat().st_mode & 0o777) == (0o600, 0o700)
    with holding(home, settings=SETTINGS):
        assert kept(home) == [copy], "once is enough"


def test_whoever_goes_back_to_a_checkpoint_keeps_a_copy_too(home: Home) -> None:
    with taking_over(home, lambda _: None):
        assert len(kept(home)) == 1


def test_a_copy_can_be_put_back(home: Home) -> None:
    """All that the older program had is in it."""
    with holding(home, settings=SETTINGS):
        pass
    (copy,) = kept(home)
    again = create(home.path.parent / "again" / ".overnight")
    copy.rename(again.store)
    with closing(SqliteStore.open(again.store, migrate=True)) as store:
        assert (store.counts().completed, store.recount()) == (1, [])


def test_without_room_for_a_copy_nothing_is_migrated(home: Home, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*_: object) -> None:
        raise DiskFullError("no room is left")

    monkeypatch.setattr(own_store, "copy_file", full)
    with pytest.raises(DiskFullError), holding(home, settings=SETTINGS):
        pass
    assert facts(home.store).schema == 2
    assert list(home.aside.iterdir()) == []
    lock = HomeLock(home.lock)
    lock.acquire({})
    lock.release()


def test_where_a_copy_cannot_be_written_the_error_says_what_to_do(home: Home) -> None:
    home.aside.write_text("somebody's file")
    with pytest.raises(HomeUnusableError, match="not migrated without a copy of it; nothing was changed") as told:
        keep_old_schema(home, now=NOON)
    assert "or use the version of Overnight that wrote the store" in told.value.hint
    assert facts(home.store).schema == 2


def test_the_version_that_is_needed_is_noted_before_anything_is_migrated(
    home: Home, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Killed between the two, a note too much is left, and never a store that nobody can name a program for."""
    seen: list[str] = []
    migrate = migrations._migrate

    def noting(connection: Any) -> None:
        seen.append(written_by(home))
        migrate(connection)

    monkeypatch.setattr(migrations, "_migrate", noting)
    with holding(home, settings=SETTINGS):
        pass
    assert seen[0] == PROGRAM


def test_a_newer_store_is_refused_with_the_version_to_install(home: Home, monkeypatch: pytest.MonkeyPatch) -> None:
    with monkeypatch.context() as newer:
        newer.setattr("overnight.host.home.VERSION", "9.1.0")
        with holding(home, settings=SETTINGS):
            pass
    monkeypatch.setattr(migrations, "VERSION", 5)
    for readonly in (False, True):
        with pytest.raises(HomeUnusableError, match="this program knows 5; nothing was changed") as told:
            SqliteStore.open(home.store, readonly=readonly)
        assert told.value.hint == "pip install 'overnight>=9.1.0'"
    with pytest.raises(HomeUnusableError), holding(home, settings=SETTINGS):
        pass


def test_a_home_that_a_newer_program_has_made_names_it_too(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with monkeypatch.context() as newer:
        newer.setattr("overnight.host.home.VERSION", "9.1.0")
        home = create(tmp_path / ".overnight")
    SqliteStore.open(home.store, create=True).close()
    monkeypatch.setattr(migrations, "VERSION", 5)
    with pytest.raises(HomeUnusableError) as told:
        SqliteStore.open(home.store)
    assert told.value.hint == "pip install 'overnight>=9.1.0'"


def test_damage_is_left_to_who_mends_it(home: Home) -> None:
    home.store.write_bytes(b"no database" * 1000)
    assert keep_old_schema(home, now=NOON) is None
    assert kept(home) == []


def test_looking_changes_nothing(home: Home) -> None:
    before = home.store.read_bytes(), home.home_json.read_bytes()
    found = look(home)
    assert found is not None
    assert (found.schema, found.wanted, found.install) == (2, migrations.VERSION, "'overnight>=0.0.9'")
    assert (home.store.read_bytes(), home.home_json.read_bytes()) == before


def test_without_a_store_there_is_nothing_to_look_at(tmp_path: Path) -> None:
    home = create(tmp_path / ".overnight")
    assert look(home) is None
    assert keep_old_schema(home, now=NOON) is None
