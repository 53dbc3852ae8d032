"""Who runs the attempts of a home: this machine, or the nodes of a cluster; and what people are told of nodes."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

import msgspec

from overnight.core.durations import format_duration
from overnight.core.errors import NotFoundError, NotNowError
from overnight.core.node_events import Words
from overnight.core.node_settings import HERE
from overnight.core.nodes import Census, Closing, NodeNews, NodeRow
from overnight.core.placing import Look
from overnight.core.settings import Settings
from overnight.executors.contract import Executor
from overnight.executors.local import LocalExecutor
from overnight.executors.nodes.afterwards import LocalAfterNodes
from overnight.executors.nodes.carrier import Carrier, Trouble
from overnight.executors.nodes.executor import NodesExecutor
from overnight.executors.nodes.files import Landing
from overnight.executors.nodes.live import Followed
from overnight.executors.nodes.node import Lease, Node, State, other_program
from overnight.executors.nodes.parcels import Sender
from overnight.executors.nodes.placements import read
from overnight.executors.ray.carrier import RayCarrier
from overnight.executors.ray.words import Task
from overnight.host.files import write_atomically
from overnight.host.home import Home, elsewhere_id
from overnight.monitor import nodes as written
from overnight.wiring import clock
from overnight.wiring.telling import Told

#: Seconds in which a node must have answered at the start: a cluster may have to start its first worker.
FIRST = 60.0


class Chosen(msgspec.Struct, frozen=True):
    """Who runs attempts, and how many at a time."""

    executor: Executor
    slots: int
    #: What has happened to the nodes since it was last asked.
    news: Callable[[], Sequence[NodeNews]] = list
    #: What the nodes have of named resources; None: all run on this machine.
    stocks: Look | None = None


def executor_of(home: Home, settings: Settings, told: Told, *, slots: int, shared: Iterable[str] = ()) -> Chosen:
    """Who runs the attempts of this home.

    Args:
        home: The home.
        settings: Whether it is this machine, and where nodes are.
        told: What is said of nodes that come and go.
        slots: How many this machine runs at a time.
        shared: The named resources that are counted once for all nodes.

    Raises:
        NotNowError: No node answers; nothing was started.
    """
    if settings.on == HERE:
        return Chosen(_here(home, settings, told, slots), slots)
    which, cookie = _whose(home)
    task = Task(settings.ray_address, which, cookie, str(home.work), settings.isolation, -1)
    carrier = RayCarrier(task, clock, home.bridge_log)
    return on_nodes(home, settings, told, carrier, shared=shared)


def _whose(home: Home) -> tuple[str, str]:
    """Under which name agents are made and found, and what their processes carry.

    Of a store of many hosts they are the store's: else the engine of another host, taking over, would find each node
    taken by the agent of the one before it.
    """
    store = elsewhere_id(home)
    return (store, store) if store else (home.id, home.cookie())


def linger_of(home: Home, settings: Settings) -> float:
    """Seconds for which attempts may go on when an engine with these settings has ended: its own, and earlier ones."""
    ours = 0.0 if settings.on == HERE else Lease(settings.node_lease).over_after
    return max(ours, left_on_nodes(home))


def left_on_nodes(home: Home) -> float:
    """Seconds for which attempts may go on that the last engine of this home has on nodes; 0 when it has none."""
    placed = read(home.placements)
    return placed.over_after if placed.nodes else 0.0


def _local(home: Home, settings: Settings, slots: int) -> dict[str, Any]:
    return {
        "marks": home.marks,
        "spool": home.spool,
        "output": home.output,
        "work": home.work,
        "cookie": home.cookie(),
        "home": home.path,
        "slots": slots,
        "clock": clock,
        "isolation": settings.isolation,
    }


def _here(home: Home, settings: Settings, told: Told, slots: int) -> Executor:
    local = _local(home, settings, slots)
    if home.placements.exists():
        return LocalAfterNodes(placements=home.placements, told=told, **local)
    return LocalExecutor(**local)


def on_nodes(home: Home, settings: Settings, told: Told, carrier: Carrier, *, shared: Iterable[str] = ()) -> Chosen:
    """Nodes that are reached by this carrier."""
    register = Register(home, told, shared)
    executor = NodesExecutor(
        local=LocalExecutor(**_local(home, settings, 0)),
        carrier=carrier,
        clock=clock,
        placements=home.placements,
        landing=Landing(home.output, home.results),
        slots=0,
        parcels=Sender() if settings.ship else None,
        lease=Lease(settings.node_lease),
        followed=Followed(home.following),
        watch=register.watch,
        closed=lambda: closed_nodes(home),
    )
    greeted = executor.connect(FIRST)
    facts = [one for one in greeted if not other_program(one)]
    if not facts:
        executor.abandon()
        raise _nobody(carrier.trouble, {**executor.failed, **{one.name: other_program(one) for one in greeted}})
    slots = settings.slots or sum(one.slots for one in facts)
    executor.wanted = slots
    return Chosen(executor, slots, lambda: register.tell(executor.news()), executor.stocks)


def _nobody(trouble: Trouble | None, failed: Mapping[str, str]) -> NotNowError:
    if trouble is None and failed:
        each = "; ".join(f"{name}: {why}" for name, why in sorted(failed.items()))
        return NotNowError(f"no node can be used ({each}); nothing was started", hint="mend one of them, and try again")
    if trouble is None:
        why = f"no node has answered within {format_duration(FIRST)}; nothing was started"
        return NotNowError(why, hint="'ray status' says what the cluster has; bridge.log in the home, what went wrong")
    return NotNowError(f"{trouble.why}; nothing was started, and what is in the queue stays there", hint=trouble.hint)


class Register:
    """Writes down what is known of the nodes, and says what has changed.

    Args:
        home: Whose engine it is.
        told: What is said to people.
        shared: The named resources that are counted once for all nodes.
    """

    def __init__(self, home: Home, told: Told, shared: Iterable[str] = ()) -> None:
        self._shared = sorted(shared)
        self._path = home.nodes
        self._told = told
        self._words = Words()
        self._written: list[NodeRow] = []

    def watch(self, nodes: Sequence[Node]) -> None:
        """See `executor.Watch`."""
        rows = [_row(node) for node in sorted(nodes, key=lambda node: node.name)]
        if rows != self._written:
            self._written = rows
            with contextlib.suppress(OSError):  # a full disk: it is for looking at
                write_atomically(
                    self._path, msgspec.json.encode(Census(clock.now(), rows, self._shared)), durable=False
                )

    def tell(self, news: Sequence[NodeNews]) -> Sequence[NodeNews]:
        """Say what there is to say of this; the engine has it for its journal."""
        for one in news:
            if (words := self._words.of(one)) is not None:
                self._told(*words)
        return news


def _row(node: Node) -> NodeRow:
    why = node.unfit if node.state is State.UP else node.why
    over_at = _instant(node.over_at) if node.may_run and node.state is not State.UP else None
    row = NodeRow(node.name, node.state.value, why, held=len(node.held), over_at=over_at, lost=node.lost)
    if (facts := node.facts) is None:
        return row
    return msgspec.structs.replace(
        row,
        slots=facts.slots,
        cpus=facts.cpus,
        gpus=facts.gpus,
        memory_bytes=facts.memory_bytes,
        version=facts.version,
        python=facts.python,
        labels=facts.labels,
        resources=dict(node.stock.amounts) if node.stock is not None else {},
        kept_for=dict(node.kept_for),
        heard_at=_instant(node.heard_at),
    )


def _instant(moment: float) -> float:
    """A monotonic moment as POSIX seconds."""
    return round(clock.now() + moment - clock.monotonic(), 1)


# -- what people want of nodes -------------------------------------------------------------------


def closed_nodes(home: Home) -> dict[str, Closing]:
    """The nodes that people have closed, and how."""
    return written.closed_nodes(home.path)


def census(home: Home) -> Census:
    """What the engine that is at work, or was last, knows of its nodes.

    Raises:
        NotFoundError: No engine of this home has had nodes.
    """
    found = written.census(home.path)
    if found is None:
        raise NotFoundError(
            f"nothing in {home.path} has run on nodes; there is nothing to show",
            hint="overnight run --on ray, as in docs/nodes.md",
        )
    return found


def close_node(home: Home, name: str, how: Closing | None) -> None:
    """Close a node, or let it be given work again (None). An engine sees it within a second.

    Raises:
        NotFoundError: There is no such node.
    """
    closed = closed_nodes(home)
    known = [row.name for row in census(home).nodes]
    if name not in known and name not in closed:
        there = ", ".join(known) or "none"
        raise NotFoundError(f"there is no node {name!r}; nothing was changed", hint=f"the nodes are: {there}")
    wanted = {**closed, name: how}
    left: Mapping[str, str] = {node: word.value for node, word in wanted.items() if word is not None}
    write_atomically(home.closed_nodes, msgspec.json.encode(left))
