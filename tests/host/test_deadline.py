"""What ends a process that cannot end itself: real processes and real signals."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from overnight.host.clock import asleep_or_awake
from overnight.host.deadline import Deadline

#: Puts its end off by so many seconds, says so, and waits for a word; it lives for a minute at most.
ENGINE = """
import signal, sys
from overnight.host.clock import asleep_or_awake
from overnight.host.deadline import Deadline
signal.alarm(60)
deadline = Deadline()
deadline.put_off(asleep_or_awake() + float(sys.argv[1]))
print(deadline._child.pid, flush=True)
sys.stdin.readline()
deadline.close()
"""


def engine(seconds: float) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-c", ENGINE, str(seconds)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


@pytest.fixture
def stopped() -> Iterator[subprocess.Popen[str]]:
    """A process that is stopped before its time is over."""
    process = engine(1.0)
    assert process.stdout is not None
    assert process.stdout.readline()
    os.kill(process.pid, signal.SIGSTOP)
    yield process
    process.kill()
    process.communicate()


def test_a_process_that_is_stopped_is_ended_when_its_time_is_over(stopped: subprocess.Popen[str]) -> None:
    assert stopped.wait(30) == -signal.SIGKILL
    assert stopped.stderr is not None
    assert f"process {stopped.pid} was stopped or hung while its lease ran out" in stopped.stderr.read()


def test_what_needs_no_end_any_more_goes_on_and_leaves_nothing() -> None:
    process = engine(30.0)
    assert process.stdout is not None
    beside = int(process.stdout.readline())
    process.communicate("\n")
    assert process.returncode == 0
    assert not Path(f"/proc/{beside}").exists()


def test_it_ends_with_whom_it_stands_beside(stopped: subprocess.Popen[str]) -> None:
    """Killed in some other way: nobody else gets its number's signal."""
    stopped.kill()
    assert stopped.wait(30) == -signal.SIGKILL
    assert stopped.stderr is not None
    assert stopped.stderr.read() == ""  # which also says that it has gone: it was open there


def test_one_that_was_killed_is_followed_by_another_one() -> None:
    deadline = Deadline()
    try:
        deadline.put_off(asleep_or_awake() + 60)
        first = deadline._child
        first.kill()
        first.wait()
        deadline.put_off(asleep_or_awake() + 60)
        assert deadline._child is not first
        assert deadline._child.poll() is None
    finally:
        deadline.close()
