"""Claiming: from what waits to what may start, to what is started and on record.

A claim reads the heads of the open lanes from the claim index, in order of priority and age, as far as
the pools last; so it is flat however many tasks there are behind them.
"""

from __future__ import annotations

import heapq
from collections import defaultdict
from collections.abc import Callable, Collection, Iterator, Mapping
from functools import partial

from overnight.core import events
from overnight.core.claims import Role
from overnight.core.lanes import WORK, WORKFLOWS, is_own
from overnight.core.pace import share_of
from overnight.core.states import TaskState
from overnight.core.step_events import StepStarted
from overnight.store.contract import Claim, Claimed, Opened
from overnight.store.sql.binding import Binder
from overnight.store.sql.database import Transaction
from overnight.store.sql.lanes import Lanes
from overnight.store.sql.sites import SLACK, Sites
from overnight.store.sql.statements import (
    Connection,
    Row,
    foresee,
    insert_many,
    read_all,
    read_each,
    read_for,
    read_one,
    run_for,
)

#: Waiting tasks that become due in one turn; the next turn takes the next.
DUE_AT_ONCE = 10_000


def make_due(
    connection: Connection, lanes: Lanes, transaction: Transaction, now: float
) -> tuple[float | None, float | None]:
    """Let what has waited long enough be claimed. Returns when the next is due, POSIX seconds: of people, of all."""
    due, lane_id = _next_due(connection)
    if due is not None and due <= now:
        for lane_id, is_step in read_all(connection, "make_due", (now, DUE_AT_ONCE)):
            transaction.move(lane_id, is_step, TaskState.WAITING, -1)
            transaction.move(lane_id, is_step, TaskState.PENDING, 1)
        due, lane_id = _next_due(connection)
    lane = None if lane_id is None else lanes.get(lane_id)
    return read_one(connection, "next_due_of_people") if lane and is_own(lane.queue) else due, due


def _next_due(connection: Connection) -> Row:
    """When the next one is due, and in which lane it is; None for both when none waits for a time."""
    return next(read_each(connection, "next_due"), (None, None))


def claim(
    connection: Connection,
    lanes: Lanes,
    transaction: Transaction,
    begin: Callable[[list[Row]], list[Opened]],
    wanted: Claim,
    *,
    fence: int,
    now: float,
    at: str,
    binder: Binder | None = None,
) -> tuple[list[Claimed], list[Opened]]:
    """Start what may be started, and write its start records. Inside a write.

    Workflow tasks among it are begun, by `begin`; their first steps may start at once, in what is left of the pools.
    `binder` makes some of what is taken workflow tasks.
    """
    pools, sites = dict(wanted.pools), Sites(wanted)
    open_lanes = _defined(connection, lanes, wanted.lanes)
    rows = _pick_probes(connection, lanes, open_lanes, pools, sites, wanted) if wanted.probes else []
    without = wanted.without if binder is None else wanted.without | binder.left_out()
    picked = _pick(connection, lanes, open_lanes, pools, sites, wanted.count - len(rows), without)
    rows += _share(picked, open_lanes, pools, sites, wanted)
    if binder is not None:
        pick = partial(_pick, connection, lanes, open_lanes, pools, sites, without=without)
        rows = _bind(rows, pick, binder, wanted, pools, sites, partial(become_running, connection, transaction))
    else:
        become_running(connection, transaction, rows)
    tasks = [row for row in rows if _is_workflow(lanes, row[3])]
    if not tasks:
        return record_starts(connection, transaction, rows, sites.nodes, fence=fence, now=now, at=at), []
    opened = begin(tasks)
    for row in tasks:  # what it took was for its steps
        pools[WORK] = pools.get(WORK, 0.0) + wanted.lanes.get(row[3], {}).get(WORK, 0.0)
    steps = {lane for one in opened for lane in one.lanes}
    open_lanes = {lane: takes for lane, takes in wanted.lanes.items() if lane in steps}
    plain = len(rows) - len(tasks)
    first = _pick(connection, lanes, open_lanes, pools, sites, wanted.count - plain)
    first = _share(first, open_lanes, pools, sites, wanted, in_hand=plain)
    become_running(connection, transaction, first)
    rows = sorted((row for row in (*rows, *first) if not _is_workflow(lanes, row[3])), key=_place)
    return record_starts(connection, transaction, rows, sites.nodes, fence=fence, now=now, at=at), opened


