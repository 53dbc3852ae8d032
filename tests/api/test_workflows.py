"""Workflows from Python: the same model as in a file, added, run and looked at."""

from __future__ import annotations

import json
import subprocess
import sys
import textwrap
from fractions import Fraction
from pathlib import Path
from typing import Any

import pytest

import overnight
from overnight.api.arguments import ArgumentTypeError, ArgumentValueError
from overnight.core.workflow.model import Input, OnFailure, Step


@overnight.task(timeout=90, retries=7)
def probe(path: str) -> dict[str, int]:
    return {"size": len(path)}


def report(path: str, context: overnight.Context) -> str:
    return f"{path} {context.outputs['probe']['size']}"


@overnight.workflow(input="file", phases=("look", "work"), deadline="2h", title="both")
def both(flow: overnight.Flow) -> None:
    """Two steps and a gate."""
    flow.step(probe, phase="look")
    flow.step(
        report, "tell", phase="work", needs=[probe], when="{probe.size} > 3", retries={"max": 2, "on": ["timeout"]}
    )
    flow.gate(["test", "-e", "{input}"], after="work", on_failure="continue", env={"LANG": "C"})


def test_a_decorated_function_becomes_a_workflow_of_the_one_model() -> None:
    definition = both.definition
    assert definition is not None
    assert (both.name, definition.input, definition.phases, definition.deadline) == (
        "both",
        Input.FILE,
        ("look", "work"),
        7200.0,
    )
    assert definition.steps == (
        Step(id="probe", call=f"{__name__}:probe", phase="look", timeout=90.0, retries=7),
        Step(id="tell", call=f"{__name__}:report", phase="work", needs=("probe",), condition="{probe.size} > 3",
             retries=2, retry_on=("timeout",)),
    )  # fmt: skip
    assert definition.gates == (
        Step(
            id="work-gate",
            run=("test", "-e", "{input}"),
            phase="work",
            on_failure=OnFailure.CONTINUE,
            env={"LANG": "C"},
        ),
    )
    assert both.__doc__ == "Two steps and a gate."


def test_all_mistakes_are_told_at_once_and_as_in_a_file() -> None:
    with pytest.raises(ArgumentValueError) as raised:

        @overnight.workflow()
        def wrong(flow: overnight.Flow) -> None:
            flow.step(["true"], "a", retires=3, needs=["b"])  # type: ignore[call-arg]  # the point of the test
            flow.step(["cat", "{c.path}"], "b", needs=["a"])

    words = raised.value.message
    assert "step[0].retires: unknown key 'retires' (did you mean 'retries'?)" in words
    assert "step[1].run[1]: 'b' needs 'c', which is no step of workflow 'wrong'" in words
    assert "step[0].needs[0]: steps wait for each other: a needs b needs a" in words


@overnight.task(timeout=None, memory="1GB", queue="elsewhere")
def endless(path: str) -> None:
    """A step without a limit of time, and with one of memory."""


@overnight.task(at_most_once=True, stall="5s", env=["HOME"])
def once(path: str) -> None:
    """What must not be called a second time."""


def test_what_a_decorator_says_of_a_function_holds_for_the_step() -> None:
    @overnight.workflow(timeout="1h")
    def flow(flow: overnight.Flow) -> None:
        flow.step(endless)
        flow.step(endless, "own", timeout=5, resources={"memory": "2GB", "gpu": 1})

    assert flow.definition is not None
    assert [(one.timeout, one.memory, one.resources) for one in flow.definition.steps] == [
        (0.0, 10**9, {}),
        (5.0, 2 * 10**9, {"gpu": 1.0}),
    ]


