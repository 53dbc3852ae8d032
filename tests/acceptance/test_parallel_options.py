"""What people know from GNU parallel and xargs, on the real program."""

from __future__ import annotations

import os
import signal
from collections.abc import Callable
from pathlib import Path

import pytest
from terminal import Terminal

Until = Callable[[Callable[[], object]], None]
#: Prints to both streams, and ends with the number that its input is called.
BOTH = 'echo "out $1"; echo "err $1" >&2; case $1 in [0-9]*) exit $1;; esac'
#: Says that it has begun, and ends when it may; by itself after two minutes.
SLOW = "touch begun-$1; for i in $(seq 2400); do test -e go-$1 && break; sleep 0.05; done; echo done $1"


def shell(script: str) -> tuple[str, ...]:
    return ("--", "sh", "-c", script, "sh")


def files_below(directory: Path) -> dict[bytes, bytes]:
    """Every file with its content, by its name from there."""
    root = os.fsencode(directory)
    return {
        os.path.relpath(os.path.join(folder, name), root): Path(os.fsdecode(os.path.join(folder, name))).read_bytes()  # noqa: PTH118 - bytes
        for folder, _, names in os.walk(root)
        for name in names
    }


# -- tags and results ------------------------------------------------------------------------


def test_each_line_says_whose_it_is(terminal: Terminal) -> None:
    done = terminal.complete(
        "run", "-k", "--tag", *shell("echo 1; echo 2; echo 3 >&2"), ":::", b"a b", b"x\ny", b"caf\xe9"
    )
    assert done.returncode == 0
    assert done.stdout == b"a b\t1\na b\t2\nx\\ny\t1\nx\\ny\t2\ncaf\\xe9\t1\ncaf\\xe9\t2\n"
    assert b"a b\t3\nx\\ny\t3\n" in done.stderr


def test_results_are_files_for_each_input(terminal: Terminal) -> None:
    done = terminal.complete("run", "--retries", "0", "--results", "out", *shell(BOTH), ":::", "a b", "3", "in/x")
    assert done.returncode == 1
    assert sorted(done.stdout.split(b"\n")) == [b"", b"out 3", b"out a b", b"out in/x"]
    numbers = {task["input"]: str(task["id"]).encode() for task in terminal.tasks()}
    expected: dict[bytes, bytes] = {}
    for name, place, status in (("a b", b"1/a b", b"0"), ("3", b"1/3", b"3"), ("in/x", b"1/in\\_x", b"0")):
        expected |= {
            place + b"/stdout": b"out %s\n" % name.encode(),
            place + b"/stderr": b"err %s\n" % name.encode(),
            place + b"/seq": numbers[name] + b"\n",
            place + b"/exit": status + b"\n",
        }
    assert files_below(terminal.cwd / "out") == expected


def test_results_of_names_with_every_byte_stay_apart_and_below_their_directory(terminal: Terminal) -> None:
    names = [bytes([byte]) for byte in range(1, 256) if byte != ord("\n")]
    names += [b"..", b"new\nline", b"-dash", b"x" * 300, b"x" * 299 + b"y", b"a/../../b", b"\\_", b"\\z"]
    terminal.run(
        "run", "--quiet", "-j", "2", "-0", "-a", "-", "--results", "out", "--", "printf", "%s", stdin=b"\0".join(names)
    )
    found = files_below(terminal.cwd / "out")
    assert sorted(content for name, content in found.items() if name.endswith(b"/stdout")) == sorted(names)
    assert {name.rpartition(b"/")[2] for name in found} == {b"stdout", b"stderr", b"seq", b"exit"}
    assert {path.name for path in terminal.cwd.iterdir()} == {"out", ".overnight"}


def test_how_a_task_was_ended_stands_in_its_results(terminal: Terminal) -> None:
    script = "case $1 in kill) kill -9 $$;; slow) sleep 120;; *) exit 99;; esac"
    terminal.run(
        "run", "--retries", "0", "--timeout", "1", "--results", "out", *shell(script), ":::", "kill", "slow", code=1
    )
    ends = {
        name.split(b"/")[1]: text for name, text in files_below(terminal.cwd / "out").items() if name.endswith(b"exit")
    }
    assert ends == {b"kill": b"137\n", b"slow": b"timeout\n"}


