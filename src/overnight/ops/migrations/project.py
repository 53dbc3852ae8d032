"""The database that a project names, and the folder of its migrations."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from contextlib import closing, contextmanager
from pathlib import Path

import msgspec

from overnight.core.errors import ConfigurationError
from overnight.core.migrations.addresses import Address, parse, shown
from overnight.core.migrations.standing import Standing, standings
from overnight.core.migrations.statements import Dialect
from overnight.core.secrets import filled, names_in
from overnight.core.settings import Settings
from overnight.ops.migrations.databases import open_database
from overnight.ops.migrations.databases.contract import Database
from overnight.ops.migrations.folder import Folder, read


class Project(msgspec.Struct, frozen=True):
    """Where to look."""

    folder: Path
    address: Address
    #: Seconds that a lock or a server is waited for.
    wait: float


class Looked(msgspec.Struct, frozen=True):
    """A database with its migrations, as long as it is open."""

    database: Database
    folder: Folder
    standings: list[Standing]


def folder_of(settings: Settings, root: Path) -> Path:
    """Where migrations lie. `root`: the directory of the project."""
    return root / settings.migrations_folder


def project_of(settings: Settings, root: Path, environ: Mapping[str, str]) -> Project:
    """What the settings say.

    Raises:
        ConfigurationError: They name no database, or one that makes no sense, or a variable that is not set.
    """
    words = settings.migrations_database
    if not words:
        raise ConfigurationError(
            "no database is named; nothing was done",
            hint='write into overnight.toml: [migrations] and below it database = "sqlite:app.db" or'
            ' "postgres://USER:${PASSWORD}@HOST/DATABASE"',
        )
    if missing := [name for name in names_in(words) if not environ.get(name)]:
        raise ConfigurationError(
            f"[migrations] database names the variable {missing[0]}, which is not set; nothing was done",
            hint=f"export {missing[0]}=... and the same again",
        )
    try:
        address = parse(filled(words, environ))
    except ValueError as error:
        raise ConfigurationError(
            f"[migrations] database: {error}; nothing was done", hint="mend overnight.toml"
        ) from None
    if address.dialect is Dialect.SQLITE:
        address = address._replace(place=os.fspath(root / address.place))
    else:
        address = address._replace(shown=shown(words))
    return Project(folder_of(settings, root), address, settings.migrations_wait)


@contextmanager
def looked(project: Project) -> Iterator[Looked]:
    """Read the folder, open the database and lay both beside each other. Writes nothing.

    Raises:
        ConfigurationError, DatabaseUnavailableError: One of them cannot be read.
    """
    folder = read(project.folder, project.address.dialect)
    with closing(open_database(project.address, wait=project.wait)) as database:
        yield Looked(database, folder, standings(folder.migrations, database.records()))