def _bind(
    rows: list[Row],
    pick: Callable[[int], list[Row]],
    binder: Binder,
    wanted: Claim,
    pools: dict[str, float],
    sites: Sites,
    start: Callable[[list[Row]], None],
) -> list[Row]:
    """Start what was picked, with those turned that become workflow tasks.

    What these took as plain tasks is for their steps, and so there is room for more of them, as long as there are
    places for open ones.
    """
    started: list[Row] = []
    while rows:
        turned = binder.turn(rows)
        start(turned)
        started += turned
        bound = [was for was, row in zip(rows, turned, strict=True) if row is not was]
        for was in bound:
            sites.put_back(was, wanted.lanes[was[3]], pools)
            for pool, amount in wanted.bound.get(was[3], {}).items():
                pools[pool] = pools.get(pool, 0.0) - amount
        more = bound and pools.get(WORKFLOWS, 0.0) > SLACK
        rows = pick(wanted.count - len(started)) if more else []
    return started


def _place(row: Row) -> tuple[int, int, int]:
    """Minus priority, order key, id: the order in which tasks start."""
    return -row[8], row[9], row[0]


def _defined(
    connection: Connection, lanes: Lanes, open_lanes: Mapping[int, Mapping[str, float]]
) -> Mapping[int, Mapping[str, float]]:
    """The lanes without those of workflows that nobody defines: their tasks wait until somebody does."""
    names = {lane.id: lane.workflow for lane in map(lanes.get, open_lanes) if lane and lane.role is Role.WORKFLOW}
    if not names:
        return open_lanes
    known = {row[0] for row in read_all(connection, "workflow_names")}
    return {lane: takes for lane, takes in open_lanes.items() if lane not in names or names[lane] in known}


def _is_workflow(lanes: Lanes, lane_id: int) -> bool:
    lane = lanes.get(lane_id)
    return lane is not None and lane.role is Role.WORKFLOW


def _is_step(lanes: Lanes, lane_id: int) -> bool:
    lane = lanes.get(lane_id)
    return lane is not None and lane.role is Role.STEP


def record_starts(
    connection: Connection,
    transaction: Transaction,
    rows: list[Row],
    nodes: Mapping[int, str] = {},
    *,
    fence: int,
    now: float,
    at: str,
) -> list[Claimed]:
    """Write the start records of attempts; rows as `head_of_lane` has them, `nodes` by task. Inside a write."""
    if not rows:
        return []
    started, claimed = [], []
    recalled = _recalled(connection, rows)
    for row in rows:
        task_id, attempt, _, lane_id, raw_input, _, _, generation, _, _, is_step, is_clean, *of_step = row
        started.append((task_id, attempt, fence, now, lane_id, is_step, generation, is_clean))
        begun = attempt - 1 - recalled.get(task_id, 0)
        claimed.append(Claimed(*(*row[:9], *of_step, begun, nodes.get(task_id, ""))))
        words, coded = events.as_text(raw_input)
        kind = StepStarted if is_step else events.FileStarted
        transaction.events.append(
            kind(
                at=at,
                id=task_id,
                attempt=attempt,
                fence=fence,
                input=words,
                input_b64=coded,
                parent=of_step[0] or 0,
                step=of_step[1],
            )
        )
    before = connection.mark()
    insert_many(connection, "record_start", started)
    connection.want(before, len(rows))
    return claimed


def _recalled(connection: Connection, rows: list[Row]) -> dict[int, int]:
    """How many attempts of these tasks provably never began, where there were any."""
    again = [row[0] for row in rows if row[1] > 1]
    return dict(read_for(connection, "recalled", again)) if again else {}


def become_running(connection: Connection, transaction: Transaction, rows: list[Row]) -> None:
    """Take pending tasks out of the queue; rows as `head_of_lane` has them. Inside a write."""
    if not rows:
        return
    taken: defaultdict[tuple[int, int], int] = defaultdict(int)
    for row in rows:
        taken[row[3], row[10]] += 1
    for (lane_id, is_step), n in taken.items():
        transaction.move(lane_id, is_step, TaskState.PENDING, -n)
        transaction.move(lane_id, is_step, TaskState.RUNNING, n)
    before = connection.mark()
    run_for(connection, "claim", [row[0] for row in rows])
    connection.want(before, len(rows))


