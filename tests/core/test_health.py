"""What many answers of a check say together."""

from __future__ import annotations

import random

import pytest

from overnight.core.findings import Finding, Status
from overnight.core.health import Course, Reply, Standing, is_due, recorded, standing_of
from overnight.core.trends import lead

NOON = 1_800_000_000.0


def replies(*values: float | None, status: Status = Status.OK) -> list[Reply]:
    return [Reply(NOON + 60.0 * number, status, value) for number, value in enumerate(values)]


def noisy(count: int, *, rise: float, noise: float, seed: int) -> list[float]:
    dice = random.Random(seed)  # noqa: S311 - for figures, not for a secret
    return [100.0 + rise * number / (count - 1) + dice.gauss(0.0, noise) for number in range(count)]


def test_failures_count_against_and_what_is_unknown_counts_neither_way() -> None:
    statuses = [Status.OK] * 6 + [Status.WARN] * 2 + [Status.FAIL] * 2 + [Status.UNKNOWN] * 5
    found = recorded([Reply(NOON + number, status) for number, status in enumerate(statuses)])
    assert (found.uptime, found.asked, found.unknown) == (0.8, 15, 5)
    assert recorded(replies(None, status=Status.UNKNOWN)).uptime is None
    assert recorded([]).mean is None


def test_p95_is_a_figure_that_was_there() -> None:
    found = recorded(replies(*map(float, range(1, 101))))
    assert (found.mean, found.p95) == (50.5, 95.0)
    assert recorded(replies(7.0)).p95 == 7.0


@pytest.mark.parametrize("count", [10, 30, 100, 2000])
def test_noise_alone_is_hardly_ever_a_trend(count: int) -> None:
    """Of 200 series without any trend at most two are taken for one."""
    times = [60.0 * number for number in range(count)]
    told = [lead(times, noisy(count, rise=0.0, noise=5.0, seed=seed)) for seed in range(200 if count < 1000 else 20)]
    assert sum(map(bool, told)) <= 2


@pytest.mark.parametrize(("rise", "noise", "told"), [(30.0, 5.0, True), (-30.0, 5.0, True), (5.0, 5.0, False)])
def test_what_exceeds_the_noise_is_told(rise: float, noise: float, told: bool) -> None:  # noqa: FBT001 - a table
    led = lead([60.0 * number for number in range(100)], noisy(100, rise=rise, noise=noise, seed=1))
    assert bool(led) is told
    assert not led or (led > 0) is (rise > 0)


def test_few_figures_equal_ones_and_rounding_are_no_trend() -> None:
    times = [float(number) for number in range(20)]
    assert lead(times[:9], times[:9]) == 0.0
    assert lead(times, [3.0] * 20) == 0.0
    assert lead(times, [1e9 + number * 1e-3 for number in range(20)]) == 0.0
    assert lead([5.0] * 20, times) == 0.0


def test_which_way_is_better_is_said_by_the_check() -> None:
    rising = replies(*(float(number) for number in range(50)))
    assert recorded(rising).course is Course.WORSENING
    assert recorded(rising, more_is_better=True).course is Course.IMPROVING


def test_a_check_stands_as_its_worst_finding_and_since_that_began() -> None:
    findings = [Finding("a", Status.WARN, "so so"), Finding("a", Status.FAIL, "bad", 3.0, "count")]
    first = standing_of(findings, None, now=NOON, every=60.0, more_is_better=False)
    assert (first.status, first.summary, first.value, first.since) == (Status.FAIL, "bad", 3.0, NOON)
    second = standing_of(findings[1:], first, now=NOON + 60, every=60.0, more_is_better=False)
    assert (second.since, second.at) == (NOON, NOON + 60)
    third = standing_of(findings[:1], second, now=NOON + 120, every=60.0, more_is_better=False)
    assert third.since == NOON + 120
    assert (third.value, third.unit) == (None, "count")  # what was measured before is still told in its unit


@pytest.mark.parametrize(("after", "due"), [(0.0, False), (44.0, False), (45.0, True), (600.0, True), (-5.0, True)])
def test_a_check_is_due_by_its_own_time_and_after_a_clock_that_went_back(after: float, due: bool) -> None:  # noqa: FBT001 - a table
    before = Standing("a", Status.OK, "", NOON, NOON, 60.0)
    assert is_due(before, now=NOON + after, every=60.0, slack=15.0) is due
    assert is_due(None, now=NOON, every=60.0, slack=15.0)


def test_how_a_check_stands_is_not_known_for_ever() -> None:
    standing = Standing("a", Status.FAIL, "", NOON, NOON, 100.0)
    assert standing.is_known(NOON + 300.0)
    assert not standing.is_known(NOON + 301.0)
