"""Files that go along (``--ship``): the input of an attempt to its node, and what it has written beside it back.

For nodes without a shared path. The engine sends the file that an input names before the attempt; the node lays it into
a directory of that attempt, and the input is the path of the copy then. When the attempt has ended, whatever else lies
there comes back with its outcome, and is laid beside the original. Neither side keeps anything of it in memory.
"""

from __future__ import annotations

import contextlib
import os
import shutil
import stat
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from pathlib import Path

import msgspec

from overnight.core.durations import format_size
from overnight.core.endings import Ended, Ending
from overnight.core.states import ErrorClass
from overnight.core.task import Action, text
from overnight.executors.contract import Spec
from overnight.executors.nodes.letters import MOST_BYTES
from overnight.executors.nodes.messages import Key, Piece, Ship
from overnight.host.files import append

#: Bytes of one file that are sent along: it delays what else is to be said, and a lease must not run out meanwhile.
LARGEST = 64 * 1024 * 1024
#: The name of a piece that says which input is not on the node.
ABSENT = b"?"


class Sender:
    """The engine's side."""

    def send(
        self, batch: Sequence[Spec], actions: Mapping[int, Action], say: Callable[[Ship], None], *, now: float
    ) -> tuple[list[Spec], list[Ended]]:
        """Send files along, piece by piece.

        Args:
            batch: The attempts to which they belong, if their inputs name any.
            actions: What to do in each.
            say: Takes a piece.
            now: POSIX seconds.

        Returns:
            The attempts whose files are on their way, and the ends of those that cannot be sent.
        """
        sent: list[Spec] = []
        refused: list[Ended] = []
        for spec in batch:
            action = actions[spec.action_id]
            if (why := self.refusal(spec, action, now=now)) is not None:
                refused.append(why)
                continue
            sent.append(spec)
            for ship in self.cut(spec, action):
                say(ship)
        return sent, refused

    def refusal(self, spec: Spec, action: Action, *, now: float) -> Ended | None:
        """Why an attempt cannot be sent with its file; None when it can, or there is none. `now` is POSIX seconds."""
        size = _size_of(_original(spec, action))
        if size is None or size <= LARGEST:
            return None
        words = f"its input {text(spec.input)!r} is larger than what is sent along ({format_size(LARGEST)})"
        return _refused(spec, f"{words}; have it at the same path on every node, and do without --ship", now)

    def cut(self, spec: Spec, action: Action) -> Iterator[Ship]:
        """The file that the input of an attempt names, if it does, to be sent before it."""
        path = _original(spec, action)
        if _size_of(path) is None:
            return
        with contextlib.suppress(OSError), open(path, "rb") as file:  # noqa: PTH123 - bytes
            data = file.read(MOST_BYTES)
            while True:
                yield Ship(spec.task_id, spec.attempt, path, data)
                if not (data := file.read(MOST_BYTES)):
                    return


def _original(spec: Spec, action: Action) -> bytes:
    return os.path.normpath(os.path.join(action.cwd, spec.input))  # noqa: PTH118 - bytes


def _size_of(path: bytes) -> int | None:
    """Of a regular file, in bytes; None when there is none."""
    try:
        found = os.stat(path)  # noqa: PTH116 - bytes
    except (OSError, ValueError):  # too long, or no path at all
        return None
    return found.st_size if stat.S_ISREG(found.st_mode) else None


def _refused(spec: Spec, words: str, now: float) -> Ended:
    return Ended(spec.task_id, spec.attempt, Ending.REFUSED, now, 0.0, error=words, error_class=ErrorClass.RESOURCE)


