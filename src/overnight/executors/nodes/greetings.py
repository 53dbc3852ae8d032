"""The first words of nodes, before an engine asks anything of them: who is there, and who cannot be."""

from __future__ import annotations

from overnight.executors.nodes.carrier import Carrier, Gone, Said
from overnight.executors.nodes.messages import Facts, Hello, understood
from overnight.host.clock import Clock

#: Seconds in which nodes that are known to be there are waited for once another one has greeted.
OTHERS = 10.0


class Greetings:
    """Makes lines to nodes, once, and keeps what comes by them until somebody wants it.

    Args:
        carrier: How nodes are reached.
        clock: Monotonic.
    """

    def __init__(self, carrier: Carrier, clock: Clock) -> None:
        self._carrier = carrier
        self._clock = clock
        self._early: list[Said | Gone] = []
        self._reached = False
        #: Nodes whose lines have ended, and why; and those of them whose next line has ended, too.
        self.failed: dict[str, str] = {}
        self._hopeless: set[str] = set()

    def reach(self) -> None:
        """Begin to make lines."""
        if not self._reached:
            self._reached = True
            self._carrier.open()

    def connect(self, seconds: float) -> list[Facts]:
        """Wait for nodes that say what they are: until all known ones have, or cannot, or so long.

        A line that ends once proves nothing: it may have led to an agent that a former engine has told to end.
        """
        self.reach()
        greeted: dict[str, Facts] = {}
        until = self._clock.monotonic() + seconds
        while self._carrier.trouble is None and self._clock.monotonic() < until:
            expected = self._carrier.expected()
            if expected and expected <= greeted.keys() | self._hopeless:
                break
            self._carrier.wait(0.1)
            if found := self._hear():
                until = min(until, self._clock.monotonic() + OTHERS)
                greeted |= found
        return list(greeted.values())

    def _hear(self) -> dict[str, Facts]:
        words = self._carrier.receive()
        self._early += words
        for word in words:
            if isinstance(word, Gone):
                self._hopeless |= {word.node} & self.failed.keys()
                self.failed[word.node] = word.why
        hellos = [heard for word in words if isinstance(word, Said) and (heard := understood(word.packed)) is not None]
        return {one.facts.name: one.facts for one in hellos if isinstance(one, Hello)}

    def take(self) -> list[Said | Gone]:
        """What was heard until now, once."""
        early, self._early = self._early, []
        return early
