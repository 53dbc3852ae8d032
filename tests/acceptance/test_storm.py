"""A script that fails for everybody: it is stopped, somebody is told, it is mended, and one command does the rest."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

from terminal import Terminal

Until = Callable[[Callable[[], object]], None]

BROKEN = "echo cannot find the archive of $1 >&2; exit 3\n"
MENDED = "echo $1 >>done\n"
TYPO = "ehco $1\n"
CONFIG = '[storms]\non_storm = ["sh", "-c", "echo \\"$OVERNIGHT_WHY\\" >>told"]\n'


def test_a_script_that_fails_for_everybody_is_mended_and_one_command_finishes_the_night(
    terminal: Terminal, until: Until
) -> None:
    names = [f"tape {number}" for number in range(200)]
    (terminal.cwd / "overnight.toml").write_text(CONFIG)
    (terminal.cwd / "archive.sh").write_text(BROKEN)
    terminal.run("start")
    terminal.run("add", "--retries", "0", *names, "--", "sh", "archive.sh", "{}")
    until((terminal.cwd / "told").exists)

    [storm] = terminal.json("status", "--json")["storms"]
    assert (storm["queue"], storm["failures"]) == ("default", 20)
    until(lambda: terminal.counts()["running"] == 0)
    counts = terminal.counts()
    assert (counts["failed"], counts["completed"]) == (20, 0)
    words = "20 tasks of queue default failed alike in a row (exit status 3: cannot find the archive of tape"
    until(lambda: (terminal.cwd / "told").read_text().endswith("\n"))
    told = (terminal.cwd / "told").read_text()
    assert told.startswith(words)
    assert told.endswith("mend it, then 'overnight unpause default' lets all of them go on\n")
    assert words in terminal.run("status")
    why = terminal.run("why", "200")
    assert why.startswith(f"task 200 waits: {words}")
    assert why.endswith("  try: overnight unpause default\n")

    (terminal.cwd / "archive.sh").write_text(MENDED)
    assert terminal.run("unpause") == "queue default: goes on, and 20 failures with it\n"

    until(lambda: terminal.counts()["completed"] == 200)
    terminal.run("stop")
    assert sorted((terminal.cwd / "done").read_text().splitlines()) == sorted(names)
    assert terminal.json("status", "--json")["storms"] == []
    terminal.verify()


def test_what_no_retry_mends_ends_a_run_and_the_same_line_again_finishes_it(terminal: Terminal) -> None:
    line = ("run", "-j", "2", *(f"tape {number}" for number in range(100)), "--", "sh", "archive.sh", "{}")
    (terminal.cwd / "archive.sh").write_text(TYPO)

    told = terminal.complete(*line).stderr.decode()

    assert "20 tasks of queue default failed alike in a row (exit status 127:" in told
    assert "halted: 0 done, 20 failed, 80 left in the queue" in told
    (terminal.cwd / "archive.sh").write_text(MENDED)
    terminal.run(*line)
    assert terminal.counts()["completed"] == 100
    terminal.verify()


def test_a_status_that_answers_stops_nothing(terminal: Terminal) -> None:
    """As ``xargs`` has it: that nothing was found is an answer."""
    names = [str(terminal.cwd / f"{number}.txt") for number in range(40)]
    for name in names:
        Path(name).write_text("sun\n")
    told = terminal.run("run", "--json", "--retries", "0", *names, "--", "grep", "-q", "moon", code=1)
    assert json.loads(told)["failed"] == 40
