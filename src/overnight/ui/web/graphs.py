"""Graphs of workflows, laid out once for each definition, with the states of a task's steps where one is meant."""

from __future__ import annotations

import threading
from functools import lru_cache

from overnight.core.errors import NotFoundError
from overnight.core.lanes import is_paused, switch_of
from overnight.core.states import Reason, TaskState
from overnight.core.task import Task
from overnight.core.workflow.layers import Layout, lay_out
from overnight.core.workflow.model import Workflow, packed
from overnight.core.workflow.plan import Plan, plan_of
from overnight.core.workflow.records import Defined
from overnight.store.contract import Query, Store
from overnight.ui.web.pictures import counts_of
from overnight.ui.web.showing import shown
from overnight.ui.web.task_answers import EdgeView, Flows, FlowView, GraphView, NodeView
from overnight.wiring.queues import no_workflow

#: Steps from which on a graph is laid out before somebody asks for it: it takes some 0.1 s for 5,000, once.
_LARGE = 1000
#: Steps of one task that are looked at.
_MOST = 100_000
#: Graphs of one page, and tasks among which one is looked for that has begun.
_MOST_GRAPHS, _LOOKED_AT = 10, 50
#: Digests of the definitions that have been laid out so.
_prepared: set[bytes] = set()


@lru_cache(maxsize=16)
def _laid_out(definition: bytes) -> Layout:
    plan = plan_of(definition)
    return lay_out(plan.graph.needs, plan.graph.order)


def _prepare(one: Defined) -> None:
    """Lay out a large graph beside everything else, once: where workflows are listed, one is opened next."""
    if len(one.workflow.nodes) >= _LARGE and one.digest not in _prepared:
        _prepared.add(one.digest)
        threading.Thread(target=lambda: _laid_out(packed(one.workflow)), name="layout", daemon=True).start()


def flows(store: Store, now: float) -> Flows:
    """All workflows, and how their tasks stand."""
    workflows = store.workflows()
    for one in workflows:
        _prepare(one)
    paused = {one.name for one in store.queues() if is_paused(one, now)}
    return Flows(
        [
            FlowView(
                name=one.name,
                title=shown(one.workflow.title),
                source=shown(one.source),
                defined_at=one.defined_at,
                digest=one.digest.hex(),
                steps=len(one.workflow.nodes),
                phases=[shown(phase) for phase in one.workflow.phases],
                counts=counts_of(store.counts(workflow=one.name)),
                paused=switch_of(one.name) in paused,
            )
            for one in workflows
        ]
    )


def of_workflow(store: Store, name: str) -> GraphView:
    """The graph of a workflow as tasks are begun by it now."""
    for one in store.workflows():
        if one.name == name:
            return _graph(one.workflow, one.digest, None, {})
    raise no_workflow(name, done="nothing was read")


def of_task(store: Store, task_id: int) -> GraphView:
    """The graph of a workflow task, with the states of its steps."""
    family = store.family(task_id)
    if family is None:
        raise NotFoundError(f"task {task_id} has no steps, or has not begun; nothing was read")
    steps = store.tasks(Query(parent=task_id, limit=_MOST))
    nodes = {one.id - family.first_id: one for one in steps if one.id >= family.first_id}
    return _graph(family.workflow, family.digest, task_id, nodes)


def newest_graphs(store: Store) -> list[GraphView]:
    """Those of workflows that have tasks, each with the states of the newest one that has begun."""
    found = []
    for one in store.workflows():
        for task in store.tasks(Query(workflow=one.name, limit=_LOOKED_AT)):
            if store.family(task.id) is not None:
                found.append(of_task(store, task.id))
                break
    return found[:_MOST_GRAPHS]


def _graph(workflow: Workflow, digest: bytes, task_id: int | None, steps: dict[int, Task]) -> GraphView:
    definition = packed(workflow)
    plan, layout = plan_of(definition), _laid_out(definition)
    return GraphView(
        name=workflow.name,
        digest=digest.hex(),
        task_id=task_id,
        width=layout.width,
        height=layout.height,
        nodes=[_node(plan, layout, node, steps.get(node)) for node in range(len(plan))],
        edges=[EdgeView(before, after, list(points)) for before, after, points in layout.routes],
    )


def _node(plan: Plan, layout: Layout, node: int, task: Task | None) -> NodeView:
    step = plan.step(node)
    x, y = layout.places[node]
    if step is None:
        return NodeView(shown(plan.graph.names[node]), "join", "", x, y, "", "", "", None)
    what = f"calls {step.call}" if step.call else "runs " + " ".join(step.run)
    return NodeView(
        name=shown(step.id),
        kind="step" if node < len(plan.workflow.steps) else "gate",
        phase=shown(step.phase),
        x=x,
        y=y,
        what=shown(what),
        condition=shown(step.condition),
        state="" if task is None else _state(task),
        task_id=task.id if task else None,
    )


def _state(task: Task) -> str:
    """In a graph a step that failed is told from one that was never reached because of it."""
    if task.skipped and task.state is TaskState.COMPLETED:
        return "skipped"
    return "unreached" if task.reason is Reason.DEPENDENCY else task.state.value
