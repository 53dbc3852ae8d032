"""The life of an alert, in plain numbers: told once, told again when it is over, and never in between."""

from __future__ import annotations

from collections.abc import Sequence

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from overnight.core.alerts import GAP, Alert, Notice, Phase, Policy, Tells, happened, looked

NOON = 1_800_000_000.0
#: Seconds since the look before, and what was seen.
LOOKS = st.lists(st.tuples(st.floats(0.0, 200.0), st.sampled_from([True, True, False, False, None])), max_size=60)
POLICIES = st.builds(
    Policy, wait=st.sampled_from([0.0, 30.0, 180.0]), recover=st.sampled_from([0.0, 60.0]), remind=st.none()
)


def watched(policy: Policy, looks: Sequence[tuple[float, bool | None]], alert: Alert | None = None) -> list[Step]:
    steps, now, alert = [], NOON, alert or Alert()
    for seconds, holds in looks:
        now += seconds
        step = looked("disk", alert, policy, holds=holds, words=f"{holds}", now=now)
        alert = step.alert
        steps.append((now, alert, step.notice))
    return steps


Step = tuple[float, Alert, Notice | None]


def told(steps: Sequence[Step]) -> list[Tells]:
    return [notice.tells for _, _, notice in steps if notice is not None]


@given(POLICIES, LOOKS)
def test_firing_and_resolved_take_turns_and_what_was_told_last_is_so(
    policy: Policy, looks: list[tuple[float, bool | None]]
) -> None:
    steps = watched(policy, looks)
    changes = [one for one in told(steps) if one in (Tells.FIRED, Tells.RESOLVED)]
    if Tells.FLAPPING not in told(steps):
        assert changes == ([Tells.FIRED, Tells.RESOLVED] * len(changes))[: len(changes)]
    for _, alert, _ in steps:
        assert alert.is_flapping or alert.is_told == alert.is_active


@given(POLICIES, LOOKS)
def test_it_fires_only_after_it_held_for_as_long_as_it_must(
    policy: Policy, looks: list[tuple[float, bool | None]]
) -> None:
    steps = watched(policy, looks)
    seen = [holds for _, holds in looks]
    for place, (now, _, notice) in enumerate(steps):
        if notice is None or notice.tells is not Tells.FIRED:
            continue
        since = now
        for before in range(place, -1, -1):
            if seen[before] is False:
                break
            if seen[before]:
                since = steps[before][0]
        assert now - since >= policy.wait


@given(POLICIES, LOOKS, st.integers(0, 60))
def test_a_process_that_dies_goes_on_with_what_it_has_written(
    policy: Policy, looks: list[tuple[float, bool | None]], cut: int
) -> None:
    """The record is enough, and the look after which somebody died says nothing a second time."""
    whole = watched(policy, looks)
    if not 0 < cut <= len(looks):
        return
    now, alert, _ = whole[cut - 1]
    again = msgspec.json.decode(msgspec.json.encode(alert), type=Alert)
    assert again == alert
    once_more = looked("disk", again, policy, holds=looks[cut - 1][1], words="", now=now)
    assert once_more.notice is None
    assert once_more.alert.told == alert.told


def test_a_moment_of_trouble_is_no_alert_and_a_moment_of_calm_no_end() -> None:
    policy = Policy(wait=60.0, recover=60.0)
    looks = [
        (0, True),
        (30, False),
        (30, True),
        (30, True),
        (30, True),
        (30, False),
        (30, True),
        (30, False),
        (60, False),
    ]
    steps = watched(policy, looks)
    assert [alert.phase for _, alert, _ in steps] == [
        Phase.PENDING, Phase.INACTIVE, Phase.PENDING, Phase.PENDING, Phase.FIRING,
        Phase.RECOVERING, Phase.FIRING, Phase.RECOVERING, Phase.INACTIVE,
    ]  # fmt: skip
    assert told(steps) == [Tells.FIRED, Tells.RESOLVED]


def test_what_goes_on_is_told_again_after_a_while_and_no_oftener() -> None:
    steps = watched(Policy(remind=3600.0), [(600, True)] * 13)
    assert told(steps) == [Tells.FIRED, Tells.REMINDED, Tells.REMINDED]


