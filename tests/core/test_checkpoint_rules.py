"""Cadence and keeping, with plain numbers."""

from __future__ import annotations

import pytest

from overnight.core.checkpoints import (
    AT_LEAST,
    DAY,
    HOUR,
    SHARE,
    START,
    Cadence,
    Due,
    Keeping,
    Kept,
    due,
    spacing,
    surplus,
)

NOON = 1_800_014_400.0
PLENTY = Keeping(room_bytes=10**15)


def ask(*, finished: int = 0, since: float = 0.0, took: float = 0.1, changed: bool = True, **cadence: float) -> Due:
    return due(Cadence(**cadence), finished=finished, changed=changed, since=since, took=took)  # type: ignore[arg-type]  # two kinds of numbers


@pytest.mark.parametrize(
    ("finished", "since", "expected"),
    [
        (0, 10.0, Due.NO),
        (4, 10.0, Due.NO),
        (5, 10.0, Due.NOW),
        (0, 299.9, Due.NO),
        (0, 300.0, Due.NOW),
        (1000, 300.0, Due.NOW),
    ],
)
def test_after_five_tasks_or_five_minutes_whichever_is_first(finished: int, since: float, expected: Due) -> None:
    assert ask(finished=finished, since=since) is expected


def test_nothing_is_copied_twice() -> None:
    """An idle engine makes none: the last copy still is what the store is."""
    assert ask(finished=0, since=1e9, changed=False) is Due.NO


def test_finished_tasks_do_not_make_it_cost_more_than_its_share() -> None:
    assert ask(finished=10**6, since=3.9, took=0.1) is Due.STRETCHED
    assert ask(finished=10**6, since=spacing(0.1), took=0.1) is Due.NOW
    assert (START + 0.1) / spacing(0.1) == pytest.approx(SHARE)


def test_the_interval_holds_however_long_a_copy_takes() -> None:
    assert ask(finished=10**6, since=299.0, took=60.0) is Due.STRETCHED
    assert ask(since=300.0, took=60.0) is Due.NOW


def test_either_can_be_switched_off() -> None:
    assert ask(finished=10**6, since=10.0, tasks=0) is Due.NO
    assert ask(since=1e9, seconds=0) is Due.NO
    assert ask(finished=5, since=1e9, seconds=0) is Due.NOW
    assert ask(finished=10**6, since=1e9, tasks=0, seconds=0) is Due.NO


def test_in_a_night_of_tiny_tasks_the_share_is_kept_and_no_copy_is_older_than_promised() -> None:
    """A simulated night: 10,000 tasks a second, copies that take longer and longer."""
    cadence, moment, began, took, spent, oldest = Cadence(), 0.0, 0.0, 0.0, 0.0, 0.0
    while moment < 8 * HOUR:
        since = moment - began
        if due(cadence, finished=int(since * 10_000), changed=True, since=since, took=took) is Due.NOW:
            began, took = moment, 0.2 + moment / HOUR
            spent += START + took
            moment += took
            oldest = max(oldest, since + took)
        moment += 1.0
    assert spent / moment <= SHARE
    assert oldest <= cadence.seconds + took + 1.0


# -- keeping ----------------------------------------------------------------------------------


def every(seconds: float, count: int, *, size: int = 1, start: float = 0.0) -> list[Kept]:
    """Copies of the past, newest first."""
    return [Kept(f"{start + n * seconds:.0f}", NOON - start - n * seconds, size) for n in range(count)]


def ages(copies: list[Kept], keeping: Keeping = PLENTY) -> list[float]:
    """Ages of those that are kept, seconds."""
    gone = surplus(copies, keeping, now=NOON)
    return [NOON - copy.made_at for copy in copies if copy.name not in gone]


def test_all_of_an_hour_then_one_an_hour_then_one_a_day_are_kept() -> None:
    kept = ages(every(300, 40 * 288))
    assert sum(age <= HOUR for age in kept) == 13
    assert sum(HOUR < age <= DAY for age in kept) == 23
    assert sum(DAY < age <= 30 * DAY for age in kept) == 29
    assert max(kept) <= 30 * DAY


def test_of_an_hour_the_newest_is_kept() -> None:
    """NOON is a full hour, so each hour's newest was made five minutes before the next one began."""
    kept = ages(every(300, 100))
    assert [age for age in kept if HOUR < age < 4 * HOUR] == [HOUR + 300, 2 * HOUR + 300, 3 * HOUR + 300]


def test_the_newest_three_stay_however_old_and_large_they_are() -> None:
    copies = every(60 * DAY, 6, size=10**12, start=100 * DAY)
    assert surplus(copies, Keeping(), now=NOON) == [copy.name for copy in copies[AT_LEAST:]]


def test_where_there_is_little_room_the_crowd_of_the_last_hour_goes_first() -> None:
    """And the long past stays: one of yesterday is worth more than the tenth of this minute."""
    copies = every(10, 360, size=100) + every(DAY, 20, size=100, start=2 * DAY)
    kept = ages(copies, Keeping(room_bytes=30 * 100))
    assert len(kept) == 30
    assert sum(age > DAY for age in kept) == 20
    assert kept[:AT_LEAST] == [0, 10, 20]


def test_what_a_person_asked_for_is_kept_like_a_daily_one() -> None:
    mine = Kept("mine", NOON - 3 * DAY - 7, 1, by_hand=True)
    later = Kept("later", NOON - 3 * DAY, 1)
    gone = surplus([*every(60, 5), later, mine], PLENTY, now=NOON)
    assert "mine" not in gone
    gone = surplus([*every(60, 5), Kept("old", NOON - 31 * DAY, 1, by_hand=True)], PLENTY, now=NOON)
    assert gone == ["old"]


def test_copies_from_the_future_count_as_new() -> None:
    """The clock was set back: nothing is thrown away for it."""
    assert surplus(every(10, 10, start=-100.0), PLENTY, now=NOON) == []


def test_nothing_kept_means_nothing_gone() -> None:
    assert surplus([], PLENTY, now=NOON) == []
