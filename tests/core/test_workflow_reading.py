"""Reading definitions: what is understood, and that every mistake is told at its place."""

from __future__ import annotations

import tomllib
from typing import Any

import pytest

from overnight.core.task import Backoff
from overnight.core.workflow.model import Input, OnFailure, Step, Workflow, packed, unpacked
from overnight.core.workflow.reading import read

INGEST = """
input = "file"
match = ["*.wav", "*.mp4"]
phases = ["check", "work", "publish"]
deadline = "6h"
[[step]]
id = "probe"
phase = "check"
run = ["ffprobe", "-v", "error", "{input}"]
[[step]]
id = "transcribe"
phase = "work"
call = "pipeline.audio:transcribe"
needs = ["probe"]
timeout = "30m"
retries = { max = 5, on = ["timeout", "exit:75"], backoff = "1s, x3, max 9s" }
resources = { memory = "4GB", gpu = 1 }
if = "{probe.duration} > 60"
[[step]]
id = "upload"
phase = "publish"
run = ["rclone", "copy", "{transcribe.path}", "remote:done/"]
on_failure = "continue"
timeout = "none"
env = { LANG = "C" }
[[gate]]
after = "work"
run = ["./checks/quality.sh", "{input}"]
"""


def table(text: str) -> dict[str, Any]:
    return tomllib.loads(text)


def workflow_of(text: str) -> Workflow:
    found = read("ingest", table(text))
    assert found.faults == []
    assert found.workflow is not None
    return found.workflow


def mistakes(text: str) -> list[tuple[tuple[str | int, ...], str]]:
    return [(fault.where, fault.what) for fault in read("w", table(text)).faults]


def test_a_whole_definition_is_understood() -> None:
    assert workflow_of(INGEST) == Workflow(
        name="ingest",
        input=Input.FILE,
        match=("*.wav", "*.mp4"),
        phases=("check", "work", "publish"),
        deadline=6 * 3600.0,
        steps=(
            Step(id="probe", phase="check", run=("ffprobe", "-v", "error", "{input}")),
            Step(
                id="transcribe",
                phase="work",
                call="pipeline.audio:transcribe",
                needs=("probe",),
                timeout=1800.0,
                retries=5,
                retry_on=("timeout", "exit:75"),
                backoff=Backoff(1, 3, 9),
                resources={"gpu": 1.0},
                memory=4_000_000_000,
                condition="{probe.duration} > 60",
            ),
            Step(
                id="upload",
                phase="publish",
                run=("rclone", "copy", "{transcribe.path}", "remote:done/"),
                on_failure=OnFailure.CONTINUE,
                timeout=0.0,
                env={"LANG": "C"},
            ),
        ),
        gates=(Step(id="work-gate", phase="work", run=("./checks/quality.sh", "{input}")),),
    )


def test_the_digest_does_not_depend_on_the_order_of_keys() -> None:
    one = workflow_of('[[step]]\nid = "a"\nrun = ["x"]\nenv = { B = "2", A = "1" }\nretries = 3')
    other = workflow_of('[[step]]\nretries = 3\nenv = { A = "1", B = "2" }\nrun = ["x"]\nid = "a"')
    assert one.digest() == other.digest()


def test_the_digest_tells_every_change() -> None:
    changed = [
        INGEST.replace(*pair)
        for pair in (("60", "61"), ("4GB", "5GB"), ('"work"\nrun', '"check"\nrun'), ("30m", "31m"))
    ]
    digests = {workflow_of(text).digest() for text in (INGEST, *changed)}
    assert len(digests) == 5


def test_a_definition_survives_being_packed() -> None:
    workflow = workflow_of(INGEST)
    assert unpacked(packed(workflow)) == workflow
    assert packed(unpacked(packed(workflow))) == packed(workflow)


def test_gates_without_a_name_get_one() -> None:
    text = 'phases = ["a"]\n[[step]]\nid = "x"\nphase = "a"\nrun = ["x"]\n' + '[[gate]]\nafter = "a"\nrun = ["y"]\n' * 3
    assert [gate.id for gate in workflow_of(text).gates] == ["a-gate", "a-gate-2", "a-gate-3"]


RETRY_FOR = "crashed, error, memory, output, stalled, timeout or an exit status as exit:75"
STEP = '[[step]]\nid = "a"\nrun = ["x"]\n'


