"""Steps of workflows in real processes: outputs that come in, and outputs that go out."""

from __future__ import annotations

from typing import Any

import msgspec
from executor_bench import Bench

from overnight.core.endings import Ended, Ending
from overnight.core.states import ErrorClass
from overnight.executors.contract import Spec

SOURCE = """
def two(value, context): return [value, context.step, context.workflow, context.attempt, context.outputs]
def one(value): return value
def optional(value, context=None): return context is not None
def three(value, context, more): pass
def where(value, context): return [context.task_id, context.work_dir]
"""
GIVEN = {"probe": {"path": "a b.wav", "n": 3}}


def run_step(bench: Bench, action: int, value: str = "in.wav", given: dict[str, Any] | None = None) -> Ended:
    spec: Spec = msgspec.structs.replace(
        bench.spec(action, value), workflow="flow", step="work", given=msgspec.json.encode(given) if given else b""
    )
    [key] = bench.start(spec)
    return bench.ended(key)


def test_a_function_hears_of_the_attempts_that_have_begun_alone(bench: Bench) -> None:
    source = (
        SOURCE
        + """
import os
def tried(value, context): return [context.attempt, os.environ["OVERNIGHT_ATTEMPT"], os.environ["OVERNIGHT_ATTEMPT_ID"]]
"""
    )
    action = bench.call("steps_tried:tried", source, in_workflow=True)
    spec = msgspec.structs.replace(bench.spec(action, attempt=3), workflow="flow", step="work", begun=1)
    [key] = bench.start(spec)
    assert msgspec.json.decode(bench.ended(key).result) == [2, "2", "3"]


def test_progress_is_told_of_the_attempt_that_is_on_record(bench: Bench) -> None:
    """By it the report is found, however many attempts before were taken back."""
    source = """
import os, overnight
def half(value):
    overnight.progress(0.5)
    with open(os.environ["OVERNIGHT_CONTROL"]) as file: return file.read()
"""
    action = bench.call("steps_half:half", source)
    [key] = bench.start(msgspec.structs.replace(bench.spec(action, attempt=3), begun=1))
    assert msgspec.json.decode(msgspec.json.decode(bench.ended(key).result))["attempt"] == "3"


def test_outputs_of_other_steps_stand_in_the_words(bench: Bench) -> None:
    action = bench.command("printf", "%s|", "{probe.path}", "{}", "n={probe.n}", in_workflow=True)
    ended = run_step(bench, action, given=GIVEN)
    assert bench.printed(ended)[1] == b"a b.wav|in.wav|n=3|"


def test_the_input_is_not_appended_to_the_words_of_a_step(bench: Bench) -> None:
    action = bench.command("printf", "%s|", "x", in_workflow=True)
    assert bench.printed(run_step(bench, action))[1] == b"x|"


def test_an_output_with_braces_is_not_looked_at_again(bench: Bench) -> None:
    action = bench.command("printf", "%s|", "{probe.path}", in_workflow=True)
    ended = run_step(bench, action, given={"probe": {"path": "{}{probe.n}; rm -r /"}})
    assert bench.printed(ended)[1] == b"{}{probe.n}; rm -r /|"


def test_a_plain_task_leaves_such_braces_alone(bench: Bench) -> None:
    ended = bench.run(bench.command("printf", "%s|", "{probe.path}"), "in.wav")
    assert bench.printed(ended)[1] == b"{probe.path}|in.wav|"


def test_a_missing_output_refuses_the_step(bench: Bench) -> None:
    ended = run_step(bench, bench.command("true", "{probe.path}", in_workflow=True))
    assert (ended.ending, ended.error_class) == (Ending.REFUSED, ErrorClass.PERMANENT)
    assert ended.error == "{probe.path} is missing: step 'probe' has given no 'path'"


def test_what_a_command_prints_is_its_output_where_others_use_it(bench: Bench) -> None:
    script = "echo duration=61.5; echo codec=mp3; echo noise >&2"
    ended = run_step(bench, bench.command("sh", "-c", script, in_workflow=True, captures=True))
    assert msgspec.json.decode(ended.result) == {
        "stdout": "duration=61.5\ncodec=mp3",
        "duration": 61.5,
        "codec": "mp3",
    }
    assert bench.printed(ended) == {1: b"duration=61.5\ncodec=mp3\n", 2: b"noise\n"}


def test_what_nobody_uses_is_not_kept_a_second_time(bench: Bench) -> None:
    ended = run_step(bench, bench.command("echo", "x", in_workflow=True))
    assert ended.result == b""


def test_a_failed_command_has_no_output_for_others(bench: Bench) -> None:
    ended = run_step(bench, bench.command("sh", "-c", "echo n=1; exit 3", in_workflow=True, captures=True))
    assert (ended.exit_code, ended.result) == (3, b"")


def test_of_a_flood_only_its_beginning_is_an_output(bench: Bench) -> None:
    script = "head -c 3000000 /dev/zero | tr '\\0' x"
    ended = run_step(bench, bench.command("sh", "-c", script, in_workflow=True, captures=True))
    assert len(msgspec.json.decode(ended.result)["stdout"]) == 1024 * 1024


def test_a_function_gets_the_input_and_a_context(bench: Bench) -> None:
    action = bench.call("steps:two", SOURCE, in_workflow=True)
    ended = run_step(bench, action, given=GIVEN)
    assert msgspec.json.decode(ended.result) == ["in.wav", "work", "flow", 1, GIVEN]


def test_a_function_that_wants_no_context_gets_none(bench: Bench) -> None:
    assert run_step(bench, bench.call("steps:one", SOURCE, in_workflow=True)).result == b'"in.wav"'
    assert run_step(bench, bench.call("steps:optional", SOURCE, in_workflow=True)).result == b"true"


def test_a_function_that_is_no_step_is_refused_with_what_to_write(bench: Bench) -> None:
    ended = run_step(bench, bench.call("steps:three", SOURCE, in_workflow=True))
    assert (ended.ending, ended.error_class) == (Ending.REFUSED, ErrorClass.PERMANENT)
    assert "cannot be called as a step; write it as def step(input, context)" in ended.error


def test_a_function_of_a_json_workflow_gets_the_value(bench: Bench) -> None:
    action = bench.call("steps:one", SOURCE, in_workflow=True, expects="json")
    assert run_step(bench, action, '{"a": [1, null]}').result == b'{"a":[1,null]}'
    assert "the input is no JSON" in run_step(bench, action, "{a}").error


def test_a_step_knows_its_number_and_its_directory(bench: Bench) -> None:
    ended = run_step(bench, bench.call("steps:where", SOURCE, in_workflow=True))
    task_id, work_dir = msgspec.json.decode(ended.result)
    assert task_id == ended.task_id
    assert work_dir.endswith(f"/{task_id}")


def test_steps_and_plain_tasks_share_a_runner(bench: Bench) -> None:
    plain = bench.call("steps:one", SOURCE)
    step = bench.call("steps:two", SOURCE, in_workflow=True)
    for _ in range(3):
        assert bench.run(plain, "x").result == b'"x"'
        assert run_step(bench, step).result.startswith(b'["in.wav"')
