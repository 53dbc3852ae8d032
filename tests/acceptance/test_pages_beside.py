"""A dashboard and a page beside the work: they come and go with it, and nothing that befalls them touches it."""

from __future__ import annotations

import contextlib
import os
import signal
import urllib.request
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from small_machine import ROOM
from terminal import PROGRAM

from overnight.host.home import Home
from overnight.testing.terminal import Terminal
from overnight.wiring import pages

pytest.importorskip("uvicorn")

Until = Callable[[Callable[[], object]], None]
FLOW = """
[workflow.cut]
input = "value"
[[workflow.cut.step]]
id = "measure"
run = ["true"]
[[workflow.cut.step]]
id = "saw"
needs = ["measure"]
run = ["sh", "-c", "i=0; until [ -e go ] || [ $i = 1200 ]; do sleep 0.05; i=$((i+1)); done"]
"""


@pytest.fixture
def terminal(tmp_path: Path) -> Iterator[Terminal]:
    """One whose engines have the monitor beside them."""
    made = Terminal(tmp_path, PROGRAM, ROOM | {"OVERNIGHT_MONITOR": "true"})
    yield made
    (tmp_path / "go").touch()
    made.close()


def answers(link: str) -> bool:
    with contextlib.suppress(OSError), urllib.request.urlopen(link.partition("/enter")[0] + "/healthz") as answer:  # noqa: S310 - ours
        return bool(answer.read() == b"ok\n")
    return False


def test_they_come_and_go_with_the_work(terminal: Terminal, until: Until) -> None:
    """The dashboard is killed and comes back at its port; the page is written to the end; the tasks complete."""
    (terminal.cwd / "overnight.toml").write_text(FLOW)
    terminal.run("add", "-w", "cut", "plank")
    page = terminal.cwd / "page.html"
    terminal.run("monitor-init", "--dashboard", "page.html", "--update-interval", "1s", "--include-graphs")
    assert 'http-equiv="refresh" content="1"' in page.read_text()
    terminal.run("start", "-j1", "--dashboard")
    home = Home(terminal.cwd / ".overnight")
    until(lambda: pages.served(home))
    first = pages.served(home)
    assert first is not None
    os.kill(first.pid, signal.SIGKILL)
    until(lambda: (found := pages.served(home)) is not None and found.pid != first.pid)
    until(lambda: answers(terminal.run("dashboard", "--link")))
    second = pages.served(home)
    assert second is not None
    assert second.port == first.port
    until(lambda: "measure: completed" in page.read_text())
    (terminal.cwd / "go").touch()
    until(lambda: "1</b> completed" in page.read_text())
    terminal.run("stop")
    until(lambda: pages.served(home) is None)
    until(lambda: 'http-equiv="refresh"' not in page.read_text())
    assert "engine stopped" in page.read_text()
