"""Watched folders as a new user meets them: files come while it runs, and while it does not."""

from __future__ import annotations

import signal
import subprocess
from collections import Counter
from collections.abc import Callable
from pathlib import Path

import pytest
from terminal import Terminal

Until = Callable[[Callable[[], object]], None]

WORK = """#!/bin/sh
cat "$1" >>ledger
"""
#: As short as makes sense for a test that writes its files in one go.
SETTLE = ("--settle", "200ms")


@pytest.fixture
def inbox(terminal: Terminal) -> Path:
    path = terminal.cwd / "work"
    path.write_text(WORK)
    path.chmod(0o755)
    folder = terminal.cwd / "inbox"
    folder.mkdir()
    return folder


def ledger(terminal: Terminal) -> Counter[str]:
    path = terminal.cwd / "ledger"
    return Counter(path.read_text().split() if path.exists() else ())


def stop(process: subprocess.Popen[bytes], number: signal.Signals = signal.SIGINT) -> tuple[int, str]:
    process.send_signal(number)
    _, said = process.communicate(timeout=60)
    return process.returncode, said.decode()


def test_files_are_taken_once_as_they_come_whatever_dies_in_between(
    terminal: Terminal, inbox: Path, until: Until
) -> None:
    line = ("run", "--watch", "inbox", "--match", "*.txt", *SETTLE, "--", "./work")
    (inbox / "a.txt").write_text("a ")
    (inbox / "b.log").write_text("b ")
    process = terminal.start(*line)
    until(lambda: ledger(terminal) == Counter("a"))
    (inbox / "c.txt").write_text("c ")
    until(lambda: ledger(terminal) == Counter("ac"))
    process.kill()
    process.communicate()

    (inbox / "d.txt").write_text("d ")
    process = terminal.start(*line)
    until(lambda: ledger(terminal) == Counter("acd"))
    until(lambda: terminal.counts()["completed"] == 3)
    code, said = stop(process)

    assert code == 0
    assert "watching inbox; Ctrl-C ends it" in said
    assert [task["input"] for task in terminal.tasks()] == ["inbox/a.txt", "inbox/c.txt", "inbox/d.txt"]
    terminal.run("run", "inbox/a.txt", "--", "./work")
    assert ledger(terminal) == Counter("acd")  # the same file named by hand is the same task
    terminal.verify()


def test_a_renamed_file_is_another_one_and_an_overwritten_one_is_named(
    terminal: Terminal, inbox: Path, until: Until
) -> None:
    line = ("run", "--watch", "inbox/", *SETTLE, "--", "./work")
    (inbox / "a").write_text("a ")
    process = terminal.start(*line)
    until(lambda: ledger(terminal) == Counter("a"))
    (inbox / "a").rename(inbox / "b")
    until(lambda: ledger(terminal) == Counter({"a": 2}))
    (inbox / "b").write_text("new ")
    (inbox / "c").write_text("c ")
    until(lambda: ledger(terminal)["c"] == 1)
    _, said = stop(process)
    assert "new" not in ledger(terminal)

    process = terminal.start(*line[:3], "--changed", *line[3:])
    until(lambda: ledger(terminal)["new"] == 1)
    stop(process)
    assert "changed since they were done: inbox/b; --changed takes them again" in said


def test_a_folder_that_goes_is_waited_for(terminal: Terminal, inbox: Path, until: Until) -> None:
    process = terminal.start("run", "--watch", "inbox", *SETTLE, "--", "./work")
    (inbox / "a").write_text("a ")
    until(lambda: ledger(terminal) == Counter("a"))
    assert process.stderr is not None
    inbox.rename(terminal.cwd / "elsewhere")
    lines: list[bytes] = []
    while not any(b"is gone; waiting for it" in line for line in lines):
        lines.append(process.stderr.readline())
        assert lines[-1], lines
    inbox.mkdir()
    (inbox / "b").write_text("b ")
    until(lambda: ledger(terminal) == Counter("ab"))
    assert "the folder inbox is back" in stop(process)[1]


def test_add_watches_for_an_engine_of_somebody_else(terminal: Terminal, inbox: Path) -> None:
    (inbox / "a").write_text("a ")
    process = terminal.start("add", "--watch", "inbox", *SETTLE, "--", "./work")
    assert process.stdout is not None
    assert process.stdout.readline() == b"1\n"
    (inbox / "b").write_text("b ")
    assert process.stdout.readline() == b"2\n"
    code, _ = stop(process, signal.SIGTERM)

    assert code == 128 + signal.SIGTERM
    assert terminal.counts()["pending"] == 2
    terminal.run("run")
    assert ledger(terminal) == Counter("ab")


def test_run_adds_for_the_engine_that_is_there(terminal: Terminal, inbox: Path, until: Until) -> None:
    terminal.run("add", "--", "true")
    first = terminal.start("run", "--watch", "inbox", "--match", "a*", *SETTLE, "--", "./work")
    until(lambda: terminal.json("status", "--json")["engine"]["state"] == "running")
    second = terminal.start("run", "--watch", "inbox", "--match", "b*", *SETTLE, "--", "./work")
    (inbox / "b").write_text("b ")
    until(lambda: ledger(terminal) == Counter("b"))
    code, said = stop(second)

    assert code == 130
    assert "an engine is at work in this home" in said
    assert stop(first)[0] == 0


def test_run_goes_on_with_the_files_when_the_engine_that_was_there_has_ended(
    terminal: Terminal, inbox: Path, until: Until
) -> None:
    def at_work_beside(process: subprocess.Popen[bytes]) -> None:
        assert process.stderr is not None
        while b"an engine is at work in this home" not in (line := process.stderr.readline()):
            assert line

    waits = "touch began; for i in $(seq 300); do [ -e go ] && exit; sleep 0.1; done"
    first = terminal.start("run", "--", "sh", "-c", waits)
    until((terminal.cwd / "began").exists)
    second = terminal.start("run", "--watch", "inbox", *SETTLE, "--", "./work")
    at_work_beside(second)
    (terminal.cwd / "go").touch()
    assert first.wait(timeout=60) == 0
    (inbox / "a").write_text("a ")
    until(lambda: ledger(terminal) == Counter("a"))
    third = terminal.start("run", "--watch", "inbox", *SETTLE, "--", "./work")
    at_work_beside(third)
    terminal.run("stop")

    _, said = second.communicate(timeout=60)
    assert (second.returncode, b"this one goes on with the files" in said) == (0, True)
    _, said = third.communicate(timeout=60)  # somebody wanted nothing more to be done here
    assert (third.returncode, b"goes on" in said) == (0, False)
    assert ledger(terminal) == Counter("a")
