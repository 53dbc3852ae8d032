"""What is known around one task: everything that could hold it, read once."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING

import msgspec

from overnight.core.claims import Role
from overnight.core.lanes import EVERY_QUEUE, OPEN_A_SLOT, QueueView, is_own, switch_of
from overnight.core.states import FINAL, TaskState
from overnight.core.task import ActionKind, Task
from overnight.core.why import Around, Before, Engine, Steps
from overnight.core.workflow.model import packed
from overnight.core.workflow.plan import plan_of
from overnight.core.workflow.records import Family
from overnight.monitor.frozen import Frozen
from overnight.monitor.nodes import Whereabouts
from overnight.monitor.snapshot import take
from overnight.monitor.standing import ENGINES
from overnight.store.contract import Lane, Orders, Query, Queue, Store, Storm, Verb

if TYPE_CHECKING:  # most homes have no nodes
    from overnight.core.node_needs import Lot

#: Running tasks whose needs are added up; there are no more slots than this.
_MOST_RUNNING = 4096
#: Verbs of controls, and what becomes of a task by them.
_ASKED = {Verb.CANCEL.value: "cancelled", Verb.HOLD.value: "held"}
_MOST_STEPS = 100_000


def look(store: Store, home: Path, task: Task, totals: Mapping[str, float], *, now: float) -> Around:
    """Look around a task.

    Args:
        store: The store of the home.
        home: The directory with the lock and ``engine.json``.
        task: Who is asked about.
        totals: What this machine has of each named resource.
        now: POSIX seconds.
    """
    picture = take(store, home, now=now)
    running = _running(store)
    queues = {queue.name: queue for queue in store.queues()}
    mine = queues.get(task.queue, Queue(task.queue))
    flow = queues.get(switch_of(task.workflow))
    orders = store.orders()
    open_workflows, most_open = _open(orders.lanes, task, picture.engine.slots, mine, flow)
    whereabouts = Whereabouts(home)
    owners = {one.task_id: one.owner for one in store.popped()} if task.state is TaskState.RUNNING else {}
    found = Around(
        now=now,
        engine=ENGINES[picture.engine.state],
        engine_why=picture.engine.why,
        slots=picture.engine.slots,
        running=len(running),
        running_in_queue=sum(one.queue == task.queue for one in running),
        running_of_workflow=sum(one.workflow == task.workflow for one in running),
        queue=_view(mine),
        workflow=None if flow is None else _view(flow),
        every_queue=_view(queues[EVERY_QUEUE]) if EVERY_QUEUE in queues else None,
        storm=_storm(store, task),
        is_defined=not task.workflow or task.workflow in orders.workflows,
        open_workflows=open_workflows,
        most_open=most_open,
        rate=mine.rate,
        workflow_rate=None if flow is None else flow.rate,
        totals=totals,
        used=_used(running),
        owner=owners.get(task.id, ""),
        steps=_steps(store, task),
        before=_before(store, task) if task.state is TaskState.WAITING and task.blockers else (),
        asked=asked_of(orders, task.id),
        frozen_since=Frozen(home).since(task) if task.state is TaskState.RUNNING else None,
        parent=None if task.parent_id is None else store.get(task.parent_id).state,
        nodes=picture.nodes,
        node=whereabouts.of(task),
        lots=() if picture.nodes is None else _lots(running, whereabouts),
    )
    return _beside(found, store.counts(queue=task.queue).running) if is_own(task.queue) else found


def asked_of(orders: Orders, task_id: int) -> str:
    """What the engine is still to do to a running task: it will be "cancelled" or "held"; empty: nothing."""
    asked = [_ASKED[one.verb] for one in orders.controls if one.task_id == task_id and one.verb in _ASKED]
    return asked[-1] if asked else ""


def _beside(found: Around, running: int) -> Around:
    """Around a task of the runner's own: it has a slot for itself, and what holds up people does not hold it up."""
    engine = Engine.WORKING if found.engine is Engine.PAUSED else found.engine
    return msgspec.structs.replace(
        found, engine=engine, slots=1, running=running, every_queue=None, storm=None, nodes=None
    )


