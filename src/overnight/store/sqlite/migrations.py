"""The version of the schema, and the way from one to the next.

``user_version`` holds the version, ``application_id`` says that the file is ours. Only whoever
holds the home's lock, or has just made the file, migrates; everybody else is told what to do.
"""

from __future__ import annotations

from pathlib import Path

import apsw

from overnight.core.errors import HomeUnusableError, StoreDamagedError

#: "Ovnt" as a number; the `file` command can show it.
APPLICATION_ID = 0x4F766E74

VERSION = 2

#: The statements that lead from version n - 1 to version n. Never changed once released.
MIGRATIONS: dict[int, str] = {
    2: """CREATE TABLE popped (
    task_id INTEGER PRIMARY KEY,
    attempt INTEGER NOT NULL CHECK (attempt >= 1),
    owner   TEXT NOT NULL
) STRICT""",
}


def create_schema(connection: apsw.Connection) -> None:
    """Lay the newest schema in an empty file, in one transaction."""
    schema = Path(__file__).with_name("schema.sql").read_text(encoding="utf-8")
    with connection:
        connection.execute(schema)
        connection.execute(f"PRAGMA application_id = {APPLICATION_ID}; PRAGMA user_version = {VERSION}")


def bring_up_to_date(connection: apsw.Connection, path: Path, *, migrate: bool) -> None:
    """Make sure that this program and the file mean the same.

    Raises:
        HomeUnusableError: The file is newer, or older and this caller may not change it.
        StoreDamagedError: The file is not a store of ours.
    """
    ours, version = _version(connection)
    if ours != APPLICATION_ID:
        raise StoreDamagedError(
            f"{path} is not a store of Overnight; nothing was changed", hint="move it away, or use another home"
        )
    if version > VERSION:
        raise HomeUnusableError(
            f"{path} has schema version {version} and this program knows {VERSION}; nothing was changed",
            hint="pip install --upgrade overnight",
        )
    if version < VERSION and not migrate:
        raise HomeUnusableError(
            f"{path} has schema version {version} and this program wants {VERSION}; nothing was changed",
            hint="'overnight restart' brings the store up to date, or use the version of Overnight that wrote it",
        )
    if version < VERSION:
        _migrate(connection)


def _version(connection: apsw.Connection) -> tuple[int, int]:
    return connection.pragma("application_id"), connection.pragma("user_version")


def _migrate(connection: apsw.Connection) -> None:
    connection.execute("BEGIN IMMEDIATE")
    try:
        _, version = _version(connection)
        for step in range(version + 1, VERSION + 1):
            connection.execute(MIGRATIONS[step])
            connection.execute(f"PRAGMA user_version = {step}")
    except BaseException:
        if connection.in_transaction:
            connection.execute("ROLLBACK")
        raise
    connection.execute("COMMIT")
