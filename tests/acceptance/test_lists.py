"""Task lists as a new user meets them: the real program, real kills, real files of other programs."""

from __future__ import annotations

import functools
import json
import os
import signal
import subprocess
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from terminal import Terminal

Until = Callable[[Callable[[], object]], None]

#: Appends a line when it begins and one when it ends; the ledger that knows nothing of our records.
WORK = """#!/bin/sh
printf 'begin %s\\n' "$1" >>ledger
sleep 0.03
printf 'end %s\\n' "$1" >>ledger
"""
COUNT = 60


@pytest.fixture
def work(terminal: Terminal) -> str:
    path = terminal.cwd / "work"
    path.write_text(WORK)
    path.chmod(0o755)
    return "./work"


def ledger(directory: Path) -> Counter[str]:
    path = directory / "ledger"
    return Counter(path.read_text().splitlines() if path.exists() else ())


def ended(directory: Path) -> list[str]:
    """What has ended, in order."""
    path = directory / "ledger"
    lines = path.read_text().splitlines() if path.exists() else []
    return [line.removeprefix("end ") for line in lines if line.startswith("end ")]


def reached(directory: Path, process: subprocess.Popen[bytes], count: int) -> bool:
    return process.poll() is not None or len(ended(directory)) >= count


def markdown() -> str:
    """Chains of three, each a whole with a part, below two headings."""
    lines = ["---", "overnight: 1", "---", "# Tonight {timeout=20s}", "Some words.", ""]
    for number in range(0, COUNT, 3):
        lines += [
            f"- [ ] T{number}: first `i{number}`",
            f"- [ ] T{number + 1}: whole `i{number + 1}` (depends on T{number})",
            f"  - [ ] T{number + 2}: part `i{number + 2}`",
        ]
    return "\n".join([*lines, "- [x] D: done `never`", ""])


def tasks_json() -> str:
    """As Task Master writes it."""
    tasks: list[dict[str, Any]] = [
        {
            "id": number,
            "title": f"Task {number}",
            "description": "What it is about",
            "details": "How to do it",
            "testStrategy": "",
            "status": "done" if number == 1 else "pending",
            "priority": "medium",
            "dependencies": [number - 1] if number > 1 else [],
            "subtasks": [
                {"id": sub, "title": f"Part {sub}", "status": "pending", "dependencies": [sub - 1] if sub > 1 else []}
                for sub in (1, 2)
            ]
            if number == 3
            else [],
        }
        for number in range(1, 6)
    ]
    return json.dumps({"master": {"tasks": tasks, "metadata": {"created": "2026-01-01", "version": "1"}}}, indent=2)


def kill_in_the_middle(terminal: Terminal, until: Until, line: tuple[str, ...], count: int) -> None:
    process = terminal.start(*line)
    until(functools.partial(reached, terminal.cwd, process, count))
    assert process.poll() is None, process.communicate()
    process.send_signal(signal.SIGKILL)
    process.communicate()


def test_a_list_that_is_killed_twice_completes_each_box_once_in_order(
    terminal: Terminal, until: Until, work: str
) -> None:
    (terminal.cwd / "queue.md").write_text(markdown())
    line = ("run", "--from", "queue.md", "--write-back", "-j", "3", "--", work)
    for count in (10, 30):
        kill_in_the_middle(terminal, until, line, count)
    terminal.run(*line)

    found = Counter(ended(terminal.cwd))
    assert found.keys() == {f"i{number}" for number in range(COUNT)}
    assert sum(found.values()) <= COUNT + 2 * 3  # what was interrupted by a kill may have ended unseen
    assert (terminal.counts()["completed"], terminal.counts()["total"]) == (COUNT, COUNT)
    assert (terminal.cwd / "queue.md").read_text() == markdown().replace("[ ]", "[x]")
    order = list(dict.fromkeys(ended(terminal.cwd)))
    for number in range(0, COUNT, 3):
        chain = [order.index(f"i{one}") for one in (number, number + 2, number + 1)]
        assert chain == sorted(chain)
    terminal.verify()

    again = terminal.complete(*line)
    assert again.returncode == 0
    assert len(ended(terminal.cwd)) == sum(found.values())


