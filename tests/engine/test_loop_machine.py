"""The engine on a machine that runs short of disk or memory, or has more to give."""

from __future__ import annotations

import itertools
from contextlib import closing as closed

import pytest
from night import Night, task

from overnight.core.gates import Gate, Thresholds
from overnight.core.slots import BEFORE_MORE, Bounds, fixed
from overnight.core.stopping import Ask
from overnight.core.task import Action
from overnight.engine.conditions import Limits
from overnight.engine.goal import Never
from overnight.executors.contract import Spec
from overnight.store.contract import Selector, Verb
from overnight.store.sqlite import SqliteStore
from overnight.testing import FakeExecutor, FakeMachine, Play

GB = 1_000_000_000
DISK, MEMORY = (Gate.DISK,), (Gate.MEMORY,)


class Clocked:
    """Plays that all take the same time, and when they began: seconds since the night did."""

    def __init__(self, night: Night, seconds: float) -> None:
        self._clock = night.clock
        self._start = night.clock.monotonic()
        self._seconds = seconds
        self.began: list[float] = []

    def __call__(self, _spec: Spec, _action: Action) -> Play:
        self.began.append(self._clock.monotonic() - self._start)
        return Play(seconds=self._seconds)


# -- disk -----------------------------------------------------------------------------------------


def test_below_the_threshold_nothing_begins_what_runs_is_recorded_and_more_room_ends_it(night: Night) -> None:
    night.add(*(task(str(number)) for number in range(20)))
    plays = Clocked(night, 1.0)

    def recorded() -> None:
        assert night.store.counts().running == 0
        assert night.store.counts().completed == len(plays.began)
        night.machine.change(disk_free=1.05 * GB)  # not enough to open it again

    night.run(
        plays,
        script=[
            (2.5, lambda: night.machine.change(disk_free=0.4 * GB)),
            (50.0, recorded),
            (60.0, lambda: night.machine.change(disk_free=1.2 * GB)),
        ],
    )

    assert not [moment for moment in plays.began if 4.0 < moment < 60.0]
    assert night.store.counts().completed == 20
    assert night.recorder.limits_told == [((), 2), (DISK, 2), ((), 2)]
    closed, opened = night.told("gate_closed", "gate_opened")
    assert (closed["gate"], closed["available_bytes"], closed["needed_bytes"]) == ("disk", 0.4 * GB, 1.1 * GB)
    assert (opened["gate"], opened["available_bytes"]) == ("disk", 1.2 * GB)
    assert night.waiter.waits < 300


def test_an_engine_that_begins_without_room_claims_nothing(night: Night) -> None:
    night.add(task("a"))
    night.machine.change(disk_free=0)
    plays = Clocked(night, 1.0)
    night.run(plays, script=[(30.0, lambda: night.machine.change(disk_free=2 * GB))])
    assert plays.began == [pytest.approx(30.0, abs=1.5)]


def test_a_stop_is_obeyed_while_a_gate_holds(night: Night) -> None:
    night.add(task("a"))
    night.machine.change(disk_free=0)
    night.run(script=[(5.0, lambda: night.stops.signals.append(Ask.SIGINT))])
    assert night.store.counts().pending == 1


def test_no_run_waits_for_a_gate_when_nothing_is_left(night: Night) -> None:
    night.add(task("a"))
    began = night.clock.monotonic()
    night.run(
        lambda _spec, _action: Play(seconds=20.0),
        script=[(0.5, lambda: night.machine.change(disk_free=0)), (3600.0, night.give_up)],
    )
    assert night.store.counts().completed == 1
    assert night.clock.monotonic() - began < 25


def test_no_run_waits_for_a_gate_when_all_that_is_left_waits_for_a_person(night: Night) -> None:
    held, _ = night.add(task("held"), task("a", priority=1))
    night.store.act(Verb.HOLD, Selector(ids=(held,)), now=night.clock.now(), by="me")
    began = night.clock.monotonic()
    closing = (0.5, lambda: night.machine.change(disk_free=0))
    night.run(lambda _spec, _action: Play(seconds=20.0), script=[closing, (3600.0, night.give_up)])
    assert night.store.counts().completed == 1
    assert night.clock.monotonic() - began < 25


def test_what_is_added_for_later_as_the_last_task_ends_is_waited_for(
    night: Night, monkeypatch: pytest.MonkeyPatch
) -> None:
    """With a gate shut and a task held; nobody has looked yet when it is due."""
    held, _ = night.add(task("held"), task("a", priority=1))
    night.store.act(Verb.HOLD, Selector(ids=(held,)), now=night.clock.now(), by="me")
    later = [task("later", not_before=night.clock.now() + 100)]

    def settled(*_: object) -> None:
        if later:
            with closed(SqliteStore.open(night.directory / "queue.db")) as other:
                other.add([later.pop()], now=night.clock.now())

    monkeypatch.setattr(night.recorder, "settled", settled)
    closing = (0.5, lambda: night.machine.change(disk_free=0))
    opening = (40.0, lambda: night.machine.change(disk_free=100 * GB))
    night.run(lambda _spec, _action: Play(seconds=20.0), script=[closing, opening])
    assert night.store.counts().completed == 2


def test_a_gate_that_is_turned_off_never_holds(night: Night) -> None:
    night.add(task("a"))
    night.machine.change(disk_free=0, memory_available=0)
    night.run(limits=Limits(fixed(2), Thresholds(disk=0, memory=0)))
    assert night.recorder.limits_told == [((), 2)]
    assert night.store.counts().completed == 1


# -- memory ---------------------------------------------------------------------------------------


