"""How a workflow task and its steps move together."""

from __future__ import annotations

import pytest

from overnight.core.states import FINAL, Reason, TaskState
from overnight.core.workflow.cascades import CASCADES, Posture, Tally, Wish, lets_go_on, posture, standing_of
from overnight.core.workflow.model import OnFailure

S = TaskState


@pytest.mark.parametrize("wish", [Wish.CANCEL, Wish.DEADLINE])
def test_what_ends_a_task_reaches_every_step_that_is_not_finished(wish: Wish) -> None:
    finished = {Posture.COMPLETED, Posture.FAILED, Posture.CANCELLED}
    assert set(CASCADES[wish]) == set(Posture) - finished
    assert {move.target for move in CASCADES[wish].values()} == {S.CANCELLED}


def test_only_what_runs_is_asked_for() -> None:
    asked = {(wish, place) for wish, moves in CASCADES.items() for place, move in moves.items() if move.asks}
    assert asked == {(wish, Posture.RUNNING) for wish in (Wish.CANCEL, Wish.DEADLINE, Wish.HOLD)}


def test_holding_leaves_what_is_blocked_where_it_is() -> None:
    """It cannot move, and what has been held for it would have to be let go one by one."""
    assert Posture.BLOCKED not in CASCADES[Wish.HOLD]


def test_a_retry_leaves_what_is_completed() -> None:
    assert set(CASCADES[Wish.RETRY]) == {Posture.FAILED, Posture.CANCELLED}


def test_every_step_has_a_posture() -> None:
    assert posture(S.WAITING, blockers=2) is Posture.BLOCKED
    assert posture(S.WAITING, blockers=0) is Posture.LATER
    assert {posture(state, blockers=0) for state in S} == set(Posture) - {Posture.BLOCKED}


@pytest.mark.parametrize("on_failure", list(OnFailure))
def test_completed_and_skipped_steps_let_others_go_on(on_failure: OnFailure) -> None:
    assert lets_go_on(S.COMPLETED, None, on_failure)
    assert not lets_go_on(S.CANCELLED, None, on_failure)


def test_a_failure_stops_others_unless_the_step_says_otherwise() -> None:
    assert not lets_go_on(S.FAILED, Reason.ERROR, OnFailure.STOP)
    assert lets_go_on(S.FAILED, Reason.ERROR, OnFailure.CONTINUE)


def test_a_failure_that_came_from_elsewhere_is_passed_on() -> None:
    assert not lets_go_on(S.FAILED, Reason.DEPENDENCY, OnFailure.CONTINUE)


@pytest.mark.parametrize(
    ("tally", "state"),
    [
        (Tally(open=3, moving=1), S.RUNNING),
        (Tally(open=3, moving=1, failed=1), S.RUNNING),
        (Tally(open=3, moving=0), S.HELD),
        (Tally(open=0, moving=0), S.COMPLETED),
        (Tally(open=0, moving=0, warned=2), S.COMPLETED),
        (Tally(open=0, moving=0, failed=1, cancelled=1), S.FAILED),
        (Tally(open=0, moving=0, cancelled=1), S.CANCELLED),
    ],
)
def test_a_task_is_what_its_steps_make_of_it(tally: Tally, state: TaskState) -> None:
    assert standing_of(tally) is state
    assert (state in FINAL) is (tally.open == 0)
