"""What people want of nodes: that they are given nothing more, that they empty themselves, or end what they run."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping

from overnight.core.nodes import Closing
from overnight.executors.nodes.bulletin import Bulletin
from overnight.executors.nodes.carrier import Carrier
from overnight.executors.nodes.node import Node, State

#: What has become of nodes that were let go.
_OVER = (State.CLOSED, State.AWAY)


class Closings:
    """The nodes of one engine that people have closed.

    Args:
        ask: Which ones are closed now, and how.
        carrier: Makes no more lines to those that have ended.
        bulletin: Told of what people want.
    """

    def __init__(self, ask: Callable[[], Mapping[str, Closing]], carrier: Carrier, bulletin: Bulletin) -> None:
        self._ask = ask
        self._carrier = carrier
        self._bulletin = bulletin
        self._closed: Mapping[str, Closing] = {}
        #: Those that have been let go.
        self._gone: set[str] = set()

    def __contains__(self, name: object) -> bool:
        """Whether a node is to be given nothing."""
        return name in self._closed

    def look(self) -> bool:
        """See what people want now. Returns whether slots may have to go elsewhere, as they fall empty."""
        before, self._closed = self._closed, self._ask()
        self._bulletin.closed(before, self._closed)
        return bool(before or self._closed)

    def obey(self, nodes: Collection[Node]) -> None:
        """Take back from these what they have not begun, or end what they run; let go of those that hold nothing.

        One that was let go, and is to be given work again, is looked for again when its agent has ended, or nothing
        can run there any more: its last word may be lost.
        """
        for node in nodes:
            if node.name in self._gone and node.name not in self._closed and node.state in _OVER:
                self._gone.discard(node.name)
                node.state = State.AWAITED
                self._carrier.regain(node.name)
            how = self._closed.get(node.name, Closing.CORDON)
            if how is not Closing.CORDON and node.state is State.UP:
                self._drain(node, now=how is Closing.DRAIN_NOW)

    def _drain(self, node: Node, *, now: bool) -> None:
        if node.idle:
            self._gone.add(node.name)
            self._carrier.release(node.name)
            node.close()
        elif now:
            node.interrupt("its node was drained")
        else:
            node.recall_for_good()
        node.flush()