def test_what_a_decorator_says_and_no_step_can_have_is_not_dropped_without_a_word() -> None:
    """A function that says at_most_once would be called again."""
    with pytest.raises(ArgumentValueError) as raised:
        overnight.workflow("flow")(lambda flow: flow.step(once))
    assert raised.value.message == (
        f"{__name__}:once is decorated with at_most_once=True, stall=5.0, env=['HOME'], which no single step can have;"
        " nothing was defined"
    )
    assert raised.value.hint.startswith("@overnight.workflow(at_most_once=True, stall=5.0, env=['HOME'])")
    whole = overnight.workflow("flow", at_most_once=True, stall=60, env=["HOME", "LANG"])
    assert whole(lambda flow: flow.step(once)).options.at_most_once


def test_what_no_worker_could_find_is_refused_when_it_is_written() -> None:
    with pytest.raises(ArgumentValueError, match="a lambda cannot be found by a worker"):
        overnight.workflow()(lambda flow: flow.step(lambda value: value))
    with pytest.raises(ArgumentTypeError, match="has no name of its own"):
        overnight.workflow()(lambda flow: flow.step(["true"]))
    with pytest.raises(ArgumentTypeError, match="is used with brackets"):
        overnight.workflow(report)  # type: ignore[arg-type]  # the point of the test
    with pytest.raises(ArgumentTypeError, match="unexpected keyword argument 'phase'"):
        overnight.workflow(phase=["a"])  # type: ignore[call-arg]  # the point of the test


@pytest.mark.usefixtures("here")
def test_resources_of_a_whole_workflow_are_a_matter_of_its_steps() -> None:
    with pytest.raises(ArgumentValueError, match="what is taken is a matter of its steps"):
        overnight.Overnight().add(both, "x", needs={"gpu": 1})
    assert overnight.Overnight().list() == []


PROGRAM = """
import json
import overnight

def probe(path):
    overnight.progress(0.5, "half of it")
    return {"size": len(open(path).read())}

def report(path, context):
    return f"{path} {context.outputs['probe']['size']}"

@overnight.workflow(input="file", match="*.txt")
def both(flow):
    flow.step(probe)
    flow.step(report, needs=[probe], when="{probe.size} > 3")
    flow.step(["tr", "a-z", "A-Z"], "idle", needs=["report"])

if __name__ == "__main__":
    with overnight.Overnight() as night:
        first = both.add("a.txt")
        second, third = night.add_many(both, ["b.txt", "missing.txt"], retries=0)
        builtin = night.add(overnight.Workflow.named("wf-ingest"), "a.txt")
        print(night.run())
        steps = [(one.step, one.state, one.skipped) for one in night.steps(second)]
        report_of = [one.id for one in night.steps(first) if one.step == "report"][0]
        print(json.dumps([night.get(first).workflow, night.result(report_of), steps, night.get(third).error,
                          len(night.steps(builtin))]))
        try:
            night.add(both, "a.wav")
        except overnight.OvernightError as error:
            print(error.message)
        try:
            night.add(overnight.Workflow.named("wf-ingst"), "a.txt")
        except overnight.OvernightError as error:
            print(error.message, error.hint)
"""


def test_a_program_defines_adds_runs_and_looks(here: Path) -> None:
    (here / "flow.py").write_text(textwrap.dedent(PROGRAM))
    (here / "a.txt").write_text("four")
    (here / "b.txt").write_text("two")
    done = subprocess.run(
        [sys.executable, "flow.py"], cwd=here, capture_output=True, text=True, timeout=100, check=False
    )
    assert done.returncode == 0, done.stderr
    ran, found, mismatch, unknown = done.stdout.splitlines()
    assert "processed=3, failed=1" in ran
    name, result, steps, error, builtin = json.loads(found)
    assert (name, result, builtin) == ("both", "a.txt 4", 2)
    assert steps == [["probe", "completed", False], ["report", "completed", True], ["idle", "completed", False]]
    assert "does not exist" in error
    assert mismatch == "workflow 'both' takes *.txt, and not a.wav; nothing was added"
    assert unknown == "there is no workflow 'wf-ingst'; nothing was added did you mean 'wf-ingest'?"


