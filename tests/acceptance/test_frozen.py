"""A running task is frozen and thawed at the command line: real processes, real deaths of the engine."""

from __future__ import annotations

import json
import os
import signal
from collections.abc import Callable

import psutil
from terminal import Terminal

Until = Callable[[Callable[[], object]], None]

#: How a shell stands still: stopped, or in the kernel until a stopped child becomes the program that it began.
STILL = (psutil.STATUS_STOPPED, psutil.STATUS_DISK_SLEEP)
#: Writes a line each time it begins; goes on when somebody says so, and ends by itself after a minute.
WORK = "echo $$ >>begun; n=0; until test -e go || test $n -gt 3000; do sleep 0.02; n=$((n+1)); done"


def begin(terminal: Terminal, until: Until) -> psutil.Process:
    """A task that runs in the background; its process."""
    terminal.run("add", "--timeout", "2m", "--", "sh", "-c", WORK)
    terminal.run("start", "-j", "1")
    path = terminal.cwd / "begun"
    until(lambda: path.exists() and path.read_text().endswith("\n"))
    return psutil.Process(int(path.read_text()))


def is_frozen(terminal: Terminal) -> bool:
    return bool(terminal.json("show", "1", "--json")["frozen_since"])


def freeze(terminal: Terminal, until: Until) -> psutil.Process:
    process = begin(terminal, until)
    assert terminal.run("pause", "1") == "task 1: stands still as soon as the engine hears it\n"
    until(lambda: is_frozen(terminal))
    assert process.status() in STILL
    return process


def test_everybody_sees_that_it_stands_still_and_it_goes_on(terminal: Terminal, until: Until) -> None:
    process = freeze(terminal, until)
    assert "frozen" in terminal.run("status")
    assert terminal.json("status", "--json")["running"][0]["frozen_since"]
    assert "running, frozen" in terminal.run("list")
    assert "frozen:" in terminal.run("show", "1")
    said = terminal.run("why", "1").splitlines()
    assert said[0].startswith("task 1 is frozen by a person since ")
    assert said[1] == "  try: overnight unpause 1"
    (terminal.cwd / "go").touch()
    assert terminal.run("unpause", "1") == "task 1: goes on as soon as the engine hears it\n"
    until(lambda: terminal.counts()["completed"] == 1)
    assert not process.is_running()
    assert "frozen" not in terminal.run("list")
    done = terminal.complete("pause", "1")
    assert (done.returncode, b"only what runs can be frozen; nothing was changed" in done.stderr) == (1, True)
    terminal.run("stop")
    events = map(json.loads, (terminal.cwd / ".overnight" / "events.jsonl").read_text().splitlines())
    assert [one["event"] for one in events if one["event"].endswith(("frozen", "thawed"))] == [
        "file_frozen",
        "file_thawed",
    ]
    terminal.verify()


def test_it_does_not_outlive_an_engine_that_is_killed(terminal: Terminal, until: Until) -> None:
    """No frozen orphan: its keeper ends it, and the next engine runs the task again, not frozen."""
    process = freeze(terminal, until)
    owner = terminal.owner()
    for name in ("supervisor", "pid"):
        os.kill(owner[name], signal.SIGKILL)
    until(lambda: not process.is_running() or process.status() == psutil.STATUS_ZOMBIE)
    assert not is_frozen(terminal)
    (terminal.cwd / "go").touch()
    terminal.run("start")
    until(lambda: terminal.counts()["completed"] == 1)
    assert len((terminal.cwd / "begun").read_text().split()) == 2
    terminal.run("stop")
    terminal.verify()


def test_a_stop_lets_it_finish_and_a_stop_at_once_ends_it(terminal: Terminal, until: Until) -> None:
    process = freeze(terminal, until)
    assert terminal.run("stop", "--now") == "stopped\n"
    assert not process.is_running() or process.status() == psutil.STATUS_ZOMBIE
    assert terminal.counts()["pending"] == 1
    (terminal.cwd / "begun").unlink()
    terminal.run("start")
    until((terminal.cwd / "begun").exists)
    terminal.run("pause", "1")
    until(lambda: is_frozen(terminal))
    (terminal.cwd / "go").touch()
    assert terminal.run("stop") == "stopped\n"
    assert terminal.counts()["completed"] == 1
    terminal.verify()