def test_results_that_a_crash_has_cost_are_written_by_the_same_line_again(terminal: Terminal) -> None:
    """The outcome is on record and the process dies before it has written the files."""
    line = ("run", "--results", "out", *shell(BOTH), ":::", "a", "b")
    terminal.run(*line[:1], *line[3:])  # without results: as if they had never been written
    done = terminal.complete(*line)
    assert b"2 inputs completed before and skipped" in done.stderr
    assert files_below(terminal.cwd / "out")[b"1/b/stdout"] == b"out b\n"
    (terminal.cwd / "out/1/a/stdout").write_text("mine")
    terminal.run(*line)
    assert files_below(terminal.cwd / "out")[b"1/a/stdout"] == b"mine"


def test_results_that_cannot_be_written_do_not_end_the_night(terminal: Terminal) -> None:
    (terminal.cwd / "out").mkdir()
    (terminal.cwd / "out" / "1").write_text("in the way")
    done = terminal.complete("run", "--results", "out", *shell(BOTH), ":::", "a", "b")
    assert done.returncode == 1
    assert done.stderr.count(b"results cannot be written any more") == 1
    assert terminal.counts()["completed"] == 2
    done = terminal.complete("run", "--results", "out/1/below", *shell(BOTH), ":::", "c")
    assert (done.returncode, done.stdout) == (2, b"")
    assert b"cannot be made (not a directory); nothing was added" in done.stderr
    assert terminal.counts()["total"] == 2


# -- halt ------------------------------------------------------------------------------------


def test_so_many_failures_halt_the_run(terminal: Terminal) -> None:
    line = ("run", "-j", "1", "--retries", "0", "--halt", "soon,fail=2", *shell(BOTH), ":::", "0", "1", "01", "2", "3")
    done = terminal.complete(*line)
    assert done.returncode == 1
    assert b"overnight: halted: 1 done, 2 failed, 2 left in the queue in " in done.stderr
    assert terminal.counts() | {"completed": 1, "failed": 2, "pending": 2} == terminal.counts()
    shape = terminal.json("run", "--json", *line[1:], code=1)
    assert (shape["stopped_by"], shape["failed"]) == ("halt", 2)


def test_now_ends_what_runs_and_counts_nothing_against_it(terminal: Terminal) -> None:
    script = "case $1 in bad) until test -e begun-slow; do sleep 0.05; done; exit 1;; esac;" + SLOW
    done = terminal.complete(
        "run", "-j", "2", "--retries", "0", "--halt", "now,fail=1", *shell(script), ":::", "slow", "bad", "last"
    )
    assert done.returncode == 1
    states = {task["input"]: task["state"] for task in terminal.tasks()}
    assert states == {"slow": "pending", "bad": "failed", "last": "pending"}
    assert terminal.cookies() == []


@pytest.mark.parametrize(("when", "running"), [("soon,fail=1", "completed"), ("now,fail=1", "held")])
def test_a_call_that_follows_another_engine_holds_back_its_own_tasks_only(
    terminal: Terminal, until: Until, when: str, running: str
) -> None:
    engine = terminal.start("run", "-j", "1", *shell(SLOW), ":::", "theirs", "theirs-too")
    until((terminal.cwd / "begun-theirs").exists)
    script = "case $1 in bad) exit 1;; esac;" + SLOW
    follower = terminal.start("run", "-p", "1", "--retries=0", "--halt", when, *shell(script), ":::", "bad", "b", "c")
    until(lambda: terminal.counts()["total"] == 5)
    (terminal.cwd / "go-theirs").touch()
    until((terminal.cwd / "begun-b").exists)
    until(lambda: terminal.counts()["held"] > 0)
    (terminal.cwd / "go-b").touch()
    _, err = follower.communicate(timeout=60)
    assert follower.returncode == 1
    assert b"too many have failed" in err
    assert b"halted: " in err
    (terminal.cwd / "go-theirs-too").touch()
    assert engine.wait(60) == 0
    states = {task["input"]: task["state"] for task in terminal.tasks()}
    assert states == {"theirs": "completed", "theirs-too": "completed", "bad": "failed", "b": running, "c": "held"}


# -- order -----------------------------------------------------------------------------------


def test_order_is_kept_when_another_engine_does_the_work(terminal: Terminal, until: Until) -> None:
    engine = terminal.start("run", "-j", "3", *shell(SLOW), ":::", "theirs")
    until((terminal.cwd / "begun-theirs").exists)
    follower = terminal.start("run", "-k", *shell(SLOW), ":::", "first", "second", "third")
    for name in ("second", "first"):
        until((terminal.cwd / f"begun-{name}").exists)
    (terminal.cwd / "go-second").touch()
    until(lambda: terminal.counts()["completed"] == 1)
    for name in ("third", "first", "theirs"):
        (terminal.cwd / f"go-{name}").touch()
    out, _ = follower.communicate(timeout=60)
    assert (follower.returncode, out) == (0, b"done first\ndone second\ndone third\n")
    assert engine.wait(60) == 0


