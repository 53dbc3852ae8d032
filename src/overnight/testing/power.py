"""What a power cut leaves of a recording.

What was synced is there. Of everything else each sector of 512 bytes was kept, dropped or torn, by dice: a
torn one has its first bytes new and the rest old, or the rest is noise. What was not written is not touched
(SQLite counts on that). A file that was made and never synced may be missing.
"""

from __future__ import annotations

import random
from collections.abc import Collection, Iterator, Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

from overnight.testing.disk import Deleted, Opened, Step, Synced, Truncated, Written

SECTOR = 512


class Image(NamedTuple):
    """The files of a directory after a power cut.

    `at`: the number of steps of the recording that had happened; `files`: content by name.
    """

    at: int
    files: Mapping[str, bytes]

    def lay_down(self, directory: Path) -> None:
        """Make a directory hold exactly these files."""
        directory.mkdir(exist_ok=True)
        for path in directory.iterdir():
            path.unlink()
        for name, content in self.files.items():
            (directory / name).write_bytes(content)


class _File:
    """One file: what is on the disk for certain, and what came after."""

    def __init__(self, content: bytes | None) -> None:
        self._durable = bytearray(content or b"")
        self._is_there = content is not None
        self._since: list[Written | Truncated] = []

    def do(self, step: Written | Truncated) -> None:
        self._since.append(step)

    def sync(self) -> None:
        for step in self._since:
            _apply(self._durable, step)
        self._since.clear()
        self._is_there = True

    def after_cut(self, dice: random.Random) -> bytes | None:
        """What is found in it; None when there is no such file."""
        if not self._is_there and dice.random() < 0.2:  # noqa: PLR2004 - one in five
            return None
        found = bytearray(self._durable)
        for step in _survivors(self._since, dice):
            _apply(found, step)
        return bytes(found)


def _apply(content: bytearray, step: Written | Truncated) -> None:
    if isinstance(step, Written):
        end = step.offset + len(step.data)
        if len(content) < end:
            content.extend(bytes(end - len(content)))
        content[step.offset : end] = step.data
    elif step.size_bytes < len(content):
        del content[step.size_bytes :]
    else:
        content.extend(bytes(step.size_bytes - len(content)))


def _survivors(steps: Sequence[Written | Truncated], dice: random.Random) -> Iterator[Written | Truncated]:
    """What of these has reached the disk: all of them, none, the first so many, or each sector by itself."""
    manner = dice.choice(("all", "none", "first", "each", "each", "each"))
    if manner == "first":
        steps = steps[: dice.randint(0, len(steps))]
    if manner in ("all", "first"):
        yield from steps
    elif manner == "each":
        for step in steps:
            yield from _sectors(step, dice) if isinstance(step, Written) else [step] * dice.randint(0, 1)


def _sectors(step: Written, dice: random.Random) -> Iterator[Written]:
    start, last = step.offset, step.offset + len(step.data)
    while start < last:
        end = min(last, start - start % SECTOR + SECTOR)
        piece = step.data[start - step.offset : end - step.offset]
        fate = dice.choice(("kept", "kept", "dropped", "dropped", "torn"))
        if fate == "torn":
            whole = dice.randrange(len(piece))
            noise = dice.randbytes(len(piece) - whole) if dice.random() < 0.5 else b""  # noqa: PLR2004 - a coin
            piece = piece[:whole] + noise
        if fate != "dropped":
            yield Written(step.file, start, piece)
        start = end


def images(
    trace: Sequence[Step], at: Collection[int], *, seed: int, start: Mapping[str, bytes] | None = None
) -> Iterator[Image]:
    """What power cuts leave after so many steps of a recording.

    Args:
        trace: The recording.
        at: After how many steps the power is cut; one image for each.
        seed: Of the dice. The same seed gives the same image.
        start: The files that there were before, on the disk.
    """
    files = {name: _File(content) for name, content in (start or {}).items()}
    for number in range(len(trace) + 1):
        if number in at:
            dice = random.Random(f"{seed} {number}")  # noqa: S311 - dice, not a secret
            found = {name: file.after_cut(dice) for name, file in files.items()}
            yield Image(number, {name: content for name, content in found.items() if content is not None})
        if number < len(trace):
            _happen(files, trace[number])


def _happen(files: dict[str, _File], step: Step) -> None:
    if isinstance(step, Opened):
        files.setdefault(step.file, _File(step.content))
    elif isinstance(step, Deleted):
        files.pop(step.file, None)
    elif isinstance(step, Synced):
        files[step.file].sync()
    elif isinstance(step, (Written, Truncated)):
        files[step.file].do(step)
