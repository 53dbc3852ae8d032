"""Limits as a user meets them: on the command line, in the configuration, and in what is said afterwards."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest
from terminal import Terminal

EAT = "x = []\nwhile True: x.append(b'x' * 10_000_000)"
MULTIPLY = "for i in 1 2 3 4 5 6 7 8 9; do sleep 30 & done; wait"


@pytest.mark.parametrize(
    ("options", "command", "reason", "error"),
    [
        (["--stall", "500ms"], ["sleep", "60"], "stalled", "stalled: no output, no progress and no CPU time after 0."),
        (["--memory", "100MB"], [sys.executable, "-c", EAT], "memory", "over its memory limit of 100 MB after "),
        (["--max-output", "1MB"], ["yes"], "output", "over its limit of 1.0 MB of output after "),
        (["--processes", "5"], ["sh", "-c", MULTIPLY], "error", "over its limit of 5 processes after "),
    ],
)
def test_each_limit_has_an_end_of_its_own_and_words_that_say_so(
    terminal: Terminal, options: list[str], command: list[str], reason: str, error: str
) -> None:
    terminal.run("run", "--quiet", "--retries", "0", *options, "--", *command, code=1)

    [task] = terminal.tasks()
    assert (task["state"], task["reason"]) == ("failed", reason)
    assert task["error"].startswith(error)
    terminal.verify()


def test_the_configuration_says_what_holds_and_the_command_line_more_exactly(terminal: Terminal) -> None:
    Path(terminal.cwd, "overnight.toml").write_text(
        '[defaults]\nstall = "1m"\nmemory = "1GB"\nmax_output = "5MB"\nprocesses = 64\nopen_files = 256\n'
    )
    terminal.run("add", "a", "--", "true")
    terminal.run("add", "--memory", "none", "--stall", "0", "--processes", "7", "b", "--", "true")

    shown = [terminal.json("show", number, "--json")["limits"] for number in ("1", "2")]
    assert shown == [
        {"stall": 60.0, "memory": 10**9, "max_output": 5 * 10**6, "open_files": 256, "processes": 64},
        {"stall": None, "memory": None, "max_output": 5 * 10**6, "open_files": 256, "processes": 7},
    ]
    assert "1.0 GB of memory, 5.0 MB of output, 256 open files, 64 processes" in terminal.run("show", "1")


def test_open_files_are_limited(terminal: Terminal) -> None:
    assert terminal.run("run", "--open-files", "50", "--shell", "--", "ulimit -n") == "50\n"


@pytest.mark.parametrize(
    ("option", "value", "told"),
    [
        ("--memory", "plenty", "'plenty' is no size; write 500MB, 2GB or 64MiB"),
        ("--memory", "1kB", "'1kB' is too little; at least 1MB"),
        ("--open-files", "2", "'2' is too little; at least 16"),
        ("--stall", "never", "'never' is no duration"),
    ],
)
def test_a_limit_that_makes_no_sense_is_refused_and_nothing_is_added(
    terminal: Terminal, option: str, value: str, told: str
) -> None:
    done = terminal.complete("add", option, value, "a", "--", "true")

    assert done.returncode == 2
    assert told in done.stderr.decode()
    assert not (terminal.cwd / ".overnight").exists()
