"""What has happened to nodes, in the words of the journal: gathered until the engine asks."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from overnight.core.endings import Evidence, Lost
from overnight.core.nodes import Change, Closing, NodeNews
from overnight.executors.contract import Event
from overnight.executors.nodes.messages import Facts
from overnight.executors.nodes.node import Node, State

#: Tasks that are named among those which were lost with a node; each has a record of its own besides.
NAMED = 100


class Bulletin:
    """The news of one engine."""

    def __init__(self) -> None:
        self._news: list[NodeNews] = []
        #: Those that have joined, and of these the ones of which trouble was told since.
        self._joined: set[str] = set()
        self._away: set[str] = set()

    def take(self) -> list[NodeNews]:
        """What has happened since the last call."""
        news, self._news = self._news, []
        return news

    def changed(self, node: Node, *, drained: bool) -> None:
        """Its state is another one. That it is lost tells `lost`; `drained`: a person wants it to end."""
        if node.state is State.UP and node.facts is not None:
            self._join(node, node.facts)
        elif node.state is State.SILENT:
            self._trouble(node, NodeNews(node.name, Change.SILENT, node.why, attempts=len(node.held)))
        elif node.state is State.REFUSED:
            self._trouble(node, NodeNews(node.name, Change.REFUSED, node.why))
        elif node.state is State.CLOSED and drained:
            self._trouble(node, NodeNews(node.name, Change.DRAINED))

    def _join(self, node: Node, facts: Facts) -> None:
        """That it is asked anew, and answers, is no news."""
        again = node.name in self._joined
        if not again or node.name in self._away:
            self._joined.add(node.name)
            self._away.discard(node.name)
            self._news.append(NodeNews(node.name, Change.JOINED, slots=facts.slots, version=facts.version, again=again))

    def lost(self, node: Node, events: Sequence[Event]) -> None:
        """It was given up, with these."""
        with_it = [event for event in events if isinstance(event, Lost)]
        begun = sum(event.evidence is Evidence.STARTED for event in with_it)
        tasks = tuple(event.task_id for event in with_it[:NAMED])
        news = NodeNews(node.name, Change.LOST, node.why, attempts=len(with_it), begun=begun, tasks=tasks)
        self._trouble(node, news)

    def unfit(self, node: Node) -> None:
        """It lacks something, and is given nothing."""
        self._trouble(node, NodeNews(node.name, Change.REFUSED, node.unfit, unfit=True))

    def closed(self, before: Mapping[str, Closing], now: Mapping[str, Closing]) -> None:
        """People want something else of nodes than before."""
        for name in sorted({*before, *now}):
            if (how := now.get(name)) is None:
                self._news.append(NodeNews(name, Change.OPENED))
            elif how is not before.get(name):
                self._news.append(NodeNews(name, Change.CLOSED, why=how.value))

    def _trouble(self, node: Node, news: NodeNews) -> None:
        self._away.add(node.name)
        self._news.append(news)