def test_what_will_not_come_keeps_nothing_back(terminal: Terminal) -> None:
    """A task that a person holds has no output; the others are printed when they have theirs, and not at the end."""
    terminal.run("add", *shell(SLOW), ":::", "held", "quick", "slow")
    terminal.run("hold", "1")
    (terminal.cwd / "go-quick").touch()
    run = terminal.start("run", "-j", "2", "-k", *shell(SLOW), ":::", "held", "quick", "slow")
    assert run.stdout is not None
    assert run.stdout.readline() == b"done quick\n"
    (terminal.cwd / "go-slow").touch()
    out, err = run.communicate(timeout=60)
    assert (run.returncode, out) == (1, b"done slow\n")
    assert b"2 done, 1 held" in err


def test_what_was_kept_back_is_printed_when_the_run_is_stopped(terminal: Terminal, until: Until) -> None:
    run = terminal.start("run", "-k", "-j", "2", *shell(SLOW), ":::", "slow", "quick")
    until((terminal.cwd / "begun-quick").exists)
    (terminal.cwd / "go-quick").touch()
    until(lambda: terminal.counts()["completed"] == 1)
    run.send_signal(signal.SIGTERM)
    out, _ = run.communicate(timeout=60)
    assert (run.returncode, out) == (143, b"done quick\n")


# -- slots and signals -----------------------------------------------------------------------


@pytest.mark.parametrize(
    ("jobs", "slots"), [("-P3", 3), ("-j+0", os.cpu_count()), ("-j100%", os.cpu_count()), ("-j-999", 1)]
)
def test_slots_are_told_as_in_gnu_parallel(terminal: Terminal, jobs: str, slots: int) -> None:
    terminal.run("run", jobs, "--", "true", ":::", "a")
    engine = terminal.cwd / ".overnight" / "engine.json"
    assert f'"slots":{slots}' in engine.read_text().replace(" ", "")


def test_no_limit_of_slots_is_refused_with_what_to_write(terminal: Terminal) -> None:
    done = terminal.complete("run", "-j", "0", "--", "true", ":::", "a")
    assert done.returncode == 2
    assert b"each slot is a process that waits; write 4, 50%" in done.stderr
    assert not (terminal.cwd / ".overnight").exists()


@pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143), (signal.SIGHUP, 129)])
def test_a_follower_that_is_told_to_leave_says_so_and_its_tasks_go_on(
    terminal: Terminal, until: Until, number: signal.Signals, code: int
) -> None:
    engine = terminal.start("run", "-j", "1", *shell(SLOW), ":::", "theirs")
    until((terminal.cwd / "begun-theirs").exists)
    follower = terminal.start("run", "--json", *shell(SLOW), ":::", "mine")
    until(lambda: terminal.counts()["total"] == 2)
    assert follower.stderr is not None
    assert b"this follows" in follower.stderr.readline()
    follower.send_signal(number)
    out, err = follower.communicate(timeout=60)
    assert follower.returncode == code
    assert b'"stopped_by":"signal"' in out
    assert b"no longer following; the engine goes on with 1 task of this call" in err
    for name in ("theirs", "mine"):
        (terminal.cwd / f"go-{name}").touch()
    assert engine.wait(60) == 0


def test_one_ctrl_c_after_the_goal_waits_for_the_tasks_of_others(terminal: Terminal, until: Until) -> None:
    terminal.run("add", "-p", "1", *shell(SLOW), ":::", "theirs")
    run = terminal.start("run", "-j", "2", *shell(SLOW), ":::", "mine")
    until((terminal.cwd / "begun-theirs").exists)
    until((terminal.cwd / "begun-mine").exists)
    (terminal.cwd / "go-mine").touch()
    until(lambda: terminal.json("status", "--json")["engine"]["state"] == "stopping")
    run.send_signal(signal.SIGINT)
    assert run.stderr is not None
    while b"Ctrl-C once more" not in (said := run.stderr.readline()):
        assert said
    (terminal.cwd / "go-theirs").touch()
    run.communicate(timeout=60)
    assert run.returncode == 0
    assert {task["state"] for task in terminal.tasks()} == {"completed"}
