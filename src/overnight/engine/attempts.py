"""The attempts under way: handed out, taken back, ended, and judged when they report.

The store has the same attempts on record; this is the copy that the loop can ask without a query.
It also knows how much work each slot holds, in seconds expected, which is what a claim is for.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence

from overnight.core.endings import AttemptKey, Ended, Evidence, Lost
from overnight.core.error_rules import Rule
from overnight.core.pace import AHEAD, STUCK, batch_room
from overnight.core.resources import told
from overnight.core.task import Action
from overnight.core.verdict import Intent, Settlement, Standing, judge, judge_lost
from overnight.engine.orders import OrderBook
from overnight.executors.contract import Event, Executor, Onward, Spec
from overnight.store.contract import Claimed, OpenAttempt, Store

#: Actions kept at hand; beyond so many those that nobody runs are forgotten.
ACTIONS_KEPT = 1024


_NONE: Mapping[str, Sequence[str]] = {}


class Running:
    """One attempt that has been handed out."""

    __slots__ = ("action", "claimed", "cost", "frozen", "granted", "intent", "since", "slot")

    def __init__(
        self,
        claimed: Claimed,
        action: Action,
        slot: int,
        cost: float,
        since: float,
        granted: Mapping[str, Sequence[str]] = _NONE,
    ) -> None:
        self.claimed = claimed
        self.action = action
        self.slot = slot
        #: Seconds of work expected when it was handed out.
        self.cost = cost
        #: Monotonic seconds at which it was handed out.
        self.since = since
        #: The ids of named resources that are its own, by name.
        self.granted = granted
        #: Why it was asked to end; None when it was not.
        self.intent: Intent | None = None
        #: Since when it stands still, POSIX seconds; None while it does not.
        self.frozen: float | None = None

    @property
    def key(self) -> AttemptKey:
        return AttemptKey(self.claimed.id, self.claimed.attempt)

    def standing(self) -> Standing:
        """What a judge needs to know of it."""
        claimed = self.claimed
        return Standing(claimed.failures, claimed.deaths, self.action, self.slot, self.intent, claimed.step)


class Attempts:
    """All attempts under way, by task; a task has at most one.

    Args:
        executor: Who runs them.
        store: Knows the actions.
        orders: Knows the lanes.
        rules: What a person has said about failures.
        own_slot: Where the runner's own tasks run; what is there does not count as work of people.
    """

    def __init__(
        self,
        executor: Executor,
        store: Store,
        orders: OrderBook,
        rules: Sequence[Rule] = (),
        *,
        own_slot: int | None = None,
    ) -> None:
        self.own_slot = own_slot
        self._executor = executor
        self._store = store
        self._orders = orders
        self._rules = rules
        self._by_node = orders.by_node
        self._by_task: dict[int, Running] = {}
        self._loads: dict[int, float] = {}
        self._held: Counter[int] = Counter()
        self._actions: dict[int, Action] = {}
        #: Attempts under way by lane id.
        self.by_lane: Counter[int] = Counter()

    def __len__(self) -> int:
        return len(self._by_task)

    def running(self) -> list[Running]:
        """All of them."""
        return list(self._by_task.values())

    def of_people(self) -> list[Running]:
        """All but the runner's own."""
        running = self.running()
        return [one for one in running if one.slot != self.own_slot] if self.own else running

    def is_own(self, running: Running | None) -> bool:
        """Whether this is one of the runner's own."""
        return running is not None and running.slot == self.own_slot

    @property
    def own(self) -> int:
        """How many are the runner's own."""
        return 0 if self.own_slot is None else self._held[self.own_slot]

    def get(self, task_id: int) -> Running | None:
        """The attempt of this task that is under way."""
        return self._by_task.get(task_id)

    # -- handing out -------------------------------------------------------------------------

    def rooms(self) -> dict[int, float]:
        """Seconds of work that each slot still takes; slots that take none are left out."""
        rooms = {
            offer.slot: batch_room(self._loads.get(offer.slot, 0.0), self._held[offer.slot])
            for offer in self._executor.offers()
        }
        return {slot: room for slot, room in rooms.items() if room > 0}

    def has_room(self) -> bool:
        """Whether any slot takes more work: what `rooms` would tell, asked several times a round."""
        loads, held = self._loads, self._held
        for offer in self._executor.offers():  # noqa: SIM110 - half the cost of a generator
            if batch_room(loads.get(offer.slot, 0.0), held[offer.slot]) > 0:
                return True
        return False

    def has_news(self) -> bool:
        """Whether slots of nodes have come that make a claim worth while which found nothing before."""
        return self._by_node and self._orders.has_news(self.rooms())

    def slots(self) -> int:
        """How many there are."""
        return len(self._executor.offers())

    def starving(self) -> bool:
        """Whether some slot has nothing to do."""
        return any(not self._held[offer.slot] for offer in self._executor.offers())

    def start(self, claimed: Sequence[Claimed], rooms: Mapping[int, float], *, moment: float) -> None:
        """Hand out what was just claimed, each task to the slot with the least work in hand. `moment` is monotonic."""
        if not claimed:
            return
        self._fetch_actions({task.action_id for task in claimed})
        for slot, hand in self._orders.deal(claimed, rooms).items():
            self._submit(slot, [self._enlist(task, slot, moment) for task in hand])

    def refuse(self, claimed: Sequence[Claimed], slot: int, *, moment: float) -> list[Event]:
        """What was just claimed for this slot cannot be handed out. It never began."""
        self._fetch_actions({task.action_id for task in claimed})
        return [Lost(*self._enlist(task, slot, moment).key, Evidence.NEVER_STARTED) for task in claimed]

    def take_over(self, left: Iterable[OpenAttempt], onward: Sequence[Onward], *, moment: float) -> None:
        """What goes on of an earlier engine's attempts is under way here from now on. `moment` is monotonic."""
        by_key = {one.key: one for one in onward}
        going = [one for one in left if (one.task_id, one.attempt) in by_key]
        self._fetch_actions({one.action_id for one in going})
        for one in going:
            found = by_key[AttemptKey(one.task_id, one.attempt)]
            granted = self._orders.keep(one.task_id, one.lane_id, found.slot, found.granted)
            self._enlist(self._as_claimed(one), found.slot, moment, granted)

    def _as_claimed(self, left: OpenAttempt) -> Claimed:
        task = self._store.get(left.task_id)
        return Claimed(
            left.task_id,
            left.attempt,
            left.action_id,
            left.lane_id,
            task.input,
            left.failures,
            left.deaths,
            left.generation,
            task.priority,
            parent_id=task.parent_id,
            step=left.step,
        )

    def _enlist(
        self, claimed: Claimed, slot: int, moment: float, granted: Mapping[str, Sequence[str]] | None = None
    ) -> Running:
        action = self._actions[claimed.action_id]
        if action.at_most_once:
            self._orders.pace.never_ahead(claimed.lane_id)
        granted = self._orders.grant(claimed.id, claimed.lane_id, slot) if granted is None else granted
        running = Running(claimed, action, slot, self._orders.cost(claimed.lane_id), moment, granted)
        self._by_task[claimed.id] = running
        self._loads[slot] = self._loads.get(slot, 0.0) + running.cost
        self._held[slot] += 1
        self.by_lane[claimed.lane_id] += 1
        return running

    def _submit(self, slot: int, attempts: Iterable[Running]) -> None:
        batch = [
            Spec(
                task.id,
                task.attempt,
                task.action_id,
                task.input,
                *self._orders.names(task.lane_id),
                step=task.step,
                given=task.given,
                granted=told(granted) if granted else (),
                begun=task.begun,
            )
            for task, granted in ((running.claimed, running.granted) for running in attempts)
        ]
        self._executor.submit(slot, batch, {spec.action_id: self._actions[spec.action_id] for spec in batch})

    def _fetch_actions(self, wanted: set[int]) -> None:
        if len(self._actions) + len(wanted) > ACTIONS_KEPT:
            in_use = {running.claimed.action_id for running in self._by_task.values()}
            self._actions = {key: action for key, action in self._actions.items() if key in in_use}
        # Not by subtracting the keys: that goes through all that are kept.
        if missing := {action_id for action_id in wanted if action_id not in self._actions}:
            self._actions.update(self._store.actions(missing))

    # -- taking in ---------------------------------------------------------------------------

    def settle(self, event: Ended | Lost, *, now: float) -> tuple[Running, Settlement] | None:
        """Judge what was reported. None for a late word about an attempt that is not under way."""
        running = self._by_task.get(event.task_id)
        if running is None or running.claimed.attempt != event.attempt:
            return None
        self._strike(running)
        if isinstance(event, Ended):
            self._orders.pace.saw(running.claimed.lane_id, event.seconds)
            return running, judge(event, running.standing(), now=now, rules=self._rules)
        return running, judge_lost(event, running.standing())

    def _strike(self, running: Running) -> None:
        slot = running.slot
        if running.granted or self._by_node:
            self._orders.give_back(running.claimed.id, running.granted)
        del self._by_task[running.claimed.id]
        self._held[slot] -= 1
        self._loads[slot] = self._loads[slot] - running.cost if self._held[slot] else 0.0
        lane = running.claimed.lane_id
        self.by_lane[lane] -= 1
        if not self.by_lane[lane]:
            del self.by_lane[lane]  # a night may see any number of lanes

    def unstick(self, *, now: float, moment: float) -> list[Event]:
        """Take back what waits behind an attempt that was expected to be over long ago. It never began."""
        events: list[Event] = []
        for head, elapsed in self._heads(now, moment):
            if self._held[head.slot] > 1 and elapsed > STUCK:
                self._orders.pace.saw(head.claimed.lane_id, elapsed)
                self._loads[head.slot] += AHEAD - head.cost
                head.cost = AHEAD  # nothing more for this slot until it is over
                events += [Lost(*key, Evidence.NEVER_STARTED) for key in self._executor.recall(head.slot)]
        return events

    def _heads(self, now: float, moment: float) -> list[tuple[Running, float]]:
        """What each slot runs now, as far as is known, and for how many seconds.

        Not for longer than it has been handed out: its start is by the wall clock, which may have jumped.
        """
        heads: dict[int, tuple[Running, float]] = {}
        for running in self._by_task.values():
            started = self._executor.started(running.key)
            if started is not None:
                held = moment - running.since
                elapsed = now - started if 0 <= now - started <= held else held
                heads[running.slot] = (running, elapsed)  # a slot runs its attempts in their order
        return list(heads.values())

    # -- ending ------------------------------------------------------------------------------

    def take_back(self) -> list[Event]:
        """Take back what no worker has read yet. It never began."""
        return [Lost(*key, Evidence.NEVER_STARTED) for key in self._executor.recall()]

    def end(self, task_id: int, intent: Intent) -> list[Event]:
        """End the attempt of one task; what its slot had not read besides goes back to it, in order."""
        running = self._by_task[task_id]
        running.intent = intent
        recalled = self._executor.recall(running.slot)
        if kept := [self._by_task[key.task_id] for key in recalled if key.task_id != task_id]:
            self._submit(running.slot, kept)
        if running.key in recalled:
            return [Lost(*running.key, Evidence.NEVER_STARTED)]
        self._executor.cancel([running.key])
        return []

    def end_all(self, *, grace: float) -> None:
        """Ask every attempt to end within `grace` seconds; its task goes back to the queue."""
        for running in self._by_task.values():
            running.intent = running.intent or Intent.STOP
        self.ask_again(grace=grace)

    def end_own(self, *, grace: float) -> None:
        """The same of the runner's own alone."""
        own = [running for running in self._by_task.values() if self.is_own(running)]
        for running in own:
            running.intent = running.intent or Intent.STOP
        self._executor.cancel([running.key for running in own], grace=grace)

    def ask_again(self, *, grace: float | None = None) -> bool:
        """Repeat the ask for those that had not begun when it was made. Returns whether there are any left."""
        asked = [running.key for running in self._by_task.values() if running.intent]
        if asked:
            self._executor.cancel(asked, grace=grace)
        return bool(asked)