def test_a_file_of_task_master_runs_to_its_end(terminal: Terminal, work: str) -> None:
    (terminal.cwd / "tasks.json").write_text(tasks_json())
    before = (terminal.cwd / "tasks.json").read_bytes()
    terminal.run("run", "--from", "tasks.json", "-j", "4", "--", work)

    done = [json.loads(one) for one in ended(terminal.cwd)]
    assert [one["id"] for one in done] == ["2", "3.1", "3.2", "3", "4", "5"]
    assert done[0] == {"id": "2", "title": "Task 2", "description": "What it is about", "details": "How to do it"}
    assert (terminal.cwd / "tasks.json").read_bytes() == before
    assert [one["title"] for one in terminal.tasks()][:2] == ["2: Task 2", "3.1: Part 1"]

    terminal.run("run", "--from", "tasks.json", "-j", "4", "--", work)
    assert len(ended(terminal.cwd)) == 6


#: A list as its commands leave it behind, with every field that is documented, and those that programs around it add.
LOGIN: list[dict[str, Any]] = [
    {
        "id": 1,
        "title": "Set up the repository",
        "description": "Layout, linter, tests",
        "status": "done",
        "dependencies": [],
        "priority": "high",
        "details": "Use the template.\nAdd a workflow.",
        "testStrategy": "The checks are green.",
        "subtasks": [],
        "metadata": {"externalIssue": 17},
    },
    {
        "id": 2,
        "title": "Log in \u2013 with a \u201ctoken\u201d",
        "description": "People log in",
        "status": "in-progress",
        "dependencies": [1],
        "priority": "low",
        "details": "",
        "testStrategy": "",
        "complexityScore": 7,
        "recommendedSubtasks": 3,
        "expansionPrompt": "Break it down",
        "subtasks": [
            {"id": 1, "title": "The form", "description": "", "dependencies": [], "details": "", "status": "done",
             "testStrategy": "", "parentTaskId": 2, "parentId": "2"},
            {"id": 2, "title": "The token", "dependencies": [1], "status": "pending"},
            {"id": 3, "title": "The page", "dependencies": ["2.2"], "status": "pending", "priority": "high"},
        ],
    },
    {"id": 3, "title": "Urgent", "description": "", "status": "pending", "dependencies": [1], "priority": "high",
     "details": "", "testStrategy": "", "subtasks": []},
    {"id": 4, "title": "Log out", "description": "", "status": "pending", "dependencies": [2, "2.3"],
     "priority": "medium", "details": "", "testStrategy": "", "subtasks": []},
    {"id": 5, "title": "Someday", "description": "", "status": "deferred", "dependencies": [], "priority": "medium",
     "details": "", "testStrategy": "", "subtasks": []},
    {"id": 6, "title": "After that", "description": "", "status": "pending", "dependencies": [5],
     "priority": "medium", "details": "", "testStrategy": "", "subtasks": []},
]  # fmt: skip
META = {"created": "2026-03-01T10:00:00.000Z", "updated": "2026-03-02T10:00:00.000Z", "description": "Tasks of master"}
LEGACY = {"tasks": LOGIN, "metadata": {"projectName": "shop", "totalTasks": 6, "sourceFile": "prd.txt"}}
TAGGED = {
    "master": {"tasks": [LOGIN[0]], "metadata": META},
    "feature-login": {"tasks": LOGIN, "metadata": META | {"description": "Tag created on 3/1/2026"}},
}


@pytest.mark.parametrize(("content", "tag"), [(LEGACY, ""), (TAGGED, "#feature-login")], ids=["legacy", "tagged"])
def test_a_real_file_of_task_master_is_worked_through_a_night_and_a_kill(
    terminal: Terminal, until: Until, work: str, content: dict[str, Any], tag: str
) -> None:
    """Done is not done again, what is put off stays so with what waits for it, and what is urgent goes first."""
    (terminal.cwd / "tasks.json").write_text(json.dumps(content, indent=2))
    before = (terminal.cwd / "tasks.json").read_bytes()
    line = ("run", "--from", f"tasks.json{tag}", "-j", "1", "--", work)
    kill_in_the_middle(terminal, until, line, 2)
    terminal.run(*line)

    order = list(dict.fromkeys(json.loads(one)["id"] for one in ended(terminal.cwd)))
    assert order == ["3", "2.2", "2.3", "2", "4"]
    assert [one["state"] for one in terminal.tasks()] == ["completed"] * 5
    assert (terminal.cwd / "tasks.json").read_bytes() == before
    terminal.verify()


