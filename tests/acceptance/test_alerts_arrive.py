"""An alert reaches a webhook and a mail server of this machine once, and so does its end, whoever is killed when."""

from __future__ import annotations

import os
import signal
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from receivers import Hook, Post, serving
from small_machine import ROOM
from terminal import PROGRAM

from overnight.host.lock import read_owner
from overnight.testing.terminal import PATIENCE, Terminal

#: Runs until a file named go is there, and no longer than a minute.
WAITS = "i=0; until [ -e go ] || [ $i = 1200 ]; do sleep 0.05; i=$((i+1)); done"
SECRET = "hush-4711"  # noqa: S105 - the tests look for it where it must not be
CONFIGURATION = """
[alerts.held]
on = "task_held"
targets = ["hook", "post"]
[alerts.night]
on = "run_finished"
targets = "post"
[targets.hook]
webhook = "{hook}?token=${{HOOK_TOKEN}}"
group = "0s"
hourly = "none"
[targets.post]
mail = "me@example.org"
smtp = "{post}"
group = "0s"
"""
FIRED, RESOLVED = ("held", "firing"), ("held", "resolved")

Until = Callable[[Callable[[], object]], None]


@pytest.fixture
def hook() -> Iterator[Hook]:
    with serving(Hook()) as made:
        yield made


@pytest.fixture
def post() -> Iterator[Post]:
    with serving(Post()) as made:
        yield made


@pytest.fixture
def terminal(tmp_path: Path, hook: Hook, post: Post) -> Iterator[Terminal]:
    (tmp_path / "overnight.toml").write_text(CONFIGURATION.format(hook=hook.address, post=post.place))
    made = Terminal(tmp_path, PROGRAM, ROOM | {"OVERNIGHT_MONITOR": "true", "HOOK_TOKEN": SECRET})
    yield made
    (tmp_path / "go").touch()
    made.close()


def night(terminal: Terminal, until: Until) -> subprocess.Popen[bytes]:
    """A run that goes on, with one task more that has not begun, and somebody who watches."""
    terminal.run("add", "--shell", "--", WAITS, ":::", "x")
    terminal.run("add", "--", "true", ":::", "y")
    return again(terminal, until)


def again(terminal: Terminal, until: Until) -> subprocess.Popen[bytes]:
    run = terminal.start("run", "-j1")
    until(lambda: sidecar(terminal) is not None)
    return run


def sidecar(terminal: Terminal) -> int | None:
    owner = read_owner(terminal.cwd / ".overnight" / "monitor.lock")
    return owner.pid if owner else None


def letters(post: Post) -> list[str]:
    """What mail was about: the alert and what became of it."""
    return [str(letter["Subject"]).rpartition(") ")[2].partition(": ")[2] or str(letter["Subject"]) for letter in post.letters]


def about(post: Post, words: str) -> int:
    return sum(words in str(letter["Subject"]) for letter in post.letters)


def secret_nowhere(home: Path) -> bool:
    return not any(SECRET.encode() in path.read_bytes() for path in home.rglob("*") if path.is_file())


def test_an_alert_and_its_end_arrive_once(terminal: Terminal, hook: Hook, post: Post, until: Until) -> None:
    run = night(terminal, until)
    terminal.run("hold", "2")
    until(lambda: hook.told() == [FIRED] and about(post, "held firing") == 1)
    terminal.run("release", "2")
    until(lambda: hook.told() == [FIRED, RESOLVED] and about(post, "held resolved") == 1)
    (terminal.cwd / "go").touch()
    assert run.wait(PATIENCE) == 0
    until(lambda: about(post, "night happened") == 1)
    assert hook.told() == [FIRED, RESOLVED]
    assert len(post.letters) == 3
    assert "2 completed, 0 failed" in post.letters[-1].get_payload()
    assert terminal.counts()["total"] == 2
    assert secret_nowhere(terminal.cwd / ".overnight")
    terminal.verify()
