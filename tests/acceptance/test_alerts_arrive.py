"""An alert reaches a webhook and a mail server of this machine once, and so does its end, whoever is killed when."""

from __future__ import annotations

import json
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


def about(post: Post, words: str) -> int:
    """How often something was told by mail."""
    return sum(str(letter.get_payload()).count(words) for letter in post.letters)


def on_record(terminal: Terminal) -> bool:
    """That all messages so far were taken has come to the store: in between, a kill has one taken a second time."""
    lines = terminal.run("list", "--queue", "_ops", "--json").splitlines()
    return all(json.loads(line)["state"] == "completed" for line in lines)


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
    assert about(post, "held firing") == about(post, "held resolved") == 1
    assert about(post, "2 completed, 0 failed") == 1
    assert terminal.counts()["total"] == 2
    assert secret_nowhere(terminal.cwd / ".overnight")
    terminal.verify()


def test_what_nobody_had_looked_at_when_everything_was_killed_arrives_once(
    terminal: Terminal, hook: Hook, post: Post, until: Until
) -> None:
    run = night(terminal, until)
    watching = sidecar(terminal)
    assert watching is not None
    os.kill(watching, signal.SIGSTOP)
    terminal.run("hold", "2")
    until(lambda: b"file_held" in (terminal.cwd / ".overnight" / "events.jsonl").read_bytes())
    terminal.kill_everything(run)
    assert hook.told() == []
    run = again(terminal, until)
    until(lambda: hook.told() == [FIRED] and about(post, "held firing") == 1)
    _end_it(terminal, run, hook, post, until)


def test_what_was_on_its_way_when_everything_was_killed_arrives_once(
    terminal: Terminal, hook: Hook, post: Post, until: Until
) -> None:
    run = night(terminal, until)
    hook.status, post.refuses = 503, True
    terminal.run("hold", "2")
    until(lambda: hook.posts >= 2)  # it was tried again
    terminal.kill_everything(run)
    assert hook.told() == []
    hook.status, post.refuses = 200, False
    run = again(terminal, until)
    until(lambda: hook.told() == [FIRED] and about(post, "held firing") == 1)
    _end_it(terminal, run, hook, post, until)
    assert _told_of(terminal, "target hook cannot be reached") == 1
    assert secret_nowhere(terminal.cwd / ".overnight")


def test_its_end_arrives_once_when_everything_was_killed_before_that(
    terminal: Terminal, hook: Hook, post: Post, until: Until
) -> None:
    run = night(terminal, until)
    terminal.run("hold", "2")
    until(lambda: hook.told() == [FIRED] and about(post, "held firing") == 1)
    until(lambda: on_record(terminal))
    terminal.kill_everything(run)
    terminal.run("release", "2")
    run = again(terminal, until)
    until(lambda: hook.told() == [FIRED, RESOLVED] and about(post, "held resolved") == 1)
    _end_it(terminal, run, hook, post, until)


def _end_it(terminal: Terminal, run: subprocess.Popen[bytes], hook: Hook, post: Post, until: Until) -> None:
    """Let everything come to its end, kill it once more on the way, and see that nothing was told twice."""
    until(lambda: on_record(terminal))
    terminal.kill_everything(run)
    terminal.run("release", "2", code=None)
    (terminal.cwd / "go").touch()
    terminal.run("run")
    until(lambda: about(post, "night happened") == 1)
    until(lambda: hook.told() == [FIRED, RESOLVED] and about(post, "held resolved") == 1)
    assert about(post, "held firing") == 1
    assert about(post, "night happened") == 1
    terminal.verify()


def _told_of(terminal: Terminal, words: str) -> int:
    return (terminal.cwd / ".overnight" / "engine.log").read_text().count(words)
