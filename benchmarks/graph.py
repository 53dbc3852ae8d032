"""A workflow of 5,000 steps and 50,000 edges: how long it takes to look for a cycle."""

from __future__ import annotations

import statistics
import time

from measuring import Row

from overnight.core.workflow.graph import build
from overnight.core.workflow.model import Step, Workflow

STEPS = 5000
NEEDED = 10


def measure(repeats: int = 5) -> list[Row]:
    """The row of the table."""
    steps = tuple(
        Step(id=f"s{n}", run=("true",), needs=tuple(f"s{n - back}" for back in range(1, NEEDED + 1) if n >= back))
        for n in range(STEPS)
    )
    median = statistics.median(_seconds(Workflow(name="w", steps=steps)) for _ in range(repeats))
    edges = sum(len(step.needs) for step in steps)
    return [Row(f"graph of {edges:,} edges looked through", f"{median:.2f} s", "", "< 1 s", median < 1)]


def _seconds(workflow: Workflow) -> float:
    began = time.perf_counter()
    if build(workflow).graph is None:
        raise RuntimeError("there is no cycle in it")
    return time.perf_counter() - began


if __name__ == "__main__":
    print(*measure(), sep="\n")
