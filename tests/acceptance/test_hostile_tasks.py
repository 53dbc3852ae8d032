"""A night of good tasks with a few hostile ones among them: each has an end of its own, and the machine is clean."""

from __future__ import annotations

import sys
from collections import Counter
from pathlib import Path

import pytest
from terminal import Terminal

from overnight.host.processes import identity

GOOD = 1000
#: What each does, the limit that is to end it, and what is said then. All end by themselves within a minute.
PYTHON = """
import os, signal, subprocess, sys, time
signal.alarm(50)
open(sys.argv[1] + ".pid", "w").write(str(os.getpid()))
"""
DAEMON = """
subprocess.Popen(["env", "-i", "sh", "-c", 'setsid sh -c "echo \\\\$\\\\$ >orphan.pid; exec sleep 50" & exit'])
while not (os.path.exists("orphan.pid") and open("orphan.pid").read().endswith("\\n")): time.sleep(0.01)
"""
DEAF = """
for number in set(signal.valid_signals()) - {signal.SIGKILL, signal.SIGSTOP, signal.SIGALRM}:
    signal.signal(number, signal.SIG_IGN)
while True: time.sleep(1)
"""
BOMB = """
until = time.monotonic() + 30
while time.monotonic() < until:
    try:
        if not os.fork(): signal.alarm(30)
    except OSError: pass
    time.sleep(0.02)
"""
GLUTTON = "x = []\nwhile True: x.append(b'x' * 10_000_000)"
SILENT = "time.sleep(50)"
CHATTER = "for _ in range(1000): sys.stdout.write('x' * 1_000_000)"
HOSTILE = {
    "daemon": (DAEMON, [], None, ""),
    "deaf": (DEAF, ["--timeout", "1"], "timeout", ""),
    "bomb": (BOMB, ["--processes", "40"], "error", "over its limit of 40 processes"),
    "glutton": (GLUTTON, ["--memory", "200MB"], "memory", "over its memory limit of 200 MB"),
    "silent": (SILENT, ["--stall", "1s"], "stalled", "stalled: no output"),
    "chatter": (CHATTER, ["--max-output", "100MB"], "output", "over its limit of 100 MB of output"),
}


@pytest.mark.prove
def test_a_night_with_hostile_tasks_ends_well_for_the_good_ones(terminal: Terminal) -> None:
    names = [f"good{number}" for number in range(GOOD)]
    terminal.run("add", *names[: GOOD // 2], "--", "sh", "-c", 'echo "$1" >>ledger', "sh")
    for name, (source, limits, _, _) in HOSTILE.items():
        terminal.run("add", "--retries", "0", *limits, name, "--", sys.executable, "-S", "-c", PYTHON + source)
    terminal.run("add", *names[GOOD // 2 :], "--", "sh", "-c", 'echo "$1" >>ledger', "sh")

    # Long after the daemon's task has ended, and while its worker goes on.
    terminal.run("add", "--retries", "0", "last", "--", "sh", "-c", '! kill -0 "$(cat orphan.pid)"')

    process = terminal.start("run", "--quiet", "-j", "4")
    _, said = process.communicate(timeout=300)

    assert process.returncode == 1, said
    tasks = {task["input"]: task for task in terminal.tasks()}
    assert Counter(tasks[name]["state"] for name in names) == {"completed": GOOD}
    assert Counter(Path(terminal.cwd, "ledger").read_text().split()) == Counter(names)
    assert tasks["last"]["state"] == "completed"
    for name, (_, _, reason, words) in HOSTILE.items():
        state = "completed" if reason is None else "failed"
        assert (tasks[name]["state"], tasks[name]["reason"]) == (state, reason), name
        assert words in (tasks[name]["error"] or ""), name
        assert identity(int(Path(terminal.cwd, f"{name}.pid").read_text())) is None, name
    assert identity(int(Path(terminal.cwd, "orphan.pid").read_text())) is None
    assert terminal.cookies() == []
    terminal.verify()
