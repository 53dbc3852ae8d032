"""Health by an engine: rounds go on beside the work of people, over a restart, and until somebody says stop."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import closing, suppress

import apsw
import pytest
from terminal import Terminal

from overnight.core.health import Reply
from overnight.monitor.health import HealthBook

Until = Callable[[Callable[[], object]], None]


def answers(terminal: Terminal) -> list[Reply]:
    path = terminal.cwd / ".overnight" / "health.db"
    with suppress(apsw.Error), closing(HealthBook(path, readonly=True)) as book:
        return book.latest("beat", 1000)
    return []  # it is only about to be written


@pytest.mark.prove  # some 6 s of a processor; what the worker calls is tried by itself in the usual tests
def test_rounds_go_on_beside_the_work_and_over_a_restart(terminal: Terminal, until: Until) -> None:
    (terminal.cwd / "overnight.toml").write_text('[check.beat]\nfile = "beat"\n')
    terminal.run("add", "a", "--", "sleep", "50")  # the only slot of people is busy
    terminal.run("start", "-j", "1")
    terminal.run("health", "start", "1")
    until(lambda: len(answers(terminal)) >= 2)
    assert "beat" in terminal.run("health", "status")
    terminal.run("restart", "--now")
    before = len(answers(terminal))
    until(lambda: len(answers(terminal)) > before)
    terminal.run("health", "stop")
    until(lambda: '"state":"running"' not in terminal.run("list", "--queue", "_ops", "--json"))
    terminal.run("stop", "--now")
    terminal.verify()
