"""Autonomy, recovery rate, execution efficiency: shares of what they say, for any night."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from overnight.core.scores import Group, Share, scores
from overnight.core.states import FINAL, TaskState

S = TaskState


@st.composite
def some_groups(draw: st.DrawFn) -> list[Group]:
    def one() -> Group:
        seconds = draw(st.floats(0, 1e6))
        useful = seconds * draw(st.floats(0, 1))
        revived, is_step, met = (draw(st.booleans()) for _ in range(3))
        tasks = draw(st.integers(0, 1000))
        return Group(draw(st.sampled_from(S)), revived, is_step, met, tasks, seconds, min(useful, seconds))

    return [one() for _ in range(draw(st.integers(0, 8)))]


def group(state: TaskState, tasks: int = 1, **fields: bool | float) -> Group:
    usual = {"is_touched": False, "is_step": False, "met_error": False}
    return Group(state, tasks=tasks, **usual | fields)  # type: ignore[arg-type]  # each as it is called


@given(some_groups())
def test_a_share_is_a_part_of_its_whole(groups: list[Group]) -> None:
    found = scores(groups)
    for share in (found.autonomy, found.recovery, found.efficiency):
        assert 0 <= share.part <= share.whole * (1 + 1e-9)
        assert (share.value is None) == (share.whole == 0)
    assert found.autonomy.whole <= sum(one.tasks for one in groups if not one.is_step)
    assert found.recovery.whole <= sum(one.tasks for one in groups if one.met_error)


@given(some_groups(), some_groups())
def test_two_nights_together_are_their_sums(one: list[Group], other: list[Group]) -> None:
    both, first, second = scores(one + other), scores(one), scores(other)
    assert both.autonomy == Share(
        first.autonomy.part + second.autonomy.part, first.autonomy.whole + second.autonomy.whole
    )
    assert both.recovery.whole == first.recovery.whole + second.recovery.whole


@given(some_groups(), st.sampled_from([S.WAITING, S.PENDING, S.RUNNING]))
def test_what_is_not_over_counts_for_nothing_but_its_time(groups: list[Group], state: TaskState) -> None:
    more = scores([*groups, group(state, 5, met_error=True)])
    assert (more.autonomy, more.recovery) == (scores(groups).autonomy, scores(groups).recovery)


def test_each_state_counts_as_it_is_said() -> None:
    assert scores([group(S.COMPLETED, 3), group(S.FAILED), group(S.HELD), group(S.CANCELLED)]).autonomy == Share(3, 6)
    assert scores([group(S.COMPLETED), group(S.COMPLETED, is_touched=True)]).autonomy.value == 0.5
    assert scores([group(S.COMPLETED, is_step=True)]).autonomy.value is None
    met = [group(state, met_error=True) for state in sorted(FINAL)]
    assert scores(met).recovery == Share(1, 3)
    assert scores([group(S.COMPLETED, seconds=10.0, useful_seconds=4.0)]).efficiency.value == 0.4