def test_json_lines_run_in_order(terminal: Terminal, work: str) -> None:
    lines = [{"input": f"i{n}", "id": n, **({"after": n - 1} if n else {})} for n in range(5)]
    (terminal.cwd / "l.jsonl").write_text("\n".join(map(json.dumps, reversed(lines))))
    terminal.run("run", "--from", "l.jsonl", "-j", "4", "--", work)

    assert ended(terminal.cwd) == [f"i{n}" for n in range(5)]


def test_a_failed_box_keeps_back_what_waits_for_it_and_goes_on_when_it_is_mended(terminal: Terminal) -> None:
    (terminal.cwd / "l.md").write_text("- [ ] A: `a`\n- [ ] B: `b` (depends on A)\n- [ ] C: `c`\n")
    line = ("run", "--from", "l.md", "--write-back", "--retries", "0", "--", "test", "-e")
    (terminal.cwd / "b").touch()
    (terminal.cwd / "c").touch()
    terminal.run(*line, code=1)
    assert (terminal.cwd / "l.md").read_text() == "- [ ] A: `a`\n- [ ] B: `b` (depends on A)\n- [x] C: `c`\n"

    (terminal.cwd / "a").touch()
    terminal.run(*line)
    assert (terminal.cwd / "l.md").read_text().count("[x]") == 3
    terminal.verify()


def test_a_list_that_is_edited_while_it_runs_keeps_the_edit(terminal: Terminal, until: Until) -> None:
    (terminal.cwd / "l.md").write_text("- [ ] A: `a`\n- [ ] B: `b`\n")
    command = ("sh", "-c", 'touch "began-$1"; while ! test -e go; do sleep 0.02; done', "sh")
    process = terminal.start("run", "--from", "l.md", "--write-back", "-j", "2", "--", *command)
    until(lambda: (terminal.cwd / "began-a").exists() and (terminal.cwd / "began-b").exists())
    (terminal.cwd / "l.md").write_text("- [ ] A: other words `a`\n- [ ] B: `b`\nmore\n")
    (terminal.cwd / "go").touch()
    _, said = process.communicate()

    assert process.returncode == 0
    assert (terminal.cwd / "l.md").read_text() == "- [ ] A: other words `a`\n- [x] B: `b`\nmore\n"
    assert b"l.md has other words in line 1 now; the box there was left as it is" in said


def test_execute_is_another_way_to_run_a_list(terminal: Terminal, work: str) -> None:
    (terminal.cwd / "task-queue.md").write_text(
        f"- [ ] A: `{work} a` {{run}}\n- [ ] `{work} b` {{run}} (depends on A)\n"
    )
    line = ("execute", "--queue", "task-queue.md", "--monitor", "--checkpoint-interval", "5m", "--allow-run")
    done = terminal.complete(*line, "--log-level", "info")

    assert done.returncode == 0, done.stderr
    assert ended(terminal.cwd) == ["a", "b"]
    assert b"there is no screen of its own yet" in done.stderr


def test_execute_without_anybody_is_supervised_and_survives_a_killed_engine(
    terminal: Terminal, until: Until, work: str
) -> None:
    (terminal.cwd / "task-queue.md").write_text(markdown())
    line = (
        "execute",
        "--queue",
        "task-queue.md",
        "--resume-on-failure",
        "--autonomous-mode",
        "-j",
        "2",
        "--write-back",
    )
    process = terminal.start(*line, "--", work)
    until(functools.partial(reached, terminal.cwd, process, 10))
    engine = terminal.json("status", "--json")["engine"]["pid"]
    signal_engine(engine)
    _, said = process.communicate(timeout=60)

    assert process.returncode == 0, said
    assert Counter(ended(terminal.cwd)).keys() == {f"i{number}" for number in range(COUNT)}
    assert terminal.counts()["completed"] == COUNT
    assert (terminal.cwd / "task-queue.md").read_text() == markdown().replace("[ ]", "[x]")
    until(lambda: terminal.json("status", "--json")["engine"]["state"] == "stopped")
    terminal.verify()


def signal_engine(pid: int) -> None:
    """End an engine as nobody should."""
    os.kill(pid, signal.SIGKILL)
