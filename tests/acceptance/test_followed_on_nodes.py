"""``log -f`` of an attempt on a node, by the whole program: it comes while the attempt runs, and Ctrl-C ends it."""

from __future__ import annotations

import signal
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
import socket_nodes
from terminal import Terminal

pytestmark = pytest.mark.prove
#: Says a word, waits for a file, for a minute at most, says another one.
WORK = """
import os, time
open("begun", "w").close()
print("first", flush=True)
for _ in range(600):
    if os.path.exists("go"):
        break
    time.sleep(0.1)
print("second", flush=True)
"""

Until = Callable[[Callable[[], object]], None]


def test_what_an_attempt_prints_on_a_node_is_read_while_it_runs(tmp_path: Path, until: Until) -> None:
    nodes, project = tmp_path / "nodes", tmp_path / "project"
    nodes.mkdir()
    project.mkdir()
    (project / "work.py").write_text(WORK)
    terminal = Terminal(project, socket_nodes.program(nodes))
    with socket_nodes.agents(nodes, slots=1):
        run = terminal.start("run", "--on", "ray", "--", sys.executable, "work.py", "{}", ":::", "x")
        until(lambda: run.poll() is not None or (project / "begun").exists())
        followers = [terminal.start("log", "-f", "1") for _ in range(2)]
        for follower in followers:
            assert follower.stdout is not None
            assert follower.stdout.readline() == b"first\n"
        assert len(list((project / ".overnight/following").iterdir())) == 1

        followers[0].send_signal(signal.SIGINT)
        followers[0].communicate(timeout=30)
        assert len(list((project / ".overnight/following").iterdir())) == 1
        (project / "go").touch()
        rest, said = followers[1].communicate(timeout=30)
        assert rest == b"second\n"
        assert b"attempt 1 runs on node " in said
        run.communicate(timeout=30)
        assert run.returncode == 0
        assert list((project / ".overnight/following").iterdir()) == []
