"""A table put at the end of ``overnight.toml``, and taken out again when what it says did not work.

Added to the end as text: nothing that is there is read and written anew, so no comment, order or space of it can be
lost. The file is replaced at once or not at all, and only if it is still the one that was read; of two of us who do
that at once the second waits for the first.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
import re
import stat
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

from overnight.core.configuration import parse
from overnight.core.dormant_tables import with_table
from overnight.core.errors import ConfigurationError
from overnight.host.files import open_regular, sync_directory, write_aside

#: What may follow a table that is taken out: another one, or nothing.
_TABLE = re.compile(rb"\s*(?:\[|\Z)")


class Inserted(NamedTuple):
    """What was written where, and what was there before; None: no file."""

    path: Path
    before: bytes | None
    after: bytes


def insert(path: Path, table: str) -> Inserted:
    """Add a table to a configuration.

    Args:
        path: The file; made when it is missing. Where it is a link, what it leads to is changed.
        table: Whole lines.

    Raises:
        ConfigurationError: It cannot be read or written, was just changed, or the table makes no sense there.
    """
    real = Path(os.path.realpath(path))
    with _alone(real):
        before = _read(real)
        try:
            after = with_table((before or b"").decode("utf-8"), table)
        except UnicodeDecodeError as error:
            raise _refused(path, f"byte {error.start + 1} is not UTF-8") from error
        parse(after, str(path))
        found = Inserted(real, before, after.encode())
        _replace(found.path, before, found.after)
        return found


def take_back(inserted: Inserted) -> bool:
    """Have it as it was before, but for what others have added. Returns False when the table is not as it was.

    Raises:
        ConfigurationError: It cannot be written.
    """
    with _alone(inserted.path):
        now = _read(inserted.path)
        if now == inserted.after and inserted.before is None:
            inserted.path.unlink()
            return True
        added = inserted.after.removeprefix(inserted.before or b"")
        above, found, below = (now or b"").partition(added)
        # What is no table of its own would belong to another one afterwards.
        if not found or added in below or not _TABLE.match(below):
            return False
        _replace(inserted.path, now, above + below)
        return True


@contextlib.contextmanager
def _alone(path: Path) -> Iterator[None]:
    """Change a file while no other one of us does; that takes milliseconds. Its directory is what is locked."""
    try:
        descriptor = os.open(path.parent, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    except OSError as error:
        raise _refused(path, error.strerror or str(error)) from error
    try:
        with contextlib.suppress(OSError):  # a file system without locks: what is left is to look before replacing
            fcntl.flock(descriptor, fcntl.LOCK_EX)
        yield
    finally:
        os.close(descriptor)


def _read(path: Path) -> bytes | None:
    try:
        with open_regular(path) as file:
            return file.read()
    except FileNotFoundError:
        return None
    except OSError as error:
        raise _refused(path, error.strerror or str(error)) from error


def _replace(path: Path, expected: bytes | None, content: bytes) -> None:
    """Put other content into a file that is still as it was, with the rights that it had."""
    try:
        aside = write_aside(path, content)
        try:
            mode = stat.S_IMODE(path.stat().st_mode) if expected is not None else 0o644
            aside.chmod(mode)
            if _read(path) != expected:
                raise _refused(path, "somebody has just changed it")
            aside.replace(path)
        finally:
            aside.unlink(missing_ok=True)
        with contextlib.suppress(OSError):  # it is there already; this is for a power cut
            sync_directory(path.parent)
    except OSError as error:
        raise _refused(path, error.strerror or str(error)) from error


def _refused(path: Path, why: str) -> ConfigurationError:
    return ConfigurationError(
        f"{path} cannot be changed ({why}); it is as it was, and nothing was activated",
        hint="the same without --write prints what would be added",
    )
