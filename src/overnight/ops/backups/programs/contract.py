"""A program that keeps backups: what we ask of it, and the ways in which it can refuse.

It is handed a directory, and gives one back; what is in it is no concern of the program's. Its passwords
are its own affair: it finds them in its environment, and nobody here reads or shows one.
"""

from __future__ import annotations

from collections.abc import Sequence
from enum import Enum
from pathlib import Path
from typing import NamedTuple, Protocol

from overnight.core.errors import OvernightError


class Refusal(Enum):
    """Why a program did not do what it was asked for."""

    MISSING = "missing"
    PASSWORD = "password"  # noqa: S105 - a word
    NO_REPOSITORY = "no repository"
    LOCKED = "locked"
    AWAY = "away"
    OTHER = "other"


_STATUS = {
    Refusal.MISSING: 2,
    Refusal.PASSWORD: 2,
    Refusal.NO_REPOSITORY: 4,
    Refusal.LOCKED: 69,
    Refusal.AWAY: 69,
    Refusal.OTHER: 1,
}


class ProgramError(OvernightError):
    """A program that keeps backups has refused.

    Attributes:
        why: In which way.
        words: What it said itself, without any password.
    """

    def __init__(self, message: str, *, hint: str, why: Refusal, words: str = "") -> None:
        super().__init__(message, hint=hint)
        self.why = why
        self.words = words
        self.exit_code = _STATUS[why]


class Snapshot(NamedTuple):
    """A backup as a program knows it. `home`: the id of the home that it says it is of."""

    name: str
    home: str
    id: str


class Program(Protocol):
    """One repository of one program. All of it raises `ProgramError`."""

    @property
    def name(self) -> str:
        """The program, as it is typed."""

    @property
    def title(self) -> str:
        """The repository for people, without its password."""

    def listed(self) -> list[Snapshot]:
        """All backups of ours that are there, of whatever home; what others keep there is passed over."""

    def put(self, stage: Path, name: str, home: str, held: Sequence[int]) -> int | None:
        """Keep a directory as the backup of this name. A program that fails half-way leaves none.

        Args:
            stage: The directory.
            name: Of the backup.
            home: The id of its home.
            held: Descriptors that the program holds open as long as it works, even without us.

        Returns:
            Bytes that were stored for it; None where the program does not tell.
        """

    def read(self, snapshot: Snapshot, file: str) -> bytes:
        """One file of a backup."""

    def fetch(self, snapshot: Snapshot, target: Path) -> None:
        """Write all of a backup into an empty directory."""

    def check(self) -> None:
        """Have the repository checked by its own program. `Refusal.OTHER` means that it has found something."""

    def drop(self, snapshots: Sequence[Snapshot]) -> None:
        """Remove backups, and what nobody refers to any more."""
