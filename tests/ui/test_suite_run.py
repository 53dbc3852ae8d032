"""Which task a run of tests is, when it is one."""

from __future__ import annotations

from pathlib import Path

import pytest

from overnight.host.home import Home
from overnight.ui.cli.suite_run import attempt_of


def test_it_is_the_attempt_that_is_on_record(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Attempts that were taken back before they began are counted there, and not in the one that programs see."""
    for name, value in (("HOME", str(tmp_path)), ("TASK_ID", "7"), ("ATTEMPT", "1"), ("ATTEMPT_ID", "3")):
        monkeypatch.setenv(f"OVERNIGHT_{name}", value)
    assert attempt_of(Home(tmp_path)) == (7, 3)
    assert attempt_of(Home(tmp_path / "other")) is None
    monkeypatch.delenv("OVERNIGHT_TASK_ID")
    assert attempt_of(Home(tmp_path)) is None
