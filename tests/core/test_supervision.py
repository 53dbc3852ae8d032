"""When an engine is started again, in plain numbers."""

from __future__ import annotations

import pytest

from overnight.core.errors import StoreBusyError
from overnight.core.supervision import (
    GAVE_UP,
    End,
    GiveUp,
    Life,
    Policy,
    Restart,
    after_life,
    delay,
    end_of,
    how,
    is_frozen,
    look_every,
    silence,
)
from overnight.core.task import Backoff

CRASH = Life(seconds=5.0, status=-9, ready=True)


def verdict(life: Life, *, crashes: int = 0, came_up: bool = True) -> Restart | GiveUp:
    return after_life(life, Policy(), crashes=crashes, came_up=came_up, dice=0.5)


def test_a_crashed_engine_waits_1_2_4_and_at_most_60_seconds() -> None:
    waits = [delay(Policy().backoff, crashes, 0.5) for crashes in range(1, 10)]
    assert waits == [1, 2, 4, 8, 16, 32, 60, 60, 60]


def test_a_wait_is_a_fifth_longer_or_shorter_by_chance() -> None:
    assert [delay(Policy().backoff, 3, dice) for dice in (0.0, 0.5, 1.0)] == pytest.approx([3.2, 4.0, 4.8])


def test_ten_crashes_in_a_row_are_the_end_however_long_they_took() -> None:
    """The waits alone sum up to 243 s; a count of crashes in a window of five minutes would never be full."""
    crashes, lives, ending = 0, 0, None
    while ending is None:
        lives += 1
        followed = verdict(Life(seconds=100.0, status=1, ready=True, proven=True), crashes=crashes)
        if isinstance(followed, GiveUp):
            ending = followed
        else:
            crashes = followed.crashes
        assert lives <= 10
    assert (lives, ending.status) == (10, GAVE_UP)
    assert "crashed 10 times in a row" in ending.why
    assert "ended with status 1" in ending.why


@pytest.mark.parametrize(
    ("seconds", "proven", "crashes"), [(600.0, True, 1), (600.0, False, 10), (599.0, True, 10), (0.0, False, 10)]
)
def test_a_stable_period_wipes_out_the_crashes_before(seconds: float, proven: bool, crashes: int) -> None:  # noqa: FBT001 - parametrized
    followed = verdict(Life(seconds, status=1, ready=True, proven=proven), crashes=9)
    assert isinstance(followed, Restart) is (crashes == 1)
    if isinstance(followed, Restart):
        assert followed == Restart(1.0, 1)


@pytest.mark.parametrize("status", [0, 7, 129, 130, 143])
def test_a_clean_exit_stays_exited(status: int) -> None:
    assert verdict(Life(1.0, status)) == GiveUp(status)


@pytest.mark.parametrize(("status", "shell"), [(-1, 129), (-2, 130), (-15, 143)])
def test_an_engine_that_was_asked_to_end_before_it_could_answer_stays_ended(status: int, shell: int) -> None:
    assert verdict(Life(0.1, status)) == GiveUp(shell)


@pytest.mark.parametrize("status", [2, 4, 5, 6])
def test_what_a_restart_cannot_mend_is_not_restarted(status: int) -> None:
    assert verdict(Life(3600.0, status, ready=True)) == GiveUp(status, f"the engine ended with status {status}")


def test_a_full_disk_is_waited_for_and_is_no_crash() -> None:
    assert verdict(Life(1.0, 75), crashes=9) == Restart(10.0, 9, is_crash=False)


def test_a_store_that_another_program_holds_is_waited_for_and_is_no_crash() -> None:
    status = StoreBusyError.exit_code
    assert verdict(Life(100.0, status), crashes=9) == Restart(10.0, 9, is_crash=False)
    assert "held by another program" in how(Life(100.0, status))


def test_whoever_has_just_typed_start_is_told_of_a_full_disk() -> None:
    assert verdict(Life(1.0, 75), came_up=False) == GiveUp(75, "the engine found no room on the disk (status 75)")


@pytest.mark.parametrize("status", [1, 3, 99, 255, -6, -9, -11])
def test_everything_else_is_a_crash(status: int) -> None:
    assert end_of(status) is End.CRASH
    assert verdict(Life(1.0, status)) == Restart(1.0, 1)


def test_a_frozen_engine_has_crashed_whatever_its_status_says() -> None:
    assert verdict(Life(1.0, -15, ready=True, frozen_for=61.0)) == Restart(1.0, 1)


def test_how_it_ended_is_said_in_words() -> None:
    assert how(CRASH) == "was killed by SIGKILL"
    assert how(Life(1, -250)) == "was killed by signal 250"
    assert how(Life(1, 1)) == "ended with status 1"
    assert how(Life(1, -9, frozen_for=60.2)) == "did not answer for 60 s and was killed"


def test_a_budget_of_one_crash_restarts_nothing() -> None:
    policy = Policy(Backoff(1, 1, 1), most_crashes=1)
    followed = after_life(CRASH, policy, crashes=0, came_up=True, dice=0.5)
    assert followed == GiveUp(GAVE_UP, "the engine crashed; at last it was killed by SIGKILL")


def test_an_engine_is_frozen_after_a_minute_of_silence_and_any_beat_is_enough() -> None:
    silent = 0.0
    for _ in range(5):
        silent = silence(silent, heard=False, elapsed=10.0, look_every=10.0)
    assert not is_frozen(silent, Policy(), ready=True)
    assert is_frozen(silence(silent, heard=False, elapsed=10.0, look_every=10.0), Policy(), ready=True)
    assert silence(silent, heard=True, elapsed=10.0, look_every=10.0) == 0


def test_a_machine_that_was_suspended_is_not_taken_for_a_frozen_engine() -> None:
    """The supervisor wakes after eight hours and has heard nothing: it has looked once."""
    assert silence(0.0, heard=False, elapsed=8 * 3600.0, look_every=10.0) == 10.0


def test_an_engine_that_comes_up_may_take_longer() -> None:
    assert not is_frozen(599.0, Policy(), ready=False)
    assert is_frozen(600.0, Policy(), ready=False)


def test_the_watch_can_be_off() -> None:
    assert not is_frozen(1e9, Policy(frozen_after=None), ready=True)
    assert look_every(None) == 10.0
    assert look_every(6.0) == 1.0
