"""What is known of the nodes on which attempts run, as it is written down and shown."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from enum import StrEnum

import msgspec

from overnight.core.durations import format_duration
from overnight.core.node_needs import asked


class Closing(StrEnum):
    """How a person has closed a node; the words are written down."""

    #: It is given nothing more.
    CORDON = "cordon"
    #: It also gives back what has not begun, and its agent ends when what runs has ended.
    DRAIN = "drain"
    #: What runs there is ended, too, and goes back to the queue.
    DRAIN_NOW = "drain-now"


class Change(StrEnum):
    """What can happen to a node."""

    JOINED = "joined"
    SILENT = "silent"
    LOST = "lost"
    REFUSED = "refused"
    CLOSED = "closed"
    OPENED = "opened"
    DRAINED = "drained"


class NodeNews(msgspec.Struct, frozen=True):
    """Something has happened to a node."""

    node: str
    change: Change
    #: The reason; of one that was closed, how.
    why: str = ""
    slots: int = 0
    version: str = ""
    #: It had joined before.
    again: bool = False
    #: Of one that is refused: it is what an attempt needs that it lacks, and others may have it.
    unfit: bool = False
    #: How many attempts it holds, or has lost; of these, how many are known to have begun; and the first tasks of them.
    attempts: int = 0
    begun: int = 0
    tasks: tuple[int, ...] = ()


class NodeRow(msgspec.Struct, frozen=True):
    """One node as the engine knows it."""

    name: str
    state: str
    #: Why it is not up.
    why: str = ""
    #: How many attempts it can run at a time, and holds.
    slots: int = 0
    held: int = 0
    cpus: int = 0
    gpus: int = 0
    memory_bytes: int = 0
    version: str = ""
    python: str = ""
    labels: dict[str, str] = {}
    #: What it has of named resources.
    resources: dict[str, float] = {}
    #: The needs for which it is kept free: of what they need nothing is begun there for others.
    kept_for: dict[str, float] = {}
    #: POSIX seconds: when it was last heard, and when nothing of ours runs there any more if it stays silent.
    heard_at: float | None = None
    over_at: float | None = None
    #: Attempts that were lost with it.
    lost: int = 0


class Census(msgspec.Struct, frozen=True):
    """All nodes at one moment. `at` is POSIX seconds."""

    at: float
    nodes: list[NodeRow]
    #: Named resources that are counted once for all nodes.
    shared: list[str] = []


#: Words of the engine for what has another one here.
_WORDS = {"awaited": "joining", "opening": "joining", "away": "lost"}
_CLOSED = {Closing.CORDON: "cordoned", Closing.DRAIN: "draining", Closing.DRAIN_NOW: "draining"}


class NodeView(msgspec.Struct, frozen=True):
    """One node, and what people want of it."""

    row: NodeRow
    closed: Closing | None = None

    @property
    def stands(self) -> str:
        """How it stands: up, unfit, cordoned, draining, drained, silent, lost, refused, joining, closed."""
        if self.closed is not None and self.row.state in ("up", "closed"):
            return _CLOSED[self.closed] if self.row.state == "up" else "drained"
        if self.row.state == "up" and self.row.why:
            return "unfit"
        return _WORDS.get(self.row.state, self.row.state)

    @property
    def takes_work(self) -> bool:
        """Whether attempts are handed to it."""
        return self.stands == "up"

    @property
    def busy(self) -> int:
        """Slots that have something to do: it may hold more than it runs."""
        return min(self.row.held, self.row.slots)

    def words(self, now: float) -> str:
        """What there is to say of it; empty when it does what it should. `now`: POSIX seconds."""
        if self.takes_work:
            return ""
        words = f"{self.row.name} {self.stands}"
        if self.stands == "silent" and self.row.over_at is not None:
            return f"{words}, its lease runs for {format_duration(max(0.0, self.row.over_at - now))} more"
        return words


class NodesView(msgspec.Struct, frozen=True):
    """All nodes, as the engine knew them at one moment. `at` is POSIX seconds."""

    at: float
    nodes: list[NodeView]
    #: Named resources that are counted once for all nodes.
    shared: tuple[str, ...] = ()
    #: What no node can ever run of that which waits, in words; and whether there is anything else to begin.
    impossible: tuple[str, ...] = ()
    others_wait: bool = True

    @property
    def working(self) -> list[NodeView]:
        """Those that are given work."""
        return [node for node in self.nodes if node.takes_work]

    @property
    def slots(self) -> int:
        """Of those that are given work."""
        return sum(node.row.slots for node in self.working)

    @property
    def busy(self) -> int:
        """Of these slots, how many have something to do."""
        return sum(node.busy for node in self.working)

    def counts(self) -> dict[str, int]:
        """How many stand how."""
        return dict(Counter(node.stands for node in self.nodes))

    @property
    def lost(self) -> int:
        """Attempts that this engine has lost with nodes."""
        return sum(node.row.lost for node in self.nodes)

    def find(self, name: str) -> NodeView | None:
        """The node of this name."""
        return next((node for node in self.nodes if node.row.name == name), None)

    def stranded(self, now: float) -> str:
        """Why nothing can begin; empty while some node is given work that it can do."""
        if self.working:
            return "" if self.others_wait else self._impossible()
        if self.nodes and all(node.closed is not None for node in self.nodes):
            return f"people have closed all nodes ({self._each(self.nodes, now)})"
        return "no node can be given work" + (f" ({self._each(self.nodes, now)})" if self.nodes else "")

    def words(self, now: float) -> str:
        """All of them in a line."""
        count = len(self.nodes)
        parts = [f"{count} {'node' if count == 1 else 'nodes'}, {self.busy} of {self.slots} slots busy"]
        if amiss := self._each(self.nodes, now):
            parts.append(amiss)
        kept = [(node.row.name, needs) for node in self.working if (needs := node.row.kept_for)]
        parts += [f"{name} is kept free for what needs {asked(needs)}" for name, needs in kept]
        if self.impossible:
            parts.append(self._impossible())
        if self.lost:
            parts.append(f"{self.lost:,} {'attempt' if self.lost == 1 else 'attempts'} lost with nodes, and run again")
        return "; ".join(parts)

    def _impossible(self) -> str:
        return "; ".join(f"what waits {words}" for words in self.impossible)

    def _each(self, nodes: Sequence[NodeView], now: float) -> str:
        return "; ".join(words for node in nodes if (words := node.words(now)))
