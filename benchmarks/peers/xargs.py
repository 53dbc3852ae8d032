"""xargs: the floor. It keeps no record at all."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import ClassVar

from peers.contract import SLOTS
from peers.room import Room, printed, program


class Xargs:
    """See above."""

    NAME: ClassVar[str] = "xargs"
    COUNT: ClassVar[int] = 6000
    PROMISES: ClassVar[str] = "keeps no record; the same line again runs the whole list again"

    @staticmethod
    def version() -> str | None:
        found = program("xargs")
        words = printed(found, "--version").split() if found else []
        return words[3] if words[:1] == ["xargs"] else None

    @staticmethod
    def line(room: Room, listed: Path, words: Sequence[str]) -> list[str]:
        del room  # nothing to keep there
        return [program("xargs") or "xargs", "-a", str(listed), f"-P{SLOTS}", "-n1", *words]
