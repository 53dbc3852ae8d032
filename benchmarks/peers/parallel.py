"""GNU parallel with a job log, and `--resume`, so that the same line goes on where it was."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import ClassVar

from peers.contract import SLOTS
from peers.room import Room, printed, program


class Parallel:
    """See above."""

    NAME: ClassVar[str] = "GNU parallel"
    COUNT: ClassVar[int] = 800
    PROMISES: ClassVar[str] = (
        "the list is yours; what has ended is in the job log, by its position in the list (written, not synced)"
    )

    @staticmethod
    def version() -> str | None:
        found = program("parallel")
        words = printed(found, "--version").split() if found else []
        return words[2] if words[:2] == ["GNU", "parallel"] else None

    @staticmethod
    def line(room: Room, listed: Path, words: Sequence[str]) -> list[str]:
        log = ["--joblog", str(room.path / f"{listed.name}.joblog"), "--resume"]
        return [program("parallel") or "parallel", *log, "--jobs", str(SLOTS), "-a", str(listed), *words]
