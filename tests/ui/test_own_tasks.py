"""The runner's own tasks, as people meet them at the doors."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from overnight.core.lanes import OPS_QUEUE
from overnight.core.task import Action, ActionKind, NewTask
from overnight.monitor.around import look
from overnight.store.sqlite import SqliteStore

Call = Callable[..., Any]
NOON = 1_000_000_000.0


def add_own(place: Path) -> int:
    action = Action(kind=ActionKind.COMMAND, cwd=bytes(place), argv=(b"true",))
    with closing(SqliteStore.open(place / ".overnight" / "queue.db")) as store:
        return store.add([NewTask(action=action, input=b"x", queue=OPS_QUEUE)], now=NOON).ids[0]


def test_they_are_seen_where_they_are_asked_for_and_nowhere_else(overnight: Call, place: Path) -> None:
    overnight("add", "a", "--", "true")
    own = add_own(place)
    assert overnight("status", "--json").json["counts"]["total"] == 1
    assert [line.split()[0] for line in overnight("list").lines] == ["1"]
    assert [line.split()[0] for line in overnight("list", "--queue", OPS_QUEUE).lines] == [str(own)]
    assert f"queue:       {OPS_QUEUE}, priority 0" in overnight("show", str(own)).lines
    assert overnight("verify").status == 0
    assert overnight("cancel", "--all").status == 0
    assert overnight("list", "--queue", OPS_QUEUE, "--json").json["state"] == "pending"
    assert overnight("cancel", str(own)).status == 0


def test_why_one_waits_is_not_what_holds_up_people(overnight: Call, place: Path) -> None:
    overnight("add", "a", "--", "true")
    own = add_own(place)
    overnight("pause")
    with closing(SqliteStore.open(place / ".overnight" / "queue.db")) as store:
        of_people, around = (look(store, place / ".overnight", store.get(one), {}, now=NOON) for one in (1, own))
    assert of_people.every_queue is not None
    assert (around.every_queue, around.slots, around.running) == (None, 1, 0)


@pytest.mark.parametrize(
    "words",
    [("add", "-q", OPS_QUEUE, "x", "--", "true"), ("queue", "set", OPS_QUEUE, "--slots", "2")],
)
def test_nobody_else_puts_anything_there(overnight: Call, words: tuple[str, ...]) -> None:
    overnight("add", "a", "--", "true")
    said = overnight(*words)
    assert said.status == 2
    assert "'_ops' cannot be the name of a queue; nothing was" in said.err
    assert "queues with '_' first are the runner's own" in said.err
