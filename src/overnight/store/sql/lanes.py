"""Which lanes there are: the small table that every task row points to.

A lane never changes, and its id is never used for another one, so what was read once may be kept.
Only lanes of published batches are known here: the others do not exist for anybody but their batch.
"""

from __future__ import annotations

import msgspec

from overnight.core.claims import Role
from overnight.store.contract import Lane
from overnight.store.sql.database import Database
from overnight.store.sql.statements import read_all, read_one, run


def needs_text(needs: dict[str, float]) -> str:
    """Needed resources as they stand in the lane: JSON with its keys in order."""
    return msgspec.json.encode(needs, order="sorted").decode() if needs else "{}"


class Lanes:
    """The visible lanes, read again when one is asked for that is not known."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._known: dict[int, Lane] = {}

    def get(self, lane_id: int) -> Lane | None:
        """The lane, or None when there is none or it is not published."""
        if lane_id not in self._known:
            self._known = {lane.id: lane for lane in self._read("visible_lanes")}
        return self._known.get(lane_id)

    def lively(self) -> list[Lane]:
        """The lanes that have something waiting, pending or running."""
        return self._read("lively_lanes")

    def ensure(self, queue: str, workflow: str, needs: str, batch: int = 0, *, role: Role = Role.PLAIN) -> int:
        """The id of this lane, which is made when it is missing. Inside a write."""
        connection = self._database.connection
        key = (queue, workflow, needs, batch, role)
        run(connection, "add_lane", key)
        return int(read_one(connection, "lane_id", key))

    def _read(self, statement: str) -> list[Lane]:
        rows = read_all(self._database.connection, statement)
        return [
            Lane(
                id=row[0],
                queue=row[1],
                workflow=row[2],
                needs=msgspec.json.decode(row[3], type=dict[str, float]),
                role=Role(row[4]),
                running=row[5],
                head=row[6],
            )
            for row in rows
        ]
