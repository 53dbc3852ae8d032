"""A command that is told of storms: it is never waited for while work goes on, and its faults change nothing."""

from __future__ import annotations

import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from overnight.host import purge
from overnight.host.clock import SystemClock
from overnight.testing import FakeClock
from overnight.wiring import alarms
from overnight.wiring.alarms import Alarms


def test_the_command_hears_what_is_told_and_what_to_type(tmp_path: Path) -> None:
    heard = tmp_path / "heard"
    told: list[tuple[str, str]] = []
    script = f'echo "$OVERNIGHT_HOME: $OVERNIGHT_WHY" >>{heard}'
    bell = Alarms(tmp_path, lambda *words: told.append(words), ["sh", "-c", script], SystemClock())
    bell.tell("20 tasks failed alike", "mend it")
    bell.close()
    assert told == [("20 tasks failed alike", "mend it")]
    assert heard.read_text() == f"{tmp_path}: 20 tasks failed alike; mend it\n"


def test_one_that_cannot_be_started_is_told_of(tmp_path: Path) -> None:
    told: list[tuple[str, str]] = []
    bell = Alarms(tmp_path, lambda *words: told.append(words), [str(tmp_path / "nowhere")], SystemClock())
    bell.tell("20 tasks failed alike", "")
    bell.close()
    assert told[0][0] == "20 tasks failed alike"
    assert "nowhere was to be told of it, and could not be: " in told[1][0]


def test_one_that_does_not_end_is_ended_with_the_engine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(alarms, "PATIENCE", 0.05)
    before = set(purge._ours)
    bell = Alarms(tmp_path, lambda *_: None, ["sleep", "30"], SystemClock())
    bell.tell("20 tasks failed alike", "")
    [process] = bell._running
    assert purge._ours == before | {process.pid}
    bell.close()
    assert process.returncode == -9
    assert purge._ours == before


def test_all_that_do_not_end_have_one_time_together(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The engine is killed by whoever waits for it when each has its own."""
    clock = FakeClock()
    waited: list[float] = []
    bell = Alarms(tmp_path, lambda *_: None, ["sleep", "30"], clock)
    for _ in range(3):
        bell.tell("20 tasks failed alike", "")
    for process in bell._running:
        monkeypatch.setattr(process, "wait", waiting(clock, waited, process.wait))
    bell.close()
    assert waited == [alarms.PATIENCE, 0.0, 0.0]


def waiting(clock: FakeClock, waited: list[float], real: Callable[[], int]) -> Callable[[float | None], int]:
    """The wait for a process that does not end before it is killed, in virtual time."""

    def wait(seconds: float | None = None) -> int:
        if seconds is None:
            return real()
        waited.append(seconds)
        clock.advance(seconds)
        raise subprocess.TimeoutExpired("sleep", seconds)

    return wait


def test_one_that_hangs_is_ended_at_the_next_storm_after_a_minute(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Otherwise they pile up in the night."""
    clock = FakeClock()
    before = set(purge._ours)
    bell = Alarms(tmp_path, lambda *_: None, ["sleep", "30"], clock)
    bell.tell("20 tasks failed alike", "")
    [first] = bell._running
    clock.advance(alarms.LONGEST - 1)
    bell.tell("20 more", "")
    assert first.returncode is None
    clock.advance(2)
    bell.tell("20 more", "")
    assert first.returncode == -9
    assert len(bell._running) == 2
    monkeypatch.setattr(alarms, "PATIENCE", 0.0)
    bell.close()
    assert purge._ours == before
