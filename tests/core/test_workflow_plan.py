"""From a definition to what its steps run, and what becomes of a step when those before it have ended."""

from __future__ import annotations

import msgspec
import pytest

from overnight.core.task import Action, ActionKind
from overnight.core.workflow.model import Input, Step, Workflow
from overnight.core.workflow.plan import DefinitionError, Fail, Join, Plan, Run, Skip

TASK = Action(
    kind=ActionKind.WORKFLOW, call="w", cwd=b"/d", env={b"HOME": b"/h", b"LANG": b"C"}, timeout=60.0, retries=2
)


def plan(
    *steps: Step, gates: tuple[Step, ...] = (), phases: tuple[str, ...] = (), works_on: Input = Input.VALUE
) -> Plan:
    return Plan(Workflow(name="w", steps=steps, gates=gates, phases=phases, input=works_on))


def step(name: str, *needs: str, run: tuple[str, ...] = ("true",), condition: str = "", call: str = "") -> Step:
    return Step(id=name, run=() if call else run, needs=needs, condition=condition, call=call)


def actions(of: Plan) -> list[Action]:
    return [action for action in of.actions(TASK) if action is not None]


def test_a_step_runs_as_its_task_was_added_where_it_says_nothing() -> None:
    (action,) = actions(plan(step("a", run=("cp", "{input}", "{input.}.bak"))))
    assert (action.kind, action.argv, action.cwd) == (ActionKind.COMMAND, (b"cp", b"{}", b"{.}.bak"), b"/d")
    assert (action.timeout, action.retries, action.env) == (60.0, 2, TASK.env)
    assert action.in_workflow
    assert not action.captures


def test_what_a_step_says_counts() -> None:
    said = Step(id="a", call="m:f", timeout=0.0, retries=0, retry_on=("timeout",), env={"LANG": "de"})
    (action,) = actions(plan(said))
    assert (action.kind, action.call) == (ActionKind.CALL, "m:f")
    assert (action.timeout, action.retries, action.retry_on) == (None, 0, ("timeout",))
    assert action.env == {b"HOME": b"/h", b"LANG": b"de"}


def test_only_outputs_that_are_used_are_kept_from_what_is_printed() -> None:
    of = plan(step("a"), step("b", "a"), step("c", run=("{b.x}",)), step("d", "c", call="m:f"))
    assert [action.captures for action in actions(of)] == [False, True, True, False]


def test_a_gate_is_not_retried_unless_it_says_so() -> None:
    of = plan(Step(id="a", run=("x",), phase="p"), gates=(Step(id="g", run=("y",), phase="p"),), phases=("p",))
    assert [(action.is_gate, action.retries) for action in actions(of)] == [(False, 2), (True, 0)]


def test_a_file_is_looked_at_where_the_task_begins() -> None:
    of = plan(step("a"), step("b", "a"), works_on=Input.FILE)
    assert [action.expects for action in actions(of)] == ["file", "value"]


def test_functions_get_json_as_a_value() -> None:
    of = plan(step("a"), step("b", "a", call="m:f"), works_on=Input.JSON)
    assert [action.expects for action in actions(of)] == ["value", "json"]


def test_a_step_that_uses_nothing_runs_whatever_was_before() -> None:
    of = plan(step("a"), step("b", "a"))
    assert of.is_plain(1)
    assert of.decide(1, {}, {}, b"in") == Run()


def test_a_command_is_given_what_it_names_and_a_function_what_it_needs() -> None:
    of = plan(step("a"), step("b"), step("c", "b", run=("{a.x}",)), step("d", "b", call="m:f"))
    assert of.sources(2) == (0,)
    assert of.decide(2, {"a": {"x": 1}}, {}, b"") == Run(b'{"a":{"x":1}}')
    assert of.decide(3, {"b": [1]}, {}, b"") == Run(b'{"b":[1]}')


def test_a_false_condition_skips() -> None:
    of = plan(step("a"), step("b", condition="{a.x} > 3"))
    assert of.decide(1, {"a": {"x": 3}}, {}, b"") == Skip("{a.x} > 3 is false")
    assert of.decide(1, {"a": {"x": 4}}, {}, b"") == Run()


@pytest.mark.parametrize("after", [step("b", condition="{a.x} > 3"), step("b", run=("{a.x}",))])
def test_what_uses_the_output_of_a_skipped_step_is_skipped(after: Step) -> None:
    verdict = plan(step("a"), after).decide(1, {}, {"a": "was skipped"}, b"")
    assert verdict == Skip("step 'a', whose output it uses, was skipped")


def test_a_function_goes_without_the_output_of_a_skipped_step() -> None:
    of = plan(step("a"), step("b", "a", call="m:f"))
    assert of.decide(1, {}, {"a": "was skipped"}, b"") == Run()


@pytest.mark.parametrize("after", [step("b", condition="{a.y} > 3"), step("b", run=("{a.y}",))])
def test_a_missing_output_fails_the_step_that_asks_for_it(after: Step) -> None:
    verdict = plan(step("a"), after).decide(1, {"a": {"x": 1}}, {}, b"")
    assert verdict == Fail("{a.y} is missing: step 'a' has given no 'y'")


def test_parts_of_a_json_input_can_be_asked_for() -> None:
    of = plan(step("a", condition="{input.size} > 3", run=("{input.name}",)), works_on=Input.JSON)
    given = of.decide(0, {}, {}, b'{"size": 4, "name": "x"}')
    assert isinstance(given, Run)
    assert msgspec.json.decode(given.given) == {"input": {"size": 4, "name": "x"}}
    assert of.decide(0, {}, {}, b'{"size": 2}') == Skip("{input.size} > 3 is false")
    assert isinstance(of.decide(0, {}, {}, b"no json"), Fail)


def test_the_input_itself_can_be_asked_for() -> None:
    of = plan(step("a", condition="{input} == 'x.wav'"))
    assert of.decide(0, {}, {}, b"x.wav") == Run()
    assert isinstance(of.decide(0, {}, {}, b"y.wav"), Skip)


def test_outputs_that_are_too_large_are_refused() -> None:
    of = plan(step("a"), step("b", run=("{a.x}",)))
    assert isinstance(of.decide(1, {"a": {"x": "y" * 1024 * 1024}}, {}, b""), Fail)


def test_a_join_has_no_work() -> None:
    before = [Step(id=f"a{n}", run=("x",), phase="one") for n in range(4)]
    after = [Step(id=f"b{n}", run=("x",), phase="two") for n in range(4)]
    of = plan(*before, *after, phases=("one", "two"))
    assert len(of) == 9
    assert of.step(8) is None
    assert of.decide(8, {}, {}, b"") == Join()
    assert of.actions(TASK)[8] is None


def test_a_definition_that_makes_no_sense_has_no_plan() -> None:
    with pytest.raises(DefinitionError, match="workflow 'w' cannot be run: 'a' needs 'x', which is no step"):
        plan(step("a", "x"))
