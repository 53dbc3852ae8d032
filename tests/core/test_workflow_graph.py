"""The graph of a workflow: what comes after what, and what is said when that makes no sense."""

from __future__ import annotations

from collections.abc import Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st

from overnight.core.workflow.graph import Graph, build, critical_path, descendants
from overnight.core.workflow.model import Step, Workflow


def step(name: str, *needs: str, phase: str = "", run: Sequence[str] = ("true",), condition: str = "") -> Step:
    return Step(id=name, run=tuple(run), needs=needs, phase=phase, condition=condition)


def workflow(*steps: Step, gates: Sequence[Step] = (), phases: Sequence[str] = ()) -> Workflow:
    return Workflow(name="w", steps=steps, gates=tuple(gates), phases=tuple(phases))


def graph_of(*steps: Step, gates: Sequence[Step] = (), phases: Sequence[str] = ()) -> Graph:
    built = build(workflow(*steps, gates=gates, phases=phases))
    assert built.faults == []
    assert built.graph is not None
    return built.graph


def edges(graph: Graph) -> set[tuple[str, str]]:
    return {(graph.names[before], graph.names[node]) for node, needs in enumerate(graph.needs) for before in needs}


def what(*steps: Step, gates: Sequence[Step] = (), phases: Sequence[str] = ()) -> list[str]:
    return [fault.what for fault in build(workflow(*steps, gates=gates, phases=phases)).faults]


def test_without_needs_and_phases_nothing_waits() -> None:
    assert edges(graph_of(step("a"), step("b"))) == set()


def test_a_step_waits_for_what_it_needs_and_for_what_it_uses() -> None:
    graph = graph_of(
        step("a"), step("b", "a"), step("c", run=("cp", "{a.path}", "{b.path}")), step("d", condition="{c.n} > 3")
    )
    assert edges(graph) == {("a", "b"), ("a", "c"), ("b", "c"), ("c", "d")}


def test_parts_of_the_input_are_no_needs() -> None:
    assert edges(graph_of(step("a", run=("{input.size}",), condition="{input} != 'x'"))) == set()


def test_a_phase_waits_for_the_last_steps_of_the_one_before() -> None:
    graph = graph_of(
        step("a", phase="one"),
        step("b", "a", phase="one"),
        step("c", phase="two"),
        step("d", "c", phase="two"),
        phases=("one", "two"),
    )
    assert edges(graph) == {("a", "b"), ("b", "c"), ("c", "d")}


def test_a_gate_stands_between_two_phases() -> None:
    graph = graph_of(
        step("a", phase="one"),
        step("b", phase="two"),
        gates=[step("check", phase="one")],
        phases=("one", "two"),
    )
    assert edges(graph) == {("a", "check"), ("check", "b")}


def test_many_before_many_wait_by_way_of_a_join() -> None:
    before = [step(f"a{number}", phase="one") for number in range(100)]
    after = [step(f"b{number}", phase="two") for number in range(100)]
    graph = graph_of(*before, *after, phases=("one", "two"))
    assert graph.edges == 200
    assert graph.names[-1] == "begin of two"


def test_the_order_puts_every_step_after_its_needs() -> None:
    graph = graph_of(step("c", "b"), step("b", "a"), step("a"))
    assert [graph.names[node] for node in graph.order] == ["a", "b", "c"]


@pytest.mark.parametrize(
    ("steps", "expected"),
    [
        ([step("a", "b"), step("b", "a")], "steps wait for each other: a needs b needs a"),
        (
            [step("a"), step("b", "d"), step("c", "b"), step("d", "c")],
            "steps wait for each other: b needs d needs c needs b",
        ),
        ([step("a", "a")], "'a' needs itself"),
        ([step("a", "x")], "'a' needs 'x', which is no step of workflow 'w'"),
        ([step("a", run=("{x.y}",))], "'a' needs 'x', which is no step of workflow 'w'"),
        ([step("a"), step("a")], "'a' is the name of two steps"),
        ([step("a", phase="one")], "there is no phase 'one'"),
    ],
)
def test_what_makes_no_sense_is_told(steps: list[Step], expected: str) -> None:
    assert what(*steps) == [expected]


