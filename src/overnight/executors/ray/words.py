"""What the engine and its bridge say to each other, and what the bridge is told at its start."""

from __future__ import annotations

import msgspec

from overnight.executors.nodes.messages import Message


class Task(msgspec.Struct, frozen=True):
    """What the bridge is to do."""

    #: Of the cluster; "auto" for the one that runs on this machine.
    address: str
    #: Identifier of the home, and its cookie.
    home: str
    cookie: str
    #: The working directories of tasks, as this machine has them.
    work: str
    isolation: str
    #: Descriptor of its line.
    line: int


class Say(Message, frozen=True, tag="say"):
    """To a node, or from it."""

    node: str
    packed: bytes


class Ended(Message, frozen=True, tag="ended"):
    """The line to a node has ended."""

    node: str
    why: str


class Release(Message, frozen=True, tag="release"):
    """Make no more lines to this node: it is told to end."""

    node: str


class Regain(Message, frozen=True, tag="regain"):
    """Make lines to this node again."""

    node: str


class Broken(Message, frozen=True, tag="broken"):
    """Ray cannot be used: what happened and what to type."""

    why: str
    hint: str


class Table(Message, frozen=True, tag="table"):
    """The nodes that are there."""

    names: list[str]


ToBridge = Say | Release | Regain
ToEngine = Say | Ended | Broken | Table
encode = msgspec.msgpack.Encoder().encode
to_bridge: msgspec.msgpack.Decoder[ToBridge] = msgspec.msgpack.Decoder(ToBridge)
to_engine: msgspec.msgpack.Decoder[ToEngine] = msgspec.msgpack.Decoder(ToEngine)
