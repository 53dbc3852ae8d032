"""What is known of the nodes on which attempts run, as it is written down and shown."""

from __future__ import annotations

from enum import StrEnum

import msgspec


class Closing(StrEnum):
    """How a person has closed a node; the words are written down."""

    #: It is given nothing more.
    CORDON = "cordon"
    #: It also gives back what has not begun, and its agent ends when what runs has ended.
    DRAIN = "drain"
    #: What runs there is ended, too, and goes back to the queue.
    DRAIN_NOW = "drain-now"


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
    #: POSIX seconds.
    heard_at: float | None = None


class Census(msgspec.Struct, frozen=True):
    """All nodes at one moment. `at` is POSIX seconds."""

    at: float
    nodes: list[NodeRow]
