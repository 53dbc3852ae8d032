"""A table put at the end of ``overnight.toml``, and taken out again when what it says did not work.

Added to the end as text: nothing that is there is read and written anew, so no comment, order or space of it can be
lost. The file is replaced at once or not at all, and only if it is still the one that was read.
"""

from __future__ import annotations

import contextlib
import os
import stat
from pathlib import Path
from typing import NamedTuple

from overnight.core.configuration import parse
from overnight.core.dormant_tables import with_table
from overnight.core.errors import ConfigurationError
from overnight.host.files import open_regular, sync_directory, write_aside


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
    """Have it as it was before. Returns False when somebody has changed it since; then it is left.

    Raises:
        ConfigurationError: It cannot be written.
    """
    if _read(inserted.path) != inserted.after:
        return False
    if inserted.before is None:
        inserted.path.unlink()
    else:
        _replace(inserted.path, inserted.after, inserted.before)
    return True


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