class Parcels:
    """The node's side.

    Args:
        directory: In which each attempt whose file came has one of its own; nobody else's.
    """

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        self._here: set[Key] = set()
        #: Where the inputs of the others would be, if they name files: directory and input.
        self._expected: dict[Key, tuple[bytes, bytes]] = {}
        #: Why a file could not be laid down.
        self._failed: dict[Key, str] = {}

    def _place(self, key: Key) -> Path:
        return self.directory / f"{key[0]}-{key[1]}"

    def _copy(self, key: Key, original: bytes) -> Path:
        return self._place(key) / "beside" / os.fsdecode(os.path.basename(original))  # noqa: PTH119 - bytes

    def take(self, ship: Ship) -> None:
        """Lay a piece of a file down."""
        key = (ship.task_id, ship.attempt)
        copy = self._copy(key, ship.original)
        try:
            if key not in self._here:
                shutil.rmtree(self._place(key), ignore_errors=True)
                copy.parent.mkdir(mode=0o700, parents=True)
                (self._place(key) / "original").write_bytes(ship.original)
                self._here.add(key)
            append(copy, ship.data, durable=False)
        except OSError as error:
            self._failed[key] = error.strerror or str(error)

    def has(self, spec: Spec) -> bool:
        """Whether its file came along."""
        return (spec.task_id, spec.attempt) in self._here

    def expect(self, spec: Spec, action: Action) -> None:
        """An attempt whose file did not come along: what its input names is expected here."""
        self._expected[spec.task_id, spec.attempt] = (action.cwd, spec.input)

    def absent(self, key: Key) -> Iterator[Piece]:
        """Of an attempt that has failed: what its input would be called, where nothing of that name is here."""
        if key in self._expected:
            path = os.path.normpath(os.path.join(*self._expected[key]))  # noqa: PTH118 - bytes
            if not is_here(path):
                yield Piece(*key, ABSENT, path)

    def unpacked(self, spec: Spec, *, now: float) -> Spec | Ended:
        """An attempt with its input as it is here, or why it cannot be run. `now` is POSIX seconds."""
        key = (spec.task_id, spec.attempt)
        if (why := self._failed.pop(key, "")) or key not in self._here:
            return _refused(spec, f"its input could not be written on its node ({why})", now) if why else spec
        original = (self._place(key) / "original").read_bytes()
        return msgspec.structs.replace(spec, input=bytes(self._copy(key, original)))

    def brought(self, key: Key) -> Iterator[Piece]:
        """What an attempt has written beside its file, to be laid down beside the original."""
        try:
            original = (self._place(key) / "original").read_bytes()
        except FileNotFoundError:
            return
        copy = self._copy(key, original)
        for path in sorted(copy.parent.iterdir()):
            if path != copy and path.is_file() and not path.is_symlink():
                there = os.path.join(os.path.dirname(original), os.fsencode(path.name))  # noqa: PTH118, PTH120 - bytes
                yield from (Piece(*key, there, data) for data in cut(path))

    def drop(self, keys: Collection[Key]) -> None:
        """Nobody will ask for anything of these any more."""
        for key in keys:
            self._expected.pop(key, None)
            if key in self._here:
                self._here.discard(key)
                shutil.rmtree(self._place(key), ignore_errors=True)

    def keep(self, keys: Collection[Key]) -> None:
        """Nobody will ask for anything of any others."""
        names = {self._place(key).name: key for key in keys}
        self._here.clear()
        self._expected = {key: self._expected[key] for key in keys if key in self._expected}
        with contextlib.suppress(FileNotFoundError):
            for path in self.directory.iterdir():
                if path.name in names:
                    self._here.add(names[path.name])
                else:
                    shutil.rmtree(path, ignore_errors=True)


def is_here(path: bytes) -> bool:
    """Whether anything of this name is here."""
    try:
        return os.path.lexists(path)
    except ValueError:  # it is no path at all
        return True


def cut(path: Path) -> Iterator[bytes]:
    """A file in pieces; nothing of one that is not there, and one piece of an empty one."""
    try:
        with path.open("rb") as file:
            data = file.read(MOST_BYTES)
            while True:
                yield data
                if not (data := file.read(MOST_BYTES)):
                    return
    except FileNotFoundError:
        return
