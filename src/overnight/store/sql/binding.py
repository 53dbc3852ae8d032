"""Files about which nothing was said but that they are there become tasks of a workflow, when they are claimed.

Until then nothing is decided: a program may take them, and the next engine may have another workflow. So they
are turned in the transaction that begins them, and no crash finds one in between.
"""

from __future__ import annotations

from collections.abc import Sequence

import msgspec

from overnight.core.claims import Bind, Lane, Role
from overnight.core.states import TaskState
from overnight.core.task import Action, NewTask
from overnight.store.sql.adding import Facts, action_id, lane_of, plans_of
from overnight.store.sql.database import Database, Transaction
from overnight.store.sql.lanes import Lanes
from overnight.store.sql.redefining import told
from overnight.store.sql.statements import Row, read_all, read_one, run_each


class Binder:
    """Turns what is claimed, for one transaction.

    Args:
        database: Inside a write.
        lanes: Which lanes there are.
        transaction: Its events and counters.
        bind: What becomes what.
        at: When, as events have it.
        by: Who, in the events.
    """

    def __init__(
        self, database: Database, lanes: Lanes, transaction: Transaction, bind: Bind, *, at: str, by: str
    ) -> None:
        self._database = database
        self._lanes = lanes
        self._transaction = transaction
        self._bind = bind
        self._at, self._by = at, by
        self._facts: dict[int, tuple[Action, Facts, int]] = {}

    def left_out(self) -> frozenset[int]:
        """The actions of which nothing may be claimed: all that would be turned, when nobody defines the workflow."""
        connection = self._database.connection
        if read_one(connection, "workflow_definition", (self._bind.workflow,)) is not None:
            return frozenset()
        named = read_all(connection, "actions_naming", (self._bind.call.encode(),))
        return frozenset(number for number, packed in named if self._is_meant(_unpacked(packed)))

    def turn(self, rows: Sequence[Row]) -> list[Row]:
        """Rows as `head_of_lane` has them, those that are meant as they are from here on."""
        plain = {row[2] for row in rows if not row[10] and self._lane(row).role is Role.PLAIN}
        asked = (self._bind.call.encode(), self._database.connection.ids(plain))
        found = read_all(self._database.connection, "actions_naming_among", asked) if plain else []
        meant = {number: action for number, packed in found if self._is_meant(action := _unpacked(packed))}
        turned = [self._turned(row, meant[row[2]]) if row[2] in meant else row for row in rows]
        changed = [
            (after[0], after[3], after[2], after[8])
            for was, after in zip(rows, turned, strict=True)
            if after is not was
        ]
        run_each(self._database.connection, "redefine", changed)
        return turned

    def _is_meant(self, action: Action) -> bool:
        return action.call == self._bind.call

    def _lane(self, row: Row) -> Lane:
        lane = self._lanes.get(row[3])
        assert lane is not None  # noqa: S101 - it was claimed from it
        return lane

    def _turned(self, row: Row, action: Action) -> Row:
        is_new = row[2] not in self._facts
        if is_new:
            self._facts[row[2]] = self._known(action)
        bound, facts, number = self._facts[row[2]]
        task = NewTask(action=bound, input=b"", queue=self._lane(row).queue, priority=row[8])
        queue, workflow, needs, role = lane_of(task)
        lane_id = self._lanes.ensure(queue, workflow, needs, role=role)
        self._transaction.move(row[3], 0, TaskState.PENDING, -1)
        self._transaction.move(lane_id, 0, TaskState.PENDING, 1)
        self._transaction.events.append(told(row[0], task, facts.digest, at=self._at, by=self._by, with_action=is_new))
        return (*row[:2], number, lane_id, *row[4:])

    def _known(self, action: Action) -> tuple[Action, Facts, int]:
        bound = self._bind.bound(action)
        (plan,) = plans_of([NewTask(action=bound, input=b"")])
        return bound, plan.facts, action_id(self._database, plan.facts)


def _unpacked(packed: bytes) -> Action:
    return msgspec.msgpack.decode(packed, type=Action)
