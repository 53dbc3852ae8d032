"""Making one backup, from the copy of the store to the last rename.

The order is the point. The store is copied in one step, then everything is cut into pieces, then the manifest
is written, and only then the folder gets its name: killed between any two of these it leaves either a whole
backup, or pieces that nobody refers to and the next prune removes. What could not be read is left out
and said; a backup without the store is none.
"""

from __future__ import annotations

import contextlib
import os
from collections.abc import Callable, Iterable, Iterator
from contextlib import closing
from pathlib import Path

import apsw
import msgspec

from overnight.core.backups import BESIDE, HOME, File, LeftOut, Manifest, is_safe, path_of
from overnight.core.errors import NotFoundError, NotNowError, StoreDamagedError
from overnight.core.events import printable
from overnight.core.sealed import seal
from overnight.core.version import VERSION
from overnight.host.clock import Clock
from overnight.host.files import write_atomically
from overnight.host.home import Home, past, promised_restore
from overnight.ops.backups import sources
from overnight.ops.backups.contract import Made, Step, Vault, Wanted
from overnight.ops.backups.place import MANIFEST, BackupPlace, Entry
from overnight.ops.backups.sources import Source
from overnight.store.copies.making import free_name
from overnight.store.sqlite import SqliteStore
from overnight.store.sqlite.copying import copy_file, facts


def create(
    home: Home,
    places: Iterable[BackupPlace],
    wanted: Wanted,
    *,
    clock: Clock,
    step: Step = lambda _: None,
) -> Made:
    """Make a backup of a home and its project; an engine may work meanwhile.

    Args:
        home: Whose.
        places: Where it goes; then where its second copy goes, if anywhere.
        wanted: What is in it.
        clock: For its name.
        step: Called after each step.

    Raises:
        NotFoundError: There is no store yet.
        NotNowError: Another process is at work on the backups, or the store is being set back.
        StoreDamagedError: The store is damaged; no backup was made.
        DiskFullError, OSError: It could not be written; nothing is left that looks like a backup.
    """
    first, *others = places
    began, now = clock.monotonic(), clock.now()
    need_store(home)
    with first.alone(), first.making() as rough:
        step("begun")
        manifest = Taking(home, first.pieces, rough, step).take(wanted, first.is_free, now=now)
        manifest = msgspec.structs.replace(manifest, took_seconds=round(clock.monotonic() - began, 3))
        entry = _finish(first, manifest, step)
    remember(home, entry.name)
    trouble = _second(first, entry, others, step)
    return told(manifest, str(entry.path), trouble, seconds=clock.monotonic() - began)


def need_store(home: Home) -> None:
    """Make sure that there is something to take.

    Raises:
        NotFoundError: There is no store yet.
    """
    if not home.store.exists():
        raise NotFoundError(f"there are no tasks in {home.path} yet; no backup was made", hint="'overnight add'")


def remember(home: Home, name: str) -> None:
    """Note the name of a backup that is there, for the day on which it is not."""
    with contextlib.suppress(OSError):
        write_atomically(home.last_backup, f"{name}\n".encode())


def told(manifest: Manifest, path: str, second_trouble: str, *, seconds: float) -> Made:
    """What is said of a backup that is in its place."""
    return Made(
        name=manifest.name,
        path=printable(path),
        files=len(manifest.files),
        size_bytes=manifest.size_bytes,
        stored_bytes=manifest.stored_bytes,
        seconds=round(seconds, 3),
        left_out=manifest.left_out,
        second_trouble=printable(second_trouble),
    )


