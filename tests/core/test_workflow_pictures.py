"""Definitions looked at: what can never run, how they are drawn, how long they take."""

from __future__ import annotations

from collections.abc import Mapping

import pytest

from overnight.core.workflow.checking import check
from overnight.core.workflow.drawing import Form, draw
from overnight.core.workflow.estimating import estimate
from overnight.core.workflow.model import Step, Workflow
from overnight.core.workflow.plan import Plan
from overnight.core.workflow.records import Took


def step(name: str, *needs: str, **options: object) -> Step:
    return Step(id=name, run=options.pop("run", ("true",)), needs=needs, **options)  # type: ignore[arg-type]  # by name


def plan(*steps: Step, gates: tuple[Step, ...] = (), phases: tuple[str, ...] = ()) -> Plan:
    return Plan(Workflow(name="flow", steps=steps, gates=gates, phases=phases))


def faults(of: Plan, resources: Mapping[str, float] | None = None) -> list[tuple[object, str]]:
    return [(fault.where, fault.what) for fault in check(of, resources or {})]


def test_a_sound_workflow_has_nothing_said_against_it() -> None:
    assert faults(plan(step("a"), step("b", "a", condition="{a.n} > 3 or {a.n} < 2", writes=("b",)))) == []


def test_a_condition_that_is_never_true_is_found_and_who_uses_the_output_of_such_a_step() -> None:
    of = plan(
        step("a"),
        step("b", condition="{a.n} > 3 and {a.n} < 2"),
        step("c", run=("cat", "{b.path}")),
        step("d", run=("cat", "{c.path}")),
        step("e", "b"),
    )
    assert faults(of) == [
        (("step", 1, "if"), "step 'b' never runs: {a.n} > 3 and {a.n} < 2 is never true"),
        (("step", 2, "run", 1), "step 'c' never runs: it uses the output of 'b', which never runs"),
        (("step", 3, "run", 1), "step 'd' never runs: it uses the output of 'c', which never runs"),
    ]


def test_two_steps_that_write_one_file_are_found() -> None:
    (fault,) = check(plan(step("a", writes=("x", "{input}.out")), step("b", writes=("{input}.out",))), {})
    assert (fault.where, fault.what) == (("step", 1, "writes", 0), "steps 'a' and 'b' write the same file, {input}.out")
    assert fault.trail[0].where == ("step", 0, "writes", 1)


def test_a_resource_that_is_never_granted_is_found() -> None:
    of = plan(step("a", resources={"gpu": 2.0}), step("b", resources={"gpu": 1.0}))
    assert faults(of, {"gpu": 1.0}) == [
        (("step", 0, "resources", "gpu"), "step 'a' needs 2 of 'gpu' and there is 1, so it waits for ever")
    ]


# -- drawing ----------------------------------------------------------------------------------

PICTURE = plan(
    step("probe", phase="look"),
    step("extract", phase="work", condition='{probe.codec} == "a|b"'),
    gates=(step("good", phase="work"),),
    phases=("look", "work"),
)


def test_a_workflow_as_text() -> None:
    assert draw(PICTURE, Form.TEXT).split("\n") == [
        "look:",
        "  probe: runs true, begins at once",
        "work:",
        '  extract: runs true, after probe, if {probe.codec} == "a|b"',
        "  good (gate): runs true, after extract",
    ]


def test_a_workflow_for_graphviz() -> None:
    assert draw(PICTURE, Form.DOT).split("\n") == [
        'digraph "flow" {',
        "  rankdir=LR;",
        '  n0 [label="probe", shape=box];',
        '  n1 [label="extract", shape=box];',
        '  n2 [label="good", shape=diamond];',
        '  n0 -> n1 [label="{probe.codec} == \\"a|b\\""];',
        "  n1 -> n2;",
        "}",
    ]


def test_a_workflow_for_mermaid_whose_own_signs_are_written_out() -> None:
    assert draw(PICTURE, Form.MERMAID).split("\n") == [
        "flowchart LR",
        '    n0["probe"]',
        '    n1["extract"]',
        '    n2{"good"}',
        '    n0 -->|"#123;probe.codec#125; == #34;a#124;b#34;"| n1',
        "    n1 --> n2",
    ]


@pytest.mark.parametrize("form", Form)
def test_a_join_is_drawn_as_a_point_and_stands_for_its_steps_in_text(form: Form) -> None:
    wide = [step(f"a{n}", phase="one") for n in range(4)] + [step(f"b{n}", phase="two") for n in range(4)]
    drawn = draw(plan(*wide, phases=("one", "two")), form)
    if form is Form.TEXT:
        assert "  b0: runs true, after a0, a1, a2, a3" in drawn
    else:
        assert drawn.count("->") + drawn.count("-->") * (form is Form.DOT) == 8 or drawn.count("-->") == 8


# -- estimating -------------------------------------------------------------------------------


def test_without_a_history_the_longest_way_is_the_one_with_the_most_steps() -> None:
    found = estimate(plan(step("a"), step("b", "a"), step("c", "b"), step("d", "a")), {})
    assert (found.path, found.seconds, found.unknown) == (("a", "b", "c"), None, ("a", "b", "c"))


def test_with_a_history_it_is_the_one_that_takes_longest() -> None:
    of = plan(step("a"), step("b", "a"), step("c", "b"), step("d", "a"))
    found = estimate(of, {"a": Took(3, 1.0), "b": Took(3, 2.0), "d": Took(9, 60.0)})
    assert (found.path, found.seconds, found.unknown, found.work) == (("a", "d"), 61.0, (), 63.0)
