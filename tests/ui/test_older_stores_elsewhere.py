"""A store on a server that an older program has made: who brings it forward, and who leaves it alone."""

from __future__ import annotations

from contextlib import closing
from pathlib import Path

import psycopg
import pytest

from overnight import wiring
from overnight.core.errors import AlreadyRunningError, StoreOutdatedError, UsageError
from overnight.core.settings import resolve
from overnight.core.task import Action, ActionKind, NewTask
from overnight.host import home as homes
from overnight.host.home import Home
from overnight.store.postgres import PostgresStore
from overnight.store.postgres.lease import Lease
from overnight.wiring.engine import holding

SETTINGS = resolve(flags={}, environ={}, configured={})
TASK = NewTask(action=Action(kind=ActionKind.COMMAND, cwd=b"/", argv=(b"true",)), input=b"x")
#: What schema 8 has changed, back to what it was before.
_BACK = """
ALTER TABLE {0}.tasks DROP COLUMN resting CASCADE;
CREATE INDEX tasks_claim ON {0}.tasks (lane_id, priority DESC, order_key) WHERE state = 'pending';
CREATE INDEX tasks_rare ON {0}.tasks (state) WHERE state = 'failed';
ALTER TABLE {0}.meta DROP COLUMN program;
UPDATE {0}.meta SET schema_version = 7
"""


@pytest.fixture
def home(tmp_path: Path, postgres: str, monkeypatch: pytest.MonkeyPatch) -> Home:
    """Its store has one task."""
    monkeypatch.setenv("OVERNIGHT_STORE", postgres)
    made = homes.create(tmp_path / ".overnight")
    with closing(wiring.open_store(made, create=True)) as store:
        store.add([TASK], now=1.0)
    return made


def ask(postgres: str, sql: str) -> None:
    with psycopg.connect(postgres, autocommit=True) as connection:
        connection.execute(sql.encode())


def version(postgres: str, schema: str = "overnight") -> object:
    with psycopg.connect(postgres, autocommit=True) as connection:
        return connection.execute(f"SELECT schema_version FROM {schema}.meta".encode()).fetchall()[0][0]  # noqa: S608 - ours


def test_who_leads_it_brings_it_forward(home: Home, postgres: str, capsys: pytest.CaptureFixture[str]) -> None:
    ask(postgres, _BACK.format("overnight"))
    with pytest.raises(StoreOutdatedError, match="nothing was changed"):
        wiring.open_store(home)
    assert version(postgres) == 7
    with holding(home, settings=SETTINGS) as store:
        assert store.counts().pending == 1
        assert store.recount() == []
        assert "from schema 7 to 8" in capsys.readouterr().err
    wiring.open_store(home).close()


def test_while_another_host_leads_it_stays_as_it_is(home: Home, postgres: str) -> None:
    """Its engine may be one of the older program."""
    ask(postgres, _BACK.format("overnight"))
    with closing(Lease(postgres, holder="another", home="theirs")) as lease:
        assert lease.take() == ""
        with pytest.raises(AlreadyRunningError, match="the engine of another works"), holding(home, settings=SETTINGS):
            pass
    assert version(postgres) == 7


def test_that_of_another_home_stays_as_it_is(home: Home, postgres: str, monkeypatch: pytest.MonkeyPatch) -> None:
    there = f"{postgres}{'&' if '?' in postgres else '?'}options=-csearch_path%3Danother"
    PostgresStore.open(there, create=True).close()
    ask(postgres, _BACK.format("another"))
    monkeypatch.setenv("OVERNIGHT_STORE", there)
    with pytest.raises(UsageError, match="is not that one; nothing was done"), holding(home, settings=SETTINGS):
        pass
    assert version(postgres, "another") == 7
