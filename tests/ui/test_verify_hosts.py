"""``overnight verify --with``: the homes of all hosts that share a store, counted together."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from overnight.engine.journal import Journal
from overnight.host import home as homes
from overnight.host.home import Home, elsewhere, elsewhere_id, remember_elsewhere
from overnight.store.postgres import PostgresStore

Call = Callable[..., Any]


@pytest.fixture
def two(overnight: Call, place: Path, postgres: str, monkeypatch: pytest.MonkeyPatch) -> tuple[Home, Home]:
    """The home of this host, and that of another one, whose engine has written all events."""
    monkeypatch.setenv("OVERNIGHT_STORE", postgres)
    overnight("add", "a", "b", "--", "true")
    here, there = Home(place / ".overnight"), homes.create(place / "there" / ".overnight")
    remember_elsewhere(there, elsewhere(here), elsewhere_id(here))
    with closing(PostgresStore.open(postgres)) as store:
        Journal(there.journal, store).close()
    return here, there


def test_events_in_homes_that_were_not_named_are_a_note(overnight: Call, two: tuple[Home, Home]) -> None:  # noqa: ARG001
    said = overnight("verify")
    assert said.status == 0
    assert "2 events of the journal stand in homes of other hosts" in said.err
    assert "The books balance" in said.out


def test_all_of_them_together_balance(overnight: Call, two: tuple[Home, Home]) -> None:
    said = overnight("verify", "--with", str(two[1].path))
    assert (said.status, said.err) == (0, "")


def test_events_that_are_in_none_of_them_are_a_trouble(overnight: Call, two: tuple[Home, Home]) -> None:
    two[1].journal.unlink()
    said = overnight("verify", "--with", str(two[1].path))
    assert said.status == 1
    assert "The books balance" not in said.out
    assert "the number of events that stand in none of these journals should be 0, and is 2" in said.lines
    assert "for each other host" in said.err
    [found] = overnight("verify", "--with", str(two[1].path), "--json").json["findings"]
    assert found["kind"] == "shared_journal"
