"""How a run comes to its end."""

import pytest

from overnight.core.stopping import Ask, Mode, StoppedBy, Stopping, after, overdue


def test_a_stop_drains_and_a_second_one_changes_nothing() -> None:
    once = after(Stopping(), Ask.STOP)
    assert once == Stopping(Mode.DRAIN, StoppedBy.STOP_SIGNAL)
    assert after(once, Ask.STOP) == once


def test_the_first_sigint_drains_and_the_second_ends_at_once() -> None:
    once = after(Stopping(), Ask.SIGINT)
    assert (once.mode, once.exit_code) == (Mode.DRAIN, None)
    twice = after(once, Ask.SIGINT)
    assert (twice.mode, twice.exit_code, twice.by) == (Mode.NOW, 130, StoppedBy.SIGNAL)


@pytest.mark.parametrize(
    ("ask", "code"), [(Ask.SIGTERM, 143), (Ask.SIGHUP, 129), (Ask.STOP_NOW, None), (Ask.HALT_NOW, None)]
)
def test_these_end_at_once(ask: Ask, code: int | None) -> None:
    assert (after(Stopping(), ask).mode, after(Stopping(), ask).exit_code) == (Mode.NOW, code)


@pytest.mark.parametrize("ask", list(Ask))
def test_no_ask_makes_a_stop_weaker(ask: Ask) -> None:
    for mode in Mode:
        assert after(Stopping(mode), ask).mode >= mode


def test_a_sigint_during_a_drain_that_somebody_else_asked_for_ends_at_once() -> None:
    """A person at the keyboard who sees it waiting and presses Ctrl-C wants it to end."""
    assert after(after(Stopping(), Ask.STOP), Ask.SIGINT).mode is Mode.NOW


def test_a_sigint_during_a_drain_that_nobody_asked_for_is_a_first_one() -> None:
    """The goal is reached, and what still runs is somebody else's: one Ctrl-C must not end it."""
    reached = Stopping(Mode.DRAIN, StoppedBy.QUEUE_EMPTY)
    once = after(reached, Ask.SIGINT)
    assert once == Stopping(Mode.DRAIN, StoppedBy.SIGNAL)
    assert after(once, Ask.SIGINT).mode is Mode.NOW


@pytest.mark.parametrize(("ask", "by"), [(Ask.STOP, StoppedBy.STOP_SIGNAL), (Ask.SIGTERM, StoppedBy.SIGNAL)])
def test_who_asks_during_a_drain_that_nobody_asked_for_is_the_one_who_stopped_it(ask: Ask, by: StoppedBy) -> None:
    """Those who follow this engine take over from one that was done, not from one that was stopped."""
    assert after(Stopping(Mode.DRAIN, StoppedBy.QUEUE_EMPTY), ask).by is by


def test_a_drain_ends_when_its_grace_has_run_out() -> None:
    drain = after(Stopping(), Ask.STOP, deadline=100.0)
    assert overdue(drain, now=99.9) is drain
    assert overdue(drain, now=100.0).mode is Mode.NOW


def test_the_shorter_of_two_graces_counts() -> None:
    drain = after(after(Stopping(), Ask.STOP, deadline=100.0), Ask.STOP, deadline=500.0)
    assert drain.deadline == 100.0
    assert after(drain, Ask.STOP).deadline == 100.0


def test_halt_by_a_task_drains_and_says_so() -> None:
    assert after(Stopping(), Ask.HALT) == Stopping(Mode.DRAIN, StoppedBy.HALT)


def test_too_many_failures_end_what_runs_only_when_that_was_said() -> None:
    assert after(Stopping(), Ask.HALT_NOW) == Stopping(Mode.NOW, StoppedBy.HALT)


def test_a_grace_does_not_count_once_it_ends_at_once() -> None:
    """What is past would keep the loop from sleeping."""
    now = after(Stopping(), Ask.STOP_NOW)
    assert after(now, Ask.STOP, deadline=100.0).deadline is None
