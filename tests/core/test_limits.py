"""When an attempt has taken too much, in plain numbers."""

from __future__ import annotations

import pytest

from overnight.core.endings import Ending
from overnight.core.limits import FIRST_LOOK, LONGEST_PAUSE, SHORTEST_PAUSE, Limits, Usage, Watch
from overnight.core.task import Action, ActionKind

MB = 1_000_000
QUIET = Usage(0.0, 10 * MB, 1)


def usage(cpu: float = 0.0, memory: int = 10 * MB, processes: int = 1) -> Usage:
    return Usage(cpu, memory, processes)


def test_without_limits_nobody_looks() -> None:
    free = Action(ActionKind.COMMAND, b"/", stall=None, memory=None)

    assert Limits.of(free).first_look() is None
    assert Limits.of(Action(ActionKind.COMMAND, b"/")).first_look() == FIRST_LOOK


@pytest.mark.parametrize(
    ("limits", "seen", "ending"),
    [
        (Limits(memory_bytes=100 * MB), usage(memory=100 * MB), None),
        (Limits(memory_bytes=100 * MB), usage(memory=100 * MB + 1), Ending.MEMORY),
        (Limits(processes=20), usage(processes=20), None),
        (Limits(processes=20), usage(processes=21), Ending.PROCESSES),
        (Limits(stall=10.0), usage(memory=10**12, processes=10**6), None),
    ],
)
def test_a_limit_is_kept_to_the_byte(limits: Limits, seen: Usage, ending: Ending | None) -> None:
    assert Watch(limits, 0.0).look(seen, 0, moment=1.0, cost=0.0) is ending


def life(*looks: tuple[float, Usage, object]) -> list[Ending | None]:
    """What becomes of an attempt that may be silent for ten seconds."""
    watch = Watch(Limits(stall=10.0), 0.0)
    return [watch.look(seen, signs, moment=moment, cost=0.0) for moment, seen, signs in looks]


def test_silence_is_counted_from_the_last_sign_of_life() -> None:
    quiet = [(float(moment), QUIET, "one") for moment in (1, 5, 10)]

    assert life(*quiet, (11.0, QUIET, "one"))[-1] is Ending.STALLED
    assert life(*quiet, (10.9, QUIET, "one"))[-1] is None
    assert life(*quiet, (10.5, QUIET, "two"), (20.4, QUIET, "two"))[-1] is None
    assert life(*quiet, (10.5, QUIET, "two"), (20.5, QUIET, "two"))[-1] is Ending.STALLED


def test_cpu_time_is_a_sign_of_life_and_the_ticking_of_timers_is_none() -> None:
    """A download over a slow line takes 0.07 % of a CPU, a loop that sleeps for a second each time 0.02 %."""

    def steady(share: float) -> Ending | None:
        watch = Watch(Limits(stall=600.0), 0.0)
        ends = (watch.look(usage(share * moment), 0, moment=float(moment), cost=0.0) for moment in range(1, 2000))
        return next((ending for ending in ends if ending), None)

    assert steady(0.0007) is None
    assert steady(0.0002) is Ending.STALLED


def test_cpu_time_that_went_with_somebody_is_not_waited_for() -> None:
    """An orphan that ends takes its time out of the sum; the next one's counts from there."""
    assert life((1.0, usage(50.0), 0), (2.0, usage(1.0), 0), (10.5, usage(2.0), 0), (19.0, usage(2.0), 0))[-1] is None


@pytest.mark.parametrize(
    ("limits", "seen", "pause"),
    [
        (Limits(memory_bytes=2000 * MB), usage(memory=10 * MB), 0.4975),
        (Limits(memory_bytes=2000 * MB), usage(memory=1990 * MB), SHORTEST_PAUSE),
        (Limits(memory_bytes=64_000 * MB), usage(), LONGEST_PAUSE),
        (Limits(memory_bytes=64_000 * MB, processes=64), usage(), SHORTEST_PAUSE),
        (Limits(stall=600.0), usage(), LONGEST_PAUSE),
        (Limits(stall=2.0), usage(), 0.5),
    ],
)
def test_who_is_far_from_his_limits_is_looked_at_less(limits: Limits, seen: Usage, pause: float) -> None:
    watch = Watch(limits, 0.0)
    watch.look(seen, 0, moment=1.0, cost=0.0)

    assert watch.due == pytest.approx(1.0 + pause)


def test_looking_at_a_large_tree_never_takes_more_than_a_fiftieth_of_the_time() -> None:
    watch = Watch(Limits(memory_bytes=100 * MB), 0.0)
    watch.look(usage(memory=99 * MB), 0, moment=1.0, cost=0.2)

    assert watch.due == pytest.approx(11.0)


def test_whoever_eats_on_while_it_should_end_is_not_waited_for() -> None:
    watch = Watch(Limits(memory_bytes=100 * MB, processes=10), 0.0)

    assert not watch.is_runaway(usage(memory=149 * MB, processes=15))
    assert watch.is_runaway(usage(memory=151 * MB))
    assert watch.is_runaway(usage(processes=16))
    assert not Watch(Limits(stall=1.0), 0.0).is_runaway(usage(memory=10**12))


def test_the_most_that_was_seen_is_remembered() -> None:
    watch = Watch(Limits(stall=100.0), 0.0)
    for moment, memory in enumerate((5, 70, 30), 1):
        watch.look(usage(memory=memory * MB), 0, moment=float(moment), cost=0.0)

    assert watch.peak == 70 * MB
