"""Which lanes may run now, and what a task of each takes from the pools that limit them.

A lane is queue × workflow × needed resources. The claim looks only at the heads of the lanes that
are open, so tasks that wait for a resource or stand in a paused queue cost nothing, however many
they are. Everything that limits a claim is a pool with an amount in it: the work that the slots
still take (in seconds), the slots and the rate of a queue, each named resource. A task takes its
share from the pools of its lane, and a lane whose pool cannot give it is passed over, so nothing is
ever over-allocated, whichever lanes share it.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping
from typing import Protocol

import msgspec

from overnight.core.claims import Role

#: The pool of expected work that the slots still take, in seconds.
WORK = "work"
#: The pool of workflow tasks that may be begun; one whose steps are tiny takes a part of a place.
WORKFLOWS = "workflows"
#: The pools that there are even where nobody has laid down any.
_ALWAYS = (WORK, WORKFLOWS)
#: Workflow tasks that may be open for each slot: what has been begun is to be finished, but no slot may fall idle.
OPEN_A_SLOT = 4
#: The queue of what the runner itself has to do besides the work of people. Every queue whose name begins
#: like this is its own: no person can name one so.
OPS_QUEUE = "_ops"
_OWN = "_"
#: A queue has a name; the settings under this one are about all of them, and only its pause means anything.
EVERY_QUEUE = ""


#: Before the name of a workflow; no queue can be called so.
_OF_WORKFLOW = "workflow "


def switch_of(workflow: str) -> str:
    """The name under which the settings stand that are about a workflow, in whatever queue its tasks are."""
    return f"{_OF_WORKFLOW}{workflow}"


def is_own(queue: str) -> bool:
    """Whether the tasks of this queue are the runner's own: run beside those of people, and counted apart."""
    return queue.startswith(_OWN)


def workflow_of(name: str) -> str:
    """The workflow that settings under this name are about; empty for those of a queue, or of every queue."""
    return name.removeprefix(_OF_WORKFLOW) if name.startswith(_OF_WORKFLOW) else ""


def is_queue(name: str) -> bool:
    """Whether settings under this name are those of a queue."""
    return name != EVERY_QUEUE and not name.startswith(_OF_WORKFLOW)


def switch_words(name: str) -> str:
    """What settings under this name are about, for people."""
    return "every queue" if name == EVERY_QUEUE else name if not is_queue(name) else f"queue {name}"


class LaneView(msgspec.Struct, frozen=True):
    """What the decision needs to know of a lane. `cost`: expected seconds of one of its tasks.

    Workflow tasks are begun and not run: their `cost` is that of a first step, and `weight` is what one of
    them takes of the places for open ones, of which `begun` have been begun.
    """

    id: int
    queue: str
    needs: Mapping[str, float]
    cost: float
    weight: float = 0.0
    begun: int = 0
    workflow: str = ""
    role: Role = Role.PLAIN


class QueueView(msgspec.Struct, frozen=True):
    """What the decision needs to know of a queue.

    `slots` None: no limit of its own. `allowance`: starts that its rate allows now; None: no rate.
    """

    name: str
    slots: int | None = None
    paused: bool = False
    paused_until: float | None = None
    allowance: int | None = None


class Pausable(Protocol):
    """Whatever has a switch that stops it; `paused_until` is POSIX seconds."""

    @property
    def paused(self) -> bool: ...

    @property
    def paused_until(self) -> float | None: ...


class Openings(msgspec.Struct, frozen=True):
    """The open lanes with what one task of each takes, and what is in the pools."""

    lanes: dict[int, dict[str, float]]
    pools: dict[str, float]


