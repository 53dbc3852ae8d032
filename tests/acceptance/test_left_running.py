"""What a task leaves running on purpose, as a person has it: through crashes, stops and starts of everything else."""

from __future__ import annotations

import os
import signal
import sys
from collections.abc import Callable

import psutil
import pytest
from terminal import Terminal

from overnight.host.kept import is_kept
from overnight.host.processes import identity

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="elsewhere it is refused")
Until = Callable[[Callable[[], object]], None]
#: Ends by itself, if a test does not end it.
SERVE = "(setsid sh -c 'echo $$ >served-$1; exec sleep 55' sh $1 &); until test -s served-$1; do sleep 0.01; done"


def served(terminal: Terminal, name: str = "one") -> int:
    """The number of what a task has left."""
    return int((terminal.cwd / f"served-{name}").read_text())


def kill(*pids: int) -> None:
    for number in (signal.SIGSTOP, signal.SIGKILL):
        for pid in pids:
            os.kill(pid, number)


def test_it_goes_on_whoever_crashes_and_stops_and_show_says_so(terminal: Terminal, until: Until) -> None:
    terminal.run("start", "-j", "1")
    terminal.run("run", "--keep-children", "--shell", "one", "--", SERVE)
    pid = served(terminal)
    shown = terminal.json("show", "1", "--json")
    assert (shown["keep_children"], shown["left_running"]) == (True, [pid])
    assert f"goes on when that has ended well; running now: {pid}\n" in terminal.run("show", "1")

    kill(terminal.owner()["pid"])
    until(lambda: terminal.owner().get("pid") not in (None, terminal.owner().get("supervisor")))
    until(lambda: terminal.json("status", "--json")["engine"]["state"] == "running")
    assert identity(pid) is not None
    owner = terminal.owner()
    keepers = [child.pid for child in psutil.Process(owner["pid"]).children()]
    kill(owner["supervisor"], owner["pid"], *keepers)
    terminal.run("start", "-j", "1")
    assert terminal.run("run", "--", "echo", "works") == "works\n"
    terminal.run("stop", "--now")

    assert identity(pid) is not None
    os.kill(pid, signal.SIGKILL)
    until(lambda: not any(is_kept(one) for one in terminal.cookies()))
    assert terminal.json("show", "1", "--json")["left_running"] == []


def test_after_a_failure_and_a_stop_nothing_is_left(terminal: Terminal, until: Until) -> None:
    terminal.run("run", "--retries", "0", "--keep-children", "--shell", "one", "--", SERVE + "; exit 3", code=1)
    assert identity(served(terminal)) is None
    terminal.run("start")
    terminal.run("add", "--keep-children", "--shell", "two", "--", SERVE + "; sleep 50")
    until(lambda: (terminal.cwd / "served-two").exists() and (terminal.cwd / "served-two").stat().st_size)
    terminal.run("stop", "--now")
    assert identity(served(terminal, "two")) is None
    assert terminal.cookies() == []


def test_a_step_says_it_for_itself(terminal: Terminal, until: Until) -> None:
    (terminal.cwd / "serve").write_text("set -- $1\n" + SERVE)
    (terminal.cwd / "overnight.toml").write_text(
        "[workflow.serve]\n"
        '[[workflow.serve.step]]\nid = "serve"\nrun = ["sh", "serve", "{input}"]\nkeep_children = true\n'
        '[[workflow.serve.step]]\nid = "not"\nneeds = ["serve"]\nrun = ["sh", "serve", "not-{input}"]\n'
    )
    terminal.run("run", "-w", "serve", "one")
    assert identity(served(terminal)) is not None
    assert identity(served(terminal, "not-one")) is None
    os.kill(served(terminal), signal.SIGKILL)
    until(lambda: not terminal.cookies())


@pytest.mark.parametrize("words", [("--call", "m:f", "x"), ("-w", "wf-ingest", "x")])
def test_where_there_is_no_command_it_is_refused(terminal: Terminal, words: tuple[str, ...]) -> None:
    done = terminal.complete("add", "--keep-children", *words)
    assert done.returncode == 2
    assert (
        b"--keep-children is about what a command leaves running, and there is none; nothing was added" in done.stderr
    )
