"""Stores as older programs left them."""

from __future__ import annotations

from pathlib import Path

import apsw
import msgspec

from overnight.core.task import Action, ActionKind
from overnight.store.sqlite import checksums, migrations

_SCHEMA_2 = Path(__file__).parents[1] / "store" / "schema_2.sql"


def make_old(path: Path, version: int) -> None:
    """A store as an older program made it, with one task that is done."""
    checksums.register()
    opened = apsw.Connection(str(path), vfs=checksums.VFS)
    checksums.reserve(opened)
    opened.execute("PRAGMA journal_mode = WAL")
    opened.execute(_SCHEMA_2.read_text("utf-8"))
    if version == 1:
        opened.execute("DROP TABLE popped")
    opened.execute(f"PRAGMA application_id = {migrations.APPLICATION_ID}; PRAGMA user_version = {version}")
    definition = msgspec.msgpack.encode(Action(ActionKind.COMMAND, b"/", (b"true",)))
    opened.execute("INSERT INTO actions VALUES (1, randomblob(16), randomblob(16), ?)", (definition,))
    opened.execute("INSERT INTO lanes VALUES (1, 'q', '', '{}', 0); UPDATE meta SET last_task_id = 1")
    opened.execute(
        "INSERT INTO tasks (id, state, lane_id, action_id, priority, order_key, attempt, added_at, finished_at,"
        " identity, input) VALUES (1, 'completed', 1, 1, 0, 1, 1, 1, 2, 77, CAST('old' AS BLOB))"
    )
    opened.execute(
        "INSERT INTO attempts SELECT 1, 1, 1, 'completed', 1, 1, 2, 1, NULL, NULL, '', '', 0, NULL, NULL, NULL,"
        " NULL, NULL, NULL, NULL, 0"
    )
    opened.execute("INSERT INTO counters VALUES (1, 0, 'completed', 1)")
    opened.close()
