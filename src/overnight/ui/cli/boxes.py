"""Ticking the boxes of a Markdown list: one character of a line, and only while the line is what it was.

The store is the truth, and the boxes follow it: what could not be ticked now is ticked by the next call that
names the list. The file is replaced as a whole, so that whoever reads it sees all of the old or all of the new.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

import msgspec

from overnight.core.gates import Hold
from overnight.core.states import TaskState
from overnight.core.stopping import Stopping
from overnight.core.verdict import Settlement
from overnight.engine.attempts import Running
from overnight.host.files import sync_directory, write_aside
from overnight.store.contract import Counts, Store
from overnight.ui.cli import printing
from overnight.ui.cli.listed import ListFile, ListWork

_MARKS = {TaskState.COMPLETED: b"x", TaskState.CANCELLED: b"-"}
_ASKED_AT_ONCE = 10_000


class Box(msgspec.Struct, frozen=True):
    """A box as it was read: the number of its line, from 0, the line, and where in it the mark is."""

    number: int
    line: bytes
    column: int


class Flipped(msgspec.Struct, frozen=True):
    """A file with some boxes ticked, and the line numbers (from 1) that are not what they were."""

    content: bytes
    #: The boxes as they are now, by the keys that were given.
    done: dict[int, Box]
    refused: list[int]


def places(file: ListFile, offsets: Sequence[int]) -> list[Box]:
    """The boxes whose marks stand at these offsets, in characters, of the text of a list."""
    words = file.text
    starts = [0]
    for line in file.content.split(b"\n"):
        starts.append(starts[-1] + len(line) + 1)
    order = sorted(range(len(offsets)), key=offsets.__getitem__)
    found: dict[int, Box] = {}
    number = at = at_bytes = 0
    for position in order:
        at_bytes += len(words[at : offsets[position]].encode("utf-8", "surrogateescape"))
        at = offsets[position]
        while starts[number + 1] <= at_bytes:
            number += 1
        line = file.content[starts[number] : starts[number + 1] - 1]
        found[position] = Box(number, line, at_bytes - starts[number])
    return [found[position] for position in range(len(offsets))]


def flip(content: bytes, wanted: Mapping[int, tuple[Box, bytes]]) -> Flipped:
    """Set the marks of some boxes, where the line is still what it was.

    Args:
        content: The file as it is now.
        wanted: For any key a box and its new mark.
    """
    lines = content.split(b"\n")
    done, refused = {}, []
    for key, (box, mark) in wanted.items():
        if box.number >= len(lines) or lines[box.number] != box.line:
            refused.append(box.number + 1)
            continue
        line = box.line[: box.column] + mark + box.line[box.column + 1 :]
        lines[box.number] = line
        done[key] = Box(box.number, line, box.column)
    return Flipped(b"\n".join(lines), done, sorted(refused))


class Boxes:
    """An observer that ticks the boxes of a list as its tasks end.

    Args:
        work: What the list asks for; its file has boxes.
    """

    def __init__(self, work: ListWork) -> None:
        self._path = Path(os.path.realpath(work.file.name))
        self._name = work.file.name
        self._found = places(work.file, [entry.box_at or 0 for entry in work.entries])
        self._boxes: dict[int, Box] = {}
        self._ended: dict[int, TaskState] = {}
        self._refused: set[int] = set()

    def belong_to(self, ids: Sequence[int]) -> None:
        """The tasks of the list have these ids, in its order."""
        self._boxes = dict(zip(ids, self._found, strict=True))

    # -- observer ----------------------------------------------------------------------------

    def settled(self, running: Running | None, settlement: Settlement) -> None:  # noqa: ARG002 - contract
        if settlement.task_id in self._boxes and settlement.state in _MARKS:
            self._ended[settlement.task_id] = settlement.state

    def stopping(self, stopping: Stopping, still_running: int) -> None:
        """What has ended is ticked at the end."""

    def limits(self, holds: Sequence[Hold], slots: int) -> None:
        """No box tells of it."""

    def ticked(self, counts: Counts, running: list[Running]) -> None:  # noqa: ARG002 - contract
        self.write()

    # -- writing -----------------------------------------------------------------------------

    def follow(self, store: Store) -> None:
        """Tick what the store says has ended."""
        ids = list(self._boxes)
        for start in range(0, len(ids), _ASKED_AT_ONCE):
            states = store.states(ids[start : start + _ASKED_AT_ONCE])
            self._ended.update((one, state) for one, state in states.items() if state in _MARKS)
        self.write()

    def write(self) -> None:
        """Tick what has ended since the last time. A list that cannot be written costs no task anything."""
        wanted = {
            task_id: (box, _MARKS[state])
            for task_id, state in self._ended.items()
            if (box := self._boxes[task_id]).line[box.column : box.column + 1] != _MARKS[state]
        }
        self._ended.clear()
        if not wanted:
            return
        try:
            flipped = flip(self._path.read_bytes(), wanted)
            if flipped.done:
                _replace(self._path, flipped.content)
        except OSError as error:
            printing.note(
                f"overnight: {self._name} cannot be written ({(error.strerror or str(error)).lower()}); "
                "its boxes stay as they are, and the tasks are on record"
            )
            return
        self._boxes.update(flipped.done)
        self._say_refused(flipped.refused)

    def _say_refused(self, numbers: Iterable[int]) -> None:
        if new := sorted(set(numbers) - self._refused):
            self._refused.update(new)
            lines = ", ".join(map(str, new[:10])) + (f" and {len(new) - 10} more" if len(new) > 10 else "")  # noqa: PLR2004 - a line of them
            printing.note(
                f"overnight: {self._name} has other words in line {lines} now; the box there was left as it is\n"
                "  try: the same line again, which reads the list anew"
            )


def _replace(path: Path, content: bytes) -> None:
    """Put a new file in the place of another one, with its permissions."""
    mode = path.stat().st_mode
    temporary = write_aside(path, content)
    try:
        temporary.chmod(mode & 0o7777)
        temporary.replace(path)
    except BaseException:
        temporary.unlink(missing_ok=True)
        raise
    sync_directory(path.parent)
