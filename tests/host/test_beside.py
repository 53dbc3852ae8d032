"""A process beside the work: kept going, never waited for, and gone at the end."""

from __future__ import annotations

import os
import select
import signal
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from overnight.host.beside import FIRST_DELAY, FROZEN_AFTER, Beside
from overnight.host.processes import alive, identity
from overnight.host.purge import purge

#: Ends when its standard input does, and within a minute.
WAITS = [sys.executable, "-c", "import signal, sys; signal.alarm(60); sys.stdin.read()"]


class SteppedClock:
    """Stands still unless it is moved."""

    def __init__(self) -> None:
        self.at = 100.0

    def now(self) -> float:
        return self.at

    def monotonic(self) -> float:
        return self.at


@pytest.fixture
def clock() -> SteppedClock:
    return SteppedClock()


@pytest.fixture
def beside(clock: SteppedClock) -> Iterator[Beside]:
    made = Beside(WAITS, clock)
    yield made
    made.end(0.0)


def until(holds: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 20
    while not holds():
        assert time.monotonic() < deadline


def test_it_is_started_once_and_no_purge_touches_it(beside: Beside) -> None:
    beside.tend()
    pid = beside.pid
    beside.tend()
    assert pid is not None
    assert beside.pid == pid
    assert os.getsid(pid) == pid
    assert purge() == set()
    assert identity(pid) is not None


def test_it_goes_by_itself_when_we_do(beside: Beside) -> None:
    beside.tend()
    assert beside.end(20.0)
    assert beside.pid is None


def test_one_that_is_frozen_is_killed_at_the_end(beside: Beside) -> None:
    beside.tend()
    assert beside.pid is not None
    who = identity(beside.pid)
    assert who is not None
    os.kill(who.pid, signal.SIGSTOP)
    assert not beside.end(0.05)
    assert not alive(who)


def test_one_that_is_not_heard_of_for_too_long_is_killed_and_another_one_started(clock: SteppedClock) -> None:
    """But one that says something is left alone, however long that was on its way."""
    says = "import signal, sys; signal.alarm(60)\nfor line in sys.stdin: print(flush=True)"
    beside = Beside([sys.executable, "-c", says], clock)
    beside.tend()
    assert beside.pid is not None
    who = identity(beside.pid)
    child = beside._child
    assert who is not None
    assert child is not None
    assert child.stdin is not None
    assert child.stdout is not None
    child.stdin.write(b"\n")
    child.stdin.flush()
    select.select([child.stdout], [], [], 20)
    clock.at += FROZEN_AFTER + 1
    beside.tend()
    assert beside.pid == who.pid
    os.kill(who.pid, signal.SIGSTOP)
    clock.at += FROZEN_AFTER + 1

    def is_gone() -> bool:
        beside.tend()
        return beside.pid != who.pid

    until(is_gone)
    assert not alive(who)
    clock.at += FIRST_DELAY
    beside.tend()
    assert beside.pid not in (None, who.pid)
    beside.end(20.0)


def test_one_that_ends_is_started_again_later_and_later(clock: SteppedClock) -> None:
    beside = Beside([sys.executable, "-c", ""], clock)
    beside.tend()
    for delay in (FIRST_DELAY, FIRST_DELAY * 2):

        def has_been_buried() -> bool:
            beside.tend()
            return beside.pid is None

        until(has_been_buried)
        clock.at += delay * 0.9
        beside.tend()
        assert beside.pid is None
        clock.at += delay * 0.2
        beside.tend()
        assert beside.pid is not None
    beside.end(20.0)


def test_it_can_be_had_for_its_last_word_alone(clock: SteppedClock, tmp_path: Path) -> None:
    says = f"import pathlib, sys; sys.stdin.read(); pathlib.Path({str(tmp_path / 'last')!r}).touch()"
    beside = Beside([sys.executable, "-c", says], clock)
    assert beside.once(20.0)
    assert (tmp_path / "last").exists()
    assert not Beside(["/nowhere/program"], clock).once(20.0)


def test_it_is_not_started_before_its_time(clock: SteppedClock) -> None:
    beside = Beside(WAITS, clock, after=5.0)
    beside.tend()
    assert beside.pid is None
    assert not beside.end(1.0)
    clock.at += 5.0
    beside.tend()
    assert beside.pid is not None
    beside.end(20.0)


def test_a_program_that_is_not_there_costs_nothing(clock: SteppedClock) -> None:
    beside = Beside(["/nowhere/program"], clock)
    beside.tend()
    beside.tend()
    assert beside.pid is None
