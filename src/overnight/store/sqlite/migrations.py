"""The version of the schema, and the way from one to the next.

``user_version`` holds the version, ``application_id`` says that the file is ours. Only whoever
holds the home's lock, or has just made the file, migrates; everybody else is told what to do.
"""

from __future__ import annotations

from pathlib import Path

import apsw

from overnight.core.errors import HomeUnusableError, StoreDamagedError
from overnight.core.version import VERSION as PROGRAM
from overnight.host.home import Home, written_by
from overnight.store.sql.schema import VERSION, schema

__all__ = ["APPLICATION_ID", "MIGRATIONS", "VERSION", "bring_up_to_date", "create_schema", "needed"]

#: "Ovnt" as a number; the `file` command can show it.
APPLICATION_ID = 0x4F766E74

#: The statements that lead from version n - 1 to version n. Never changed once released.
MIGRATIONS: dict[int, str] = {
    2: """CREATE TABLE popped (
    task_id INTEGER PRIMARY KEY,
    attempt INTEGER NOT NULL CHECK (attempt >= 1),
    owner   TEXT NOT NULL
) STRICT""",
    # Workflows of several steps.
    3: """ALTER TABLE lanes RENAME TO old_lanes;
CREATE TABLE lanes (
    id       INTEGER PRIMARY KEY,
    queue    TEXT NOT NULL,
    workflow TEXT NOT NULL,
    needs    TEXT NOT NULL,
    batch_id INTEGER NOT NULL DEFAULT 0,
    role     TEXT NOT NULL DEFAULT 'plain' CHECK (role IN ('plain', 'workflow', 'step')),
    UNIQUE (queue, workflow, needs, batch_id, role)
) STRICT;
INSERT INTO lanes SELECT id, queue, workflow, needs, batch_id, 'plain' FROM old_lanes;
DROP TABLE old_lanes;
CREATE INDEX lanes_batch ON lanes (batch_id) WHERE batch_id <> 0;
ALTER TABLE tasks ADD COLUMN blockers    INTEGER NOT NULL DEFAULT 0 CHECK (blockers >= 0);
ALTER TABLE tasks ADD COLUMN later       REAL;
ALTER TABLE tasks ADD COLUMN skipped     INTEGER NOT NULL DEFAULT 0 CHECK (skipped = 0 OR skipped = 1);
ALTER TABLE tasks ADD COLUMN given       BLOB NOT NULL DEFAULT x'';
DROP INDEX tasks_identity;
CREATE INDEX tasks_identity ON tasks (identity) WHERE parent_id IS NULL;
CREATE TABLE edges (
    task_id  INTEGER NOT NULL,
    after_id INTEGER NOT NULL,
    PRIMARY KEY (task_id, after_id)
) STRICT, WITHOUT ROWID;
CREATE INDEX edges_after ON edges (after_id, task_id);
CREATE TABLE definitions (
    id         INTEGER PRIMARY KEY,
    digest     BLOB NOT NULL UNIQUE CHECK (length(digest) = 16),
    name       TEXT NOT NULL,
    definition BLOB NOT NULL
) STRICT;
CREATE TABLE workflows (
    name          TEXT PRIMARY KEY,
    definition_id INTEGER NOT NULL,
    source        TEXT NOT NULL,
    defined_at    REAL NOT NULL
) STRICT, WITHOUT ROWID;
CREATE TABLE expansions (
    task_id       INTEGER PRIMARY KEY,
    definition_id INTEGER NOT NULL,
    generation    INTEGER NOT NULL,
    first_id      INTEGER NOT NULL,
    steps         INTEGER NOT NULL CHECK (steps >= 1),
    open          INTEGER NOT NULL CHECK (open >= 0),
    moving        INTEGER NOT NULL CHECK (moving >= 0),
    failed        INTEGER NOT NULL DEFAULT 0 CHECK (failed >= 0),
    warned        INTEGER NOT NULL DEFAULT 0 CHECK (warned >= 0),
    cancelled     INTEGER NOT NULL DEFAULT 0 CHECK (cancelled >= 0),
    begun_at      REAL NOT NULL,
    expires_at    REAL,
    expired       INTEGER NOT NULL DEFAULT 0 CHECK (expired = 0 OR expired = 1),
    CONSTRAINT what_moves_is_open CHECK (moving <= open)
) STRICT;
CREATE INDEX expansions_expiring ON expansions (expires_at) WHERE expires_at IS NOT NULL;
CREATE INDEX expansions_open ON expansions (task_id) WHERE open > 0""",
    # Storms of failures.
    4: """CREATE TABLE storms (
    workflow    TEXT NOT NULL,
    action_id   INTEGER NOT NULL,
    step        TEXT NOT NULL,
    queue       TEXT NOT NULL,
    fingerprint TEXT NOT NULL,
    error_class TEXT,
    error       TEXT NOT NULL,
    failures    INTEGER NOT NULL CHECK (failures >= 1),
    first_at    REAL NOT NULL,
    began_at    REAL NOT NULL,
    probes      INTEGER NOT NULL CHECK (probes >= 0),
    probe_at    REAL NOT NULL,
    PRIMARY KEY (workflow, action_id)
) STRICT, WITHOUT ROWID""",
    # Schedules.
    5: """CREATE TABLE schedules (
    name       TEXT PRIMARY KEY,
    source     TEXT NOT NULL,
    definition BLOB NOT NULL,
    began_at   REAL NOT NULL,
    next_at    REAL,
    planned_at REAL NOT NULL,
    last_at    REAL,
    last_id    INTEGER,
    missed     INTEGER NOT NULL DEFAULT 0 CHECK (missed >= 0)
) STRICT, WITHOUT ROWID;
CREATE TABLE schedule_runs (
    task_id INTEGER PRIMARY KEY,
    name    TEXT NOT NULL
) STRICT""",
    # Who has needed a person. Until now a task that was revived was taken for one, whoever had done it.
    6: """CREATE TABLE touched (
    task_id INTEGER PRIMARY KEY
) STRICT;
INSERT INTO touched SELECT id FROM tasks WHERE generation > 1 AND parent_id IS NULL""",
    # On which machine an attempt ran, since there may be several.
    7: "ALTER TABLE attempts ADD COLUMN node TEXT",
}


def create_schema(connection: apsw.Connection) -> None:
    """Lay the newest schema in an empty file, in one transaction."""
    with connection:
        connection.execute(schema())
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
            f"{path} is not a store of Overnight; nothing was changed",
            hint="'overnight resume' sets it aside, rebuilds the store from a checkpoint and the journal, and goes on",
        )
    if version > VERSION:
        raise HomeUnusableError(
            f"{path} has schema version {version} and this program knows {VERSION}; nothing was changed",
            hint=f"pip install {needed(path)}",
        )
    if version < VERSION and not migrate:
        raise HomeUnusableError(
            f"{path} has schema version {version} and this program wants {VERSION}; nothing was changed",
            hint="'overnight restart' brings the store up to date, or use the version of Overnight that wrote it",
        )
    if version < VERSION:
        _migrate(connection)


def needed(path: Path) -> str:
    """What pip has to install for a store that a newer program has written; the home has noted which one it was."""
    newer = written_by(Home(path.parent))
    return f"'overnight>={newer}'" if newer not in ("", PROGRAM) else "--upgrade overnight"


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
