"""A night of one shard in virtual time: its store, an engine and one that stands by, and its nodes with their leases.

Shards share nothing, so thousands of them are as many nights, one after the other. What must hold is told by
`Shard.violations`; what is measured lies in its other fields.
"""

from __future__ import annotations

import math
import random
import time
from collections import Counter
from collections.abc import Callable
from pathlib import Path

from shard_parts import Lines, Loop, ShardNode, Store, Weather

from overnight.core.endings import AttemptKey, Evidence, Lost
from overnight.core.task import Action, ActionKind
from overnight.engine.loop import TICK
from overnight.executors.contract import Event, Spec
from overnight.executors.nodes.executor import NodesExecutor
from overnight.executors.nodes.files import Landing
from overnight.executors.nodes.node import Lease, State
from overnight.store.postgres.lease import RENEW_EVERY
from overnight.testing import Deed, FakeExecutor, Play
from overnight.wiring.leading import ASK_EVERY

FAIR = Weather()
ACTIONS = {1: Action(kind=ActionKind.COMMAND, cwd=b"/")}
LEASE = Lease(15.0, 1.0)
#: Seconds between two turns of an engine that is told something.
TURN = 0.05
#: Seconds that an attempt takes.
TAKES = (10.0, 50.0)
#: What was claimed, or has ended, so many seconds ago may be on its way, or with a node that is not given up yet.
ON_ITS_WAY = LEASE.over_after + 2.0


class ShardEngine:
    """One engine: the real side of nodes, and turns that commit to the shard's store."""

    def __init__(self, shard: Shard, fence: int) -> None:
        self._shard, self.fence = shard, fence
        self.running = True
        #: It stands still until then.
        self.still_until = -math.inf
        self._turn_at, self._inside = math.inf, True
        lines = Lines(
            shard.loop, shard.nodes, shard.weather, shard.dice, ring=lambda: self.ask_for_turn(TURN), heard=shard.heard
        )
        self.lines = lines
        self._executor = NodesExecutor(
            local=FakeExecutor(shard.loop.clock, slots=0),
            carrier=lines,
            clock=shard.loop.clock,
            placements=shard.root / "placements",
            landing=Landing(shard.root / "output", shard.root / "results"),
            slots=0,
            lease=LEASE,
        )

    def begin(self) -> None:
        """Ask what became of what is open, and go to work."""
        began = time.thread_time()
        left = [AttemptKey(*item) for item in self._shard.store.open.items()]
        told: list[Event] = [*self._executor.open(fence=self.fence, left_open=self._shard.known(left))]
        told += self._shard.unknown(left)
        self._inside = False
        self._shard.busy += time.thread_time() - began
        if self.running:
            self._commit(told)
            self.keep()
            self._tick()

    def keep(self) -> None:
        """Renew the lease of the store, again and again."""
        if not self.running:
            return
        if self._stands_still():
            self._shard.loop.after(self.still_until - self._shard.loop.now, self.keep)
        elif self._shard.store.renew(self.fence):
            self._shard.loop.after(RENEW_EVERY, self.keep)
        else:
            self._shard.loop.after(2 * TURN, self.end)  # it may be in the middle of a turn

    def end(self) -> None:
        """It is dead."""
        self.running = False

    def _stands_still(self) -> bool:
        return self._shard.loop.now < self.still_until

    def _tick(self) -> None:
        """A turn each second, whatever is told."""
        self.ask_for_turn(0.0)
        if self.running:
            self._shard.loop.after(TICK, self._tick)

    def ask_for_turn(self, seconds: float) -> None:
        """Have a turn so soon, or sooner."""
        at = max(self._shard.loop.now + seconds, self.still_until)
        if at < self._turn_at and not self._inside:
            self._turn_at = at
            self._shard.loop.after(at - self._shard.loop.now, lambda: self._due(at))

    def _due(self, at: float) -> None:
        if at != self._turn_at:
            return
        self._turn_at = math.inf
        if self.running and not self._inside:
            self._inside = True
            self._turn()
            self._inside = False

    def _turn(self) -> None:
        began = time.thread_time()
        events = self._executor.events()
        if self._executor.wanted == 0 and self._up() >= len(self._shard.alive()):
            self._executor.resize(self._shard.slots)
        self._shard.busy += time.thread_time() - began
        self._commit(events)

    def _up(self) -> int:
        return sum(node.state is State.UP for node in self._executor.nodes())

    def _commit(self, events: list[Event]) -> None:
        if not self._shard.store.commit(self.fence, events):
            self.end()
            return
        began = time.thread_time()
        if events:
            self._executor.ack()
        if len(self._shard.store.open) < self._shard.slots:
            for offer in self._executor.offers():
                if not offer.outstanding:
                    spec = Spec(*self._shard.claim(self._executor, offer.slot), 1, b"", "default")
                    self._executor.submit(offer.slot, [spec], ACTIONS)
        self._shard.busy += time.thread_time() - began


