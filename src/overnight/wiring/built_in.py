"""The workflows that are there without a configuration: what they consist of. Their steps are functions of ours."""

from __future__ import annotations

from overnight.core.workflow.model import Input, Step, Workflow

#: Who defines them.
SOURCE = "overnight"
_STEPS = "overnight.api.built_in_steps:"


def _step(name: str, function: str = "", *, needs: tuple[str, ...] = (), phase: str = "", condition: str = "") -> Step:
    call = f"{_STEPS}{function or name}"
    return Step(id=name, call=call, needs=needs, phase=phase, condition=condition)


INGEST = Workflow(
    name="wf-ingest",
    title="look at a file, and read all of it once",
    input=Input.FILE,
    steps=(
        _step("probe"),
        _step("extract", needs=("probe",), condition="{probe.text}"),
    ),
)

PIPELINE_FULL = Workflow(
    name="wf-pipeline-full",
    title="probe, extract, summarise, check, publish",
    input=Input.FILE,
    phases=("look", "work", "publish"),
    steps=(
        _step("probe", phase="look"),
        _step("extract", phase="work", condition="{probe.text}"),
        _step("copy", phase="work"),
        _step("summarise", phase="work", needs=("probe", "extract")),
        _step("publish", phase="publish", needs=("copy", "summarise")),
    ),
    gates=(_step("check", "same_content", needs=("probe", "copy"), phase="work"),),
)

WORKFLOWS = {workflow.name: workflow for workflow in (INGEST, PIPELINE_FULL)}
