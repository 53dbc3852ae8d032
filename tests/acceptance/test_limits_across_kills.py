"""What may run once at a time, or once at all, is held to that when everybody is killed in the middle."""

from __future__ import annotations

import contextlib
import os
import signal
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from terminal import Terminal

Until = Callable[[Callable[[], object]], None]

pytestmark = pytest.mark.prove
KILLS = [1, 4]
#: Takes a lock that dies with it; whoever finds it taken was let in beside another one.
NEEDY = """
import fcntl, os, sys, time
lock = os.open("only-one", os.O_RDWR | os.O_CREAT)
try:
    fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    word = "alone"
except BlockingIOError:
    word = "beside another"
book = os.open("ledger", os.O_WRONLY | os.O_CREAT | os.O_APPEND)
os.write(book, f"{word} {sys.argv[1]}\\n".encode())
os.fsync(book)
time.sleep(0.15)
"""


def ledger(terminal: Terminal) -> list[str]:
    path = terminal.cwd / "ledger"
    return path.read_text().splitlines() if path.exists() else []


def kill_everybody(terminal: Terminal) -> None:
    """Supervisor, engine and keepers at one moment, so that nobody clears up."""
    owner = terminal.owner()
    keepers = Path(f"/proc/{owner['pid']}/task/{owner['pid']}/children").read_text().split()
    for pid in (owner["supervisor"], owner["pid"], *map(int, keepers)):
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)


def struck_again_and_again(terminal: Terminal, until: Until, tasks: int, kills: int) -> None:
    """Run what is queued, with everybody killed a few times while something runs."""
    for strike in range(kills):
        terminal.run("start", "-j", "4")
        until(lambda strike=strike: len(ledger(terminal)) > 2 * strike)  # type: ignore[misc]  # mypy cannot see the default
        kill_everybody(terminal)
    terminal.run("start", "-j", "4")
    until(lambda: sum(terminal.counts()[state] for state in ("completed", "held")) == tasks)
    terminal.run("stop")
    terminal.verify()


@pytest.mark.parametrize("kills", KILLS)
@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="children are read from /proc")
def test_a_resource_is_never_given_twice(terminal: Terminal, until: Until, kills: int) -> None:
    (terminal.cwd / "overnight.toml").write_text("[resources]\ngpu = 1\n")
    (terminal.cwd / "needy.py").write_text(NEEDY)
    names = [f"t{number}" for number in range(2 + 2 * kills)]
    terminal.run("add", "--needs", "gpu=1", *names, "--", sys.executable, "-S", "needy.py")
    struck_again_and_again(terminal, until, len(names), kills)
    assert {line.rpartition(" ")[0] for line in ledger(terminal)} == {"alone"}
    assert {line.rpartition(" ")[2] for line in ledger(terminal)} == set(names)


@pytest.mark.parametrize("kills", KILLS)
@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="children are read from /proc")
def test_what_runs_at_most_once_has_run_at_most_once(terminal: Terminal, until: Until, kills: int) -> None:
    (terminal.cwd / "needy.py").write_text(NEEDY)
    names = [f"t{number}" for number in range(4 + 4 * kills)]
    terminal.run("add", "--at-most-once", *names, "--", sys.executable, "-S", "needy.py")
    struck_again_and_again(terminal, until, len(names), kills)
    ran = [line.rpartition(" ")[2] for line in ledger(terminal)]
    assert len(ran) == len(set(ran))
    assert terminal.counts()["held"] >= 1
    held = terminal.run("list", "--state", "held").splitlines()[0].split()[0]
    assert "it runs at most once and was interrupted" in terminal.run("why", held)
