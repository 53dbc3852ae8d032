"""Every way to stop, on real processes: an engine in the foreground, and one with a supervisor above it.

| how | new claims | running attempts | exit status |
|---|---|---|---|
| stop, STOP file, first SIGINT | none | may finish, with --grace not for ever | 7 with work left |
| stop --now, second SIGINT, SIGTERM, SIGHUP | none | TERM, 5 s, KILL, seen dead; back to pending | 7, 130, 143, 129 |
| the engine hangs or is frozen | - | stop --now goes past it; the next start finds the books exact | - |
"""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import time
from collections.abc import Callable, Iterator
from typing import NamedTuple

import apsw
import psutil
import pytest
from terminal import Terminal

from overnight.host.processes import identity
from overnight.store.sqlite import checksums

Until = Callable[[Callable[[], object]], None]

#: Waits for its file, whatever it is told; leaves a child that ignores TERM, in a session of its own.
DEAF = """
trap '' TERM INT HUP
setsid sh -c 'trap "" TERM; echo $$ >>pids; exec sleep 100' &
echo $$ >>pids
until test -s pids && test "$(wc -l <pids)" -ge 2; do sleep 0.01; done
touch begun-$1
until test -e go; do sleep 0.02; done
echo $1 >>ledger
"""


class Night(NamedTuple):
    """An engine at work on the first of two tasks; signals go to `process`."""

    terminal: Terminal
    process: subprocess.Popen[bytes]
    until: Until

    @property
    def engine(self) -> int:
        """The process that is the engine, below a supervisor or not."""
        found: int = self.terminal.owner()["pid"]
        return found

    def let_finish(self) -> None:
        """The running task may come to its end."""
        (self.terminal.cwd / "go").touch()

    def stops(self) -> None:
        """Wait until the engine has begun to stop."""
        self.until(lambda: self.terminal.json("status", "--json")["engine"]["state"] == "stopping")

    def ended(self) -> tuple[int, dict[str, int]]:
        """Its exit status and the counts, once nothing of it is there any more."""
        status = self.process.wait(30)
        assert self.terminal.owner() == {}
        assert self.terminal.cookies() == []
        assert self.living() == []
        assert not (self.terminal.cwd / ".overnight" / "STOP").exists()
        counts = self.terminal.counts()
        return status, {state: count for state, count in counts.items() if count and state != "total"}

    def living(self) -> list[str]:
        """Processes of the tasks that still are there."""
        path = self.terminal.cwd / "pids"
        pids = path.read_text().split() if path.exists() else []
        return [pid for pid in pids if identity(int(pid)) is not None]

    def goes_on(self) -> None:
        """The same command again finds the books exact and finishes."""
        self.let_finish()
        self.terminal.run("run")
        assert sorted(set((self.terminal.cwd / "ledger").read_text().split())) == ["a", "b"]
        assert self.terminal.counts()["completed"] == 2
        shown = [self.terminal.json("show", str(task["id"]), "--json") for task in self.terminal.tasks()]
        assert [task["failures"] for task in shown] == [0, 0]
        self.terminal.verify()


# In the background they are the same but for whoever starts the engine; what differs names it.
@pytest.fixture(params=["run", pytest.param("start", marks=pytest.mark.prove)])
def night(request: pytest.FixtureRequest, terminal: Terminal, until: Until) -> Iterator[Night]:
    """An engine by itself, and one with a supervisor."""
    terminal.run("add", "a", "b", "--", "sh", "-c", DEAF, "sh")
    words = ["run"] if request.param == "run" else ["start", "--foreground"]
    process = terminal.start(*words, "-j", "1")
    until((terminal.cwd / "begun-a").exists)
    made = Night(terminal, process, until)
    yield made
    made.let_finish()
    for pid in made.living():
        with contextlib.suppress(ProcessLookupError):
            os.kill(int(pid), signal.SIGKILL)


# -- letting what runs finish -------------------------------------------------------------------------


@pytest.mark.parametrize("how", ["stop", "file", "sigint"])
def test_what_runs_may_finish_and_nothing_else_begins(night: Night, how: str) -> None:
    stop = night.terminal.start("stop") if how == "stop" else None
    if how == "file":
        (night.terminal.cwd / ".overnight" / "STOP").touch()
    elif how == "sigint":
        night.process.send_signal(signal.SIGINT)
    night.stops()
    night.let_finish()
    assert night.ended() == (7, {"completed": 1, "pending": 1})
    assert (stop.wait(30) if stop else 0) == 0
    assert not (night.terminal.cwd / "begun-b").exists()
    night.goes_on()


def test_a_stop_with_nothing_left_ends_as_usual(night: Night) -> None:
    night.terminal.run("cancel", "2")
    night.terminal.start("stop")
    night.stops()
    night.let_finish()
    assert night.ended() == (0, {"completed": 1, "cancelled": 1})


def test_a_grace_ends_what_takes_longer(night: Night) -> None:
    night.terminal.run("stop", "--grace", "200ms")
    assert night.ended() == (7, {"pending": 2})
    assert not (night.terminal.cwd / "begun-b").exists()
    night.goes_on()


def test_two_who_ask_are_both_told_when_it_is_done(night: Night) -> None:
    stops = [night.terminal.start("stop"), night.terminal.start("stop")]
    night.stops()
    night.let_finish()
    assert [stop.wait(30) for stop in stops] == [0, 0]
    assert night.ended()[0] == 7


