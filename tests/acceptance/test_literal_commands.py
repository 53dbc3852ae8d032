"""The commands that people's scripts use, word for word."""

from __future__ import annotations

import shlex
from collections.abc import Callable

import click
import pytest
from terminal import Terminal

from overnight.core.checkpoints import DEFAULT_TASKS
from overnight.ui.cli.commands.queue import queue
from overnight.ui.cli.commands.run import manner_of, run
from overnight.ui.cli.group import COMMANDS, SHORT_FORMS

#: Each of them, as `--help` names it.
FORMS = (
    "queue add FILE [PRIORITY]",
    "queue list",
    "queue clear",
    "queue size",
    "run",
    "run --timeout=300 --checkpoint=5",
    "stop",
    "status",
    "retry-failed",
    "checkpoint show",
    "checkpoint clear",
    "resume",
)


def test_a_queue_of_files_from_the_first_to_the_last_command(terminal: Terminal) -> None:
    (terminal.cwd / "overnight.toml").write_text('[defaults]\nbackoff = "100ms"\n')
    for name in ("a.txt", "b.txt"):
        (terminal.cwd / name).write_text(name)

    def typed(line: str, code: int = 0) -> str:
        return terminal.run(*shlex.split(line), code=code)

    assert typed("queue add a.txt") == "1\n"
    assert typed("queue add b.txt 5") == "2\n"
    assert typed("queue add missing.txt 1") == "3\n"
    assert typed("queue size") == "3\n"
    assert [line.split()[::2][:2] for line in typed("queue list").splitlines()] == [["3", "1"], ["2", "5"], ["1", "0"]]
    assert "3 tasks: 3 pending" in typed("status")
    assert typed("run --timeout=300", code=1) is not None
    assert "3 tasks: 2 completed, 1 failed" in typed("status")
    assert typed("queue size") == "0\n"
    (terminal.cwd / "missing.txt").write_text("here now")
    assert typed("retry-failed") == "1 task queued once more\n"
    assert typed("run --timeout=300") is not None
    typed("queue add a.txt")
    assert typed("queue clear --yes") == "1 task removed\n"
    assert "3 completed" in typed("status")


def test_checkpoints_from_the_first_to_the_last_command(terminal: Terminal) -> None:
    terminal.run("add", "-n", "1", "--", "true", ":::", *"abcdefgh")
    terminal.run(*shlex.split("run --timeout=300 --checkpoint=5"))
    terminal.run("checkpoint", "save")
    assert '"last_completed_file"' in terminal.run("checkpoint", "show")
    terminal.run("checkpoint", "clear", "--yes")
    assert terminal.run("checkpoint", "list") == ""
    terminal.run("add", "--", "true")
    terminal.run("resume")
    assert terminal.counts()["completed"] == 9


def test_the_checkpoints_of_a_run_are_as_far_apart_as_it_says() -> None:
    with click.Context(run):
        assert [manner_of(None, checkpoint_tasks=every).settings.checkpoint_tasks for every in (7, None)] == [
            7,
            DEFAULT_TASKS,
        ]


def test_stop_ends_an_engine_that_runs(terminal: Terminal, until: Callable[[Callable[[], object]], None]) -> None:
    working = terminal.start(
        "run", "--", "sh", "-c", "touch begun; for i in $(seq 2400); do test -e go && break; sleep 0.05; done"
    )
    until((terminal.cwd / "begun").exists)
    stop = terminal.start("stop")
    until((terminal.cwd / ".overnight" / "STOP").exists)
    (terminal.cwd / "go").touch()
    assert (stop.wait(60), working.wait(60)) == (0, 0)


@pytest.mark.parametrize("form", FORMS)
def test_the_help_page_names_it(terminal: Terminal, form: str) -> None:
    page = terminal.run("--help")
    assert any(line.startswith(f"  {form} ") or line == f"  {form}" for line in page.splitlines())


def test_the_short_forms_are_commands_of_queue() -> None:
    assert {form.split()[1] for form in SHORT_FORMS} <= set(queue.commands)
    assert {form.split()[0] for form in FORMS} <= set(COMMANDS)
