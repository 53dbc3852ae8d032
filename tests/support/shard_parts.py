"""What one shard is made of in virtual time: clocks that differ, lines that delay, a store with its lease.

The agents and the engine's side of nodes are the real ones (`overnight.executors.nodes`); all else is here.
"""

from __future__ import annotations

import heapq
import itertools
import math
import random
from collections import Counter
from collections.abc import Callable
from typing import NamedTuple

from fake_nodes import FakeNode

from overnight.core.endings import AttemptKey, Ended
from overnight.core.task import Action
from overnight.core.version import VERSION
from overnight.executors.contract import Event, Over, Spec
from overnight.executors.nodes.carrier import Gone, Said, Trouble
from overnight.store.postgres.lease import SHORT
from overnight.testing import FakeClock, Play

#: Seconds of one window in which words are counted.
WINDOW = 0.1
#: Clocks of machines differ by so much of their speed.
DRIFT = 200e-6


class Weather(NamedTuple):
    """What the network and the machines are like. All in seconds.

    `delay`: of a word, one way: half of it always, the rest at random (exponential), never out of order.
    `pause`, `pause_every`: each node stands still for so long, so often.
    `joining`: an engine makes its lines one by one, within so long.
    """

    delay: float = 0.001
    pause: float = 0.0
    pause_every: float = math.inf
    joining: float = 1.0


class Loop:
    """What happens when, in virtual time."""

    def __init__(self) -> None:
        self.clock = FakeClock()
        self._heap: list[tuple[float, int, Callable[[], None]]] = []
        self._number = itertools.count()

    @property
    def now(self) -> float:
        """Virtual monotonic seconds."""
        return self.clock.monotonic()

    def after(self, seconds: float, act: Callable[[], None]) -> None:
        """Do this then."""
        heapq.heappush(self._heap, (self.now + seconds, next(self._number), act))

    def run(self, seconds: float) -> None:
        """Let so long pass; may be called by what happens on the way."""
        until = self.now + seconds
        while self._heap and self._heap[0][0] <= until:
            moment, _, act = heapq.heappop(self._heap)
            self.clock.advance(max(0.0, moment - self.now))
            act()
        self.clock.advance(max(0.0, until - self.now))


class OwnClock(FakeClock):
    """The clock of one machine: it shows something else than others do, and runs at another speed."""

    def __init__(self, clock: FakeClock, dice: random.Random) -> None:
        super().__init__()
        self._true = clock
        self._offset, self._speed = dice.uniform(0, 1e6), 1 + dice.uniform(-DRIFT, DRIFT)

    def now(self) -> float:
        return self._true.now()

    def monotonic(self) -> float:
        return self._true.monotonic() * self._speed + self._offset


class ShardNode(FakeNode):
    """One node: a real agent, which is woken when it has something to do."""

    def __init__(self, name: str, loop: Loop, dice: random.Random, began: Callable[[ShardNode, Spec], Play]) -> None:
        super().__init__(name, OwnClock(loop.clock, dice), self._begins, VERSION)
        self._began, self._loop, self._wake_at = began, loop, math.inf
        self.greets = False
        #: Dead for good.
        self.dead = False
        #: Where its words go; whose engine that is.
        self.says: Callable[[list[bytes]], None] = lambda _: None
        self.line: object = None
        #: When the last word arrives, each way: none overtakes another.
        self.there = self.back = 0.0

    def _begins(self, spec: Spec, _: Action) -> Play:
        return self._began(self, spec)

    def runs(self, key: AttemptKey) -> bool:
        """Whether an attempt is alive here, and gets any time."""
        return key in self.world._alive and not self.frozen

    def wake(self) -> None:
        """Let it do what there is to do."""
        if self.frozen:
            return
        if said := self.step():
            self.says(said)
        now = self._clock.monotonic()
        ends = self.executor.next_at()
        due = min(self.agent.due(), math.inf if ends is None else ends - now)
        self._wake_at = self._loop.now + max(due, 0.0) + 1e-4
        if math.isfinite(due):
            self._loop.after(self._wake_at - self._loop.now, self._when_due)

    def _when_due(self) -> None:
        if self._loop.now >= self._wake_at - 1e-9:
            self.wake()

    def die(self) -> None:
        """All of it, at once and without a word."""
        self.world.kill()
        self.frozen = self.dead = True


