"""``log -f``: what a task prints until it has ended; of a workflow the store is asked for what has changed alone."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from importlib import import_module
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from replaced_store import replace_store

from overnight.core.task import Attempt
from overnight.store.contract import Selector, Verb
from overnight.store.sqlite import SqliteStore

Call = Callable[..., Any]
log = import_module("overnight.ui.cli.commands.log")
WORKFLOW = """
[[workflow.w.step]]
id = "a"
run = ["true"]
[[workflow.w.step]]
id = "b"
run = ["true"]
needs = ["a"]
"""


def test_only_steps_that_have_changed_are_asked_about(
    overnight: Call, place: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (place / "overnight.toml").write_text(WORKFLOW)
    assert overnight("run", "--quiet", "-w", "w", "x").status == 0
    assert overnight("retry", "1", "--from", "b").status == 0
    asked: Counter[int] = Counter()
    slept: list[Counter[int]] = []
    attempts = SqliteStore.attempts

    def counted(store: SqliteStore, task_id: int) -> list[Attempt]:
        asked[task_id] += 1
        return attempts(store, task_id)

    def sleep(_seconds: float) -> None:
        slept.append(asked.copy())
        if len(slept) == 3:
            assert overnight("run", "--quiet").status == 0
            asked.clear()

    with monkeypatch.context() as context:
        context.setattr(SqliteStore, "attempts", counted)
        context.setattr("overnight.ui.cli.commands.log.time", SimpleNamespace(sleep=sleep))
        assert overnight("log", "-f", "1").status == 0
    assert slept == [{2: 1, 3: 1}] * 3
    assert asked == {3: 1}


def test_it_goes_on_with_the_store_that_has_taken_the_place_of_the_old_one(
    overnight: Call, place: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """One that was rescued, or gone back to; the old one would be read without a word for ever."""
    overnight("add", "--", "true")
    naps: list[float] = []

    def nap(seconds: float) -> None:
        assert not naps
        naps.append(seconds)
        cancelled = Selector(ids=(1,))
        replace_store(place / ".overnight", lambda store: store.act(Verb.CANCEL, cancelled, now=1, by="me"))

    monkeypatch.setattr(log, "time", SimpleNamespace(sleep=nap))
    assert overnight("log", "-f", "1").status == 0
    assert len(naps) == 1