def openings(
    lanes: Iterable[LaneView],
    queues: Mapping[str, QueueView],
    *,
    work: float,
    running: Mapping[int, int],
    totals: Mapping[str, float],
    now: float,
    places: float = 0.0,
    braked: Mapping[str, int] = {},
) -> Openings:
    """Decide which lanes are open.

    Args:
        lanes: All lanes.
        queues: Settings by name; a queue without an entry has none.
        work: Seconds of expected work that the slots still take.
        running: Attempts under way by lane id.
        totals: What this machine has of each named resource.
        now: POSIX seconds, for pauses that end by themselves.
        places: How many workflow tasks may be open at the same time.
        braked: Workflows that fail for everybody, and how many of their tasks or steps may start all the same.
    """
    lanes = list(lanes)
    pools = _free(lanes, running, totals)
    pools[WORK] = work
    pools[WORKFLOWS] = places - sum(lane.weight * lane.begun for lane in lanes)
    busy: defaultdict[str, int] = defaultdict(int)
    begun: defaultdict[str, float] = defaultdict(float)
    for lane in lanes if queues else ():
        for name in _limited_by(lane):
            busy[name] += running.get(lane.id, 0)
            begun[name] += lane.weight * lane.begun
    for view in queues.values():
        pools.update(_queue_pools(view, busy[view.name], begun[view.name]))
    pools.update({f"probe {workflow}": float(amount) for workflow, amount in braked.items()})
    closed = {name for name, view in queues.items() if is_paused(view, now)}
    going = () if EVERY_QUEUE in closed else lanes
    takes = {
        lane.id: _takes(lane, pools)
        for lane in going
        if not closed or (lane.queue not in closed and switch_of(lane.workflow) not in closed)
    }
    if braked:
        takes = {lane.id: takes[lane.id] | _probe(lane, braked) for lane in going if lane.id in takes}
    return Openings({lane: need for lane, need in takes.items() if _covered(need, pools)}, pools)


def is_paused(queue: Pausable, now: float) -> bool:
    """Whether nothing of this queue may start at `now`."""
    return queue.paused and (queue.paused_until is None or now < queue.paused_until)


def _free(lanes: Iterable[LaneView], running: Mapping[int, int], totals: Mapping[str, float]) -> dict[str, float]:
    """What is left of each resource that some lane needs. One that the machine does not have is empty."""
    free = {f"resource {name}": amount for name, amount in totals.items()}
    for lane in lanes:
        for name, amount in lane.needs.items():
            pool = f"resource {name}"
            free[pool] = free.get(pool, 0.0) - amount * running.get(lane.id, 0)
    return free


def _queue_pools(queue: QueueView, busy: int, begun: float) -> dict[str, float]:
    pools: dict[str, float] = {}
    if queue.slots is not None:
        pools[f"slots {queue.name}"] = queue.slots - busy
        # Else what may run but slowly would take all places for open tasks, and the other slots would idle.
        pools[f"open {queue.name}"] = OPEN_A_SLOT * queue.slots - begun
    if queue.allowance is not None:
        pools[f"rate {queue.name}"] = queue.allowance
    return pools


def _takes(lane: LaneView, pools: Mapping[str, float]) -> dict[str, float]:
    takes = {WORK: lane.cost}
    if lane.role is Role.WORKFLOW:  # the rest is a matter of its steps
        return takes | place(lane.queue, lane.workflow, lane.weight, pools)
    if len(pools) == len(_ALWAYS):  # as nearly everywhere
        return takes
    for name in _limited_by(lane):
        takes.update({pool: 1.0 for pool in (f"slots {name}", f"rate {name}") if pool in pools})
    takes.update({f"resource {name}": amount for name, amount in lane.needs.items()})
    return takes


def place(queue: str, workflow: str, weight: float, pools: Mapping[str, float]) -> dict[str, float]:
    """What a workflow task of this weight takes of the places for open ones."""
    own = [pool for name in limited_by(queue, workflow) if (pool := f"open {name}") in pools]
    return dict.fromkeys([WORKFLOWS, *own], weight)


def _limited_by(lane: LaneView) -> tuple[str, ...]:
    """The names under which the slots and the rate stand that limit what runs of a lane."""
    return limited_by(lane.queue, lane.workflow)


def limited_by(queue: str, workflow: str) -> tuple[str, ...]:
    """The names under which the limits of an attempt stand: of its queue, and of the workflow that it is of."""
    return (queue, switch_of(workflow)) if workflow else (queue,)


def _probe(lane: LaneView, braked: Mapping[str, int]) -> dict[str, float]:
    """What a task of a workflow that fails for everybody, or a step of one, takes besides.

    A plain task that carries the name of a workflow fails by itself: it does not wait for the others, nor try for them.
    """
    return {f"probe {lane.workflow}": 1.0} if lane.workflow in braked and lane.role is not Role.PLAIN else {}


def _covered(takes: Mapping[str, float], pools: Mapping[str, float]) -> bool:
    for pool, amount in takes.items():  # noqa: SIM110 - half the cost of a generator
        if pools.get(pool, 0.0) + 1e-9 < amount:
            return False
    return True
