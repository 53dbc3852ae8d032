"""A workflow as a picture: text for a terminal, DOT for Graphviz, Mermaid for Markdown."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from enum import StrEnum

from overnight.core.workflow.graph import Graph
from overnight.core.workflow.model import Step
from overnight.core.workflow.plan import Plan

_ROOT = "begins at once"


class Form(StrEnum):
    """How it is drawn."""

    TEXT = "text"
    DOT = "dot"
    MERMAID = "mermaid"


def draw(plan: Plan, form: Form) -> str:
    """The picture, as lines without an end."""
    return "\n".join(_FORMS[form](plan))


def _text(plan: Plan) -> Iterator[str]:
    """Every step after all that it waits for, under the name of its phase."""
    phase = ""
    for node in _by_phase(plan):
        step = plan.step(node)
        assert step is not None  # noqa: S101 - joins are left out
        if step.phase != phase:
            phase = step.phase
            yield f"{phase}:"
        needs = [plan.graph.names[before] for before in _before(plan.graph, plan, node)]
        after = f"after {', '.join(needs)}" if needs else _ROOT
        what = f"calls {step.call}" if step.call else f"runs {step.run[0]}"
        condition = f", if {step.condition}" if step.condition else ""
        yield f"{'  ' if phase else ''}{step.id}{_kind(plan, node)}: {what}, {after}{condition}"


def _kind(plan: Plan, node: int) -> str:
    return " (gate)" if _is_gate(plan, node) else ""


def _is_gate(plan: Plan, node: int) -> bool:
    return len(plan.workflow.steps) <= node < len(plan.workflow.nodes)


def _by_phase(plan: Plan) -> list[int]:
    """Steps and gates in an order in which they can run, phase by phase."""
    phases = {phase: place for place, phase in enumerate(plan.workflow.phases)}

    def place(node: int) -> tuple[int, bool]:
        step = plan.step(node)
        return phases.get(step.phase, 0) if step else 0, _is_gate(plan, node)

    return sorted((node for node in plan.graph.order if plan.step(node)), key=place)


def _before(graph: Graph, plan: Plan, node: int) -> list[int]:
    """The steps that it waits for; a join stands for those that it joins."""
    found: dict[int, None] = {}
    left = list(graph.needs[node])
    while left:
        before = left.pop(0)
        if plan.step(before) is None:
            left += graph.needs[before]
        else:
            found[before] = None
    return list(found)


def _dot(plan: Plan) -> Iterator[str]:
    yield f"digraph {_quoted(plan.workflow.name)} {{"
    yield "  rankdir=LR;"
    for node, name in enumerate(plan.graph.names):
        yield f"  n{node} [label={_quoted(name)}, shape={_shape(plan, node)}];"
    for before, after, words in _edges(plan):
        label = f" [label={_quoted(words)}]" if words else ""
        yield f"  n{before} -> n{after}{label};"
    yield "}"


def _shape(plan: Plan, node: int) -> str:
    if plan.step(node) is None:
        return "point"
    return "diamond" if _is_gate(plan, node) else "box"


def _quoted(words: str) -> str:
    return '"' + words.replace("\\", "\\\\").replace('"', '\\"') + '"'


def _mermaid(plan: Plan) -> Iterator[str]:
    yield "flowchart LR"
    for node, name in enumerate(plan.graph.names):
        step = plan.step(node)
        left, right = ("((", "))") if step is None else ("{", "}") if _is_gate(plan, node) else ("[", "]")
        yield f'    n{node}{left}"{_entities(name)}"{right}'
    for before, after, words in _edges(plan):
        label = f'|"{_entities(words)}"|' if words else ""
        yield f"    n{before} -->{label} n{after}"


def _entities(words: str) -> str:
    """Text that Mermaid does not read as its own signs."""
    return re.sub(r'[#&"<>{}|;]', lambda found: f"#{ord(found[0])};", words)


def _edges(plan: Plan) -> Iterator[tuple[int, int, str]]:
    """Every edge with the condition of its end, which stands at the first edge that leads there."""
    for node in range(len(plan)):
        step: Step | None = plan.step(node)
        for number, before in enumerate(plan.graph.needs[node]):
            yield before, node, step.condition if step and not number else ""


_FORMS: dict[Form, Callable[[Plan], Iterator[str]]] = {Form.TEXT: _text, Form.DOT: _dot, Form.MERMAID: _mermaid}
