"""Who else is told what happens, as the settings have it."""

from __future__ import annotations

from pathlib import Path
from typing import cast

import pytest

from overnight.host.home import Home, create
from overnight.store.contract import Store
from overnight.wiring.listening import tellings

NO_STORE = cast(Store, object())


@pytest.fixture
def home(tmp_path: Path) -> Home:
    return create(tmp_path / ".overnight")


def names(home: Home, said: list[str]) -> list[str]:
    return [one.name for one in tellings(home, NO_STORE, said.append)]


def test_nobody_is_told_unless_somebody_wants_it(home: Home) -> None:
    assert names(home, []) == []


def test_both_are_told_where_the_file_says_so(home: Home) -> None:
    home.config.write_text('[monitor]\ntraces = "http://127.0.0.1:4318/v1/traces"\nsystem_log = "syslog"\n')
    assert names(home, []) == ["what goes to http://127.0.0.1:4318/...", "what goes to /dev/log"]


def test_settings_that_make_no_sense_are_told_of_and_cost_nothing_else(home: Home) -> None:
    home.config.write_text('[monitor]\nsystem_log = "telegraph"\n')
    said: list[str] = []
    assert names(home, said) == []
    assert len(said) == 1
    assert "nobody else is told what happens" in said[0]
