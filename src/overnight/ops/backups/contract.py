"""What keeps backups: our own way, or another program; and what a backup is to whoever looks into it.

A backup is the same whoever keeps it: a manifest, and files that are made of pieces with known hashes. So
what proves one and what gives one back read `Contents`, and do not ask where it came from.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager
from pathlib import Path
from typing import BinaryIO, NamedTuple, Protocol

import msgspec

from overnight.core.backups import File, LeftOut
from overnight.core.checkpoints import Keeping
from overnight.core.workflow.model import Workflow
from overnight.host.clock import Clock
from overnight.host.home import Home
from overnight.ops.backups.pieces import Stored
from overnight.ops.backups.place import Entry, Trial

#: Called after each step with its name: for tests that stop there, and to give way to the tasks.
Step = Callable[[str], None]


class Contents(Protocol):
    """The files of one backup."""

    def content(self, file: File) -> Iterator[bytes]:
        """A file, piece by piece, each looked at.

        Raises:
            DamagedError: One is not what was written.
        """

    def disown(self, piece: str) -> None:
        """See to it that nothing relies on a piece that was found damaged."""


class Vault(Protocol):
    """Where the files of a backup go while it is made."""

    def store(self, file: BinaryIO, size_bytes: int | None, name: bytes) -> Stored:
        """Keep a file that is at its beginning, or so many bytes of it.

        Raises:
            OSError: It could not be read or written.
        """

    def settle(self) -> None:
        """Return when all of them are on the disk, where that is for us to see to."""


class Wanted(msgspec.Struct, frozen=True):
    """What is to be in a backup besides what must be."""

    include: tuple[str, ...] = ()
    output: bool = False
    workflows: dict[str, Workflow] = {}


class Made(msgspec.Struct, frozen=True, kw_only=True):
    """A backup that is in its place."""

    name: str
    path: str
    files: int
    size_bytes: int
    #: Of what no earlier backup had; None where the program that keeps it does not tell.
    stored_bytes: int | None
    seconds: float
    left_out: list[LeftOut] = []
    #: Why there is no second copy although one was wanted; empty when all is well.
    second_trouble: str = ""


class Pruned(msgspec.Struct, frozen=True):
    """What goes, or went. `freed_bytes`: what that gives back; None where the program that keeps them does not tell."""

    names: list[str]
    freed_bytes: int | None
    #: Why no piece can be let go of; empty when they can.
    trouble: str = ""


class Opened(NamedTuple):
    """A backup that can be read, until its context ends."""

    contents: Contents
    entry: Entry


class Place(Protocol):
    """One place with backups. What it needs of another program may fail with a `ProgramError`."""

    @property
    def title(self) -> str:
        """For people: a directory, or a repository without its password."""

    @property
    def directory(self) -> Path:
        """Where trials are made; it need not be there yet."""

    def trial_bytes(self, entry: Entry) -> int:
        """How much room a trial takes there at worst."""

    @property
    def is_there(self) -> bool:
        """Whether it can be looked at; a disk that is not mounted is not there."""

    def entries(self) -> list[Entry]:
        """All backups, newest first, those without a manifest last."""

    def whole(self) -> list[Entry]:
        """Those with a manifest, newest first."""

    def get(self, name: str) -> Entry | None:
        """The backup of this name; None when there is none."""

    def where(self, entry: Entry) -> str:
        """Where one lies, for people."""

    def opened(self, entry: Entry) -> AbstractContextManager[Opened]:
        """Read a backup.

        Raises:
            StoreDamagedError: It is not whole.
        """

    def prove(self, entry: Entry, *, now: float, quick: bool) -> Trial:
        """Try a backup, and remember what was found; `quick`: without a restore on trial. `now`: POSIX seconds.

        Raises:
            NotNowError: Another process is at work on the backups.
            OSError: There is no room for the trial.
        """

    def plan(self, keeping: Keeping, *, now: float) -> Pruned:
        """What a prune would let go of. Changes nothing."""

    def prune(self, keeping: Keeping, *, now: float) -> Pruned:
        """Let go of backups that are not to be kept any longer.

        Raises:
            NotNowError: Another process is at work on the backups.
        """


class BackupEngine(Protocol):
    """Who keeps the backups of a home, and where: the first place, then that of second copies if there is one."""

    @property
    def name(self) -> str:
        """As the setting has it."""

    @property
    def places(self) -> Sequence[Place]:
        """Where."""

    def needed_bytes(self, home: Home) -> int:
        """How much room a backup takes at worst on the disk of the home, while it is made."""

    def create(self, home: Home, wanted: Wanted, *, clock: Clock, step: Step = lambda _: None) -> Made:
        """Make a backup of a home and its project; an engine may work meanwhile. `step` is called after each step.

        Raises:
            NotFoundError: There is no store yet.
            NotNowError: Another process is at work on the backups, or the store is being set back.
            StoreDamagedError: The store is damaged; no backup was made.
            DiskFullError, OSError: It could not be written; nothing is left that looks like a backup.
        """
