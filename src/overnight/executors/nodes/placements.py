"""Which attempt was handed to which node: what the next engine must know to ask for it there.

A record is written before its attempt is sent. Nothing is synced: the page cache outlives the engine, and after the
loss of the machine the file says by its boot that it cannot be trusted.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable
from pathlib import Path
from typing import NamedTuple

import msgspec

from overnight.executors.nodes.messages import Key
from overnight.host.files import write_atomically
from overnight.host.processes import boot_id

#: Records after which the file is written anew, with what is still of interest.
MANY = 50_000


class Placed(NamedTuple):
    """What an earlier engine has written."""

    by_key: dict[Key, str]
    #: All nodes that were used.
    nodes: frozenset[str]
    #: Whether all that was sent stands here.
    whole: bool
    #: Seconds after the last word of that engine in which its nodes may still have run something.
    over_after: float = 0.0


def read(path: Path) -> Placed:
    """What an earlier engine has left. A record cut short was never followed by its attempt."""
    try:
        lines = path.read_bytes().split(b"\n")
    except FileNotFoundError:
        return Placed({}, frozenset(), whole=False)
    by_key: dict[Key, str] = {}
    nodes: set[str] = set()
    for line in lines[1:-1]:
        node, keys = msgspec.json.decode(line, type=tuple[str, list[Key]])
        nodes.add(node)
        by_key |= dict.fromkeys(keys, node)
    boot, _, over_after = lines[0].decode().partition(" ")
    return Placed(by_key, frozenset(nodes), whole=boot == boot_id(), over_after=float(over_after or 0))


class Placements:
    """The file of one home.

    Args:
        path: The file.
        over_after: See `Placed`.
        of_interest: The attempts that are with nodes now.
    """

    def __init__(self, path: Path, over_after: float, of_interest: Callable[[], dict[Key, str]]) -> None:
        self._path = path
        self._over_after = over_after
        self._of_interest = of_interest
        self._count = 0
        self._nodes: set[str] = set()

    def begin(self) -> None:
        """Start anew with what is of interest now."""
        by_node: dict[str, list[Key]] = {node: [] for node in self._nodes}
        for key, node in self._of_interest().items():
            by_node.setdefault(node, []).append(key)
        head = f"{boot_id()} {self._over_after:g}".encode()
        lines = [head, *(msgspec.json.encode((node, keys)) for node, keys in by_node.items()), b""]
        write_atomically(self._path, b"\n".join(lines), durable=False)
        self._count = 0

    def note(self, node: str, keys: Collection[Key]) -> None:
        """These go to this node.

        Raises:
            OSError: It cannot be written, and they must not go.
        """
        self._nodes.add(node)
        if self._count > MANY:
            self.begin()
        self._count += len(keys)
        with self._path.open("ab") as file:
            file.write(msgspec.json.encode((node, list(keys))) + b"\n")

    def used(self, nodes: Iterable[str]) -> None:
        """These have been used, by us or by an earlier engine."""
        self._nodes |= set(nodes)
