"""Our own store: which schema it has, and the copy that is kept of it before a newer program changes that.

The store is migrated by whoever holds the home, without being asked. Before that, under the same lock, the file
is copied as it is, and the home notes which version of the program is needed from now on: an older one says so.
"""

from __future__ import annotations

import contextlib
import os
from datetime import UTC, datetime
from pathlib import Path

import msgspec

from overnight.core.errors import HomeUnusableError, StoreDamagedError
from overnight.host.files import sync_directory
from overnight.host.home import Home, remember_version
from overnight.store.sqlite.copying import copy_file, facts
from overnight.store.sqlite.migrations import VERSION, needed


class OwnStore(msgspec.Struct, frozen=True):
    """The store of a home."""

    path: Path
    #: The version of its schema, and the one that this program wants.
    schema: int
    wanted: int
    #: What pip has to install for it, where it is newer than this program.
    install: str


def look(home: Home) -> OwnStore | None:
    """Which schema it has; None when there is no store. Changes nothing, whatever it has.

    Raises:
        StoreDamagedError: It cannot be read.
    """
    if not home.store.exists():
        return None
    return OwnStore(home.store, facts(home.store).schema, VERSION, needed(home.store))


def keep_old_schema(home: Home, *, now: float) -> Path | None:
    """Keep a copy of a store that is about to be migrated, and note who will have done that. Returns where it is.

    To be called by the holder of the home, before the store is opened to be changed. Damage is left to
    whoever mends it, who sets the damaged file aside.

    Raises:
        DiskFullError: There is no room for the copy; the store stays as it is.
        HomeUnusableError: It cannot be written.
    """
    try:
        found = look(home)
        if found is None or found.schema >= found.wanted:
            return None
        return _keep(home, found.schema, now)
    except StoreDamagedError:
        return None


def _keep(home: Home, schema: int, now: float) -> Path:
    moment = datetime.fromtimestamp(now, UTC)
    place = home.aside / f"schema-{schema}-{moment:%Y%m%d-%H%M%S}-{os.getpid()}"
    rough = home.aside / f"{place.name}.tmp"
    try:
        place.mkdir(mode=0o700, parents=True)
        copy_file(home.store, rough)
        rough.rename(place / home.store.name)
        for directory in (place, home.aside, home.path):
            sync_directory(directory)
        remember_version(home)
    except OSError as error:
        raise HomeUnusableError(
            f"{place} cannot be written ({error.strerror}), and the store is not migrated without a copy of it;"
            " nothing was changed",
            hint=f"look at {home.path} and its owner, or use the version of Overnight that wrote the store",
        ) from error
    finally:
        for leave in (
            rough.unlink,
            place.rmdir,
        ):  # when all went well there is no rough one, and the place is not empty
            with contextlib.suppress(OSError):
                leave()
    return place / home.store.name
