"""Writing the files of a backup somewhere: every piece looked at, nothing followed, nothing overwritten."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path

from overnight.core.backups import File, Manifest
from overnight.core.errors import StoreDamagedError
from overnight.host.files import sync_directory
from overnight.ops.backups.contract import Contents
from overnight.ops.backups.pieces import DamagedError
from overnight.ops.backups.place import Entry

_NEW = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC


def manifest_of(entry: Entry) -> Manifest:
    """Its manifest.

    Raises:
        StoreDamagedError: It has none that can be trusted.
    """
    if entry.manifest is None:
        raise unusable(entry.name, entry.trouble)
    return entry.manifest


def unusable(name: str, why: str) -> StoreDamagedError:
    """What somebody hears who wants something from a backup that is not whole."""
    return StoreDamagedError(
        f"backup {name} is not whole: {why}; nothing was changed",
        hint="'overnight backup verify --all' says which ones are, 'overnight backup create' makes another",
    )


@contextmanager
def told_of(entry: Entry) -> Iterator[None]:
    """Damage that comes to light meanwhile is told as that of this backup."""
    try:
        yield
    except DamagedError as error:
        raise unusable(entry.name, str(error)) from None


def extract(contents: Contents, files: Iterable[File], target: Path) -> None:
    """Write files below a directory that is ours alone, by the names that they have in the backup.

    Args:
        contents: Where they are.
        files: Which. Their names have been looked at when the manifest was read.
        target: An empty directory; all of it is on the disk on return.

    Raises:
        DamagedError: A piece is damaged; what was written so far is there.
        OSError: It could not be written.
    """
    folders = {target}
    for file in files:
        path = target / os.fsdecode(file.name)
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        folders |= {target / part for part in path.relative_to(target).parents}
        write(contents, file, path)
    for folder in sorted(folders, reverse=True):
        sync_directory(folder)


def write(contents: Contents, file: File, path: Path) -> None:
    """Write one file, which must not be there yet, with its mode and its time.

    Raises:
        DamagedError: A piece is damaged.
        OSError: It could not be written.
    """
    descriptor = os.open(path, _NEW, 0o600)
    with os.fdopen(descriptor, "wb") as target:
        for block in contents.content(file):
            target.write(block)
        target.flush()
        os.fchmod(descriptor, file.mode)
        os.utime(descriptor, ns=(file.modified_ns, file.modified_ns))
        os.fsync(descriptor)


def is_same(contents: Contents, file: File, path: Path) -> bool:
    """Whether a file on the disk is what the backup has."""
    try:
        found = path.lstat()
        if not os.path.isfile(path) or os.path.islink(path) or found.st_size != file.size_bytes:  # noqa: PTH113, PTH114 - with lstat
            return False
        with path.open("rb") as there:
            return all(there.read(len(block)) == block for block in contents.content(file))
    except OSError:
        return False
