"""What only the summary of a copy asks: causes of failures, the last errors, results of steps.

Some of it goes through whole tables; it is asked of copies, where nobody waits.
"""

from __future__ import annotations

from typing import Any

from overnight.core.durations import iso
from overnight.store.sql.statements import Connection, read_each, read_one

#: Characters of an error or a result that are shown.
_SHOWN = 500


def last_completed(connection: Connection) -> int | None:
    """The id of the task that was completed last; None when none was."""
    found: int | None = read_one(connection, "last_completed")
    return found


def failures(connection: Connection, limit: int) -> list[dict[str, Any]]:
    """Failed tasks by their cause, the most frequent first."""
    return [
        {"fingerprint": row[0], "tasks": row[1], "reason": row[2], "error": row[3][:_SHOWN]}
        for row in read_each(connection, "failures_by_cause", (limit,))
    ]


def error_log(connection: Connection, limit: int) -> list[dict[str, Any]]:
    """The last failed attempts, newest first."""
    return [
        {"id": row[0], "attempt": row[1], "at": iso(row[2]), "reason": row[3], "error": row[4][:_SHOWN]}
        for row in read_each(connection, "last_errors", (limit,))
    ]


def step_results(connection: Connection, limit: int) -> list[dict[str, Any]]:
    """Results of steps whose task is not finished yet."""
    return [
        {"id": row[0], "task": row[1], "step": row[2], "result": row[3][:_SHOWN].decode(errors="backslashreplace")}
        for row in read_each(connection, "open_step_results", (limit,))
    ]
