"""Attempts since the history began, without an end: what counters are made of."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import apsw
import msgspec

from overnight.core.tallies import BUCKETS, Key, Tally
from overnight.monitor.history.database import Database, typed


class Total(msgspec.Struct, frozen=True):
    """Attempts since the history began; `buckets` sorts them by `core.tallies.BUCKETS`, the last one has the rest."""

    queue: str
    workflow: str
    outcome: str
    n: int
    seconds: float
    buckets: tuple[int, ...] = (0,) * (len(BUCKETS) + 1)


def totals_in(database: Database) -> list[Total]:
    """All of them."""
    rows = database.read("SELECT queue, workflow, outcome, n, seconds, buckets FROM totals ORDER BY 1, 2, 3")
    decode = msgspec.json.Decoder(tuple[int, ...]).decode
    return [Total(queue, flow, outcome, n, took, decode(b)) for queue, flow, outcome, n, took, b in typed(rows)]


def mean_seconds(database: Database) -> float | None:
    """What an attempt took that came to an end of its own; None before the first."""
    sql = "SELECT sum(seconds) / sum(n) FROM totals WHERE outcome IN ('completed', 'failed')"
    [(mean,)] = typed(database.read(sql))
    return mean  # type: ignore[no-any-return]  # the column says so


def add_totals(connection: apsw.Connection, tallies: Mapping[tuple[int, Key], Tally]) -> None:
    """Add attempts that have ended. Inside a transaction."""
    found: dict[tuple[str, str, str], Tally] = {}
    for (_, key), tally in tallies.items():
        found.setdefault((key.queue, key.workflow, key.outcome), Tally()).merge(tally)
    for short, total in found.items():
        _add(connection, short, total)


def _add(connection: apsw.Connection, short: tuple[str, str, str], tally: Tally) -> None:
    where = "WHERE queue = ? AND workflow = ? AND outcome = ?"
    found: Any = connection.execute(f"SELECT n, seconds, buckets FROM totals {where}", short).get  # noqa: S608 - fixed
    n, seconds, written = found or (0, 0.0, "[]")
    before = msgspec.json.decode(written, type=list[int]) or [0] * len(tally.buckets)
    buckets = [one + more for one, more in zip(before, tally.buckets, strict=True)]
    connection.execute(
        "INSERT OR REPLACE INTO totals (queue, workflow, outcome, n, seconds, buckets) VALUES (?, ?, ?, ?, ?, ?)",
        (*short, n + tally.n, seconds + tally.seconds, msgspec.json.encode(buckets).decode()),
    )
