"""What becomes of attempts that an engine of another home has left open."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import closing
from pathlib import Path
from typing import Any, cast

import pytest

from overnight.core.endings import AttemptKey, Evidence, Lost
from overnight.core.states import Outcome, TaskState
from overnight.core.task import Action, ActionKind, NewTask
from overnight.engine.recovery import ELSEWHERE, EVERY, recover
from overnight.executors.contract import Executor
from overnight.host.fences import Fences
from overnight.store.contract import Claim, Store
from overnight.store.sqlite import SqliteStore

NOON = 1_700_000_000.0


class Clueless:
    """An executor whose marks are trusted and say nothing: what it is asked about never began."""

    def __init__(self) -> None:
        self.asked: list[AttemptKey] = []

    def open(self, *, fence: int, left_open: Sequence[AttemptKey]) -> list[Lost]:  # noqa: ARG002 - contract
        self.asked = list(left_open)
        return [Lost(*key, Evidence.NEVER_STARTED) for key in left_open]


def _left_open(store: Store, **options: Any) -> int:
    """One attempt of an engine that is gone. Returns its fence."""
    action = Action(kind=ActionKind.COMMAND, cwd=b"/", argv=(b"true",), **options)
    store.add([NewTask(action=action, input=b"x")], now=NOON)
    fence = store.take_fence(now=NOON, by="test")
    lanes: dict[int, dict[str, float]] = {lane.id: {} for lane in store.orders().lanes}
    assert len(store.turn(fence=fence, now=NOON, claim=Claim(count=1, lanes=lanes, pools={})).claimed) == 1
    return fence


@pytest.mark.parametrize(("at_most_once", "state"), [(False, TaskState.PENDING), (True, TaskState.HELD)])
def test_the_silence_of_our_marks_proves_nothing_of_another_home(
    tmp_path: Path,
    at_most_once: bool,  # noqa: FBT001  # a parameter
    state: TaskState,
) -> None:
    """It may have begun there: what must not run twice is held."""
    executor = Clueless()
    with closing(SqliteStore.open(tmp_path / "queue.db", create=True)) as store:
        _left_open(store, at_most_once=at_most_once)
        fences = Fences(tmp_path / "fences")
        fences.note(7)
        (found,) = recover(store, cast(Executor, executor), fence=2, now=NOON, ours=fences)
    assert executor.asked == []
    assert (found.state, found.outcome, found.error) == (state, Outcome.LOST, ELSEWHERE)


def test_of_our_own_the_marks_are_believed(tmp_path: Path) -> None:
    with closing(SqliteStore.open(tmp_path / "queue.db", create=True)) as store:
        fence = _left_open(store, at_most_once=True)
        fences = Fences(tmp_path / "fences")
        fences.note(fence)
        for ours in (fences, EVERY):
            (found,) = recover(store, cast(Executor, Clueless()), fence=2, now=NOON, ours=ours)
            assert (found.state, found.outcome) == (TaskState.PENDING, Outcome.RECALLED)


def test_fences_are_kept_and_what_cannot_be_read_holds_none(tmp_path: Path) -> None:
    fences = Fences(tmp_path / "fences")
    assert not fences.holds(1)
    for fence in range(150):
        fences.note(fence)
    again = Fences(tmp_path / "fences")
    assert again.holds(149)
    assert not again.holds(14)  # forgotten long after its attempts were settled
    assert not again.holds(49)
    (tmp_path / "fences").write_bytes(b"\xff\n149\n")
    assert not again.holds(149)
