"""`TaskOrchestrator`: sentence by sentence of what it promises; with real engines and workers."""

from __future__ import annotations

import json
import subprocess
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

import overnight
from overnight import AutonomousProcessor, ExecutionState, Overnight, ProgressReport, TaskFailedError, TaskOrchestrator
from overnight.core.errors import NotFoundError, OvernightError

Until = Callable[[Callable[[], object]], None]
Python = Callable[..., subprocess.Popen[str]]

FLOW = """
[defaults]
backoff = "100ms"

[workflow.flow]
phases = ["look", "work"]

[[workflow.flow.step]]
id    = "probe"
phase = "look"
run   = ["sh", "-c", "echo probe >>ledger; echo length=7; echo name={input}"]

[[workflow.flow.step]]
id      = "use"
phase   = "work"
retries = 0
run     = ["./use", "{probe.length}"]

[[workflow.flow.step]]
id    = "never"
phase = "work"
run   = ["false"]
if    = "{probe.length} > 100"
"""

USE = """#!/bin/sh
while test -e wait; do sleep 0.02; done
echo use >>ledger
test ! -e bad && echo "is=$1"
"""


@pytest.fixture(autouse=True)
def flow(here: Path) -> Path:
    (here / "overnight.toml").write_text(FLOW)
    (here / "use").write_text(USE)
    (here / "use").chmod(0o755)
    return here


def ledger(here: Path) -> list[str]:
    path = here / "ledger"
    return path.read_text().split() if path.exists() else []


def test_execute_returns_what_the_steps_have_given() -> None:
    outputs = TaskOrchestrator("flow").execute("a.wav")

    assert {name: outputs[name] for name in ("probe", "use")} == {
        "probe": {"length": 7, "name": "a.wav", "stdout": outputs["probe"]["stdout"]},
        "use": {"is": 7, "stdout": outputs["use"]["stdout"]},
    }
    assert "never" not in outputs


def test_the_state_says_everything_in_plain_values(here: Path) -> None:
    orchestrator = TaskOrchestrator("flow")
    assert orchestrator.state == ExecutionState("flow")
    assert orchestrator.get_progress() == ProgressReport(None, None, 0, 0, 0.0, None)

    orchestrator.execute({"path": Path("a.wav")})
    state = orchestrator.state
    assert (state.workflow_id, state.status, state.current_phase, state.current_step) == (
        "flow",
        "completed",
        None,
        None,
    )
    assert state.started_at is not None
    assert state.completed_at is not None
    assert state.started_at <= state.completed_at
    assert list(state.phase_outputs) == ["look", "work"]
    assert state.phase_outputs["work"]["use"]["is"] == 7
    assert state.task_timings.keys() == {"probe", "use"}
    assert [(one["step"], one["state"]) for one in state.history if one["step"] != "never"] == [
        ("probe", "completed"),
        ("use", "completed"),
    ]
    assert {one["step"]: one["state"] for one in state.history}["never"] == "skipped"
    assert orchestrator.get_progress() == ProgressReport(None, None, 3, 3, 100.0, 0.0)
    with Overnight() as night:
        assert json.loads(night.list()[0].input) == {"path": "a.wav"}
    assert ledger(here) == ["probe", "use"]


def test_progress_is_told_while_it_runs(here: Path, until: Until) -> None:
    (here / "wait").touch()
    orchestrator = TaskOrchestrator("flow")
    thread = threading.Thread(target=orchestrator.execute, args=("a",))
    thread.start()
    try:
        until(lambda: orchestrator.state.current_step == "use" and orchestrator.state.status == "running")
        until(lambda: orchestrator.get_progress().steps_done == 2)
        report = orchestrator.get_progress()
        assert (report.phase, report.step, report.steps_total) == ("work", "use", 3)
        assert report.percentage == pytest.approx(66.7, abs=0.1)
        assert report.seconds_left is not None
    finally:
        (here / "wait").unlink()
        thread.join()
    assert orchestrator.state.status == "completed"


def test_an_execution_that_failed_goes_on_from_the_step_that_failed(here: Path) -> None:
    (here / "bad").touch()
    orchestrator = TaskOrchestrator("flow")
    with pytest.raises(TaskFailedError, match="the execution of 'flow' is failed"):
        orchestrator.execute("a")
    assert orchestrator.state.status == "failed"
    assert orchestrator.state.phase_outputs["look"]["probe"]["length"] == 7
    (here / "bad").unlink()

    assert TaskOrchestrator("flow").execute("a")["use"]["is"] == 7
    assert ledger(here) == ["probe", "use", "use"]