def test_progress_goes_where_the_task_was_told_to_write(here: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    overnight.progress(0.1, "outside of a task nothing happens")
    monkeypatch.setenv("OVERNIGHT_CONTROL", str(here / "control"))
    monkeypatch.setenv("OVERNIGHT_TASK_ID", "7")
    overnight.progress(0.4, "page 4 of 10")
    overnight.progress(message="still there")
    lines: list[dict[str, Any]] = [json.loads(line) for line in (here / "control").read_text().splitlines()]
    assert [(one["progress"], one["message"], one["task"]) for one in lines] == [
        (0.4, "page 4 of 10", "7"),
        (None, "still there", "7"),
    ]
    with pytest.raises(ValueError, match="a fraction from 0 to 1 is wanted"):
        overnight.progress(40)
    monkeypatch.setenv("OVERNIGHT_CONTROL", str(here / "no" / "such" / "place"))
    overnight.progress(0.5)


def test_progress_takes_any_number_and_is_as_strict_outside_of_a_task(
    here: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A slip would else show in the night only, as the failure of the task."""
    for _ in range(2):
        overnight.progress(Fraction(1, 2), Path("page"))  # type: ignore[arg-type]  # the point of the test
        with pytest.raises(TypeError):
            overnight.progress([])  # type: ignore[arg-type]  # the same
        monkeypatch.setenv("OVERNIGHT_CONTROL", str(here / "control"))
    (said,) = (here / "control").read_text().splitlines()
    assert json.loads(said) | {"task": "", "attempt": ""} == {
        "progress": 0.5,
        "message": "page",
        "task": "",
        "attempt": "",
    }


def test_old_reports_make_room_and_a_wish_does_not(here: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A script of the task may have said when to try again long before the last report."""
    control = here / "control"
    old = '{"progress": 0.1}\n' * 10_000
    control.write_text(f'{{"retry_at": 1}}\n{old}{{"retry_at": 2}}\n{old}')
    monkeypatch.setenv("OVERNIGHT_CONTROL", str(control))
    overnight.progress(0.9)
    wish, report = map(json.loads, control.read_text().splitlines())
    assert (wish, report["progress"]) == ({"retry_at": 2}, 0.9)


def test_a_hold_a_cancel_and_a_retry_reach_the_steps(here: Path) -> None:
    """By the same calls as everywhere; the command line is asked to do it."""
    (here / "overnight.toml").write_text(
        '[[workflow.flow.step]]\nid = "a"\nrun = ["true"]\n'
        '[[workflow.flow.step]]\nid = "b"\nrun = ["test", "-e", "ready"]\nneeds = ["a"]\nretries = 0\n'
    )
    night = overnight.Overnight()
    first = night.add(overnight.Workflow.named("flow"), "x")
    after = night.add(["true"], "y")

    def cli(*words: str) -> None:
        done = subprocess.run([sys.executable, "-m", "overnight", *words], cwd=here, timeout=60, check=False)
        assert done.returncode in (0, 1)

    def steps() -> list[str]:
        return [one.state for one in night.steps(first)]

    cli("add", "--after", str(first), "--", "true")
    cli("run", "--quiet")
    assert (night.get(first).state, steps()) == ("failed", ["completed", "failed"])
    assert [one.reason for one in night.list("failed")] == ["dependency", "error"]
    assert night.get(after).state == "completed"
    cli("retry", str(first))
    cli("hold", str(first))
    assert (night.get(first).state, steps()) == ("held", ["completed", "held"])
    cli("release", str(first))
    cli("cancel", str(first))
    assert (night.get(first).state, steps()) == ("cancelled", ["completed", "cancelled"])
    (here / "ready").touch()
    cli("retry", str(first))
    cli("run", "--quiet")
    assert (night.get(first).state, steps()) == ("completed", ["completed", "completed"])
    assert [one.attempt for one in night.steps(first)] == [1, 2]
    assert {one.state for one in night.list()} == {"completed"}
