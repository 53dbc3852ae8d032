"""Nodes in virtual time: real agents, the real engine's side, and between them lines that can be cut."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path

from overnight.core.endings import AttemptKey, Ended
from overnight.core.nodes import Closing
from overnight.core.task import Action
from overnight.core.version import VERSION
from overnight.executors.contract import Event, Spec
from overnight.executors.nodes.agent import Agent
from overnight.executors.nodes.carrier import Gone, Said, Trouble
from overnight.executors.nodes.executor import NodesExecutor
from overnight.executors.nodes.files import Landing
from overnight.executors.nodes.live import Followed, Prints
from overnight.executors.nodes.messages import Facts, Piece
from overnight.executors.nodes.node import Lease
from overnight.executors.nodes.parcels import Parcels, Sender
from overnight.testing import FakeClock, FakeExecutor, FakeWorld, Play

LEASE = Lease(15.0, 1.0)


class SlowToEnd(FakeExecutor):
    """What is asked to end takes its time."""

    takes = 0.0

    def cancel(self, keys: Sequence[AttemptKey], *, grace: float | None = None) -> None:
        self._asked = [*getattr(self, "_asked", []), (self._clock.monotonic() + self.takes, list(keys), grace)]
        self._end_asked()

    def _end_asked(self) -> None:
        moment = self._clock.monotonic()
        asked = getattr(self, "_asked", [])
        for _, keys, grace in [one for one in asked if one[0] <= moment]:
            super().cancel(keys, grace=grace)
        self._asked = [one for one in asked if one[0] > moment]

    def events(self) -> list[Event]:
        self._end_asked()
        return super().events()


class FakeNode:
    """One node: what outlives its agent, and its agent."""

    def __init__(self, name: str, clock: FakeClock, play: Callable[[Spec, Action], Play], version: str) -> None:
        self.name = name
        self._clock = clock
        self._play = play
        self._version = version
        self.world = FakeWorld(clock)
        #: Whether its line is there, and whether its processes get any time.
        self.linked, self.frozen = True, False
        #: The files that go with an outcome.
        self.pieces: Callable[[Ended], Iterator[Piece]] = lambda _: iter(())
        #: Where files that come along are laid down.
        self.parcels: Parcels | None = None
        #: What it has of named resources, and its labels; an agent says it when it greets.
        self.ids: dict[str, tuple[str, ...]] = {}
        self.labels: dict[str, str] = {}
        #: How many slots it has.
        self.slots = 4
        #: Reads what attempts have printed here.
        self.prints: Prints | None = None
        #: Spreads its signs of life.
        self.dice: Callable[[], float] = lambda: 0.0
        #: What it has not, in words.
        self.lacks = ""
        self.inbox: deque[bytes] = deque()
        #: Every attempt that has begun here.
        self.begun: list[AttemptKey] = []
        self.renew()

    def renew(self) -> None:
        """Another agent, after the last one was killed."""
        self.executor = SlowToEnd(self._clock, slots=0, play=self._note, world=self.world)
        facts = Facts(
            self.name, slots=self.slots, version=self._version, python="3.11.0", labels=self.labels, ids=dict(self.ids)
        )
        self.agent = Agent(
            self.executor,
            self._clock,
            facts,
            pieces=self.pieces,
            lacks=lambda _: self.lacks,
            parcels=self.parcels,
            prints=self.prints,
            dice=self.dice,
        )
        self.inbox.clear()
        self.greets = True

    def _note(self, spec: Spec, action: Action) -> Play:
        self.begun.append(spec.key)
        return self._play(spec, action)

    def step(self) -> list[bytes]:
        """A little of its time; what it says."""
        if self.frozen:
            return []
        if self.greets and self.linked:
            self.greets = False
            self.agent.connected()
        while self.inbox:
            self.agent.hear(self.inbox.popleft())
        self.agent.look()
        if not self.linked:
            return []
        said = list(self.agent.out)
        self.agent.out.clear()
        return said


class FakeCarrier:
    """See `overnight.executors.nodes.carrier.Carrier`."""

    def __init__(self, clock: FakeClock, nodes: list[FakeNode]) -> None:
        self.trouble: Trouble | None = None
        self._clock = clock
        self.nodes = {node.name: node for node in nodes}
        self._gone: list[Gone] = []
        #: Words that somebody has kept until now.
        self.late: list[Said] = []

    def open(self) -> None:
        for node in self.nodes.values():
            node.greets = True

    def fileno(self) -> int:
        return -1

    def send(self, node: str, packed: bytes) -> None:
        if self.nodes[node].linked:
            self.nodes[node].inbox.append(packed)

    def receive(self) -> list[Said | Gone]:
        gone, self._gone = self._gone, []
        late, self.late = self.late, []
        return [*gone, *late, *(Said(node.name, words) for node in self.nodes.values() for words in node.step())]

    def wait(self, seconds: float) -> None:
        self._clock.advance(min(seconds, 0.01))

    def cut(self, name: str) -> None:
        """The line is lost, with what was on it."""
        node = self.nodes[name]
        node.linked = False
        node.inbox.clear()
        node.agent.out.clear()
        self._gone.append(Gone(name, "the line was cut"))

    def mend(self, name: str) -> None:
        """There is another line."""
        self.nodes[name].linked = self.nodes[name].greets = True

    def kill(self, name: str) -> None:
        """The agent and all below it are dead, and another agent begins."""
        node = self.nodes[name]
        node.world.kill(node.begun)
        node.renew()
        self._gone.append(Gone(name, "its agent died"))

    def expected(self) -> frozenset[str]:
        return frozenset(self.nodes)

    def release(self, node: str) -> None:
        """An agent that has ended says nothing."""

    def regain(self, node: str) -> None:
        """Another agent begins there."""
        assert self.nodes[node].agent.closed, "there would be two"
        self.nodes[node].renew()

    def close(self) -> None:
        """Nothing is kept."""


class FakeNodes:
    """Two nodes, and an engine's side that may be replaced by another one.

    Args:
        root: For the few files of the engine's side.
        play: What becomes of an attempt.
        slots: Of the engine.
        versions: Of the program on each node.
        closed: What people have closed.
        parcels: Sends files along.
    """

    def __init__(
        self,
        root: Path,
        play: Callable[[Spec, Action], Play] = lambda _spec, _action: Play(),
        *,
        slots: int = 2,
        versions: tuple[str, ...] = (VERSION, VERSION),
        closed: Callable[[], Mapping[str, Closing]] = dict,
        parcels: Sender | None = None,
    ) -> None:
        self.clock = FakeClock()
        self.root = root
        self.slots = slots
        self._closed = closed
        self._parcels = parcels
        nodes = [FakeNode(name, self.clock, play, version) for name, version in zip("ab", versions, strict=True)]
        self.carrier = FakeCarrier(self.clock, nodes)
        self.seen: list[Event] = []
        self.executor = self.make()

    def make(self) -> NodesExecutor:
        """Another engine's side."""
        return NodesExecutor(
            local=FakeExecutor(self.clock, slots=0),
            carrier=self.carrier,
            clock=self.clock,
            placements=self.root / "placements",
            landing=Landing(self.root / "output", self.root / "results"),
            slots=self.slots,
            lease=LEASE,
            followed=Followed(self.root / "following"),
            closed=self._closed,
            parcels=self._parcels,
        )

    def until(self, holds: Callable[[], object], *, seconds: float = 60.0) -> None:
        """Let time pass and take in events until something holds."""
        until = self.clock.monotonic() + seconds
        while not holds():
            assert self.clock.monotonic() < until, f"waited too long; seen: {self.seen}"
            self.clock.advance(0.01)
            self.seen += self.executor.events()

    def pass_time(self, seconds: float) -> None:
        """Let time pass and take in events."""
        until = self.clock.monotonic() + seconds
        self.until(lambda: self.clock.monotonic() >= until, seconds=seconds + 1)

    def open(self) -> None:
        """Open it, and wait for its slots."""
        self.executor.open(fence=1, left_open=[])
        self.until(lambda: len(self.executor.offers()) == self.slots)

    def begun(self) -> list[AttemptKey]:
        """Every attempt that has begun anywhere: the ledger."""
        return sorted(key for node in self.carrier.nodes.values() for key in node.begun)