def _pick(
    connection: Connection,
    lanes: Lanes,
    open_lanes: Mapping[int, Mapping[str, float]],
    pools: dict[str, float],
    sites: Sites,
    count: int,
    without: Collection[int] = (),
) -> list[Row]:
    """The tasks to claim, out of the pools: highest priority first, then the oldest, over all open lanes together."""
    head = partial(_head, connection, lanes, without)
    wanted = _wanted(lanes, open_lanes, pools, sites, count)
    if len(wanted) == 1 and sites.is_one_pool(*wanted):
        ((lane_id, most),) = wanted.items()
        rows = list(head(lane_id, most))
        for pool, amount in open_lanes[lane_id].items():
            pools[pool] = pools.get(pool, 0.0) - amount * len(rows)
        return rows
    heads: list[_Head] = []
    for lane_id, most in wanted.items():
        if most > 0:
            _push(heads, head(lane_id, most))
    picked: list[Row] = []
    while heads and len(picked) < count:
        *_, row, rest = heapq.heappop(heads)
        if sites.take(row, open_lanes[row[3]], pools):
            picked.append(row)
            _push(heads, rest)
    return picked


def _wanted(
    lanes: Lanes, open_lanes: Mapping[int, Mapping[str, float]], pools: Mapping[str, float], sites: Sites, count: int
) -> dict[int, int]:
    """How many tasks are wanted of each lane at the most."""
    return {
        lane_id: sites.most(lane_id, takes, pools, count) for lane_id, takes in open_lanes.items() if lanes.get(lane_id)
    }


def foresee_heads(connection: Connection, lanes: Lanes, claim: Claim) -> None:
    """Say what `claim` will read first. Of many lanes it is not known how much, and so nothing is said of them."""
    wanted = _wanted(lanes, claim.lanes, claim.pools, Sites(claim), claim.count)
    if len(wanted) <= _FORESEEN and not (claim.probes or claim.without or claim.bind):
        for lane_id, most in wanted.items():
            if most > 0:
                foresee(connection, "head_of_lane", (lane_id, most))


#: Lanes whose heads are asked for ahead.
_FORESEEN = 4


def _share(
    rows: list[Row],
    open_lanes: Mapping[int, Mapping[str, float]],
    pools: dict[str, float],
    sites: Sites,
    wanted: Claim,
    *,
    in_hand: int = 0,
) -> list[Row]:
    """Of tasks that were picked, those to claim now: a share, where the pool of work has not run dry."""
    if wanted.least is None or len(rows) <= wanted.least or len(rows) + in_hand >= wanted.count:
        return rows
    if pools.get(WORK, 0.0) + SLACK < min(takes.get(WORK, 0.0) for takes in open_lanes.values()):
        return rows
    keep = share_of(len(rows), wanted.in_hand + in_hand, wanted.least)
    for row in rows[keep:]:
        sites.put_back(row, open_lanes[row[3]], pools)
    return rows[:keep]


def _head(connection: Connection, lanes: Lanes, without: Collection[int], lane_id: int, most: int) -> Iterator[Row]:
    """The head of a lane; of plain tasks without those of certain actions."""
    if without and not _is_step(lanes, lane_id):
        return read_each(connection, "head_of_lane_without", (lane_id, connection.ids(without), most))
    return read_each(connection, "head_of_lane", (lane_id, most))


def _pick_probes(
    connection: Connection,
    lanes: Lanes,
    open_lanes: Mapping[int, Mapping[str, float]],
    pools: dict[str, float],
    sites: Sites,
    wanted: Claim,
) -> list[Row]:
    """One task of each action that probes, as far as there is one in an open lane and the pools last."""
    rows: list[Row] = []
    plain = [lane_id for lane_id in open_lanes if not _is_step(lanes, lane_id) and not _is_workflow(lanes, lane_id)]
    for action_id, from_the_end in wanted.probes.items():
        statement = "tail_of_lane_by_action" if from_the_end else "head_of_lane_by_action"
        found = (read_all(connection, statement, (lane_id, connection.ids([action_id]), 1)) for lane_id in plain)
        row = next((some[0] for some in found if some), None)
        if row is not None and sites.take(row, open_lanes[row[3]], pools):
            rows.append(row)
    return rows


#: Minus priority, order key, id: the order. Then the row, and where its lane goes on.
_Head = tuple[int, int, int, Row, Iterator[Row]]


def _push(heads: list[_Head], rest: Iterator[Row]) -> None:
    row = next(rest, None)
    if row is not None:
        heapq.heappush(heads, (*_place(row), row, rest))
