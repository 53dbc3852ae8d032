"""What became of attempts, as people ask for it, and two periods beside each other."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest

from overnight.core.monitor.comparison import Change, Period, Word, compared
from overnight.core.monitor.memory import memory_bound
from overnight.core.monitor.outages import Outage, outages
from overnight.core.monitor.sums import By, Sum, grouped

DAY = Period(0.0, 86400.0)


def summed(outcome: str = "completed", n: int = 10, mean: float = 2.0, **changes: Any) -> Sum:
    plain = Sum("flow", "scan", outcome, "", "", n, n * mean, mean * 2, 60, 120)
    return msgspec.structs.replace(plain, **changes)


def failed(n: int, fingerprint: str = "f", **changes: Any) -> Sum:
    return summed("failed", n, fingerprint=fingerprint, error_class="unknown", **changes)


def test_a_workflow_is_all_its_steps_and_what_was_interrupted_has_no_duration() -> None:
    sums = [summed(), summed(step="read", mean=4.0), failed(5), summed("lost", 3, mean=1000.0, last=300)]
    [flow] = grouped(sums, By.WORKFLOW).values()
    assert (flow.workflow, flow.step, flow.n, flow.failed, flow.others) == ("flow", "", 25, 5, 3)
    assert flow.mean == pytest.approx(2.8)
    assert (flow.longest, flow.failure_ratio) == (8.0, 0.2)
    assert (flow.first, flow.last) == (60, 300)


def test_steps_and_causes_come_with_the_most_first() -> None:
    sums = [summed(n=1), summed(step="read", n=7), failed(2, "f"), failed(3, "g"), failed(1, "f", step="read")]
    assert [group.step for group in grouped(sums, By.STEP).values()] == ["read", "scan"]
    causes = grouped(sums, By.CAUSE)
    assert list(causes) == [("flow", "scan", "g"), ("flow", "scan", "f"), ("flow", "read", "f")]
    assert causes["flow", "scan", "g"].error_class == "unknown"


def test_nothing_that_ended_has_no_mean() -> None:
    [flow] = grouped([summed("lost")], By.WORKFLOW).values()
    assert (flow.mean, flow.failure_ratio, flow.n) == (None, None, 0)


def change(before: list[Sum], after: list[Sum], by: By = By.STEP) -> Change:
    [found] = compared(grouped(before, by), grouped(after, by), (DAY, Period(86400.0, 86400.0 + 3600)))
    return found


@pytest.mark.parametrize(
    ("before", "after", "words"),
    [
        ([summed()], [summed()], []),
        ([summed()], [summed(mean=2.49)], []),
        ([summed()], [summed(mean=2.5)], [Word.SLOWER]),
        ([summed()], [summed(mean=1.6)], [Word.FASTER]),
        ([summed(n=4)], [summed(mean=9.0)], []),
        ([summed(mean=0.001)], [summed(mean=0.009)], []),
        ([summed(n=100)], [summed(n=90), failed(10)], [Word.FAILS_MORE]),
        ([summed(n=90), failed(10)], [summed(n=100)], [Word.FAILS_LESS]),
        ([summed(n=9), failed(1)], [summed(n=8), failed(2)], []),
        ([failed(10)], [failed(10)], []),
        ([], [summed()], [Word.NEW]),
        ([summed()], [], [Word.GONE]),
        ([summed("lost")], [summed()], []),
        ([summed(n=100)], [failed(100, mean=9.0)], [Word.SLOWER, Word.FAILS_MORE]),
    ],
)
def test_a_difference_is_one_where_chance_explains_it_badly(
    before: list[Sum], after: list[Sum], words: list[Word]
) -> None:
    assert list(change(before, after).words) == words


def test_rates_are_of_an_hour_however_long_the_periods_are() -> None:
    found = change([summed(n=48)], [summed(n=3, mean=3.0)])
    assert (found.rate_before, found.rate_after, found.times_as_long) == (2.0, 3.0, 1.5)
    assert change([], [summed()]).rate_before == 0.0
    assert change([], [summed()]).times_as_long is None


def test_looks_without_a_good_one_between_them_are_one_outage() -> None:
    looks = [(0.0, True), (1.0, False), (2.0, False), (3.0, True), (4.0, False), (500.0, False)]
    assert outages(looks, span=1, gap=120) == [Outage(1, 3), Outage(4, 5), Outage(500, 501)]
    assert outages([], span=1, gap=120) == []


def test_the_bound_grows_with_the_root_of_the_tasks() -> None:
    mib = 1024 * 1024
    assert [memory_bound(n) / mib for n in (0, 256, 1_000_000)] == [64, 65, 126.5]