class Lines:
    """The lines of one engine to its nodes. See `overnight.executors.nodes.carrier.Carrier`.

    Args:
        loop: When words arrive.
        nodes: All that there are.
        weather: How long words take.
        dice: For that.
        ring: Called when there is something to receive.
        heard: Counts words that arrive, by window.
    """

    def __init__(
        self,
        loop: Loop,
        nodes: dict[str, ShardNode],
        weather: Weather,
        dice: random.Random,
        *,
        ring: Callable[[], None],
        heard: Counter[int],
    ) -> None:
        self.trouble: Trouble | None = None
        self._loop, self._nodes, self._weather, self._dice = loop, nodes, weather, dice
        self._ring, self._count = ring, heard
        self._words: list[Said | Gone] = []

    def open(self) -> None:
        for node in self._nodes.values():
            self._loop.after(self._dice.uniform(0, self._weather.joining), lambda node=node: self.join(node))  # type: ignore[misc]  # a default binds it

    def join(self, node: ShardNode) -> None:
        """There is a new line to this node, and it greets; whoever had one to it before has none now."""
        if node.linked and not node.dead:
            node.line, node.says = self, lambda said: self._back(node, said)
            node.inbox.clear()
            node.greets = True
            node.wake()

    def _delay(self) -> float:
        return self._weather.delay * (0.5 + self._dice.expovariate(2.0))

    def _back(self, node: ShardNode, said: list[bytes]) -> None:
        node.back = max(node.back, self._loop.now + self._delay())
        self._loop.after(node.back - self._loop.now, lambda: self._arrives(node, said))

    def _arrives(self, node: ShardNode, said: list[bytes]) -> None:
        if node.linked and node.line is self:
            self._count[int(self._loop.now / WINDOW)] += len(said)
            self._words += [Said(node.name, packed) for packed in said]
            self._ring()

    def send(self, node: str, packed: bytes) -> None:
        there = self._nodes[node]
        there.there = max(there.there, self._loop.now + self._delay())
        self._loop.after(there.there - self._loop.now, lambda: self._reaches(there, packed))

    def _reaches(self, node: ShardNode, packed: bytes) -> None:
        if node.linked and node.line is self:
            node.inbox.append(packed)
            node.wake()

    def receive(self) -> list[Said | Gone]:
        words, self._words = self._words, []
        return words

    def wait(self, seconds: float) -> None:
        self._loop.run(seconds)

    def mend(self, node: ShardNode) -> None:
        """A node that was cut off can be reached again, over another line."""
        node.linked = True
        self._words.append(Gone(node.name, "the line was cut"))
        self.join(node)

    def fileno(self) -> int:
        return -1

    def expected(self) -> frozenset[str]:
        return frozenset(self._nodes)

    def release(self, node: str) -> None:
        """Nobody is released in these nights."""

    def regain(self, node: str) -> None:
        """Nor looked for again."""

    def close(self) -> None:
        """Nothing is kept."""


class Store:
    """What is true of the tasks of one shard: fence, lease, and each task's attempt. The rules are the real store's.

    Args:
        loop: Whose time counts for the lease.
    """

    def __init__(self, loop: Loop) -> None:
        self._loop = loop
        self.fence = 0
        self._until = -math.inf
        #: Attempts that are on record as running; since when; tasks that wait, and the number of their last attempt.
        self.open: dict[int, int] = {}
        self.claimed_at: dict[int, float] = {}
        self.waiting: dict[int, int] = {}
        self.done: set[int] = set()
        #: What was lost though its node had not been struck is judged by whoever reads this.
        self.lost: list[Over] = []
        self.doubled: list[str] = []
        self._ids = itertools.count(1)

    def take(self) -> int:
        """The lease, if nobody has it; the new fence, or 0."""
        if self._until > self._loop.now:
            return 0
        self.fence += 1
        self._until = self._loop.now + SHORT
        return self.fence

    def renew(self, fence: int) -> bool:
        """Hold the lease for longer, if it is still there."""
        if not (held := self.holds(fence) and self._until > self._loop.now):
            return held
        self._until = self._loop.now + SHORT
        return held

    def holds(self, fence: int) -> bool:
        """Whether no later engine has come."""
        return fence == self.fence

    def commit(self, fence: int, events: list[Event]) -> bool:
        """Record these. Refused, all of them, to an engine after which another one came."""
        if not self.holds(fence):
            return False
        for event in events:
            if self.open.get(event.task_id) != event.attempt:
                self.doubled.append(f"the end of {event.key} is told, which is not open")
                continue
            del self.open[event.task_id]
            if isinstance(event, Ended):
                self.done.add(event.task_id)
            else:
                self.lost.append(event)  # type: ignore[arg-type]  # nothing is frozen here
                self.waiting[event.task_id] = event.attempt
        return True

    def claim(self) -> AttemptKey:
        """The next attempt: of a task that waits, or of a new one."""
        task = next(iter(self.waiting), 0) or next(self._ids)
        attempt = self.waiting.pop(task, 0) + 1
        self.open[task], self.claimed_at[task] = attempt, self._loop.now
        return AttemptKey(task, attempt)