class Shard:
    """One shard.

    Args:
        root: Directory for the few files of its engines; nobody else's.
        seed: The same seed, the same night.
        nodes: How many; so many attempts run at a time.
        weather: What network and machines are like.
        placed: Whether an engine after another knows what that one has placed.
    """

    def __init__(self, root: Path, seed: int, *, nodes: int, weather: Weather = FAIR, placed: bool = True) -> None:
        root.mkdir(parents=True, exist_ok=True)
        self.root, self.weather, self._placed = root, weather, placed
        self.dice = random.Random(seed)  # noqa: S311 - no secret
        self.loop = Loop()
        self.store = Store(self.loop)
        self.slots = nodes
        self.nodes = {
            name: ShardNode(name, self.loop, self.dice, self._begins)
            for name in (f"{number:04}" for number in range(nodes))
        }
        #: Words that came to an engine, by window of 0.1 s.
        self.heard: Counter[int] = Counter()
        #: Seconds of a real processor that the engine's side has taken.
        self.busy = 0.0
        self._doubled: list[str] = []
        self._where: dict[int, list[tuple[ShardNode, AttemptKey]]] = {}
        #: When each task last began, and the attempts that were struck, with when.
        self.began_at: dict[AttemptKey, float] = {}
        self._struck: dict[AttemptKey, float] = {}
        #: Which node each attempt was given to, and the nodes that something has happened to.
        self._node_of: dict[AttemptKey, str] = {}
        self._struck_nodes: set[str] = set()
        self.engine: ShardEngine | None = None
        self._start, self._calm = self.loop.now, False
        #: How many engines there were, and how many attempts stood still with their nodes.
        self.engines = self.stood_still = 0
        self._stand_by()
        if math.isfinite(weather.pause_every):
            for node in self.nodes.values():
                self._pause_later(node)

    @property
    def passed(self) -> float:
        """Virtual seconds since the beginning."""
        return self.loop.now - self._start

    def run(self, seconds: float) -> None:
        """Let so long pass."""
        self.loop.run(seconds)

    def at(self, seconds: float, act: Callable[[], None]) -> None:
        """Do this so long after the beginning."""
        self.loop.after(seconds - self.passed, act)

    def alive(self) -> list[ShardNode]:
        """The nodes that can be reached."""
        return [node for node in self.nodes.values() if node.linked and not node.dead]

    # -- engines -----------------------------------------------------------------------------

    def _stand_by(self) -> None:
        """There is always somebody who asks for the lease."""
        self.loop.after(ASK_EVERY, self._stand_by)
        if fence := self.store.take():
            self.engine = ShardEngine(self, fence)
            self.engines += 1
            if not self._placed:
                (self.root / "placements").unlink(missing_ok=True)
            # Whoever takes the lease holds it while it asks the nodes.
            self.engine.keep()
            self.engine.begin()

    def known(self, left: list[AttemptKey]) -> list[AttemptKey]:
        """What the next engine asks nodes about."""
        return left if self._placed else []

    def unknown(self, left: list[AttemptKey]) -> list[Lost]:
        """What the next engine gives up without asking."""
        return [] if self._placed else [Lost(*key, evidence=Evidence.STARTED) for key in left]

    # -- attempts ----------------------------------------------------------------------------

    def claim(self, executor: NodesExecutor, slot: int) -> AttemptKey:
        """An attempt for this slot."""
        key = self.store.claim()
        if (seat := executor._seats.get(slot)) is not None:
            self._node_of[key] = seat.node
        return key

    def _begins(self, node: ShardNode, spec: Spec) -> Play:
        """An attempt begins: is another one of its task alive?"""
        others = self._where.setdefault(spec.task_id, [])
        others[:] = [one for one in others if one[0].runs(one[1])]
        self._doubled += [f"{spec.key} begins on {node.name} beside {key} on {there.name}" for there, key in others]
        if spec.task_id in self.store.done:
            self._doubled.append(f"{spec.key} begins though it is done")
        others.append((node, spec.key))
        self.began_at[spec.key] = self.loop.now
        first = self.passed < TAKES[0]
        return Play(seconds=self.dice.uniform(0.0 if first else TAKES[0], TAKES[1]))

    def violations(self) -> list[str]:
        """What is against the promises: doubled, or lost."""
        found = self._doubled + self.store.doubled
        last = {line.key: line for node in self.nodes.values() for line in node.world.ledger}
        now = self.loop.clock.now()
        for task, attempt in self.store.open.items():
            line = last.get(AttemptKey(task, attempt))
            if line is None:
                stuck = self.store.claimed_at[task] < self.loop.now - ON_ITS_WAY
            else:
                stuck = line.deed is not Deed.BEGIN and line.at < now - ON_ITS_WAY
            if stuck:
                found.append(f"task {task} is on record as running, and nothing runs")
        return found

    # -- misfortune --------------------------------------------------------------------------

    def _note_struck(self, nodes: list[ShardNode]) -> None:
        struck = {node.name for node in nodes}
        self._struck_nodes |= struck
        for where in self._where.values():
            self._struck |= {key: self.loop.now for node, key in where if node.name in struck and node.runs(key)}

    def strike_nodes(self, share: float, *, cut: float) -> None:
        """So many nodes are struck at once: half of them die, half go on and cannot be reached for so long."""
        chosen = self.dice.sample(self.alive(), round(share * len(self.nodes)))
        self._note_struck(chosen)
        for node in chosen[::2]:
            node.die()
        for node in chosen[1::2]:
            node.linked = False
            self.loop.after(cut, lambda node=node: self._mend(node))  # type: ignore[misc]  # a default binds it

    def _mend(self, node: ShardNode) -> None:
        if self.engine is not None:
            self.engine.lines.mend(node)

    def strike_engine(self, *, freeze: float = 0.0) -> None:
        """The engine dies, or stands still for so long and then goes on where it was."""
        if self.engine is None:
            return
        self._note_struck(list(self.nodes.values()))
        if freeze:
            self.engine.still_until = self.loop.now + freeze
        else:
            self.engine.end()

    def _pause_later(self, node: ShardNode) -> None:
        self.loop.after(self.dice.expovariate(1 / self.weather.pause_every), lambda: self._pause(node))

    def _pause(self, node: ShardNode) -> None:
        if self._calm:
            return
        self.stood_still += len(node.world._alive)
        node.frozen = True
        self.loop.after(self.weather.pause, lambda: self._go_on(node))

    def calm_down(self) -> None:
        """No node stands still any more, once it has gone on."""
        self._calm = True

    def _go_on(self, node: ShardNode) -> None:
        node.frozen = False
        node.wake()
        self._pause_later(node)

    # -- what is measured --------------------------------------------------------------------

    def elsewhere(self, *, since: float) -> list[float]:
        """Seconds from a stroke to the begin of the next attempt, for each attempt that was struck and did not end.

        Args:
            since: The stroke, in seconds after the beginning.
        """
        found = []
        ended = {line.key for node in self.nodes.values() for line in node.world.ledger if line.deed is Deed.END}
        struck = {key: at for key, at in self._struck.items() if abs(at - self._start - since) < TURN}
        for key, struck_at in struck.items():
            again = self.began_at.get(AttemptKey(key.task_id, key.attempt + 1))
            if again is not None:
                found.append(again - struck_at)
            elif key.task_id not in self.store.done and key not in ended:
                found.append(math.inf)
        return found

    def false_losses(self) -> int:
        """Attempts that were lost though nothing had ever struck their nodes or their engine."""
        return sum(self._node_of[over.key] not in self._struck_nodes for over in self.store.lost)
