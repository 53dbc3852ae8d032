"""A command that is told of storms: it is never waited for while work goes on, and its faults change nothing."""

from __future__ import annotations

from pathlib import Path

import pytest

from overnight.host import purge
from overnight.wiring import alarms
from overnight.wiring.alarms import Alarms


def test_the_command_hears_what_is_told_and_what_to_type(tmp_path: Path) -> None:
    heard = tmp_path / "heard"
    told: list[tuple[str, str]] = []
    script = f'echo "$OVERNIGHT_HOME: $OVERNIGHT_WHY" >>{heard}'
    bell = Alarms(tmp_path, lambda *words: told.append(words), ["sh", "-c", script])
    bell.tell("20 tasks failed alike", "mend it")
    bell.close()
    assert told == [("20 tasks failed alike", "mend it")]
    assert heard.read_text() == f"{tmp_path}: 20 tasks failed alike; mend it\n"


def test_one_that_cannot_be_started_is_told_of(tmp_path: Path) -> None:
    told: list[tuple[str, str]] = []
    bell = Alarms(tmp_path, lambda *words: told.append(words), [str(tmp_path / "nowhere")])
    bell.tell("20 tasks failed alike", "")
    bell.close()
    assert told[0][0] == "20 tasks failed alike"
    assert "nowhere was to be told of it, and could not be: " in told[1][0]


def test_one_that_does_not_end_is_ended_with_the_engine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(alarms, "PATIENCE", 0.05)
    before = set(purge._ours)
    bell = Alarms(tmp_path, lambda *_: None, ["sleep", "30"])
    bell.tell("20 tasks failed alike", "")
    [process] = bell._running
    assert purge._ours == before | {process.pid}
    bell.close()
    assert process.returncode == -9
    assert purge._ours == before
