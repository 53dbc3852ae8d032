"""What people have laid down, and what it lets the engine claim now."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterable, Mapping, Sequence
from typing import TYPE_CHECKING

from overnight.core.claims import Bind, Role
from overnight.core.lanes import (
    EVERY_QUEUE,
    OPEN_A_SLOT,
    LaneView,
    Openings,
    QueueView,
    is_own,
    is_paused,
    limited_by,
    openings,
    place,
    switch_of,
)
from overnight.core.pace import AHEAD, LAST_IN_A_SLOT, Allowance, Pace
from overnight.core.resources import Granted, Pool, ids_in, shares
from overnight.core.storms import Storm
from overnight.engine.dispatch import Hands, deal
from overnight.store.contract import Claim, Claimed, Control, Lane, Queue, Store, Turn

if TYPE_CHECKING:  # most homes have no nodes
    from overnight.core.placing import Look
    from overnight.engine.placing import At, Places

#: Most tasks claimed in one turn.
MOST_CLAIMED = 1024


class OrderBook:
    """Lanes, queues and controls as the store last had them, with the pace of each lane.

    Args:
        store: Where people leave their orders.
        resources: What this machine has of each named resource.
        ahead: Whether tasks may be handed out before a slot is free for them.
        ids: Of those resources that are handed out by name, as many as there are of it.
        bind: Which tasks become tasks of a workflow when they are claimed.
        stocks: What the nodes have on which attempts run, and `resources` is what there is besides, for all together;
            None: all run on this machine.
    """

    def __init__(
        self,
        store: Store,
        resources: Mapping[str, float],
        *,
        ahead: bool = True,
        ids: Mapping[str, Sequence[str]] | None = None,
        bind: Bind | None = None,
        stocks: Look | None = None,
    ) -> None:
        self._store = store
        self._resources = resources
        self._ids = ids or {}
        self._pool = Pool(self._ids)
        self._bind = bind
        self._places = None if stocks is None else self._on_nodes(stocks)
        self._token: int | None = None
        #: The lanes of people, and those of the runner's own tasks.
        self._lanes: dict[int, Lane] = {}
        self._own: dict[int, Lane] = {}
        self._queues: list[Queue] = []
        self._allowances: dict[str, Allowance] = {}
        self._workflows: frozenset[str] = frozenset()
        #: See `_shut_at`, at the last claim.
        self._shut: set[str] = set()
        #: Workflow tasks that have been begun, by lane.
        self._begun: Counter[int] = Counter()
        self.controls: list[Control] = []
        #: When the first schedule is due, POSIX seconds.
        self.next_firing: float | None = None
        #: By what each has stopped.
        self.storms: dict[tuple[str, int], Storm] = {}
        self.pace = Pace(ahead=ahead)

    def _on_nodes(self, stocks: Look) -> Places:
        from overnight.core.placing import GPU  # most homes have no nodes
        from overnight.engine.placing import Places

        self._ids = {name: ids for name, ids in self._ids.items() if name != GPU}
        return Places(stocks, self._resources, self._heads)

    @property
    def by_node(self) -> bool:
        """Whether attempts run on nodes, each of which has resources of its own."""
        return self._places is not None

    def refresh(self, moment: float) -> bool:
        """Read the orders anew if anybody else has changed the store. Returns whether.

        `moment` is monotonic.
        """
        token = self._store.change_token()
        if token == self._token:
            return False
        self._token = token
        self.read(moment)
        return True

    def read(self, moment: float) -> None:
        """Read the orders anew."""
        orders = self._store.orders()
        self._lanes = {lane.id: lane for lane in orders.lanes if not is_own(lane.queue)}
        self._own = {lane.id: lane for lane in orders.lanes if is_own(lane.queue)}
        # One that nothing was set for says nothing, and names of queues become ever more.
        self._queues = [queue for queue in orders.queues if queue != Queue(name=queue.name)]
        self._workflows = orders.workflows
        self._begun = Counter({lane.id: lane.running for lane in orders.lanes if lane.role is Role.WORKFLOW})
        self.controls = orders.controls
        self.next_firing = orders.next_firing
        self.storms = {storm.subject.key: storm for storm in orders.storms}
        self.pace.forget(self._lanes.keys() | self._own.keys())
        kept = self._allowances
        self._allowances = {
            queue.name: kept[queue.name]
            if queue.name in kept and kept[queue.name].rate == queue.rate
            else Allowance(queue.rate, moment)
            for queue in self._queues
            if queue.rate
        }

    def heed(self, turn: Turn, moment: float) -> None:
        """Take note of workflow tasks that were begun or closed, and of lanes that came with them."""
        for opened in turn.opened:
            self._begun[opened.lane_id] += 1
        for rested in turn.rested:
            if rested.lane_id is not None:
                self._begun[rested.lane_id] -= 1
        if turn.asked or any(not opened.lanes <= self._lanes.keys() for opened in turn.opened):
            self.read(moment)

    def cost(self, lane_id: int) -> float:
        """Expected seconds of a task of this lane."""
        return self.pace.cost(lane_id)

    def names(self, lane_id: int) -> tuple[str, str]:
        """Queue and workflow of a lane."""
        lane = self._lanes.get(lane_id) or self._own.get(lane_id)
        return (lane.queue, lane.workflow) if lane else ("", "")

    @property
    def has_own(self) -> bool:
        """Whether there is work of the runner's own, now or later."""
        return bool(self._own)

    def claim_own(self) -> Claim:
        """The next of the runner's own tasks, whatever people have paused: one at a time, in a slot that is free."""
        return Claim(count=1, lanes={lane: {} for lane in self._own}, pools={})

    def deal(self, claimed: Sequence[Claimed], rooms: Mapping[int, float]) -> Hands:
        """Which slot gets which of the tasks just claimed. `rooms`: seconds of work that each slot takes."""
        if self._places is None:
            return deal(claimed, rooms, self.cost)
        return self._places.deal(claimed, rooms, self.cost)

    def grant(self, task_id: int, lane_id: int, slot: int) -> Mapping[str, Sequence[str]]:
        """The ids of named resources for an attempt of this lane in that slot. The claim has counted them."""
        lane = self._lanes.get(lane_id)
        if lane is None:
            return {}
        granted = {} if self._ids.keys().isdisjoint(lane.needs) else self._pool.take(lane.needs, slot)
        return granted if self._places is None else granted | self._places.grant(task_id, lane, slot)

    def keep(self, task_id: int, lane_id: int, slot: int, granted: Granted) -> Mapping[str, Sequence[str]]:
        """The ids that an attempt of an earlier engine was given: they are its own for as long as it runs."""
        kept = self._pool.keep(ids_in(granted, self._ids)) if granted else {}
        lane = self._lanes.get(lane_id)
        if self._places is None or lane is None:
            return kept
        return kept | self._places.keep(task_id, lane, slot, granted)

    def give_back(self, task_id: int, granted: Mapping[str, Sequence[str]]) -> None:
        """An attempt of this task, which had these, is over."""
        if self._places is not None:
            self._places.give_back(task_id)
            granted = {name: ids for name, ids in granted.items() if name in self._ids}
        if granted:
            self._pool.give_back(granted)

    def has_news(self, slots: Iterable[int]) -> bool:
        """Whether one of these slots, which have room, makes a claim worth while that found nothing before."""
        return self._places is not None and self._places.has_news(slots)

    def _heads(self) -> Mapping[int, int]:
        """The highest priority of what waits, by lane; without those that people have paused, or that a storm holds up.

        That may last: what is full or used up is open again in a moment.
        """
        lanes = [lane for lane in self._store.orders().lanes if not self._shut & {lane.queue, switch_of(lane.workflow)}]
        return {} if EVERY_QUEUE in self._shut else {lane.id: lane.head for lane in lanes if lane.head is not None}

    def _shut_at(self, now: float, braked: Iterable[str]) -> set[str]:
        """The names of queues and workflows of which nothing starts for who knows how long."""
        return {queue.name for queue in self._queues if is_paused(queue, now)} | {switch_of(one) for one in braked}

    def claim(
        self,
        rooms: Mapping[int, float],
        running: Mapping[int, int],
        *,
        slots: int,
        now: float,
        moment: float,
        probing: Collection[int] = (),
    ) -> Claim:
        """What may be claimed now.

        Args:
            rooms: Seconds of work that each slot still takes.
            running: Attempts under way by lane.
            slots: How many there are.
            now: POSIX seconds.
            moment: Monotonic seconds.
            probing: Actions of attempts under way of which so many have failed that the others wait.
        """
        braked = self._braked(running, now) if self.storms else {}
        opened = openings(
            self._lane_views(),
            {queue.name: self._view(queue, moment) for queue in self._queues},
            work=sum(rooms.values()),
            running=running,
            totals=self._resources,
            now=now,
            places=OPEN_A_SLOT * slots,
            braked=braked,
        )
        at: At = {}
        if self._places is not None:
            self._shut = self._shut_at(now, braked)
            opened, at = self._places.narrow(opened, self._lanes, rooms, moment=moment)
        return Claim(
            count=MOST_CLAIMED,
            lanes=opened.lanes,
            pools=opened.pools,
            in_hand=sum(running.values()),
            least=LAST_IN_A_SLOT * slots,
            without=frozenset(action_id for workflow, action_id in self.storms if not workflow),
            probes=self._probes(now, probing) if self.storms else {},
            bind=self._bind,
            bound={} if self._bind is None else self._open_places(self._bind.workflow, opened),
            at=at,
        )

    def _open_places(self, workflow: str, opened: Openings) -> dict[int, dict[str, float]]:
        """What a task of each plain lane takes of the places for open ones, if it becomes one of this workflow."""
        shortest = self._shortest_steps()
        queues = {number: self._lanes[number].queue for number in opened.lanes}
        return {
            number: place(queue, workflow, shortest.get((workflow, queue), AHEAD) / AHEAD, opened.pools)
            for number, queue in queues.items()
            if self._lanes[number].role is Role.PLAIN
        }

    def _probes(self, now: float, probing: Collection[int]) -> dict[int, bool]:
        """Actions of plain tasks of which one may be tried now, and whether it is the last one."""
        return {
            action_id: storm.probes % 2 == 1
            for (workflow, action_id), storm in self.storms.items()
            if not workflow and storm.probe_at <= now and action_id not in probing
        }

    def _braked(self, running: Mapping[int, int], now: float) -> dict[str, int]:
        """Workflows in which only one may start, when its time has come and nothing of it runs; else none."""
        busy = {lane.workflow for lane in self._lanes.values() if lane.role is Role.STEP and running.get(lane.id)}
        return {
            workflow: int(storm.probe_at <= now and workflow not in busy)
            for (workflow, _), storm in self.storms.items()
            if workflow
        }

    def _lane_views(self) -> list[LaneView]:
        views = []
        shortest = self._shortest_steps()
        for lane in self._lanes.values():
            if lane.role is not Role.WORKFLOW:
                needs = lane.needs if self._places is None else self._places.common(lane.needs)
                takes = shares(needs, self._ids)
                cost = self.cost(lane.id)
                views.append(LaneView(lane.id, lane.queue, takes, cost, workflow=lane.workflow, role=lane.role))
            elif lane.workflow in self._workflows:
                cost = shortest.get((lane.workflow, lane.queue), AHEAD)
                begun = self._begun[lane.id]
                views.append(LaneView(lane.id, lane.queue, {}, cost, cost / AHEAD, begun, lane.workflow, lane.role))
        return views

    def _shortest_steps(self) -> dict[tuple[str, str], float]:
        """Expected seconds of the shortest steps of each workflow, by queue.

        Where they are tiny many tasks are open at a time: with a few no transaction would be full.
        """
        found: dict[tuple[str, str], float] = {}
        for lane in self._lanes.values():
            if lane.role is Role.STEP:
                key = (lane.workflow, lane.queue)
                found[key] = min(found.get(key, AHEAD), self.cost(lane.id))
        return found

    def _view(self, queue: Queue, moment: float) -> QueueView:
        allowance = self._allowances.get(queue.name)
        return QueueView(
            queue.name,
            queue.slots,
            queue.paused,
            queue.paused_until,
            allowance.available(moment) if allowance else None,
        )

    def spend(self, claimed: Sequence[Claimed]) -> None:
        """Count these starts against the rates of their queues and workflows."""
        if not self._allowances:
            return
        for task in claimed:
            for name in limited_by(*self.names(task.lane_id)):
                if allowance := self._allowances.get(name):
                    allowance.spend(1)

    def unpaused_at(self, now: float) -> float | None:
        """When the next timed pause ends, POSIX seconds; None when there is none."""
        ends = (queue.paused_until for queue in self._queues if queue.paused)
        return min((end for end in ends if end is not None and end > now), default=None)

    def allowed_at(self) -> float | None:
        """Monotonic seconds when the next queue that has used up its rate may start a task; None when none has."""
        moments = (allowance.next_at() for allowance in self._allowances.values())
        return min((moment for moment in moments if moment is not None), default=None)
