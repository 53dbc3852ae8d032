"""What attempts print while they run on nodes, for people who follow it.

None of it may cost an attempt anything. So it is asked for, piece by piece: a node has one piece under way, whatever is
followed there, and the next one goes when that has come. A node reads for a hundredth of a second at a time. What
cannot be read, brought or laid down is not; all of it comes with the outcome.
"""

from __future__ import annotations

import contextlib
import math
import os
from collections.abc import Iterable
from itertools import islice
from pathlib import Path

from overnight.executors.local.output import Frames
from overnight.executors.local.segments import NAME
from overnight.executors.nodes.messages import Key
from overnight.executors.nodes.node import Node, State
from overnight.host.clock import Clock
from overnight.host.following import followed

#: Bytes of a piece; one frame more may come along.
PIECE = 64 * 1024
#: Seconds for which a node reads at a time, of all that is followed there, and between two times.
BRIEFLY, LOOK_EVERY = 0.01, 0.1
#: Attempts that are followed at a time, of all nodes.
MANY = 16
#: What is laid down is read like what is written here.
SEGMENT = NAME.format(slot=0, number=1)


class Prints:
    """The node's side: reads what attempts have printed, for whoever has asked for it.

    Args:
        output: Directory of what attempts print there.
        clock: Monotonic.
    """

    def __init__(self, output: Path, clock: Clock) -> None:
        self._output = output
        self._clock = clock
        #: What is to be read next of each, in the order in which it was asked for.
        self._asked: dict[Key, int] = {}
        self._reading: dict[Key, tuple[int, Frames]] = {}
        #: Whose piece is on its way: nothing more goes before whoever gets it asks for the next one.
        self._under_way: Key | None = None
        self._look_at = 0.0

    def ask(self, key: Key, at: int) -> None:
        """Somebody wants what comes from byte `at` of its frames on; -1: nobody does any more."""
        if key == self._under_way:
            self._under_way = None
        if at < 0:
            self._drop(key)
        else:
            self._asked[key] = at

    def begin_again(self) -> None:
        """Whoever has asked is gone."""
        for key in {*self._asked, *self._reading}:
            self._drop(key)
        self._under_way = None

    def due(self) -> float:
        """When there is to be looked for something, monotonic seconds."""
        return self._look_at if self._asked and self._under_way is None else math.inf

    def take(self) -> tuple[Key, int, bytes] | None:
        """A piece, if one is due and there is one: whose, from which byte on, and what."""
        if self._clock.monotonic() < self.due():
            return None
        moment = self._clock.monotonic()
        self._look_at = moment + LOOK_EVERY
        for key, at in list(self._asked.items()):
            del self._asked[key]
            if data := self._read(key, at, moment + BRIEFLY):
                self._under_way = key
                return key, at, data
            self._asked[key] = at  # behind the others: there may be no time for all of them
            if self._clock.monotonic() >= moment + BRIEFLY:
                break
        return None

    def _read(self, key: Key, at: int, until: float) -> bytes:
        known, frames = self._reading.get(key, (at, None))
        if frames is None or known != at:
            self._close(key)
            frames = Frames(self._output, *key, at)
        data = b""
        with contextlib.suppress(OSError):
            data = frames.take(PIECE, lambda: self._clock.monotonic() >= until)
        self._reading[key] = (at + len(data), frames)
        return data

    def _drop(self, key: Key) -> None:
        self._asked.pop(key, None)
        self._close(key)

    def _close(self, key: Key) -> None:
        _, frames = self._reading.pop(key, (0, None))
        if frames is not None:
            frames.close()


class Followed:
    """The engine's side: has what people follow brought here, and lays it down where they read.

    Args:
        directory: Where they say so (see `host.following`).
    """

    def __init__(self, directory: Path) -> None:
        self._directory = directory
        self._places: dict[Key, Path] = {}

    def look(self, nodes: Iterable[Node]) -> None:
        """Ask for what is followed now, and no more for what is not. To be called each second or so."""
        self._places = dict(islice(followed(self._directory).items(), MANY))
        for node in nodes:
            wanted = {key for key in self._places if key in node.held}
            for key in node.shown - wanted:
                node.show_no_more(key)
            for key in wanted - node.shown if node.state is State.UP else ():
                with contextlib.suppress(OSError):
                    # What an earlier engine has laid down is not brought again.
                    node.show(key, _size(self._places[key] / SEGMENT))
            node.flush()

    def lay_down(self, node: Node) -> None:
        """Write what a node has brought, and ask for what follows; where that cannot be, at the next look."""
        for piece in node.take_prints():
            try:
                node.show(piece.key, _put(self._places[piece.key] / SEGMENT, piece.at, piece.data))
            except (KeyError, OSError):
                node.show_no_more(piece.key)


def _put(path: Path, at: int, data: bytes) -> int:
    """Add what begins at byte `at`, whole or not at all, if that is where the file ends. Where it ends then.

    Raises:
        OSError: There is no room, or nobody follows any more.
    """
    file = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        if os.fstat(file).st_size == at and os.pwrite(file, data, at) < len(data):
            os.ftruncate(file, at)
        return os.fstat(file).st_size
    finally:
        os.close(file)


def _size(path: Path) -> int:
    try:
        return path.stat().st_size
    except FileNotFoundError:
        return 0
