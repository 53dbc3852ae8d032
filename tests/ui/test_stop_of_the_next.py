"""Whoever waits for an engine to end leaves alone what asks the next one."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from overnight.host.home import Home, create
from overnight.host.lock import HomeLock, Owner
from overnight.host.stop_file import StopFile, Touched
from overnight.wiring import ending

FIRST = Owner(pid=1_000_001)


@pytest.fixture
def home(tmp_path: Path) -> Home:
    return create(tmp_path / ".overnight", random=bytes(8))


def touch(home: Home, at: int) -> None:
    """Ask for a stop as a person may, so many seconds after 1970."""
    home.stop.touch()
    os.utime(home.stop, (at, at))


def see_ended(home: Home, asked: Touched | None) -> None:
    ending.see_ended(home, FIRST, asked=asked, now=False, told=pytest.fail)


def test_a_stop_of_the_next_engine_outlives_the_wait_for_the_last_one(home: Home) -> None:
    touch(home, 1000)
    asked = StopFile(home.stop).touched()
    with HomeLock(home.lock) as lock:
        lock.acquire({"pid": 1_000_002})  # the next one, already
        touch(home, 2000)

        see_ended(home, asked)

        assert home.stop.exists()


def test_one_that_was_not_obeyed_is_removed(home: Home) -> None:
    """Nobody is there who could."""
    touch(home, 1000)

    see_ended(home, StopFile(home.stop).touched())

    assert not home.stop.exists()


def test_one_that_came_while_the_last_one_was_there_was_meant_for_it(
    home: Home, monkeypatch: pytest.MonkeyPatch
) -> None:
    touch(home, 1000)
    asked = StopFile(home.stop).touched()
    lock = HomeLock(home.lock)
    lock.acquire({"pid": FIRST.pid})
    touch(home, 2000)
    monkeypatch.setattr("time.sleep", lambda _: lock.release())

    see_ended(home, asked)

    assert not home.stop.exists()
