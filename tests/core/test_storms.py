"""When failures alike are a storm, when is probed, and when it is over: plain numbers."""

from __future__ import annotations

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from overnight.core import storms
from overnight.core.states import ErrorClass, Outcome
from overnight.core.storms import Policy, Storm, Streak, Subject

SHOP = Subject(action_id=7)
POLICY = Policy()


def raging(**changes: object) -> Storm:
    row = Streak("cause", frozenset(range(20)), 90.0)
    began = storms.began(
        row, SHOP, POLICY, queue="q", error_class=ErrorClass.TRANSIENT, error="connection refused", now=100.0
    )
    return msgspec.structs.replace(began, **changes)


@given(st.lists(st.tuples(st.integers(1, 30), st.sampled_from("ab"))), st.integers(1, 5))
def test_a_row_is_as_long_as_the_different_tasks_that_failed_alike_last(
    failures: list[tuple[int, str]], after: int
) -> None:
    """Against the plain definition: walk back while the cause is the same, and count tasks."""
    row: Streak | None = None
    for now, (task_id, cause) in enumerate(failures):
        row = storms.lengthened(row, fingerprint=cause, task_id=task_id, now=float(now))
    if row is None:
        return
    last = failures[-1][1]
    first = next((at for at in range(len(failures), 0, -1) if failures[at - 1][1] != last), 0)
    assert row == Streak(last, frozenset(task_id for task_id, _ in failures[first:]), float(first))
    assert storms.is_storm(row, Policy(after=after)) == (len(row.tasks) >= after)


def test_no_brake_is_no_storm() -> None:
    assert not storms.is_storm(Streak("cause", frozenset(range(1000)), 0.0), Policy(after=0))


@pytest.mark.parametrize("outcome", Outcome)
def test_what_an_attempt_says_about_a_row(outcome: Outcome) -> None:
    wanted = {Outcome.FAILED: True, Outcome.COMPLETED: False}.get(outcome)
    assert storms.counts(outcome, fingerprint="cause", error="words") is wanted


def test_an_exit_status_that_answers_breaks_a_row_and_one_with_words_does_not() -> None:
    assert storms.counts(Outcome.FAILED, fingerprint="cause", error="exit status 1") is False
    assert storms.counts(Outcome.FAILED, fingerprint="cause", error="exit status 7") is True
    assert storms.counts(Outcome.FAILED, fingerprint="cause", error="exit status 1: no such host") is True


def test_probes_come_at_growing_intervals() -> None:
    assert [storms.interval(POLICY, probes) / 60 for probes in range(7)] == [1, 2, 4, 8, 15, 15, 15]
    assert storms.interval(POLICY, 10**9) == 900.0


@given(st.lists(st.tuples(st.sampled_from(Outcome), st.floats(0, 5000))))
def test_a_storm_goes_on_until_a_probe_succeeds_and_never_hastens(ends: list[tuple[Outcome, float]]) -> None:
    storm: Storm | None = raging()
    now = 160.0
    for outcome, later in ends:
        assert storm is not None
        before, now = storm, max(now, storm.probe_at) + later
        storm = storms.after_probe(before, outcome, POLICY, now=now)
        if outcome is Outcome.COMPLETED:
            assert storm is None
            return
        assert storm is not None
        unasked = outcome in (Outcome.CANCELLED, Outcome.INTERRUPTED, Outcome.RECALLED)
        assert storm.probes == before.probes + (not unasked)
        assert storm == before if unasked else 119.9 <= storm.probe_at - now <= 900.1
        assert msgspec.structs.replace(storm, probes=0, probe_at=0.0) == raging(probes=0, probe_at=0.0)


def test_what_has_probed_lets_others_be_tried_before_it() -> None:
    storm = raging(probes=1)
    assert storms.spared_until(storm, POLICY, is_probe=False, now=100.0) == 100.0
    assert storms.spared_until(storm, POLICY, is_probe=True, now=100.0) > 100.0 + storms.interval(POLICY, 2)
    hopeless = raging(error_class=ErrorClass.PERMANENT)
    assert storms.spared_until(hopeless, POLICY, is_probe=True, now=100.0) == 100.0


def test_only_a_failure_of_the_same_cause_is_the_storms() -> None:
    assert storms.belongs(raging(), fingerprint="cause", outcome=Outcome.FAILED)
    assert not storms.belongs(raging(), fingerprint="other", outcome=Outcome.FAILED)
    assert not storms.belongs(raging(), fingerprint="cause", outcome=Outcome.COMPLETED)


def test_time_wakes_for_the_next_probe_that_is_to_come() -> None:
    there = [raging(probe_at=at) for at in (50.0, 200.0, 150.0)]
    assert storms.next_probe(there, now=100.0) == 150.0
    assert storms.next_probe(there[:1], now=100.0) is None
