"""What happened to the machines on which attempts run: its records, and the words for people."""

from __future__ import annotations

from overnight.core import events
from overnight.core.event_names import EventName
from overnight.core.nodes import Change, NodeNews


class NodeJoined(events.OfNode, frozen=True, kw_only=True, gc=False, tag=EventName.NODE_JOINED.value):
    """It is given attempts from now on."""

    #: How many at a time, at most.
    slots: int
    version: str
    #: It was with this engine before, and nothing was heard of it for a while.
    again: bool = False


class NodeSilent(events.OfNode, frozen=True, kw_only=True, gc=False, tag=EventName.NODE_SILENT.value):
    """The line to it has ended. What runs there may go on until its lease is over."""

    why: str
    #: Attempts that it holds.
    attempts: int = 0


class NodeLost(events.OfNode, frozen=True, kw_only=True, gc=False, tag=EventName.NODE_LOST.value):
    """Its lease is over: nothing runs there any more, and what it held goes back to the queue.

    Each attempt that went with it has an event of its own, which says so under `node` as well.
    """

    why: str
    attempts: int = 0
    #: Of these, what is known to have begun.
    begun: int = 0
    #: The tasks, the first ones of many.
    tasks: list[int] | None = None


class NodeRefused(events.OfNode, frozen=True, kw_only=True, gc=False, tag=EventName.NODE_REFUSED.value):
    """It is given nothing, since it lacks something; `why` says what."""

    why: str


class NodeClosed(events.OfNode, frozen=True, kw_only=True, gc=False, tag=EventName.NODE_CLOSED.value):
    """A person has closed it: "cordon", "drain" or "drain-now". Also told by an engine that finds it closed."""

    how: str


class NodeOpened(events.OfNode, frozen=True, kw_only=True, gc=False, tag=EventName.NODE_OPENED.value):
    """A person has opened it again."""


class NodeDrained(events.OfNode, frozen=True, kw_only=True, gc=False, tag=EventName.NODE_DRAINED.value):
    """It was closed, is empty, and its agent has ended."""


class Words:
    """What people are told of nodes: losses, what is not used and why, and that such a one is back.

    A node that was silent for a moment has lost nothing, and nothing is said of it.
    """

    def __init__(self) -> None:
        self._away: set[str] = set()

    def of(self, news: NodeNews) -> tuple[str, str] | None:
        """What has happened, and what to type; None when there is nothing to say."""
        if news.change is Change.JOINED:
            was_away = news.node in self._away
            self._away.discard(news.node)
            return (f"the node {news.node} is back", "") if was_away else None
        if news.change not in (Change.LOST, Change.REFUSED):
            return None
        self._away.add(news.node)
        if news.change is Change.LOST:
            return f"{news.why}; what it had goes back to the queue", "'overnight nodes list' shows all of them"
        if not news.unfit:
            words = f"the node {news.node} is not used: {news.why}; tasks run on others, or wait for one"
            return words, "'overnight nodes list' shows which these are"
        hint = "have it at the same path on every node; a node that comes again is given work again"
        return f"the node {news.node} is given nothing: {news.why}; others do its tasks if they have it", hint


def told(news: NodeNews, *, at: str) -> events.OfNode:
    """The record of what has happened to a node."""
    node, why = events.printable(news.node), events.printable(news.why)
    if news.change is Change.JOINED:
        return NodeJoined(at=at, node=node, slots=news.slots, version=news.version, again=news.again)
    if news.change is Change.SILENT:
        return NodeSilent(at=at, node=node, why=why, attempts=news.attempts)
    if news.change is Change.LOST:
        tasks = list(news.tasks) or None
        return NodeLost(at=at, node=node, why=why, attempts=news.attempts, begun=news.begun, tasks=tasks)
    if news.change is Change.REFUSED:
        return NodeRefused(at=at, node=node, why=why)
    if news.change is Change.CLOSED:
        return NodeClosed(at=at, node=node, how=why)
    return (NodeOpened if news.change is Change.OPENED else NodeDrained)(at=at, node=node)
