"""What tasks have printed goes from the disk when they are forgotten, and not before."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

from terminal import Terminal

#: An hour ago, whatever it is now: segments that were written just now are left alone.
OLD = 3600.0


def segments(home: Path) -> list[str]:
    return sorted(path.name for path in (home / "output").glob("*.seg"))


def test_outputs_of_forgotten_tasks_go_while_an_engine_works(
    terminal: Terminal, until: Callable[[Callable[[], object]], None]
) -> None:
    for name in ("one", "two", "three", "four", "five"):
        terminal.run("run", "-j", "1", name, "--", "echo")
    home = terminal.cwd / ".overnight"
    before = segments(home)
    assert len(before) == 5
    for name in before:
        path = home / "output" / name
        os.utime(path, (path.stat().st_atime - OLD, path.stat().st_mtime - OLD))
    terminal.run("clean", "1", "2", "--yes")

    running = terminal.start("run", "-j", "1", "--", "sh", "-c", "until [ -e go ]; do sleep 0.05; done")
    until(lambda: len(segments(home)) < 5)
    (terminal.cwd / "go").touch()
    running.communicate(timeout=60)

    assert before[0] not in segments(home)
    assert set(before[2:]) <= set(segments(home))
    assert "three" in terminal.run("log", "3")
    terminal.verify()
