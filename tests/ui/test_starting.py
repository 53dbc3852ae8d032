"""Taking a home: a STOP file from another night, and one that is meant for us."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from overnight import wiring
from overnight.core.stopping import StoppedBy
from overnight.engine.result import Result
from overnight.store.contract import Counts
from overnight.ui.cli import foreground


@pytest.fixture
def stop_seen(monkeypatch: pytest.MonkeyPatch) -> list[bool]:
    """Instead of an engine: whether the STOP file is there when one would begin."""
    seen: list[bool] = []

    def run_engine(home: Any, *_: Any, **__: Any) -> Result:
        seen.append(home.stop.exists())
        return Result(StoppedBy.STOP_SIGNAL, None, Counts())

    monkeypatch.setattr(foreground, "run_engine", run_engine)
    return seen


def test_a_stop_file_from_another_night_is_removed_with_a_notice(
    overnight: Callable[..., Any], stop_seen: list[bool]
) -> None:
    overnight("add", "a", "--", "true")
    wiring.find_home().stop.touch()
    assert "removed a STOP file" in overnight("run").err
    assert stop_seen == [False]


def test_a_stop_that_is_asked_while_inputs_are_added_is_kept(
    overnight: Callable[..., Any], stop_seen: list[bool], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Adding a million inputs takes a while, and the home is held from its beginning."""
    overnight("add", "a", "--", "true")
    real = foreground.enter

    def enter(*words: Any, **named: Any) -> Any:
        wiring.find_home().stop.touch()
        return real(*words, **named)

    monkeypatch.setattr("overnight.ui.cli.commands.run.enter", enter)
    assert "removed" not in overnight("run", "b", "--", "true").err
    assert stop_seen == [True]