def test_a_program_that_is_killed_goes_on_where_it_was(here: Path, python: Python, until: Until) -> None:
    (here / "wait").touch()
    code = "import overnight; o = overnight.TaskOrchestrator('flow'); print(o.execute('a')['use']['is'])"
    process = python(code)
    until(lambda: ledger(here) == ["probe"])
    process.kill()
    process.communicate()
    (here / "wait").unlink()
    out, err = python(code).communicate(timeout=60)

    assert out == "7\n", err
    assert ledger(here) == ["probe", "use"]


def test_a_second_execution_with_other_inputs_or_after_the_first_is_a_new_one(here: Path) -> None:
    orchestrator = TaskOrchestrator("flow")
    for inputs in ("a", "b", "a"):
        orchestrator.execute(inputs)
    assert ledger(here) == ["probe", "use"] * 3


def test_the_state_can_be_saved_and_taken_up_by_another_program(here: Path) -> None:
    orchestrator = TaskOrchestrator("flow")
    orchestrator.log_execution("begun by hand", by="me")
    orchestrator.execute("a")
    file = orchestrator.save_state(here / "state.json")
    other = TaskOrchestrator("flow")
    saved = other.load_state(file)

    assert saved == orchestrator.state == other.state
    assert saved.history[0]["message"] == "begun by hand"
    assert saved.history[0]["by"] == "me"
    assert other.get_progress().percentage == 100.0
    assert orchestrator.save_state() == here / ".overnight" / "execution-flow.json"
    assert TaskOrchestrator("flow").load_state() == saved


@pytest.mark.parametrize(
    ("content", "said"),
    [(None, "there is no state"), (b"{", "holds no state"), (b"[]", "holds no state"), (b"[" * 5000, "holds no state")],
)
def test_what_is_no_state_is_not_loaded(here: Path, content: bytes | None, said: str) -> None:
    if content is not None:
        (here / "s").write_bytes(content)
    with pytest.raises(OvernightError, match=said):
        TaskOrchestrator("flow").load_state(here / "s")


def test_the_state_of_another_workflow_is_not_loaded(here: Path) -> None:
    file = TaskOrchestrator("flow").save_state(here / "s")
    with pytest.raises(ValueError, match="holds the state of 'flow', version 1; nothing was loaded"):
        TaskOrchestrator("other").load_state(file)


def test_an_unknown_workflow_fails_when_it_is_to_run() -> None:
    orchestrator = TaskOrchestrator("flwo")
    with pytest.raises(NotFoundError, match="there is no workflow 'flwo'; nothing was started"):
        orchestrator.execute("a")


def test_what_is_no_json_is_refused() -> None:
    orchestrator: Any = TaskOrchestrator("flow")
    with pytest.raises(TypeError, match="cannot be written as JSON"):
        orchestrator.execute({"a": object()})
    with pytest.raises(TypeError, match="cannot be written as JSON"):
        orchestrator.log_execution("a", b=object())
    assert orchestrator.state.history == []


def test_other_work_of_the_home_is_left_alone(here: Path) -> None:
    with Overnight() as night:
        number = night.add(["touch", "other"])
        TaskOrchestrator("flow").execute("a")
        assert night.get(number).state == "pending"
    assert not (here / "other").exists()


def test_each_of_several_threads_gets_what_its_own_execution_has_given() -> None:
    orchestrator = TaskOrchestrator("flow")
    names = ["a", "b", "c"]
    with ThreadPoolExecutor(len(names)) as threads:
        outputs = list(threads.map(orchestrator.execute, names))
    assert [output["probe"]["name"] for output in outputs] == names


def test_a_processor_has_one_for_its_workflow(here: Path) -> None:
    processor = AutonomousProcessor("wf-ingest")
    (here / "a").write_text("abc")

    assert processor.orchestrator is processor.orchestrator
    outputs = processor.orchestrator.execute(here / "a")
    assert outputs.keys() == {"probe", "extract"}, "the steps of the workflow, in a home that has never heard of it"
    assert outputs["probe"]["size_bytes"] == 3
    assert processor.orchestrator.get_progress().percentage == 100.0
    assert processor.queue.size() == 0


def test_the_names_are_at_the_front_door() -> None:
    assert {"TaskOrchestrator", "ExecutionState", "ProgressReport"} <= set(overnight.__all__)
