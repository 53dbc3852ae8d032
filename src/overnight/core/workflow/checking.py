"""What can be said against a definition that makes sense: steps that can never do their work.

Everything here is seen from the definition alone, and is pure. Whether programs and functions are there
is asked of the machine, by `ops.workflow_checks`.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from overnight.core.workflow.conditions import never, parse
from overnight.core.workflow.faults import Fault, Mark
from overnight.core.workflow.graph import used, where_of
from overnight.core.workflow.model import Step, Workflow
from overnight.core.workflow.outputs import INPUT
from overnight.core.workflow.plan import Plan


def check(plan: Plan, resources: Mapping[str, float]) -> list[Fault]:
    """What keeps steps from ever doing their work.

    Args:
        plan: The workflow.
        resources: How much there is of each.
    """
    workflow = plan.workflow
    return [*_unreachable(plan), *_written_twice(workflow), *_never_granted(workflow, resources)]


def _unreachable(plan: Plan) -> Iterator[Fault]:
    """Steps whose condition is never true, and those that use what such a step would have given."""
    workflow = plan.workflow
    dead: set[str] = set()
    for node in plan.graph.order:
        step = plan.step(node)
        if step is None:
            continue
        where = where_of(workflow, node)
        if step.condition and never(parse(step.condition)):
            dead.add(step.id)
            yield Fault((*where, "if"), f"step {step.id!r} never runs: {step.condition} is never true")
            continue
        for inside, reference in used(step):
            if reference.step != INPUT and reference.step in dead:
                dead.add(step.id)
                what = f"step {step.id!r} never runs: it uses the output of {reference.step!r}, which never runs"
                yield Fault((*where, *inside), what, inside=reference.at)
                break


def _written_twice(workflow: Workflow) -> Iterator[Fault]:
    first: dict[str, tuple[int, int, Step]] = {}
    for node, step in enumerate(workflow.nodes):
        for number, path in enumerate(step.writes):
            if path not in first:
                first[path] = (node, number, step)
                continue
            other, position, one = first[path]
            what = f"steps {one.id!r} and {step.id!r} write the same file, {path}"
            mark = Mark((*where_of(workflow, other), "writes", position), "the first one")
            yield Fault((*where_of(workflow, node), "writes", number), what, trail=(mark,))


def _never_granted(workflow: Workflow, resources: Mapping[str, float]) -> Iterator[Fault]:
    for node, step in enumerate(workflow.nodes):
        for name, amount in step.resources.items():
            there = resources.get(name, 0.0)
            if amount > there:
                what = f"step {step.id!r} needs {amount:g} of {name!r} and there is {there:g}, so it waits for ever"
                advice = f"say how much there is: [resources] {name} = {amount:g}"
                yield Fault((*where_of(workflow, node), "resources", name), what, advice)
