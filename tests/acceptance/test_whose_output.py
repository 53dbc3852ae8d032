"""Whose output a run prints, and that nothing on the screen wipes it away."""

from __future__ import annotations

import sys

from keyboard import typing
from terminal import Terminal


def test_a_run_with_inputs_prints_what_its_own_tasks_print(terminal: Terminal) -> None:
    """Tasks that were in the queue run meanwhile; their output is for whoever asks for it with `log`."""
    terminal.run("add", "-p", "9", "--retries", "0", "--", "sh", "-c", "echo theirs $1; exit $1", "sh", ":::", "0", "1")
    done = terminal.complete("run", "-k", "-j", "1", "--", "echo", "mine", ":::", "a")
    assert (done.returncode, done.stdout) == (0, b"mine a\n")
    assert b"task 2 " not in done.stderr
    assert terminal.counts()["failed"] == 1
    assert terminal.run("log", "1") == "theirs 0\n"


def test_a_run_alone_prints_what_every_task_prints(terminal: Terminal) -> None:
    terminal.run("add", "--", "echo", "theirs", ":::", "a")
    assert terminal.run("run") == "theirs a\n"


def test_the_progress_line_leaves_an_output_without_a_last_line_end_standing(terminal: Terminal) -> None:
    words = (sys.executable, "-m", "overnight", "run", "-j", "1", "--", "printf", "%s", ":::", "first", "second")
    with typing(terminal.cwd, *words) as keyboard:
        assert keyboard.end() == 0
    screen = keyboard.seen.replace(b"\r\n", b"\n")
    assert b"second\n" in screen
    for line in screen.split(b"\n"):
        before, wiped, _ = line.rpartition(b"\x1b[J")
        assert not wiped or not before.rstrip().endswith((b"first", b"second"))