# -- ending what runs ---------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("numbers", "status"),
    [([signal.SIGINT, signal.SIGINT], 130), ([signal.SIGTERM], 143), ([signal.SIGHUP], 129)],
)
def test_a_signal_ends_what_runs_and_counts_no_failure(
    night: Night, numbers: list[signal.Signals], status: int
) -> None:
    for number in numbers:
        night.process.send_signal(number)
        night.stops()
    assert night.ended() == (status, {"pending": 2})
    night.goes_on()


def test_stop_now_ends_whole_trees_within_its_five_seconds(night: Night) -> None:
    began = time.monotonic()
    assert night.terminal.run("stop", "--now") == "stopped\n"
    took = time.monotonic() - began
    assert night.ended() == (7, {"pending": 2})
    assert 4.5 < took < 40  # they all ignore TERM, so it takes the grace; and they would go on for longer
    night.goes_on()


def test_now_in_the_stop_file_ends_what_runs(night: Night) -> None:
    (night.terminal.cwd / ".overnight" / "STOP").write_text("now\n")
    assert night.ended() == (7, {"pending": 2})


def test_a_stop_becomes_stronger_when_it_is_asked_again(night: Night) -> None:
    drain = night.terminal.start("stop")
    night.stops()
    night.terminal.run("stop", "--now")
    assert night.ended() == (7, {"pending": 2})
    assert drain.wait(30) == 0


# -- going past one that does not answer ---------------------------------------------------------------


def test_stop_now_goes_past_an_engine_that_is_frozen(night: Night) -> None:
    engine = night.engine
    os.kill(engine, signal.SIGSTOP)
    done = night.terminal.complete("stop", "--now")
    assert done.returncode == 0, done.stderr
    assert f"the engine (process {engine}) does not answer and is killed".encode() in done.stderr
    said = night.terminal.run("status")
    assert "2 tasks: 1 pending, 1 interrupted\n" in said
    assert "interrupted: the engine ended while they ran; the next one sees them dead and runs them again\n" in said
    night.ended()
    night.goes_on()


def test_stop_now_goes_past_an_engine_that_hangs_in_the_store(night: Night) -> None:
    """Somebody holds the lock for writing; the engine waits for it with an outcome in its hands, and so do asks."""
    checksums.register()
    store = str(night.terminal.cwd / ".overnight" / "queue.db")
    with contextlib.closing(apsw.Connection(store, vfs=checksums.VFS)) as other:
        other.execute("BEGIN IMMEDIATE")
        night.let_finish()
        night.until((night.terminal.cwd / "ledger").exists)
        done = night.terminal.complete("stop", "--now")
        assert done.returncode == 0, done.stderr
        assert b"does not answer and is killed" in done.stderr
        assert night.process.wait(30) in (7, -signal.SIGKILL)
        other.execute("ROLLBACK")
    night.ended()
    night.goes_on()
    assert (night.terminal.cwd / "ledger").read_text().split() == ["a", "b"]  # a had ended, and that was known


@pytest.mark.parametrize("night", ["start"], indirect=True)
def test_stop_now_goes_past_a_supervisor_that_is_frozen(night: Night) -> None:
    os.kill(night.process.pid, signal.SIGSTOP)
    done = night.terminal.complete("stop", "--now")
    assert done.returncode == 0, done.stderr
    assert f"the supervisor (process {night.process.pid}) does not answer and is killed".encode() in done.stderr
    night.ended()
    night.goes_on()


@pytest.mark.parametrize("night", ["start"], indirect=True)
def test_stop_now_goes_past_an_engine_and_a_supervisor_that_are_frozen(night: Night) -> None:
    os.kill(night.process.pid, signal.SIGSTOP)
    os.kill(night.engine, signal.SIGSTOP)
    done = night.terminal.complete("stop", "--now")
    assert done.returncode == 0, done.stderr
    assert done.stderr.count(b"does not answer and is killed") == 2
    night.ended()
    night.goes_on()


@pytest.mark.parametrize("night", ["start"], indirect=True)
def test_an_engine_that_freezes_while_it_stops_is_ended_by_its_supervisor(night: Night) -> None:
    night.process.terminate()
    os.kill(night.engine, signal.SIGSTOP)
    assert night.ended()[0] == 143
    night.goes_on()


def test_a_follower_does_not_take_over_from_an_engine_that_was_forced_to_stop(night: Night) -> None:
    follower = night.terminal.start("run", "c", "--", "sh", "-c", "touch begun-c")
    night.until(lambda: night.terminal.counts()["total"] == 3)
    os.kill(night.engine, signal.SIGSTOP)
    night.terminal.run("stop", "--now")
    assert follower.wait(30) == 7
    night.ended()
    assert not (night.terminal.cwd / "begun-c").exists()


# -- before it works ------------------------------------------------------------------------------------


def test_stop_now_interrupts_one_that_is_still_adding_its_inputs(terminal: Terminal, until: Until) -> None:
    (terminal.cwd / "list").write_text("".join(f"input-{number}\n" for number in range(1_000_000)))
    terminal.run("add", "first", "--", "true")
    adding = terminal.start("run", "-a", "list", "--", "true")
    until(lambda: terminal.owner().get("pid") == adding.pid)
    until(lambda: psutil.Process(adding.pid).io_counters().write_bytes > 1_000_000)
    done = terminal.complete("stop", "--now")
    assert done.returncode == 0
    assert b"is interrupted; it adds nothing more" in done.stderr
    assert adding.wait(30) == 130
    assert terminal.counts()["total"] == 1
    terminal.verify()
