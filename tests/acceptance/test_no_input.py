"""Where inputs come from when the line names none, and what is said when there are none."""

from __future__ import annotations

import socket
import subprocess
import sys

import pytest
from terminal import Terminal


def test_a_socket_is_read_like_a_pipe(terminal: Terminal) -> None:
    """Some shells and programs pipe through one."""
    ours, theirs = socket.socketpair()
    with ours, theirs:
        ours.sendall(b"a\nb\n")
        ours.shutdown(socket.SHUT_WR)
        words = (sys.executable, "-m", "overnight", "add", "--", "echo", "{}")
        subprocess.run(words, cwd=terminal.cwd, stdin=theirs.fileno(), check=True, timeout=60)
    assert [task["input"] for task in terminal.tasks()] == ["a", "b"]


@pytest.mark.parametrize(("word", "warned"), [("{}", True), ("x{2/.}", True), ("{#}", False), ("{a}", False)])
def test_a_placeholder_without_any_input_is_told(terminal: Terminal, word: str, *, warned: bool) -> None:
    done = terminal.complete("run", "--", "echo", word)
    assert done.returncode == 0
    assert (b"there is no input, so '{}' in the command is left as it is" in done.stderr) is warned
    assert done.stdout == (b"1\n" if word == "{#}" else word.encode() + b"\n")


def test_another_command_with_the_same_input_takes_the_place_of_its_results(terminal: Terminal) -> None:
    lines = [("run", "--results", "out", "--", "echo", words, ":::", "a") for words in ("first", "second")]
    for line, words in ((lines[0], "first a\n"), (lines[1], "second a\n"), (lines[0], "first a\n")):
        terminal.run(*line)
        assert (terminal.cwd / "out" / "1" / "a" / "stdout").read_text() == words
