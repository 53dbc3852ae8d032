"""The wall clock is set, or the machine sleeps, while tasks wait and run."""

from __future__ import annotations

import itertools

import pytest
from night import Night, task

from overnight.core.endings import Ending
from overnight.core.stopping import Ask
from overnight.core.task import Action
from overnight.engine.clockwatch import JUMP, ClockWatch
from overnight.engine.goal import Never
from overnight.executors.contract import Spec
from overnight.monitor.books import audit
from overnight.store.contract import Queue
from overnight.testing import FakeClock, Play

DAY = 86400.0
#: A day forward and back, back to 1970, the odd hour of a change of clocks, and a machine that slept for a night.
JUMPS = [DAY, -DAY, -1_800_000_000.0, 3600.0, -3600.0, 8 * 3600.0, 2.0, -2.0]


class Tries:
    """Plays that fail, and when each began by the monotonic clock, by task."""

    def __init__(self, night: Night, seconds: float = 0.1) -> None:
        self._clock = night.clock
        self._start = night.clock.monotonic()
        self._seconds = seconds
        self.began: dict[int, list[float]] = {}

    def __call__(self, spec: Spec, _action: Action) -> Play:
        self.began.setdefault(spec.task_id, []).append(self._clock.monotonic() - self._start)
        return Play(seconds=self._seconds, ending=Ending.EXITED, exit_code=1)

    def waits(self, task_id: int) -> list[float]:
        began = self.began[task_id]
        return [later - earlier - self._seconds for earlier, later in itertools.pairwise(began)]


def waits_around(night: Night, jump: float, at: float) -> list[list[float]]:
    """Seconds that each of 20 tasks waits before its retries, when the clock jumps by `jump` at a moment."""
    ids = night.add(*(task(str(number)) for number in range(20)))
    tries = Tries(night)
    night.run(tries, slots=20, script=[(at, lambda: night.clock.step_wall(jump)), (60.0, night.give_up)])
    return [tries.waits(task_id) for task_id in ids]


@pytest.mark.parametrize("jump", JUMPS)
@pytest.mark.parametrize("at", [0.05, 1.0, 3.7, 9.99])
def test_a_retry_waits_as_long_as_it_should_wherever_the_clock_jumps(night: Night, jump: float, at: float) -> None:
    """Not a storm of all retries at once, and not a day late: the waits are 2, 4 and 8 seconds."""
    for waits in waits_around(night, jump, at):
        assert waits == [pytest.approx(wait, abs=0.5) for wait in (2, 4, 8)]
    assert night.clock.monotonic() < 1030
    assert audit(night.store, night.directory / "events.jsonl") == []


@pytest.mark.parametrize(("jump", "expected"), [(DAY, [1.0, 4.0, 8.0]), (-DAY, [])])
def test_waits_that_stay_on_the_wall_clock_are_a_storm_or_never_over(
    night: Night, monkeypatch: pytest.MonkeyPatch, jump: float, expected: list[float]
) -> None:
    """The control: nobody watches the clock, so all retries come at once, or none before the night is given up."""
    monkeypatch.setattr(ClockWatch, "jumped", lambda _: 0.0)
    assert waits_around(night, jump, 1.0) == [pytest.approx(expected, abs=0.5)] * 20


def test_a_clock_that_jumps_again_and_again_moves_nothing(night: Night) -> None:
    (task_id,) = night.add(task("a"))
    tries = Tries(night)
    script = [
        (0.5 * number, lambda sign=number % 2: night.clock.step_wall(DAY if sign else -DAY)) for number in range(40)
    ]
    night.run(tries, script=script)
    assert tries.waits(task_id) == [pytest.approx(wait, abs=0.5) for wait in (2, 4, 8)]


@pytest.mark.parametrize("jump", [DAY, 3600.0, -600.0])
def test_what_waits_for_an_instant_follows_the_clock(night: Night, jump: float) -> None:
    later = night.clock.now() + 3600
    night.add(task("later", not_before=later))
    begun_at: list[float] = []
    start = night.clock.monotonic()

    def play(_spec: Spec, _action: Action) -> Play:
        begun_at.append(night.clock.monotonic() - start)
        return Play()

    night.run(play, script=[(60.0, lambda: night.clock.step_wall(jump))])
    assert begun_at == [pytest.approx(max(60.0, 3600.0 - jump), abs=1.1)]


def test_a_time_that_a_task_has_named_is_an_instant(night: Night) -> None:
    """It means six on the clock, and leaves the task with no failure."""
    night.add(task("a"))
    six = night.clock.now() + 3600
    began: list[float] = []

    def play(spec: Spec, _action: Action) -> Play:
        began.append(night.clock.now())
        return Play(ending=Ending.POSTPONED, retry_at=six) if spec.attempt == 1 else Play()

    night.run(play, script=[(60.0, lambda: night.clock.step_wall(1800.0))])
    assert began[1] == pytest.approx(six, abs=1.1)


def test_a_pause_that_ends_at_a_time_follows_the_clock(night: Night) -> None:
    until = night.clock.now() + 3600
    night.store.set_queue(Queue("q", paused=True, paused_until=until), now=night.clock.now(), by="test")
    night.add(task("a", queue="q"))
    start = night.clock.monotonic()
    night.run(script=[(60.0, lambda: night.clock.step_wall(DAY))])
    assert night.clock.monotonic() - start == pytest.approx(60.0, abs=2.0)


def test_an_idle_engine_tells_of_a_jump_once(night: Night) -> None:
    night.run(
        goal=Never(),
        script=[
            (10.0, lambda: night.clock.step_wall(DAY)),
            (20.0, lambda: night.stops.signals.append(Ask.SIGTERM)),
        ],
    )
    lines = (night.directory / "events.jsonl").read_text().splitlines()
    [line] = [line for line in lines if '"clock_jumped"' in line]
    assert '"seconds":86400.0,"moved":0' in line


# -- the watch ------------------------------------------------------------------------------------


class Stuttering(FakeClock):
    """A clock whose readings take a while now and then, as when the machine is busy elsewhere."""

    def __init__(self, pauses: list[float]) -> None:
        super().__init__()
        self._pauses = pauses

    def now(self) -> float:
        if self._pauses:
            self.advance(self._pauses.pop(0))
        return super().now()


def test_time_that_passes_is_no_jump() -> None:
    clock = FakeClock()
    watch = ClockWatch(clock)
    clock.advance(DAY)
    assert watch.jumped() == 0.0


def test_a_jump_is_told_once() -> None:
    clock = FakeClock()
    watch = ClockWatch(clock)
    clock.step_wall(-DAY)
    assert watch.jumped() == pytest.approx(-DAY)
    assert watch.jumped() == 0.0


def test_a_clock_that_is_led_back_slowly_has_not_jumped() -> None:
    """NTP may move it by 500 microseconds a second: an hour of that is two seconds."""
    clock = FakeClock()
    watch = ClockWatch(clock)
    jumps = []
    for _ in range(3600):
        clock.advance(1.0)
        clock.step_wall(0.0005)
        jumps.append(watch.jumped())
    assert set(jumps) == {0.0}


def test_a_pause_between_two_readings_is_no_jump() -> None:
    clock = Stuttering([])
    watch = ClockWatch(clock)
    clock._pauses = [10.0, 3.0]
    assert watch.jumped() == 0.0
    assert JUMP < 3.0


def test_a_machine_that_is_always_interrupted_is_no_reason_to_hang() -> None:
    clock = Stuttering([5.0] * 100)
    ClockWatch(clock)
