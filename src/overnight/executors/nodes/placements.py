"""Which attempt was handed to which node: what the next engine must know to ask for it there.

A record is written before its attempt is sent. Nothing is synced: the page cache outlives the engine, and after the
loss of the machine the file says by its boot that it cannot be trusted; so does one that cannot be read.
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
#: Seconds for which nodes are feared where the file does not say it any more: the usual lease and its margin.
USUAL = 16.0


class Placed(NamedTuple):
    """What an earlier engine has written."""

    by_key: dict[Key, str]
    #: All nodes that may still run something of it.
    nodes: frozenset[str]
    #: Whether all that was sent stands here.
    whole: bool
    #: Seconds after the last word of that engine in which its nodes may still have run something.
    over_after: float = USUAL


def read(path: Path) -> Placed:
    """What an earlier engine has left. A record cut short was never followed by its attempt."""
    try:
        head, *lines = path.read_bytes().split(b"\n")
    except FileNotFoundError:
        return Placed({}, frozenset(), whole=False)
    by_key: dict[Key, str] = {}
    nodes: set[str] = set()
    boot, over_after = _head(head)
    whole = boot == boot_id()
    for line in lines[:-1]:
        try:
            node, keys = msgspec.json.decode(line, type=tuple[str, list[Key]])
        except msgspec.MsgspecError:
            whole = False
            continue
        nodes.add(node)
        by_key |= dict.fromkeys(keys, node)
    return Placed(by_key, frozenset(nodes), whole, over_after)


def _head(line: bytes) -> tuple[str, float]:
    boot, _, over_after = line.decode(errors="replace").partition(" ")
    try:
        return boot, float(over_after)
    except ValueError:
        return "", USUAL


class Placements:
    """The file of one home.

    Args:
        path: The file.
        over_after: See `Placed`.
        of_interest: The attempts that are with nodes now, or whose outcome is not committed.
    """

    def __init__(self, path: Path, over_after: float, of_interest: Callable[[], dict[Key, str]]) -> None:
        self._path = path
        self._over_after = over_after
        self._of_interest = of_interest
        self._count = 0
        self._nodes: set[str] = set()
        #: Whether what an earlier engine has sent is known; until that is settled the file must not say so.
        self.whole = True
        #: A record was not written, or half: the next one must not stand behind it.
        self.failed = False

    def begin(self) -> None:
        """Start anew with what is of interest now."""
        by_node: dict[str, list[Key]] = {node: [] for node in self._nodes}
        for key, node in self._of_interest().items():
            by_node.setdefault(node, []).append(key)
        head = f"{boot_id() if self.whole else 'unknown'} {self._over_after:g}".encode()
        lines = [head, *(msgspec.json.encode((node, keys)) for node, keys in by_node.items()), b""]
        write_atomically(self._path, b"\n".join(lines), durable=False)
        self._count = 0
        self.failed = False

    def note(self, node: str, keys: Collection[Key]) -> None:
        """These go to this node.

        Raises:
            OSError: It cannot be written, and they must not go.
        """
        self._nodes.add(node)
        if self._count > MANY or self.failed:
            self.begin()
        self._count += len(keys)
        self.failed = True
        with self._path.open("ab") as file:
            file.write(msgspec.json.encode((node, list(keys))) + b"\n")
        self.failed = False

    def used(self, nodes: Iterable[str]) -> None:
        """These, and no others, may still run something of this engine, or of an earlier one."""
        self._nodes = set(nodes)

    def settled(self) -> None:
        """What an earlier engine has left is in the store."""
        if not self.whole:
            self.whole = True
            self.begin()
