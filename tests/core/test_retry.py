"""When a failed attempt is followed by another one."""

import pytest

from overnight.core.retry import delay_after, is_wanted, retry_at
from overnight.core.states import ErrorClass, Reason
from overnight.core.task import Action, ActionKind, Backoff

NOON = 1_000_000.0


def action(**options: object) -> Action:
    return Action(kind=ActionKind.COMMAND, cwd=b"/", argv=(b"true",), **options)  # type: ignore[arg-type]  # free options of one test


def test_the_default_waits_are_2_4_and_8_seconds() -> None:
    assert [delay_after(Backoff(), failures) for failures in (1, 2, 3)] == [2, 4, 8]


def test_a_wait_never_exceeds_the_longest_however_many_failures() -> None:
    assert delay_after(Backoff(), 10) == 60
    assert delay_after(Backoff(), 10_000_000) == 60
    assert delay_after(Backoff(first=1, factor=1e300, longest=60), 900) == 60


def test_three_retries_mean_four_attempts() -> None:
    verdicts = [retry_at(action(), failures=n, error_class=ErrorClass.UNKNOWN, now=NOON) for n in (1, 2, 3, 4)]
    assert verdicts == [NOON + 2, NOON + 4, NOON + 8, None]


def test_a_permanent_error_is_never_retried() -> None:
    assert retry_at(action(retries=9), failures=1, error_class=ErrorClass.PERMANENT, now=NOON) is None


@pytest.mark.parametrize("error_class", [c for c in ErrorClass if c is not ErrorClass.PERMANENT])
def test_every_other_class_is_retried(error_class: ErrorClass) -> None:
    assert retry_at(action(), failures=1, error_class=error_class, now=NOON) == NOON + 2


def test_a_step_can_say_what_it_is_tried_again_for() -> None:
    wanted = action(retry_on=("timeout", "exit:75"))
    assert is_wanted(wanted, Reason.TIMEOUT, None)
    assert is_wanted(wanted, Reason.ERROR, 75)
    assert not is_wanted(wanted, Reason.ERROR, 1)
    assert is_wanted(action(), Reason.ERROR, 1)
