"""How long a task of a workflow takes, by how long its steps took before."""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

from overnight.core.workflow.graph import critical_path
from overnight.core.workflow.plan import Plan
from overnight.core.workflow.records import Took


class Estimate(NamedTuple):
    """How long a task takes.

    Attributes:
        path: The steps that it cannot be faster than, in order.
        seconds: The length of that path; None when no step of it has ever run.
        unknown: Steps of the path that have never run, and count as nothing.
        work: Seconds of all steps together.
    """

    path: tuple[str, ...]
    seconds: float | None
    unknown: tuple[str, ...]
    work: float


def estimate(plan: Plan, history: Mapping[str, Took]) -> Estimate:
    """The critical path of a workflow, and how long it takes.

    Args:
        plan: The workflow.
        history: What is known of its steps, by their names. Without any the path is the one with the most steps.
    """
    names = plan.graph.names
    mean = [history[name].seconds if name in history else 0.0 for name in names]
    # Of paths that take equally long, the one with the most steps; a join is none.
    least = 1e-9
    nodes = critical_path(plan.graph, [took + (least if plan.step(n) else 0.0) for n, took in enumerate(mean)])
    path = [node for node in nodes if plan.step(node)]
    known = [node for node in path if names[node] in history]
    return Estimate(
        tuple(names[node] for node in path),
        sum(mean[node] for node in known) if known else None,
        tuple(names[node] for node in path if names[node] not in history),
        sum(mean),
    )
