"""How words get to nodes and back: what the engine's side needs of sockets, of Ray, or of whatever comes next."""

from __future__ import annotations

from typing import NamedTuple, Protocol

__all__ = ["Carrier", "Gone", "Said"]


class Said(NamedTuple):
    """A message of an agent."""

    node: str
    packed: bytes


class Gone(NamedTuple):
    """The line to a node has ended. What runs there may go on: nothing follows from this but that nobody answers."""

    node: str
    why: str


class Carrier(Protocol):
    """Carries messages, in order, each whole and once, or loses the line and says so. Never waits, never retries.

    It makes lines by itself, again and again where one was lost: a line begins with the agent's `Hello`.
    """

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

    def close(self) -> None:
        """Let the lines go."""