@pytest.mark.parametrize(
    ("text", "where", "what"),
    [
        ("", (), "workflow 'w' has no step"),
        ("step = 3", ("step",), "there can be several: write [[...step]] with two brackets"),
        ("step = [3]", ("step", 0), "3 is no step; write [[...step]] and below it its keys"),
        ("colour = 1\n" + STEP, ("colour",), "unknown key 'colour'"),
        (STEP + "retires = 3", ("step", 0, "retires"), "unknown key 'retires'"),
        ('[[step]]\nrun = ["x"]', ("step", 0), "id is missing: its name, which placeholders use: `{probe.duration}`"),
        ('[[step]]\nid = "a"', ("step", 0), "there is nothing to do in this step"),
        (STEP + 'call = "m:f"', ("step", 0, "call"), "a step runs a command or calls a function, and not both"),
        (STEP + "keep_children = 1", ("step", 0, "keep_children"), "1 is neither true nor false"),
        ('[[step]]\nid = "a"\ncall = "m:f"\nkeep_children = true', ("step", 0, "keep_children"),
         "keep_children is about what a command leaves running, and this step calls a function"),
        (STEP + 'needs = ["x", 3]', ("step", 0, "needs", 1), "3 is no text"),
        (STEP + 'needs = "x"', ("step", 0, "needs"), "'x' is not a list of names, as in ['probe', 'tag']"),
        ('[[step]]\nid = "1"\nrun = ["x"]', ("step", 0, "id"),
         "'1' cannot be the name of a step; use a letter, then letters, digits, _ and -, up to 64"),
        ('[[step]]\nid = "input"\nrun = ["x"]', ("step", 0, "id"),
         "a step cannot be called 'input': that stands for the task's own"),
        ('[[step]]\nid = "a"\nrun = "x y"', ("step", 0, "run"), "a command is a list of words, and no shell splits it"),
        ('[[step]]\nid = "a"\nrun = []', ("step", 0, "run"), "there is no program to run"),
        ('[[step]]\nid = "a"\ncall = "f"', ("step", 0, "call"),
         "'f' names no function; write it as 'package.module:function'"),
        (STEP + 'timeout = "soon"', ("step", 0, "timeout"),
         "'soon' is no duration; write 30, 30s, 5m, 2h, 1d, 1h30m or 500ms"),
        (STEP + "retries = -1", ("step", 0, "retries"), "-1 is no number of retries; write 0 to 1,000,000"),
        (STEP + "retries = { max = true }", ("step", 0, "retries", "max"),
         "True is no number of retries; write 0 to 1,000,000"),
        (STEP + "retries = { most = 3 }", ("step", 0, "retries", "most"), "unknown key 'most'"),
        (STEP + 'retries = { on = ["timeout", "moon"] }', ("step", 0, "retries", "on", 1),
         f"'moon' is nothing to retry for; write {RETRY_FOR}"),
        (STEP + 'retries = { on = ["exit:0"] }', ("step", 0, "retries", "on", 0),
         f"'exit:0' is nothing to retry for; write {RETRY_FOR}"),
        (STEP + "resources = { gpu = 0 }", ("step", 0, "resources", "gpu"),
         "0 is no amount of gpu; write a number above 0"),
        (STEP + 'resources = { memory = "lots" }', ("step", 0, "resources", "memory"),
         "'lots' is no size; write 500MB, 2GB or 64MiB"),
        (STEP + 'env = { OVERNIGHT_HOME = "x" }', ("step", 0, "env", "OVERNIGHT_HOME"),
         "'OVERNIGHT_HOME' cannot be set for a task"),
        (STEP + 'if = "{a.b} >"', ("step", 0, "if"), "'the end' stands where a number or a text is expected"),
        (STEP + 'on_failure = "ignore"', ("step", 0, "on_failure"),
         "'ignore' is not one of them; write 'stop' or 'continue'"),
        ('phases = ["a", "a"]\n' + STEP, ("phases", 1), "'a' stands there twice"),
        ('phases = ["a b"]\n' + STEP, ("phases", 0),
         "'a b' cannot be the name of a phase; use a letter, then letters, digits, _ and -"),
        ('input = "files"\n' + STEP, ("input",), "'files' is not one of them; write 'value' or 'file' or 'json'"),
        ('deadline = "0s"\n' + STEP, ("deadline",), "'0s' leaves no time at all"),
        (STEP + '[[gate]]\nrun = ["x"]', ("gate", 0), "after is missing: the phase that ends with this check"),
    ],
)  # fmt: skip
def test_a_mistake_is_told_at_its_place(text: str, where: tuple[str | int, ...], what: str) -> None:
    assert (where, what) in mistakes(text)


def test_all_mistakes_are_told_at_once() -> None:
    text = 'colour = 1\n[[step]]\nid = "a"\nretires = 3\ntimeout = "x"\n[[step]]\nid = "a b"\nrun = ["x"]'
    assert [where for where, _ in mistakes(text)] == [
        ("colour",),
        ("step", 0, "retires"),
        ("step", 0, "timeout"),
        ("step", 0),
        ("step", 1, "id"),
    ]


def test_a_slip_of_the_finger_is_guessed() -> None:
    (fault,) = read("w", table(STEP + "retires = 3")).faults
    assert fault.advice == "did you mean 'retries'?"


def test_a_mistake_in_a_condition_is_told_with_its_place_in_the_text() -> None:
    (fault,) = read("w", table(STEP + 'if = "{a.b} > moon"')).faults
    assert fault.inside == 8


def test_a_thousand_steps_are_read() -> None:
    steps = [{"id": f"s{n}", "run": ["x", "{input}"], "needs": [f"s{n - 1}"] if n else []} for n in range(1000)]
    assert read("w", {"step": steps}).workflow is not None
