"""What the books say runs has an attempt or steps on record; what has not is told at a glance."""

from __future__ import annotations

from contextlib import closing
from pathlib import Path

import pytest

from overnight.core.task import Action, ActionKind, NewTask
from overnight.store.contract import Claim
from overnight.store.sqlite import SqliteStore

NOON = 1_700_000_000.0


@pytest.mark.parametrize(
    ("damage", "missing"),
    [
        ("SELECT 1", 0),
        ("DELETE FROM running WHERE task_id = 2", 1),
        ("UPDATE counters SET n = n + 2 WHERE state = 'running'", 2),
        ("UPDATE counters SET n = n - 1 WHERE state = 'running'", 1),
    ],
)
def test_what_runs_by_the_books_and_by_no_record_is_not_accounted_for(
    tmp_path: Path, damage: str, missing: int
) -> None:
    with closing(SqliteStore.open(tmp_path / "queue.db", create=True)) as store:
        fence = store.take_fence(now=NOON, by="test")
        action = Action(kind=ActionKind.COMMAND, cwd=b"/", argv=(b"true",))
        store.add([NewTask(action=action, input=b"%d" % number) for number in range(3)], now=NOON)
        lanes: dict[int, dict[str, float]] = {lane.id: {} for lane in store.orders().lanes}
        store.turn(fence=fence, now=NOON, claim=Claim(count=10, lanes=lanes, pools={}))
        store._database.connection.execute(damage)
        assert store.unaccounted() == missing
