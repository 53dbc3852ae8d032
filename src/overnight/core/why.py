"""Why a task is where it is: one sentence that is exactly true, and what changes it.

Each state has a function, and each gate before a start one line in a list, in the order in which
they are asked: the first that holds is the answer. A sentence begins small and ends without a full
stop, after the words "task 7".
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from enum import StrEnum
from typing import TYPE_CHECKING

import msgspec

from overnight.core import storms
from overnight.core.durations import format_duration, iso
from overnight.core.lanes import QueueView, is_paused
from overnight.core.states import ErrorClass, Reason, TaskState
from overnight.core.storms import Storm
from overnight.core.task import Action, ActionKind, Task

if TYPE_CHECKING:  # most homes have no nodes
    from overnight.core.node_needs import Lot, Possible
    from overnight.core.nodes import NodesView

#: Steps that are named.
_NAMED = 3


class Engine(StrEnum):
    """Who could start it."""

    NONE = "none"
    WORKING = "working"
    PAUSED = "paused"
    STOPPING = "stopping"
    SILENT = "silent"
    #: It is there and has not begun; it has crashed, and another one is about to be started.
    STARTING = "starting"
    RESTARTING = "restarting"


class Held(StrEnum):
    """What may keep a task from starting, in the order in which it is asked; a test walks all of them."""

    NO_ENGINE = "no_engine"
    ENGINE_SILENT = "engine_silent"
    ENGINE_STARTING = "engine_starting"
    ENGINE_RESTARTING = "engine_restarting"
    ENGINE_STOPPING = "engine_stopping"
    ALL_PAUSED = "all_paused"
    ENGINE_PAUSED = "engine_paused"
    QUEUE_PAUSED = "queue_paused"
    WORKFLOW_PAUSED = "workflow_paused"
    NOT_DEFINED = "not_defined"
    WORKFLOWS_OPEN = "workflows_open"
    QUEUE_FULL = "queue_full"
    WORKFLOW_FULL = "workflow_full"
    STORM = "storm"
    RESOURCE_MISSING = "resource_missing"
    RESOURCE_TAKEN = "resource_taken"
    NODES_CLOSED = "nodes_closed"
    NO_NODE = "no_node"
    NODES_BUSY = "nodes_busy"
    SLOTS_BUSY = "slots_busy"
    QUEUE_RATE = "queue_rate"
    WORKFLOW_RATE = "workflow_rate"
    NOTHING = "nothing"


class Steps(msgspec.Struct, frozen=True):
    """How the steps of a workflow task stand."""

    total: int
    done: int
    #: Names of those that run, may run, and wait for a time or for others.
    running: tuple[str, ...] = ()
    ready: tuple[str, ...] = ()
    waiting: tuple[str, ...] = ()


class Before(msgspec.Struct, frozen=True):
    """Something that a task waits for: a step of the same task, or another task."""

    id: int
    state: TaskState
    #: Empty for a task.
    step: str = ""


class Around(msgspec.Struct, frozen=True):
    """What is known of the rest of the home when somebody asks."""

    #: POSIX seconds.
    now: float
    engine: Engine = Engine.WORKING
    #: Why the engine pauses or gave up.
    engine_why: str = ""
    #: None: not known.
    slots: int | None = None
    #: Attempts under way, in all, in the task's queue and of its workflow.
    running: int = 0
    running_in_queue: int = 0
    running_of_workflow: int = 0
    #: Settings of the task's queue, of its workflow, and of every queue.
    queue: QueueView | None = None
    workflow: QueueView | None = None
    every_queue: QueueView | None = None
    #: So many tasks like this one have failed that it waits.
    storm: Storm | None = None
    #: Of a workflow task: whether anybody has defined its workflow, how many of them are under way, and how many
    #: may be at least; None: not known.
    is_defined: bool = True
    open_workflows: int = 0
    most_open: int | None = None
    #: Starts a second that the queue allows, and the workflow.
    rate: float | None = None
    workflow_rate: float | None = None
    #: What there is of each resource, and what running tasks have of it.
    totals: Mapping[str, float] = {}
    used: Mapping[str, float] = {}
    #: The process that has popped the task; empty for one that an engine runs.
    owner: str = ""
    #: Of a workflow task that has been begun.
    steps: Steps | None = None
    #: What it still waits for.
    before: tuple[Before, ...] = ()
    #: Since when a running task stands still by a person's wish, POSIX seconds.
    frozen_since: float | None = None
    #: What people have asked to be done to a running task, and no engine has heard: "cancelled", "held" or nothing.
    asked: str = ""
    #: Of a step: the state of the task that it is a step of.
    parent: TaskState | None = None
    #: The nodes on which attempts run; None: all run on the machine of the engine.
    nodes: NodesView | None = None
    #: The node on which it runs; empty: that machine.
    node: str = ""
    #: What running tasks need, with the nodes where they are.
    lots: tuple[Lot, ...] = ()


class Why(msgspec.Struct, frozen=True):
    """The answer."""

    sentence: str
    #: What to type to change it, the likeliest first.
    commands: tuple[str, ...] = ()
    #: Of a task that could start: what keeps it.
    held: Held | None = None


def why(task: Task, action: Action, around: Around) -> Why:
    """Say why the task is where it is."""
    return _ANSWERS[task.state](task, action, around)


# -- on its way --------------------------------------------------------------------------------


def _waiting(task: Task, action: Action, around: Around) -> Why:
    if task.not_before is None:
        return _blocked(task, around)
    if task.not_before <= around.now:
        return _pending(task, action, around)
    when = f"until {iso(task.not_before)}, {format_duration(task.not_before - around.now)} from now"
    now = (f"overnight retry {task.id}", f"overnight cancel {task.id}")
    if task.failures:
        tries = f"attempt {task.failures + 1} of {action.retries + 1}"
        return Why(f"waits {when}, for {tries}; the one before failed: {_error(task)}", now)
    if task.attempt:
        return Why(f"has asked to be tried later and waits {when}", now)
    return Why(f"is not to start before its time and waits {when}", (f"overnight edit {task.id} --now", now[1]))


def _blocked(task: Task, around: Around) -> Why:
    """It waits for others, and for no time."""
    if not around.before:
        if around.parent is not None and around.parent is not TaskState.RUNNING:
            words = f"waits until task {task.parent_id}, whose step it is, goes on; that one is {around.parent}"
            return Why(words, (f"overnight why {task.parent_id}",))
        return Why("waits for the tasks that come before it", (f"overnight show {task.id}",))
    first, *others = around.before
    name = f"step {first.step!r} (task {first.id})" if first.step else f"task {first.id}"
    more = f", and for {len(others)} more" if others else ""
    return Why(f"waits for {name}, which is {first.state}{more}", (f"overnight why {first.id}",))


def _pending(task: Task, action: Action, around: Around) -> Why:
    return next(_gates(task, action, around))


def _gates(task: Task, action: Action, around: Around) -> Iterator[Why]:
    """What holds it, the hardest first; the last one always does."""
    yield from _engine(around)
    yield from _pause(task, action, around)
    if action.kind is ActionKind.WORKFLOW:  # slots, rates and resources are a matter of its steps
        yield from _workflow(task, action, around)
    else:
        yield from _room(task, around)
    yield Why("may start: the engine takes it with one of its next turns", ("overnight status",), Held.NOTHING)


def _workflow(task: Task, action: Action, around: Around) -> Iterator[Why]:
    if not around.is_defined:
        words = f"waits: nobody has defined workflow {action.call!r} here"
        yield Why(words, ("overnight workflow list", f"overnight cancel {task.id}"), Held.NOT_DEFINED)
    if around.most_open is not None and around.open_workflows >= around.most_open:
        words = f"waits for its turn: {around.open_workflows} workflow tasks are under way, and are finished first"
        yield Why(words, ("overnight list --state running",), Held.WORKFLOWS_OPEN)
    yield from _storm(around)


def _room(task: Task, around: Around) -> Iterator[Why]:
    yield from _full(task, around)
    yield from _storm(around)
    yield from _resources(task, around)
    possible = None if around.nodes is None else _possible(task, around.nodes, around.lots)
    yield from _resources_of_nodes(task, possible)
    yield from _nodes(around, possible)
    if around.slots is not None and around.running >= around.slots:
        busy = f"waits for its turn: all {around.slots} slots are busy"
        yield Why(busy, ("overnight status --detailed",), Held.SLOTS_BUSY)
    if around.rate is not None:
        pace = f"queue {task.queue} starts at most {around.rate:g} a second"
        yield Why(f"waits for its turn: {pace}", (f"overnight queue set {task.queue} --rate none",), Held.QUEUE_RATE)
    if around.workflow_rate is not None:
        pace = f"of workflow {task.workflow!r} at most {around.workflow_rate:g} start a second"
        more = f"overnight queue set -w {task.workflow} --rate none"
        yield Why(f"waits for its turn: {pace}", (more,), Held.WORKFLOW_RATE)


def _possible(task: Task, nodes: NodesView, lots: tuple[Lot, ...]) -> Possible | None:
    """Where a task can run that needs something of a node; None for one that needs nothing."""
    from overnight.core.node_needs import Possible  # most homes have no nodes
    from overnight.core.placing import of_nodes

    needs = of_nodes(task.needs, nodes.shared)
    return Possible(needs, nodes.nodes, lots) if needs else None


def _resources_of_nodes(task: Task, possible: Possible | None) -> Iterator[Why]:
    if possible is not None and (missing := possible.missing()):
        ways = (_NODES, f"overnight edit {task.id} --needs-nothing")
        yield Why(f"{missing}, so it waits until that changes", ways, Held.RESOURCE_MISSING)
    elif possible is not None and possible.working and not possible.now:
        yield Why(possible.taken(), (_NODES, "overnight status --detailed"), Held.RESOURCE_TAKEN)


def _nodes(around: Around, possible: Possible | None) -> Iterator[Why]:
    nodes = around.nodes
    if nodes is None:
        return
    stranded = nodes.stranded(around.now)
    if stranded and nodes.nodes and all(node.closed is not None for node in nodes.nodes):
        yield Why(
            f"waits: {stranded}", (f"overnight nodes uncordon {nodes.nodes[0].row.name}", _NODES), Held.NODES_CLOSED
        )
    elif stranded:
        yield Why(f"waits: {stranded}", (_NODES,), Held.NO_NODE)
    elif possible is not None and possible.ever and not possible.working:
        there = "; ".join(node.words(around.now) for node in possible.ever)
        yield Why(f"waits: no node that has what it needs is given work ({there})", (_NODES,), Held.NO_NODE)
    else:
        able, which = (nodes.working, "are given work") if possible is None else (possible.now, "have what it needs")
        slots = sum(node.row.slots for node in able)
        if able and not slots:
            yield Why(f"waits: none of the nodes that {which} has a slot", (_NODES,), Held.NO_NODE)
        elif able and sum(node.busy for node in able) >= slots:
            busy = f"waits for its turn: all {slots} slots of the nodes that {which} are busy"
            yield Why(busy, (_NODES, "overnight status --detailed"), Held.NODES_BUSY)


_NODES = "overnight nodes list"


def _engine(around: Around) -> Iterator[Why]:
    if around.engine is Engine.NONE:
        gave_up = f" ({around.engine_why})" if around.engine_why else ""
        none = f"waits for an engine, and none runs in this home{gave_up}"
        yield Why(none, ("overnight start", "overnight run"), Held.NO_ENGINE)
    if around.engine is Engine.SILENT:
        silent = "waits for the engine, which has not been heard of"
        yield Why(silent, ("overnight stop --now", "overnight start"), Held.ENGINE_SILENT)
    if around.engine is Engine.STARTING:
        yield Why("waits for the engine, which is starting", ("overnight status",), Held.ENGINE_STARTING)
    if around.engine is Engine.RESTARTING:
        crashed = f" ({around.engine_why})" if around.engine_why else ""
        words = f"waits for the engine, which has crashed and is being started again{crashed}"
        yield Why(words, ("overnight status --detailed", "overnight doctor"), Held.ENGINE_RESTARTING)
    if around.engine is Engine.STOPPING:
        words = "waits: the engine is stopping and starts nothing more"
        yield Why(words, ("overnight start",), Held.ENGINE_STOPPING)
    if around.every_queue is not None and is_paused(around.every_queue, around.now):
        words = f"waits: a person has paused every queue{_until(around.every_queue)}"
        yield Why(words, ("overnight unpause",), Held.ALL_PAUSED)
    if around.engine is Engine.PAUSED:
        words = f"waits: the engine starts nothing, because {around.engine_why}"
        yield Why(words, ("overnight status",), Held.ENGINE_PAUSED)


def _pause(task: Task, action: Action, around: Around) -> Iterator[Why]:
    queue = around.queue
    if queue is not None and is_paused(queue, around.now):
        words = f"waits: queue {queue.name} is paused{_until(queue)}"
        yield Why(words, (f"overnight unpause {queue.name}",), Held.QUEUE_PAUSED)
    switch = around.workflow
    if switch is not None and is_paused(switch, around.now):
        words = f"waits: a person has paused {switch.name}{_until(switch)}"
        yield Why(words, (f"overnight unpause -w {task.workflow or action.call}",), Held.WORKFLOW_PAUSED)


def _full(task: Task, around: Around) -> Iterator[Why]:
    queue = around.queue
    if queue is not None and queue.slots is not None and around.running_in_queue >= queue.slots:
        most = f"queue {queue.name} runs {queue.slots} at a time, and {around.running_in_queue} are running"
        more = f"overnight queue set {queue.name} --slots {queue.slots + 1}"
        yield Why(f"waits for its turn: {most}", (more,), Held.QUEUE_FULL)
    switch = around.workflow
    if switch is not None and switch.slots is not None and around.running_of_workflow >= switch.slots:
        most = (
            f"of workflow {task.workflow!r} {switch.slots} run at a time, and {around.running_of_workflow} are running"
        )
        more = f"overnight queue set -w {task.workflow} --slots {switch.slots + 1}"
        yield Why(f"waits for its turn: {most}", (more,), Held.WORKFLOW_FULL)


def _storm(around: Around) -> Iterator[Why]:
    storm = around.storm
    if storm is not None:
        left = storm.probe_at - around.now
        when = f"in {format_duration(left)}" if left > 0 else "next"
        words = f"waits: {storms.sentence(storm)}, and one of them is tried {when}"
        yield Why(words, (f"overnight unpause {storms.name(storm)}",), Held.STORM)


def _resources(task: Task, around: Around) -> Iterator[Why]:
    for name, amount in _counted_once(task, around.nodes).items():
        total, used = around.totals.get(name, 0.0), around.used.get(name, 0.0)
        if amount > total:
            there = f"needs {amount:g} of {name!r} and there is {total:g}, so it waits until that changes"
            way = "overnight run --on ray" if ":" in name else f"[resources] {name} = {amount:g} in overnight.toml"
            ways = (way, f"overnight edit {task.id} --needs-nothing")
            yield Why(there, ways, Held.RESOURCE_MISSING)
        elif amount > total - used:
            taken = f"needs {amount:g} of {name!r}, and {used:g} of {total:g} is taken by running tasks"
            yield Why(taken, ("overnight status --detailed",), Held.RESOURCE_TAKEN)


def _counted_once(task: Task, nodes: NodesView | None) -> Mapping[str, float]:
    """What it needs that is no matter of a node."""
    if nodes is None:
        return task.needs
    from overnight.core.placing import of_all  # most homes have no nodes

    return of_all(task.needs, nodes.shared)


def _running(task: Task, action: Action, around: Around) -> Why:
    if around.owner:
        process = around.owner.partition(":")[0]
        words = f"was taken out of the queue by process {process}, which alone says how it ends"
        return Why(words, (f"ps {process}",))
    ways = (f"overnight log -f {task.id}", f"overnight cancel {task.id}")
    if around.steps is not None:
        return Why(_under_way(around.steps, around.engine), (f"overnight show {task.id}", *ways))
    which = f"attempt {task.attempt}" + (f" on node {around.node}" if around.node else "")
    if around.engine is Engine.NONE:
        then = f"has it {around.asked}, as was asked" if around.asked else "runs it again"
        lost = f"was running ({which}) when the engine ended; the next engine sees that it is dead and {then}"
        return Why(lost, ("overnight start", "overnight run"))
    if around.frozen_since is not None:
        since = f"since {format_duration(max(0.0, around.now - around.frozen_since))}"
        still = f"is frozen by a person {since} ({which}); its slot stays taken, and its time limits stand still"
        return Why(still, (f"overnight unpause {task.id}", f"overnight cancel {task.id}"))
    if (silent := _silent_for(around)) is not None:
        return Why(f"was handed out ({which}), and {silent}", (_NODES, *ways))
    return Why(_at_work(task, action, around, which), ways)


def _at_work(task: Task, action: Action, around: Around, which: str) -> str:
    if task.started_at is None:
        return f"was handed out ({which}) and is about to begin"
    seconds = max(0.0, around.now - task.started_at)
    limit = (
        f", of at most {format_duration(action.timeout)}" if action.timeout is not None else ", without a time limit"
    )
    then = f", and will be {around.asked} as soon as the engine hears it" if around.asked else ""
    return f"runs ({which}) since {format_duration(seconds)}{limit}{then}"


def _silent_for(around: Around) -> str | None:
    """What is to be said of its node, where that is not heard."""
    node = around.nodes.find(around.node) if around.nodes is not None and around.node else None
    if node is None or node.row.over_at is None:
        return None
    left = format_duration(max(0.0, node.row.over_at - around.now))
    return f"its node is {node.stands}; when the lease of that is over, in {left}, it runs elsewhere"


def _under_way(steps: Steps, engine: Engine) -> str:
    """How far a workflow task is, and what is next."""
    words = f"is under way: {steps.done} of {steps.total} steps are done"
    if engine is Engine.NONE:
        return f"{words}, and no engine runs in this home"
    for names, one, many in (
        (steps.running, "runs", "run"),
        (steps.ready, "may start", "may start"),
        (steps.waiting, "waits", "wait"),
    ):
        if names:
            listed = ", ".join(map(repr, names[:_NAMED])) + (
                f" and {len(names) - _NAMED} more" if len(names) > _NAMED else ""
            )
            return f"{words}, {listed} {one if len(names) == 1 else many}"
    return words


# -- at rest -----------------------------------------------------------------------------------


def _completed(task: Task, action: Action, around: Around) -> Why:  # noqa: ARG001 - every answer takes the same
    if task.skipped:
        return Why(f"was skipped: {_error(task)}", (f"overnight show {task.parent_id}",))
    when = f" at {iso(task.finished_at)}" if task.finished_at is not None else ""
    if around.steps is not None:
        warning = f" {task.error}" if task.error else ""
        return Why(f"completed{when}, {around.steps.total} steps{warning}", (f"overnight show {task.id}",))
    if not task.attempt:
        return Why(f"completed{when}; it has no work of its own", (f"overnight show {task.parent_id}",))
    after = f", after {task.failures} that failed" if task.failures else ""
    return Why(f"completed{when} with attempt {task.attempt}{after}", (f"overnight log {task.id}",))


_NOT_AGAIN = {
    ErrorClass.PERMANENT: "such an error is not tried again",
    ErrorClass.RESOURCE: "it asked for more than there was",
}


def _failed(task: Task, action: Action, around: Around) -> Why:
    ways: tuple[str, ...] = (f"overnight log {task.id}", f"overnight retry {task.id}")
    if task.fingerprint:
        ways = (*ways, f"overnight list --cause {task.fingerprint}")
    if task.reason is Reason.DEPENDENCY:
        return Why(f"failed without being run: {_error(task)}", (f"overnight show {task.id}", *ways[1:]))
    if around.steps is not None:
        return Why(f"failed ({task.reason}): {_error(task)}", (f"overnight show {task.id}", *ways[1:]))
    tries = "attempt" if task.failures <= 1 else "attempts"
    after = f"after {max(task.failures, 1)} {tries}, {action.retries + 1} allowed"
    if task.failures <= action.retries and task.error_class in _NOT_AGAIN:
        after += f"; {_NOT_AGAIN[task.error_class]}"
    return Why(f"failed ({task.reason or 'error'}): {_error(task)}; {after}", ways)


def _cancelled(task: Task, action: Action, around: Around) -> Why:  # noqa: ARG001 - every answer takes the same
    return Why("was cancelled by a person", (f"overnight retry {task.id}",))


def _held(task: Task, action: Action, around: Around) -> Why:  # noqa: ARG001 - every answer takes the same
    ways = (f"overnight release {task.id}", f"overnight cancel {task.id}")
    if task.reason is Reason.POISON:
        return Why(f"is held: {task.deaths} workers have died while it ran ({_error(task)})", ways)
    if task.reason is Reason.INTERRUPTED and not action.at_most_once:
        return Why(f"is held: {_error(task)}", ways)
    if task.reason is Reason.INTERRUPTED:
        return Why("is held: it runs at most once and was interrupted, and nobody knows how far it came", ways)
    if task.reason is Reason.BY_HAND:
        return Why("is held by a person", ways)
    return Why(f"is held ({task.reason}): {_error(task)}", ways)


_ANSWERS: dict[TaskState, Callable[[Task, Action, Around], Why]] = {
    TaskState.WAITING: _waiting,
    TaskState.PENDING: _pending,
    TaskState.RUNNING: _running,
    TaskState.COMPLETED: _completed,
    TaskState.FAILED: _failed,
    TaskState.CANCELLED: _cancelled,
    TaskState.HELD: _held,
}


def _error(task: Task) -> str:
    return task.error or "nothing was said"


def _until(queue: QueueView) -> str:
    return f" until {iso(queue.paused_until)}" if queue.paused_until is not None else ""
