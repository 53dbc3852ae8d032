"""``workflow``, and what other commands say of workflows and their steps."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

Overnight = Callable[..., Any]

FLOW = """
[workflow.flow]
title = "both of them"
[[workflow.flow.step]]
id = "a"
run = ["sh", "-c", "echo n=7; echo of $1", "sh", "{input}"]
[[workflow.flow.step]]
id = "b"
call = "job:work"
needs = ["a"]
if = "{a.n} > 3"
[[workflow.flow.step]]
id = "c"
run = ["echo", "{a.n}"]
if = "{a.n} > 9"
"""


@pytest.fixture
def flow(place: Path) -> Path:
    """A directory with a sound workflow."""
    (place / "overnight.toml").write_text(FLOW)
    (place / "job.py").write_text("def work(value, context): return context.outputs['a']['n'] + 1\n")
    return place


@pytest.mark.usefixtures("flow")
def test_what_there_is(overnight: Overnight) -> None:
    said = overnight("workflow", "list")
    assert (said.status, said.lines[0]) == (0, "flow  3 steps, overnight.toml: both of them")
    assert [line.split()[0] for line in said.lines] == ["flow", "wf-ingest", "wf-pipeline-full"]
    first, *_ = [json.loads(line) for line in overnight("workflow", "list", "--json").lines]
    assert (first["name"], first["steps"], first["tasks"]) == ("flow", ["a", "b", "c"], {})


def test_without_a_home_nothing_is_made_by_looking(flow: Path, overnight: Overnight) -> None:
    for words in (["list"], ["show", "flow"], ["check"], ["graph", "flow"]):
        assert overnight("workflow", *words).status == 0
    assert not (flow / ".overnight").exists()


@pytest.mark.usefixtures("flow")
def test_a_workflow_and_its_history(overnight: Overnight) -> None:
    before = overnight("workflow", "show", "flow")
    assert "b  job:work\n    after a; if {a.n} > 3\n" in before.out
    assert "longest way: a > b, and how long it takes is not known before a task has run" in before.out
    assert overnight("run", "-w", "flow", "x", "y", "--quiet").status == 0
    assert "took " in overnight("workflow", "show", "flow").out
    shown = overnight("workflow", "show", "flow", "--json").json
    assert (shown["tasks"], shown["took"]["a"]["runs"]) == ({"completed": 2}, 2)
    assert shown["definition"]["steps"][1]["call"] == "job:work"
    assert overnight("workflow", "check").out.startswith("flow: 3 steps, nothing wrong; longest way: a > ")


def test_an_unknown_workflow_is_told_with_what_was_meant(flow: Path, overnight: Overnight) -> None:
    for words in (["show"], ["check"], ["graph"]):
        said = overnight("workflow", *words, "flwo")
        assert (said.status, said.err.splitlines()[-1]) == (4, "  try: did you mean 'flow'?")
    said = overnight("add", "-w", "wf-ingset", "x")
    assert "there is no workflow 'wf-ingset'; nothing was added" in said.err
    assert (flow / "job.py").exists()


@pytest.mark.parametrize("form", ["text", "dot", "mermaid"])
@pytest.mark.usefixtures("flow")
def test_it_is_drawn(overnight: Overnight, form: str) -> None:
    said = overnight("workflow", "graph", "flow", "--format", form)
    assert said.status == 0
    assert "job:work" in said.out if form == "text" else "n0" in said.out


def test_everything_that_is_wrong_is_told_at_its_place(place: Path, overnight: Overnight) -> None:
    (place / "overnight.toml").write_text(
        "[resources]\ngpu = 1\n"
        '[[workflow.one.step]]\nid = "a"\nrun = ["no-such-program"]\nwrites = ["x"]\nretires = 3\n'
        '[[workflow.two.step]]\nid = "a"\ncall = "gone:f"\nresources = { gpu = 2 }\nwrites = ["x"]\n'
        '[[workflow.two.step]]\nid = "b"\nrun = ["true"]\nif = "{a.n} > 3 and {a.n} < 2"\nwrites = ["x"]\n'
    )
    said = overnight("workflow", "check")
    assert said.status == 2
    places = [line for line in said.err.splitlines() if ": error: " in line]
    assert [line.partition("overnight.toml:")[2] for line in places] == [
        "7:1: error: unknown key 'retires'",
        f"10:8: error: step 'a' cannot call gone:f: there is no module 'gone' in {place} or among what is installed",
        "11:21: error: step 'a' needs 2 of 'gpu' and there is 1, so it waits for ever",
        "16:6: error: step 'b' never runs: {a.n} > 3 and {a.n} < 2 is never true",
        "17:11: error: steps 'a' and 'b' write the same file, x",
    ]
    assert 'call = "gone:f"\n           ^\n' in said.err
    said = overnight("workflow", "check", "--json")
    assert (said.status, len(said.json["mistakes"])) == (2, 5)
    assert said.json["mistakes"][0]["advice"] == "did you mean 'retries'?"


def test_the_schema_is_printed(overnight: Overnight) -> None:
    schema = overnight("config", "schema").json
    assert (
        "run"
        in schema["properties"]["workflow"]["patternProperties"].popitem()[1]["properties"]["step"]["items"][
            "properties"
        ]
    )


@pytest.mark.usefixtures("flow")
def test_steps_are_listed_when_they_are_asked_for(overnight: Overnight) -> None:
    overnight("run", "-w", "flow", "x", "y", "--quiet")
    assert len(overnight("list").lines) == 2
    assert len(overnight("list", "--steps").lines) == 8
    assert len(overnight("list", "--steps", "--state", "completed", "-w", "flow").lines) == 8
    of_second = [json.loads(line) for line in overnight("list", "--of", "2", "--json").lines]
    assert [(one["step"], one["parent_id"], one["workflow"]) for one in of_second] == [
        ("c", 2, "flow"), ("b", 2, "flow"), ("a", 2, "flow"),
    ]  # fmt: skip
    words = overnight("list", "--of", "2").out
    assert "skipped" in words
    assert "2 b: job:work  y" in words


@pytest.mark.usefixtures("flow")
def test_steps_are_shown_listed_explained_and_their_output_printed(overnight: Overnight) -> None:
    overnight("run", "-w", "flow", "x", "--quiet")
    a, b, c = overnight("show", "1", "--json").json["children"]
    assert (a["attempts"][0]["outcome"], b["result"], c["skipped"]) == ("completed", 8, True)
    shown = overnight("show", "1").out
    assert "1 attempt" in shown
    assert "{a.n} > 9 is false" in shown
    assert overnight("log", "1").out == "n=7\nof x\n"
    assert "3 steps: 3 completed" in overnight("status").out
    assert "task 1 completed at" in overnight("why", "1").out
    assert "was skipped: {a.n} > 9 is false" in overnight("why", str(c["id"])).out
    assert [line.split()[0] for line in overnight("list", "-w", "flow").lines] == ["1"]


def test_why_a_step_and_its_task_are_where_they_are(flow: Path, overnight: Overnight) -> None:
    (flow / "job.py").write_text("def work(value, context): raise ValueError('no')\n")
    overnight("run", "-w", "flow", "x", "--retries", "0", "--quiet")
    children = {one["step"]: one["id"] for one in overnight("show", "1", "--json").json["children"]}
    assert "failed (error): step 'b': ValueError: no" in overnight("why", "1").out
    assert "failed (error): ValueError: no" in overnight("why", str(children["b"])).out
    overnight("retry", "1", "--from", "a")
    assert "waits until task 1, whose step it is, goes on" in overnight("why", str(children["a"])).out
    assert f"waits for step 'a' (task {children['a']}), which is waiting" in overnight("why", str(children["b"])).out
