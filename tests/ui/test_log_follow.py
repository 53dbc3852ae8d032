"""``log -f`` of a workflow asks the store for what has changed, and for nothing while nothing does."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from overnight.core.task import Attempt
from overnight.store.sqlite import SqliteStore

Call = Callable[..., Any]
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
