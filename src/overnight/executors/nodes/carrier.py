"""How words get to nodes and back: what the engine's side needs of sockets, of Ray, or of whatever comes next."""

from __future__ import annotations

from typing import NamedTuple, Protocol

__all__ = ["Carrier", "Gone", "Said", "Trouble"]


class Said(NamedTuple):
    """A message of an agent."""

    node: str
    packed: bytes


class Gone(NamedTuple):
    """The line to a node has ended. What runs there may go on: nothing follows from this but that nobody answers."""

    node: str
    why: str


class Trouble(NamedTuple):
    """No node can be reached at all: what is wrong, and what to type."""

    why: str
    hint: str


class Carrier(Protocol):
    """Carries messages, in order, each whole and once, or loses the line and says so. Never waits, never retries.

    It makes lines by itself, again and again where one was lost: a line begins with the agent's `Hello`.
    """

    #: What is wrong with all of it at the moment; None when nothing is known to be.
    trouble: Trouble | None

    def open(self) -> None:
        """Begin to make lines."""

    def fileno(self) -> int:
        """Readable when `receive` has something."""

    def send(self, node: str, packed: bytes) -> None:
        """Say this to a node. Without a line it is lost, and `Gone` tells or has told."""

    def receive(self) -> list[Said | Gone]:
        """What has come since the last call. Never waits."""

    def wait(self, seconds: float) -> None:
        """Until there may be something to receive, or so long."""

    def expected(self) -> frozenset[str]:
        """The nodes that are known to be there, greeted or not."""

    def release(self, node: str) -> None:
        """Make no more lines to this node: it is told to end."""

    def regain(self, node: str) -> None:
        """Make lines to it again, which was released; its agent is another one by then."""

    def close(self) -> None:
        """Let the lines go."""
