"""A task that takes its workers along is held at the third, however many engines it has seen."""

from __future__ import annotations

from pathlib import Path

import pytest
from terminal import Terminal

#: Kills who it is told to. Both are stopped first: who is left for a moment would end the task in that moment.
COMMAND = r"""#!/bin/sh
[ "$1" = good ] && exit 0
echo "begin $OVERNIGHT_ATTEMPT" >> ledger
engine=$(awk '{print $4}' /proc/$PPID/stat)
case $1 in
  both) kill -STOP $engine $PPID; kill -9 $engine $PPID ;;
  in-turn) [ $((OVERNIGHT_ATTEMPT % 2)) = 1 ] && kill -9 $engine || kill -9 $PPID ;;
esac
exec sleep 100
"""
FUNCTION = """
import os, time
def work(name):
    if name == "good": return
    with open("ledger", "a") as file: file.write(f"begin {os.environ['OVERNIGHT_ATTEMPT']}\\n")
    keeper = os.getppid()
    engine = int(open(f"/proc/{keeper}/stat").read().rpartition(")")[2].split()[1])
    attempt = int(os.environ["OVERNIGHT_ATTEMPT"])
    victims = [engine, keeper] if name == "both" else [engine] if attempt % 2 else [keeper]
    for victim in victims: os.kill(victim, 19)
    for victim in victims: os.kill(victim, 9)
    time.sleep(100)
"""


def nights(terminal: Terminal) -> int:
    """Run again and again until an engine comes to its end; how many it took."""
    for number in range(1, 20):
        if terminal.complete("run", "-j1", "--quiet").returncode >= 0:
            return number
    raise AssertionError("no engine has come to its end")


@pytest.mark.parametrize("kind", ["command", "function"])
@pytest.mark.parametrize(
    ("victims", "attempts", "engines"),
    [
        # Each time everybody dies at once: the next engine finds no word of a keeper that has cleaned up.
        ("both", 3, 4),
        # In turn: a death of the engine alone is not counted against the task.
        ("in-turn", 6, 4),
    ],
)
def test_a_task_that_kills_its_workers_is_held_at_the_third_across_engines(
    terminal: Terminal, kind: str, victims: str, attempts: int, engines: int
) -> None:
    Path(terminal.cwd, "work").write_text(COMMAND)
    Path(terminal.cwd, "work").chmod(0o755)
    Path(terminal.cwd, "job.py").write_text(FUNCTION)
    words = ["--call", "job:work", victims, "good"] if kind == "function" else [victims, "good", "--", "./work"]
    terminal.run("add", *words)

    assert nights(terminal) == engines

    poison, good = terminal.tasks()
    assert (good["state"], poison["state"], poison["reason"]) == ("completed", "held", "poison")
    ledger = Path(terminal.cwd, "ledger").read_text().split()[1::2]
    assert ledger == [str(number) for number in range(1, attempts + 1)], "each attempt began once"
    assert terminal.json("show", "1", "--json")["deaths"] == 3
    assert terminal.cookies() == []
    terminal.verify()