def test_while_memory_is_short_slots_go_one_by_one_and_come_back_one_by_one(night: Night) -> None:
    night.add(*(task(str(number)) for number in range(400)))
    plays = Clocked(night, 1.0)
    night.run(
        plays,
        slots=4,
        script=[
            (20.0, lambda: night.machine.change(memory_available=3 * GB)),
            (100.0, lambda: night.machine.change(memory_available=5 * GB)),  # more, and not enough
            (140.0, lambda: night.machine.change(memory_available=7 * GB)),
        ],
    )

    steps = list(night.told("slots_changed"))
    assert [(step["was"], step["slots"]) for step in steps] == [(4, 3), (3, 2), (2, 1), (1, 2), (2, 3), (3, 4)]
    assert steps[0]["why"] == "3.0 GB of memory left, 6.0 GB needed"
    assert night.recorder.limits_told[0] == ((), 4)
    assert night.recorder.limits_told[1] in [(MEMORY, 4), (MEMORY, 3)]
    assert night.recorder.limits_told[-1] == ((), 4)
    at_once = [sum(moment <= began < moment + 1 for began in plays.began) for moment in range(150)]
    assert at_once[15] == 4
    assert set(at_once[55:138]) == {1}
    assert night.store.counts().completed == 400
    assert [event["gate"] for event in night.told("gate_closed", "gate_opened")] == ["memory", "memory"]


def test_what_waits_in_a_slot_that_goes_is_given_to_another_one(night: Night) -> None:
    """Tiny tasks are handed out by the hundred, and the last slot may be at a long one when it goes."""
    night.add(*(task(str(number)) for number in range(3000)))
    slow: set[int] = set()

    def play(spec: Spec, _action: Action) -> Play:
        if night.clock.monotonic() > 1030 and not slow:
            slow.add(spec.task_id)
            return Play(seconds=300.0)
        return Play(seconds=0.02)

    night.run(play, slots=2, script=[(28.0, lambda: night.machine.change(memory_available=GB))])
    assert night.store.counts().completed == 3000
    assert [step["slots"] for step in night.told("slots_changed")] == [1]


# -- slots that move ------------------------------------------------------------------------------

AUTO = Limits(Bounds(least=1, usual=2, most=4))


def test_with_more_to_do_and_room_for_it_slots_are_added_one_by_one(night: Night) -> None:
    night.add(*(task(str(number)) for number in range(100)))
    plays = Clocked(night, 10.0)
    night.run(plays, limits=AUTO)
    steps = list(night.told("slots_changed"))
    assert [step["slots"] for step in steps] == [3, 4]
    assert steps[0]["why"] == "all 2 busy and more to do; load 0.0 on 4 CPUs"
    assert not [moment for moment in plays.began if 0.0 < moment < 9.0]
    assert sum(BEFORE_MORE * 2 - 5 <= moment < BEFORE_MORE * 2 + 15 for moment in plays.began) >= 4


def test_slots_that_nobody_needs_are_not_added(night: Night) -> None:
    night.add(task("a"), task("b"))
    night.run(lambda _spec, _action: Play(seconds=1000.0), limits=AUTO)
    assert night.recorder.limits_told == [((), 2)]


def test_a_machine_that_others_need_gets_its_cpus_back(night: Night) -> None:
    night.add(*(task(str(number)) for number in range(60)))
    night.run(
        lambda _spec, _action: Play(seconds=10.0),
        limits=AUTO,
        script=[
            (5.0, lambda: night.machine.change(load=9.0, cpu_pressure=0.9)),
            (100.0, lambda: night.machine.change(load=1.0, cpu_pressure=0.0)),
        ],
    )
    steps = list(night.told("slots_changed"))
    assert [step["slots"] for step in steps] == [1, 2, 3, 4]
    assert "somebody waited for one in 90% of the time" in steps[0]["why"]
    assert night.store.counts().completed == 60


def test_a_slot_that_cannot_be_opened_now_is_asked_for_again(night: Night, monkeypatch: pytest.MonkeyPatch) -> None:
    night.add(*(task(str(number)) for number in range(60)))
    real = FakeExecutor.resize
    asked: list[int] = []

    def resize(self: FakeExecutor, slots: int) -> None:
        asked.append(slots)
        if len(asked) == 1:
            raise BlockingIOError("no process can be started")
        real(self, slots)

    monkeypatch.setattr(FakeExecutor, "resize", resize)
    night.run(lambda _spec, _action: Play(seconds=10.0), limits=AUTO)
    assert asked == [3, 3, 4]
    assert [step["slots"] for step in night.told("slots_changed")] == [3, 4]


def test_an_idle_engine_seldom_looks_at_the_machine(night: Night, monkeypatch: pytest.MonkeyPatch) -> None:
    looks = itertools.count()
    real = FakeMachine.look
    monkeypatch.setattr(FakeMachine, "look", lambda self: (next(looks), real(self))[1])
    night.run(goal=Never(), script=[(3600.0, lambda: night.stops.signals.append(Ask.SIGTERM))])
    assert next(looks) <= 3600 / 30 + 5


def test_work_that_comes_while_idle_finds_a_gate_that_closed_meanwhile_within_a_second(night: Night) -> None:
    other = SqliteStore.open(night.directory / "queue.db")
    plays = Clocked(night, 1.0)

    def add() -> None:
        other.add([task(str(number)) for number in range(50)], now=night.clock.now())
        night.bell.ring()

    night.run(
        plays,
        goal=Never(),
        script=[
            (100.0, lambda: night.machine.change(disk_free=0)),
            (110.2, add),
            (200.0, lambda: night.stops.signals.append(Ask.SIGTERM)),
        ],
    )
    other.close()
    assert all(moment < 112.0 for moment in plays.began)
