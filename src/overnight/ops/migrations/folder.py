"""The folder in which migrations lie: reading it, and putting a new one there."""

from __future__ import annotations

import os
from pathlib import Path

import msgspec

from overnight.core.errors import ConfigurationError, UsageError
from overnight.core.migrations.files import Migration, parse, version_of
from overnight.core.migrations.standing import doubles, following, next_version, ordered
from overnight.core.migrations.statements import Dialect
from overnight.host.files import names_in, open_regular

#: Bytes of a file; what is larger is data, and no migration.
MAX_BYTES = 16 * 1000 * 1000
_NEW = """-- Description: {words}
-- migrate:up


-- migrate:down

"""


class Folder(msgspec.Struct, frozen=True):
    """What was read of it."""

    path: Path
    #: By their numbers.
    migrations: list[Migration]
    #: Names of SQL files without a number, which nobody will ever run.
    unnumbered: list[str]


def read(path: Path, dialect: Dialect) -> Folder:
    """Read all migrations in a folder.

    Raises:
        ConfigurationError: There is no folder, a file cannot be read, or two have one number.
    """
    if not path.is_dir():
        raise ConfigurationError(
            f"there is no folder {os.path.relpath(path)} of migrations; nothing was done",
            hint="'overnight migrate new NAME' makes it; or name another: [migrations] folder",
        )
    names = [name for name in names_in(path) if name.endswith(".sql")]
    found = ordered(
        parse(name, _text(path / name), dialect, place=os.path.relpath(path / name))
        for name in names
        if version_of(name)
    )
    for pair in doubles(found):
        raise _doubled(path, pair, following(found[-1].version))
    return Folder(path, found, [name for name in names if not version_of(name)])


def _doubled(path: Path, pair: tuple[Migration, Migration], free: str) -> ConfigurationError:
    """Two with one number. What is proposed is to renumber the one that was written last."""
    newer = max(pair, key=lambda one: (path / one.filename).stat().st_mtime)
    renumbered = os.path.relpath(path / (free + newer.filename[len(newer.version) :]))
    return ConfigurationError(
        f"{pair[0].place} and {pair[1].place} have one number, and which is the first is not known; nothing was done",
        hint=f"give the one that is not applied yet a free number, as with: mv {newer.place} {renumbered}",
    )


def _text(path: Path) -> str:
    try:
        with open_regular(path) as file:
            content = file.read(MAX_BYTES + 1)
    except OSError as error:
        raise _unreadable(path, error.strerror or str(error)) from None
    if len(content) > MAX_BYTES:
        raise _unreadable(path, f"it is larger than {MAX_BYTES // 1000**2} MB")
    if b"\0" in content:
        raise _unreadable(path, "there are zero bytes in it")
    try:
        return content.decode("utf-8-sig").replace("\r\n", "\n")
    except UnicodeDecodeError as error:
        raise _unreadable(path, f"byte {error.start + 1} is not UTF-8") from None


def _unreadable(path: Path, why: str) -> ConfigurationError:
    return ConfigurationError(f"{path} cannot be read ({why}); nothing was done", hint="mend it, or move it away")


def new(path: Path, words: str, now: str) -> Path:
    """Make the file of a new migration; the folder, too, when it is missing.

    Args:
        path: The folder.
        words: What it does; becomes the name.
        now: The present as YYYYMMDDhhmmss, in UTC.

    Raises:
        UsageError: No name can be made of that, or the file cannot be written.
    """
    name = "_".join("".join(sign if sign.isalnum() and sign.isascii() else " " for sign in words).split()).lower()
    if not name:
        raise UsageError(
            f"no file can be named after {words!r}; nothing was made", hint="overnight migrate new add_users"
        )
    versions = [version for one in names_in(path) if (version := version_of(one))]
    file = path / f"{next_version(versions, now)}_{name}.sql"
    try:
        path.mkdir(parents=True, exist_ok=True)
        descriptor = os.open(file, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC, 0o644)
        with os.fdopen(descriptor, "w", encoding="utf-8") as opened:
            opened.write(_NEW.format(words=" ".join(words.split())))
    except OSError as error:
        raise UsageError(
            f"{file} cannot be made ({error.strerror}); nothing was made", hint=f"look at {path} and its owner"
        ) from None
    return file