def test_a_cycle_names_the_place_of_each_of_its_edges() -> None:
    (fault,) = build(
        workflow(step("a"), step("b", "a", "d"), step("c", run=("x", "{b.path}")), step("d", condition="{c.n}"))
    ).faults
    assert fault.where == ("step", 1, "needs", 1)
    assert [(mark.where, mark.what) for mark in fault.trail] == [
        (("step", 3, "if"), "d needs c"),
        (("step", 2, "run", 1), "c needs b"),
    ]


def test_phases_that_make_no_sense_are_told() -> None:
    phases = ("one", "two")
    assert what(step("a", phase="one"), step("b"), step("c", phase="tow"), phases=phases) == [
        "step 'b' is in no phase",
        "there is no phase 'tow'",
    ]
    assert what(step("a", phase="one"), phases=phases) == ["phase 'two' has no step"]
    assert what(step("a", "b", phase="one"), step("b", phase="two"), phases=phases) == [
        "'a' of phase 'one' needs 'b', which comes later, in phase 'two'"
    ]
    gate = step("g", phase="one")
    assert what(step("a", "g", phase="one"), step("b", phase="two"), gates=[gate], phases=phases) == [
        "'a' of phase 'one' needs 'g', which comes later, in phase 'one'"
    ]


def test_everything_that_comes_after_a_step() -> None:
    graph = graph_of(step("a"), step("b", "a"), step("c", "b"), step("d"))
    assert {graph.names[node] for node in descendants(graph, [0])} == {"b", "c"}


def test_the_longest_way_through() -> None:
    graph = graph_of(step("a"), step("b", "a"), step("c", "a"), step("d", "b", "c"))
    assert [graph.names[node] for node in critical_path(graph, [1, 5, 2, 1])] == ["a", "b", "d"]
    assert [graph.names[node] for node in critical_path(graph, [1, 1, 2, 1])] == ["a", "c", "d"]
    assert critical_path(graph, [0, 0, 0, 0])


def test_fifty_thousand_edges_are_looked_through() -> None:
    steps = [step(f"s{n}", *(f"s{n - back}" for back in range(1, 11) if n >= back)) for n in range(5000)]
    assert build(workflow(*steps)).graph is not None
    assert build(workflow(step("s0", "s4999"), *steps[1:])).faults


def test_a_chain_of_fifty_thousand_steps_needs_no_stack() -> None:
    steps = [step("s0"), *(step(f"s{n}", f"s{n - 1}") for n in range(1, 50_000))]
    graph = graph_of(*steps)
    assert len(descendants(graph, [0])) == 49_999
    assert len(critical_path(graph, [1.0] * 50_000)) == 50_000
    (fault,) = build(workflow(step("s0", "s49999"), *steps[1:])).faults
    assert len(fault.what) < 300


Drawn = list[tuple[str, list[int]]]


@given(st.lists(st.tuples(st.sampled_from("abc"), st.lists(st.integers(0, 11), max_size=3)), min_size=1, max_size=12))
def test_the_graph_is_that_of_the_simple_definition(drawn: Drawn) -> None:
    """A step comes after every step of the phases before, after what it needs, and after nothing else."""
    drawn = sorted(drawn)
    phases = sorted({phase for phase, _ in drawn})
    steps = [
        step(f"s{n}", *dict.fromkeys(f"s{need}" for need in needs if need < n), phase=phase)
        for n, (phase, needs) in enumerate(drawn)
    ]
    graph = graph_of(*steps, phases=phases)
    expected = {n: {m for m in range(n) if drawn[m][0] < drawn[n][0]} for n in range(len(steps))}
    for n, one in enumerate(steps):
        for need in one.needs:
            expected[n] |= {int(need[1:])} | expected[int(need[1:])]
    found = {n: {m for m in range(len(steps)) if n in descendants(graph, [m])} for n in range(len(steps))}
    assert found == expected
