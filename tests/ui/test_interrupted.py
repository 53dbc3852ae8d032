"""What ran when its engine ended is told in the same way by everybody."""

from __future__ import annotations

import json
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from overnight.host.clock import SystemClock
from overnight.store.contract import Claim
from overnight.store.sqlite import SqliteStore

Call = Callable[..., Any]


@pytest.fixture
def left(overnight: Call, place: Path) -> Call:
    """A home whose engine was killed while one of two tasks ran."""
    overnight("add", "one", "two", "--", "true")
    now = SystemClock().now()
    with closing(SqliteStore.open(place / ".overnight" / "queue.db")) as store:
        fence = store.take_fence(now=now, by="engine")
        lanes = {lane.id: {"work": 1.0} for lane in store.orders().lanes}
        assert store.turn(fence=fence, now=now, claim=Claim(count=1, lanes=lanes, pools={"work": 1.0})).claimed
    return overnight


def test_list_and_show_and_report_agree_with_status(left: Call) -> None:
    assert [line.split()[1] for line in left("list").lines] == ["pending", "interrupted"]
    assert [json.loads(line)["interrupted"] for line in left("list", "--json").lines] == [False, True]
    assert left("show", "1").lines[0].startswith("task:        1, interrupted")
    assert left("show", "1", "--json").json["interrupted"] is True
    said = left("report").out
    assert "1 pending, 1 interrupted" in said
    assert "'overnight start' works on what is left" in said
    assert "1 pending, 1 interrupted" in left("status").out


def test_what_is_asked_about_it_waits_for_the_next_engine(left: Call) -> None:
    said = left("cancel", "--all").out
    assert "1 task cancelled" in said
    assert "1 interrupted task will be cancelled by the next engine, before it runs anything: 'overnight start'" in said
    for words in ("why", "show"):
        assert "has it cancelled, as was asked" in left(words, "1").out
    left("run", "--quiet")
    assert {json.loads(line)["state"] for line in left("list", "--json").lines} == {"cancelled"}
    assert "'overnight start'" not in left("report").out