class Taking:
    """One backup on its way.

    Args:
        home: Whose.
        vault: Where its files go.
        rough: A directory for copies, thrown away afterwards.
        step: Called after each step.
    """

    def __init__(self, home: Home, vault: Vault, rough: Path, step: Step) -> None:
        self._home = home
        self._vault = vault
        self._rough = rough
        self._step = step
        self._files: list[File] = []
        self._left_out: list[LeftOut] = []
        self._stored = 0

    def take(self, wanted: Wanted, is_free: Callable[[str], bool], *, now: float) -> Manifest:
        """Copy the store and put everything into the vault. Returns what the manifest says.

        Args:
            wanted: What is in it.
            is_free: Whether there is no backup of this name.
            now: POSIX seconds.

        Raises:
            NotNowError: The store is being set back.
            StoreDamagedError: The store is damaged.
            OSError: It could not be written.
        """
        epoch, card = past(self._home).epoch, self._home.home_json.read_bytes()
        copy, counts = self._copy_store()
        known = facts(copy)
        write_atomically(self._rough / "home.json", card, durable=False)
        self._refuse_if_set_back(epoch)
        for source in self._sources(copy, known.position, wanted):
            self._keep(source)
        self._vault.settle()
        self._step("pieces")
        return Manifest(
            name=free_name(now, known.position, is_free),
            home=self._home.id,
            made_at=now,
            took_seconds=0.0,
            position=known.position,
            epoch=epoch,
            schema=known.schema,
            program=VERSION,
            counts=counts,
            files=self._files,
            left_out=self._left_out,
            stored_bytes=self._stored,
        )

    def _copy_store(self) -> tuple[Path, dict[str, int]]:
        copy = self._rough / "queue.db"
        try:
            copy_file(self._home.store, copy)
        except StoreDamagedError as error:
            raise StoreDamagedError(
                f"{error.message}; no backup was made and the older ones are as they were",
                hint="'overnight resume' rebuilds the store from the newest checkpoint and the journal, and goes on",
            ) from error
        self._step("copied")
        with closing(SqliteStore.open(copy, readonly=True)) as store:
            counts = store.counts()
            by_state = {name: value for name, value in msgspec.to_builtins(counts).items() if isinstance(value, int)}
        return copy, {**by_state, "total": counts.total}

    def _refuse_if_set_back(self, epoch: int) -> None:
        if past(self._home).epoch != epoch or promised_restore(self._home) is not None:
            raise NotNowError(
                "the store was set back at this moment; no backup was made", hint="'overnight backup create' once more"
            )

    def _sources(self, copy: Path, position: int, wanted: Wanted) -> Iterator[Source]:
        yield Source(HOME + b"queue.db", sources.plain(copy))
        yield Source(HOME + b"home.json", sources.plain(self._rough / "home.json"))
        for name in BESIDE:
            yield from self._beside(name)
        yield from sources.journal(self._home, position)
        yield from sources.large_results(self._home, copy)
        if wanted.output:
            yield from sources.outputs(self._home)
        yield from sources.of_project(self._home, wanted.include, wanted.workflows)

    def _beside(self, name: str) -> Iterator[Source]:
        """One of the databases that are no store."""
        database, copy = self._home.path / name, self._rough / name
        if not database.exists():
            return
        try:
            copy_plainly(database, copy)
        except apsw.Error as error:
            self._left_out.append(LeftOut(f"home/{name}", printable(str(error))))
            return
        yield Source(HOME + name.encode(), sources.plain(copy))

    def _keep(self, source: Source) -> None:
        """Cut one file into pieces. What cannot be read is left out, and what cannot be written is an error."""
        words = path_of(source.name)
        if not is_safe(source.name):
            self._left_out.append(LeftOut(words["path"], "a backup has no place for a file of this name"))
            return
        try:
            file = source.open()
        except OSError as error:
            self._left_out.append(LeftOut(words["path"], error.strerror or str(error)))
            return
        with file:
            found = os.fstat(file.fileno())
            stored = self._vault.store(file, source.size_bytes, source.name)
        self._stored += stored.new_bytes
        self._files.append(
            File(
                **words,
                size_bytes=stored.size_bytes,
                mode=found.st_mode & 0o777,
                modified_ns=found.st_mtime_ns,
                pieces=stored.pieces,
            )
        )


def copy_plainly(source: Path, target: Path) -> None:
    """Copy a database of SQLite as it is at one moment, in one step; an engine may write meanwhile.

    Raises:
        apsw.Error: It cannot be read.
    """
    flags = apsw.SQLITE_OPEN_READONLY
    with (
        closing(apsw.Connection(os.fspath(source), flags=flags)) as read,
        closing(apsw.Connection(os.fspath(target))) as write,
    ):
        with write.backup("main", read, "main") as backup:
            backup.step(-1)
        write.pragma("journal_mode", "delete")


def _finish(place: BackupPlace, manifest: Manifest, step: Step) -> Entry:
    """Write the manifest and give the backup its name."""
    with place.making() as folder:
        write_atomically(folder / MANIFEST, seal(manifest))
        step("manifest")
        entry = place.put(folder, manifest.name)
    step("placed")
    return entry


def _second(first: BackupPlace, entry: Entry, others: Iterable[BackupPlace], step: Step) -> str:
    """Copy a finished backup to other places. Returns why that was not possible; else nothing."""
    for place in others:
        try:
            duplicate(first, entry, place, step)
        except NotNowError as error:
            return error.message
        except (OSError, ValueError) as error:
            return f"{place.directory}: {getattr(error, 'strerror', None) or error}"
    return ""


def duplicate(source: BackupPlace, entry: Entry, target: BackupPlace, step: Step = lambda _: None) -> None:
    """Copy a backup to another place, each piece looked at, the manifest last.

    Raises:
        OSError: It could not be written.
        ValueError: A piece of it is damaged.
    """
    assert entry.manifest is not None  # noqa: S101 - it is whole
    with target.alone():
        for file in entry.manifest.files:
            for piece, block in zip(file.pieces, source.pieces.content(file), strict=True):
                if not target.pieces.has(piece, len(block)):
                    target.pieces.put(piece, block)
        target.pieces.settle()
        step("second pieces")
        target.drop([entry.name])  # one of an earlier try
        _finish(target, entry.manifest, step)
