"""The version of the tables on a server, and the way from one to the next.

``meta.schema_version`` holds the version, ``meta.program`` the program that needs it. Who leads the store brings it
forward, in one transaction; everybody else is told what to do. Who was connected already notices at its next write:
the first statement of each asks for the version, too (`connection`); of programs since schema 8, that is. The table
`lease` is the same in all versions, for an engine takes its lease before it may change the others.
"""

from __future__ import annotations

from overnight.core.errors import HomeUnusableError, StoreOutdatedError
from overnight.core.events import printable
from overnight.core.version import VERSION as PROGRAM
from overnight.store.postgres.link import Link

__all__ = ["MIGRATIONS", "OLDEST", "VERSION", "bring_forward", "check", "lock", "mark", "newer"]

_COMPRESS = """
DO $$ BEGIN
    ALTER TABLE {} ALTER COLUMN lines SET COMPRESSION lz4, ALTER COLUMN lines SET STORAGE EXTENDED;
EXCEPTION WHEN feature_not_supported THEN NULL;
END $$
"""
#: The statements that lead from version n - 1 to version n. Never changed once released.
MIGRATIONS: dict[int, tuple[str, ...]] = {
    # To go from running to completed touches no index any more.
    8: (
        "DROP INDEX tasks_claim, tasks_due, tasks_rare",
        # First: the next statement writes the whole table anew, with this room on each page.
        "ALTER TABLE tasks SET (fillfactor = 50)",
        """ALTER TABLE tasks ADD COLUMN resting text
    GENERATED ALWAYS AS (CASE WHEN state <> 'running' AND state <> 'completed' THEN state END) STORED""",
        "CREATE INDEX tasks_claim ON tasks (lane_id, priority DESC, order_key) WHERE resting = 'pending'",
        "CREATE INDEX tasks_due ON tasks (not_before) WHERE not_before IS NOT NULL",
        "CREATE INDEX tasks_rare ON tasks (resting) WHERE resting <> 'pending'",
        "ANALYZE tasks",
        _COMPRESS.format("outbox"),
        _COMPRESS.format("batch_lines"),
        "ALTER TABLE meta ADD COLUMN program text NOT NULL DEFAULT ''",
    ),
}
#: Of the tables; and the oldest that can be brought forward.
VERSION = max(MIGRATIONS)
OLDEST = min(MIGRATIONS) - 1

_MARK = "UPDATE meta SET schema_version = ?, program = ?"
_LOOK = "SELECT schema_version, to_regclass('alive') IS NOT NULL, store_id FROM meta"


def mark(link: Link) -> None:
    """Note that these are the newest tables, and which program knows them. Inside a write."""
    link.execute(_MARK, (VERSION, PROGRAM))


def check(link: Link, *, older: bool) -> bool:
    """Make sure that these tables are of use. Returns whether they are those of this version.

    Args:
        link: To a store that has tables.
        older: Those of an older version that can be brought forward will do.

    Raises:
        HomeUnusableError: They are newer, or older than any release.
        StoreOutdatedError: They are older, and that will not do.
    """
    version, is_ours, store_id = link.execute(_LOOK).get
    if version > VERSION and is_ours:
        raise newer(link)
    if not is_ours or version < OLDEST:
        raise HomeUnusableError(
            f"{link.shown} has schema version {version} of before a release and this program knows {VERSION};"
            " nothing was changed",
            hint="use the same version of Overnight on all hosts: pip install --upgrade overnight",
        )
    if version < VERSION and not older:
        raise StoreOutdatedError(
            f"{link.shown} has schema version {version} and this program wants {VERSION}; nothing was changed",
            hint="'overnight restart' on the host that works brings the store up to date ('overnight start' where none"
            " does), or use the version of Overnight that wrote it",
            store_id=store_id,
        )
    return bool(version == VERSION)


def newer(link: Link) -> HomeUnusableError:
    """The tables are those of a newer program, which has noted which one that was."""
    version, program = link.execute("SELECT schema_version, program FROM meta").get
    wanted = f"'overnight>={printable(program)}'" if program not in ("", PROGRAM) else "--upgrade overnight"
    return HomeUnusableError(
        f"{link.shown} has schema version {version} and this program knows {VERSION}; nothing was changed",
        hint=f"pip install {wanted} on this host; 'overnight restart' if an engine runs here",
    )


def lock(link: Link) -> int:
    """Keep everybody out of what changes, readers too, and say which version the tables have now.

    Inside a write, as its first word. Whole tables, and not only the row that writers wait for: who waits for that row
    holds its table, for which we would wait. ``meta`` comes first, as in each write; a reader may hold one of the
    others and want ``meta`` next, and then the server ends one of us two.

    Raises:
        StoreBusyError: It has ended us, or somebody reads for longer than we wait; nothing was changed.
    """
    link.execute("LOCK TABLE meta, tasks, outbox, batch_lines IN ACCESS EXCLUSIVE MODE")
    return int(link.execute("SELECT schema_version FROM meta").get)


def bring_forward(link: Link, version: int) -> None:
    """Make the newest tables of those of a version. Inside a write, after `lock`: all of it is done, or nothing."""
    for step in range(version + 1, VERSION + 1):
        for statement in MIGRATIONS[step]:
            link.execute(statement)
    mark(link)