def test_it_is_told_how_long_it_lasted_and_not_how_long_ago_it_was_told() -> None:
    """Neither from the last reminder on, nor up to when a silence is over."""
    policy = Policy(remind=3600.0)
    alert = looked("disk", Alert(), policy, holds=True, words="", now=NOON).alert
    alert = looked("disk", alert, policy, holds=True, words="", now=NOON + 3600).alert
    assert alert.told == 2
    alert = looked("disk", alert, policy, holds=False, words="", now=NOON + 4500, is_silenced=True).alert
    over = looked("disk", alert, policy, holds=False, words="", now=NOON + 9000)
    assert over.notice is not None
    assert over.notice.words == "after 1 h 15 min; "


def test_a_silence_stops_the_telling_and_not_the_looking() -> None:
    policy = Policy()
    alert = looked("disk", Alert(), policy, holds=True, words="", now=NOON, is_silenced=True).alert
    assert alert.phase is Phase.FIRING
    assert not alert.is_told
    after = looked("disk", alert, policy, holds=True, words="", now=NOON + 60)
    assert after.notice is not None
    assert after.notice.tells is Tells.FIRED
    over = looked("disk", after.alert, policy, holds=False, words="", now=NOON + 70, is_silenced=True)
    assert over.notice is None
    last = looked("disk", over.alert, policy, holds=False, words="", now=NOON + 80)
    assert last.notice is not None
    assert last.notice.tells is Tells.RESOLVED


def test_what_came_and_went_in_a_silence_is_never_heard_of() -> None:
    alert = Alert()
    for holds in (True, False):
        alert = looked("disk", alert, Policy(), holds=holds, words="", now=NOON, is_silenced=True).alert
    assert looked("disk", alert, Policy(), holds=False, words="", now=NOON + 60).notice is None


def test_one_that_comes_and_goes_all_the_time_is_told_as_that_and_then_keeps_quiet() -> None:
    policy = Policy(most_changes=6, within=3600.0, steady=1800.0)
    steps = watched(policy, [(60, number % 2 == 0) for number in range(40)])
    assert told(steps) == [Tells.FIRED, Tells.RESOLVED, Tells.FIRED, Tells.RESOLVED, Tells.FIRED, Tells.FLAPPING]
    calm = watched(policy, [(60, True)] * 40, steps[-1][1])
    assert told(calm) == [Tells.STEADY]
    assert calm[-1][1].is_told
    assert told(watched(policy, [(60, False)], calm[-1][1])) == [Tells.RESOLVED]


def test_a_time_in_which_nobody_looked_proves_nothing() -> None:
    policy = Policy(wait=180.0)
    assert told(watched(policy, [(0, True), (GAP + 1, True)])) == []
    assert told(watched(policy, [(0, True), (GAP + 1, True), (179, True), (1, True)])) == [Tells.FIRED]


def test_a_clock_that_was_set_back_delays_nothing_for_longer_than_the_wait() -> None:
    policy = Policy(wait=60.0, remind=3600.0)
    pending = looked("disk", Alert(), policy, holds=True, words="", now=NOON).alert
    back = NOON - 86400
    pending = looked("disk", pending, policy, holds=True, words="", now=back).alert
    fired = looked("disk", pending, policy, holds=True, words="", now=back + 60)
    assert fired.notice is not None
    assert fired.notice.tells is Tells.FIRED


def test_what_happens_is_told_each_time_and_leaves_no_state() -> None:
    one = happened("night", Alert(), times=3, words="three", now=NOON)
    assert one.notice == Notice("night", Tells.HAPPENED, NOON, "three", 3)
    assert not one.alert.is_told
    assert happened("night", one.alert, times=1, words="", now=NOON, is_silenced=True).notice is None


@pytest.mark.parametrize("phase", Phase)
def test_nobody_can_say_changes_nothing(phase: Phase) -> None:
    alert = Alert(
        phase=phase, since=NOON, seen_at=NOON, is_told=phase in (Phase.FIRING, Phase.RECOVERING), told_at=NOON
    )
    assert looked("disk", alert, Policy(), holds=None, words="", now=NOON + 100).alert == alert
