"""What goes wrong before any task does: each is one clear error, and nothing is lost by it."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest
from terminal import Terminal

HOME = Path(".overnight")


def refused(terminal: Terminal, *words: str, status: int) -> str:
    """What a call that ends with this status says; it must be an error of three parts."""
    said = terminal.complete(*words)
    error = said.stderr.decode()
    assert said.returncode == status, error
    assert "Traceback" not in error
    first, hint = error.rstrip("\n").rsplit("\n", 1)
    assert first.startswith("overnight: "), error
    assert "; " in first, error
    assert hint.startswith("  try: "), error
    return error


@pytest.mark.parametrize("what", [["queue.db"], ["queue.db", "queue.db-wal", "queue.db-shm"]], ids=["alone", "all"])
@pytest.mark.parametrize("verb", [["add", "x", "--", "true"], ["run"], ["run", "x", "--", "true"], ["status"]])
def test_a_store_that_has_vanished_is_never_replaced_by_an_empty_one(
    terminal: Terminal, what: list[str], verb: list[str]
) -> None:
    terminal.run("add", "a", "--", "true")
    for name in what:
        (terminal.cwd / HOME / name).unlink(missing_ok=True)

    assert "is gone" in refused(terminal, *verb, status=6)
    assert not (terminal.cwd / HOME / "queue.db").exists()


def shell(terminal: Terminal, line: str) -> subprocess.CompletedProcess[bytes]:
    """A line of a shell in which ``$overnight`` is the program."""
    program = f"{sys.executable} -m overnight"
    return subprocess.run(
        ["sh", "-c", line],
        cwd=terminal.cwd,
        env=os.environ | {"overnight": program},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        timeout=60,
        check=False,
    )


@pytest.mark.parametrize("where", [">/dev/full", "| true", ">/dev/full 2>/dev/full"])
def test_a_run_whose_output_nobody_takes_works_on(terminal: Terminal, where: str) -> None:
    """The output is kept in the home; that it cannot be printed must not cost the night."""
    said = shell(terminal, f"$overnight run a b c -- sh -c 'seq 30000' - {where}")

    assert b"Traceback" not in said.stderr
    assert terminal.counts()["completed"] == 3
    terminal.verify()


def test_a_run_whose_output_cannot_be_written_says_so_once_and_ends_with_1(terminal: Terminal) -> None:
    said = shell(terminal, "$overnight run a b c -- echo >/dev/full")

    assert said.returncode == 1
    assert said.stderr.decode().count("cannot be printed") == 1
    assert "overnight log ID" in said.stderr.decode()


@pytest.mark.parametrize("closed", ["<&-", ">&-", "2>&-", "<&- >&- 2>&-"])
def test_closed_standard_streams_are_as_if_they_led_nowhere(terminal: Terminal, closed: str) -> None:
    """And no file of ours takes their numbers, where output would be written into it."""
    said = shell(terminal, f"{{ $overnight run a b -- echo {closed}; }} && $overnight list {closed}")

    assert said.returncode == 0
    assert b"Traceback" not in said.stderr
    assert terminal.counts()["completed"] == 2
    terminal.verify()
