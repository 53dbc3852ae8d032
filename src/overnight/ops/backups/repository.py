"""A repository of another program as a place with backups.

What the program keeps is the truth. Beside it, in the home, lie records: the manifest of each backup that
is there and what its last trial has found, so that to list them, to judge their age and to let old ones go
nothing has to be fetched. Records that are lost are read from the repository again.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import msgspec

from overnight.core import backups
from overnight.core.backups import Manifest
from overnight.core.checkpoints import Keeping
from overnight.core.errors import StoreDamagedError
from overnight.core.events import printable
from overnight.core.sealed import seal
from overnight.host.files import open_regular, write_atomically
from overnight.ops.backups import proving, pruning
from overnight.ops.backups.contract import Opened, Pruned
from overnight.ops.backups.giving import unusable
from overnight.ops.backups.place import MANIFEST, BackupPlace, Entry, Trial
from overnight.ops.backups.programs.contract import Program, ProgramError, Refusal, Snapshot
from overnight.ops.backups.tree import Tree

#: What is fetched from a repository.
ROUGH = ".fetching-"
_NAME = re.compile(r"[0-9]{8}-[0-9]{6}-[0-9]+(?:\.[0-9]+)?")


def records_of(directory: Path, program: str, repository: str, home: str | None) -> BackupPlace:
    """The records of a repository, which need not exist yet. They are no backups: the pieces are elsewhere.

    Args:
        directory: That of the backups of the home.
        program: Whose repository.
        repository: As its program has it.
        home: Whose backups; None: whoever's they are.
    """
    number = hashlib.sha256(repository.encode("utf-8", "surrogateescape")).hexdigest()[:16]
    return BackupPlace(directory / f".{program}-{number}", home)


class Repository:
    """The backups of one home in the repository of a program.

    Args:
        program: With its repository.
        records: Where their records lie.
        home: Whose; None: whoever's they are.
    """

    def __init__(self, program: Program, records: BackupPlace, home: str | None) -> None:
        self.program = program
        self.records = records
        self.directory = records.directory
        self.title = program.title
        self.is_there = True
        self._home = home
        self._listed: dict[str, Snapshot] | None = None

    # -- what there is ------------------------------------------------------------------------

    def entries(self) -> list[Entry]:
        there = self._there()
        known = {entry.name: entry for entry in self.records.entries() if entry.manifest is not None}
        found = [known.get(name) or self._learnt(snapshot) for name, snapshot in there.items()]
        found.sort(key=lambda entry: entry.manifest.made_at if entry.manifest else -1.0, reverse=True)
        self.records.drop([name for name in known if name not in there])
        return found

    def whole(self) -> list[Entry]:
        return [entry for entry in self.entries() if entry.manifest is not None]

    def get(self, name: str) -> Entry | None:
        return next((entry for entry in self.entries() if entry.name == name), None)

    def trial_bytes(self, entry: Entry) -> int:
        """What is fetched, and the home that is made of it."""
        return 2 * entry.manifest.size_bytes if entry.manifest is not None else 0

    def where(self, entry: Entry) -> str:
        return f"{self.title}::{entry.name}"

    def _there(self) -> dict[str, Snapshot]:
        """What the program has of this home, by name. It is asked once; who changes something forgets the answer."""
        if self._listed is None:
            ours = (one for one in self.program.listed() if self._home in (None, one.home))
            self._listed = {one.name: one for one in ours if _NAME.fullmatch(one.name)}
        return self._listed

    def _learnt(self, snapshot: Snapshot) -> Entry:
        """One that there is no record of: somebody else has made it, or the record is lost."""
        path = self.directory / snapshot.name
        try:
            content = self.program.read(snapshot, MANIFEST)
            manifest = backups.read(content, snapshot.name)
        except ProgramError as error:
            if error.why is not Refusal.OTHER:
                raise
            return Entry(path, None, f"its manifest cannot be read ({error.words})")
        except ValueError as error:
            return Entry(path, None, str(error))
        self.record(manifest)
        return self.records.entry(snapshot.name)

    def record(self, manifest: Manifest) -> None:
        """Keep the record of a backup that is there."""
        self.records.drop([manifest.name])
        with self.records.making() as folder, suppress(OSError):  # somebody else has just done it
            write_atomically(folder / MANIFEST, seal(manifest))
            self.records.put(folder, manifest.name)

    # -- making one ---------------------------------------------------------------------------

    def put(self, stage: Path, manifest: Manifest, held: int) -> Manifest:
        """Have the program keep a directory with a manifest in it. Returns what is on record of it then."""
        try:
            stored = self.program.put(stage, manifest.name, manifest.home, (held,))
        except ProgramError as error:
            if error.why is Refusal.OTHER:
                self._undo(manifest.name)
            raise
        self._listed = None
        return manifest if stored is None else msgspec.structs.replace(manifest, stored_bytes=stored)

    def _undo(self, name: str) -> None:
        """What a program has kept although it has failed is no backup."""
        self._listed = None
        with suppress(ProgramError):
            half = [snapshot for snapshot in self._there().values() if snapshot.name == name]
            if half:
                self.program.drop(half)
        self._listed = None

    # -- reading one --------------------------------------------------------------------------

    @contextmanager
    def opened(self, entry: Entry) -> Iterator[Opened]:
        with self.records.making(ROUGH) as rough:
            try:
                opened = self._fetched(entry, rough)
            except ProgramError as error:
                if error.why is not Refusal.OTHER:
                    raise
                raise unusable(entry.name, f"{self.program.name} could not give it back ({error.words})") from None
            yield opened

    def _fetched(self, entry: Entry, rough: Path) -> Opened:
        """All of a backup, with the manifest that lies in it: the record beside it proves nothing."""
        self.program.fetch(self._there()[entry.name], rough)
        tree = Tree(rough)
        if odd := next(tree.odd(), None):
            raise unusable(entry.name, f"{printable(odd)} is neither a file nor a folder")
        try:
            with open_regular(rough / MANIFEST) as file:
                manifest = backups.read(file.read(), entry.name)
        except (OSError, ValueError) as error:
            raise unusable(entry.name, f"its manifest cannot be read ({error})") from None
        return Opened(tree, entry._replace(manifest=manifest))

    def prove(self, entry: Entry, *, now: float, quick: bool) -> Trial:
        with self.records.alone():
            found = self._checked() or ([] if quick else self._tried(entry))
            return proving.noted(self.records, entry, found, now=now, quick=quick)

    def _checked(self) -> list[str]:
        """What the program finds in its repository."""
        try:
            self.program.check()
        except ProgramError as error:
            if error.why is not Refusal.OTHER:
                raise
            return [f"{self.program.name} check: {error.words}"]
        return []

    def _tried(self, entry: Entry) -> list[str]:
        try:
            with self.opened(entry) as (contents, fetched), self.records.making(proving.ROUGH) as rough:
                return proving.damage(contents, fetched) or proving.troubles_on_trial(contents, fetched, rough)
        except StoreDamagedError as error:
            return [error.message]

    # -- letting go ---------------------------------------------------------------------------

    def plan(self, keeping: Keeping, *, now: float) -> Pruned:
        return Pruned(pruning.surplus_of(self.whole(), keeping, now=now), None)

    def prune(self, keeping: Keeping, *, now: float) -> Pruned:
        with self.records.alone():
            names = pruning.surplus_of(self.whole(), keeping, now=now)
            if names:
                self.program.drop([self._there()[name] for name in names])
                self._listed = None
                self.records.drop(names)
        return Pruned(names, None)