def _open(
    lanes: Iterable[Lane], task: Task, slots: int | None, queue: Queue, flow: Queue | None
) -> tuple[int, int | None]:
    """How many workflow tasks are under way and how many may be: in all, or where a limit of its own is reached."""
    there = [lane for lane in lanes if lane.role is Role.WORKFLOW]
    own = ((flow, [lane for lane in there if lane.workflow == task.workflow]),)
    for limited, mine in (*own, (queue, [lane for lane in there if lane.queue == task.queue])):
        if limited is not None and limited.slots is not None:
            begun, most = sum(lane.running for lane in mine), OPEN_A_SLOT * limited.slots
            if begun >= most:
                return begun, most
    return sum(lane.running for lane in there), None if slots is None else OPEN_A_SLOT * slots


def _view(queue: Queue) -> QueueView:
    return QueueView(queue.name, queue.slots, queue.paused, queue.paused_until)


def _storm(store: Store, task: Task) -> Storm | None:
    """What has stopped the likes of this task: of a workflow task or a step its workflow, else its action."""
    kind = store.actions({task.action_id})[task.action_id].kind
    is_plain = task.parent_id is None and kind is not ActionKind.WORKFLOW
    key = ("", task.action_id) if is_plain else (task.workflow, 0)
    return next((storm for storm in store.storms() if storm.subject.key == key), None)


def _running(store: Store) -> list[Task]:
    """What takes a slot: running tasks and steps, but for workflow tasks, whose steps are what runs."""
    found = store.tasks(Query(states=(TaskState.RUNNING,), steps=True, limit=_MOST_RUNNING))
    actions = store.actions({one.action_id for one in found})
    return [one for one in found if actions[one.action_id].kind is not ActionKind.WORKFLOW]


def _used(running: Iterable[Task]) -> dict[str, float]:
    """What running tasks have of each resource."""
    used: Counter[str] = Counter()
    for task in running:
        for name, amount in task.needs.items():
            used[name] += amount  # type: ignore[assignment]  # a Counter counts in what it is given
    return dict(used)


def _lots(running: Iterable[Task], whereabouts: Whereabouts) -> tuple[Lot, ...]:
    """What running tasks need, with the nodes where they are."""
    from overnight.core.node_needs import Lot  # most homes have no nodes

    return tuple(Lot(one.id, node, one.needs) for one in running if one.needs and (node := whereabouts.of(one)))


# -- kin -------------------------------------------------------------------------------------


def _steps(store: Store, task: Task) -> Steps | None:
    """How the steps of a workflow task stand; None for any other."""
    family = store.family(task.id)
    if family is None:
        return None
    found = _children(store, family)
    by_state = {state: tuple(one.step for one in found if one.state is state) for state in TaskState}
    return Steps(
        total=len(found),
        done=sum(one.state in FINAL for one in found),
        running=by_state[TaskState.RUNNING],
        ready=by_state[TaskState.PENDING],
        waiting=by_state[TaskState.WAITING],
    )


def _children(store: Store, family: Family) -> list[Task]:
    """The steps of a task, in the order of their nodes."""
    found = store.tasks(Query(parent=family.task_id, limit=_MOST_STEPS))
    return [one for one in reversed(found) if one.id >= family.first_id]


def _before(store: Store, task: Task) -> tuple[Before, ...]:
    """What a task still waits for."""
    if task.parent_id is None:
        ids = store.waits_for([task.id]).get(task.id, [])
        return tuple(Before(one, state) for one, state in store.states(ids).items() if state is not TaskState.COMPLETED)
    family = store.family(task.parent_id)
    if family is None or task.id < family.first_id:
        return ()
    steps = _children(store, family)
    needs = plan_of(packed(family.workflow)).graph.needs[task.id - family.first_id]
    left = (steps[node] for node in needs if steps[node].state not in FINAL)
    return tuple(Before(one.id, one.state, one.step) for one in left)
