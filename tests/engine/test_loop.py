"""The turn loop on the real store, with an executor and a clock that a test owns."""

from __future__ import annotations

import itertools
from typing import Any

import pytest
from night import Night, action, failing, task

from overnight.core.endings import Ending
from overnight.core.states import Outcome, Reason, TaskState
from overnight.core.stopping import Ask, StoppedBy
from overnight.core.task import Action
from overnight.core.verdict import Settlement
from overnight.engine.attempts import Running
from overnight.engine.goal import Never
from overnight.executors.contract import Spec
from overnight.store.contract import Queue
from overnight.store.sqlite import SqliteStore
from overnight.testing import Play


def test_every_task_is_completed_once_in_the_order_of_priority_and_age(night: Night) -> None:
    first, second = night.add(task("a"), task("b"))
    (urgent,) = night.add(task("c", priority=5))
    result = night.run(slots=1)
    assert night.begun() == [urgent, first, second]
    assert result.counts.completed == 3
    assert (result.stopped_by, result.exit_code) == (StoppedBy.QUEUE_EMPTY, None)


def test_a_thousand_tiny_tasks_take_few_transactions(night: Night) -> None:
    night.add(*(task(str(number)) for number in range(1000)))
    turns = []
    real_turn = night.store.turn
    night.store.turn = lambda **words: turns.append(1) or real_turn(**words)  # type: ignore[method-assign,func-returns-value]  # counts the calls
    night.run(lambda _spec, _action: Play(seconds=0.00001))
    assert len(night.begun()) == 1000
    assert len(turns) < 60


def test_a_failing_task_is_tried_four_times_with_its_waits_while_others_go_on(night: Night) -> None:
    bad, good = night.add(task("bad"), task("good"))
    started: list[tuple[int, float]] = []

    def play(spec: Spec, _action: Action) -> Play:
        started.append((spec.task_id, night.clock.monotonic()))
        return Play(seconds=0.0, ending=Ending.EXITED, exit_code=1 if spec.task_id == bad else 0)

    night.run(play, slots=1)
    moments = [moment for task_id, moment in started if task_id == bad]
    assert [round(later - earlier) for earlier, later in itertools.pairwise(moments)] == [2, 4, 8]
    assert (night.state(bad), night.state(good)) == (TaskState.FAILED, TaskState.COMPLETED)
    assert [attempt.outcome for attempt in night.store.attempts(bad)] == [Outcome.FAILED] * 4
    assert started[1][0] == good


def test_a_retry_that_succeeds_leaves_no_failure(night: Night) -> None:
    (flaky,) = night.add(task("flaky"))
    night.run(failing(2))
    assert night.state(flaky) is TaskState.COMPLETED
    assert night.store.get(flaky).attempt == 3


def test_a_task_whose_worker_dies_three_times_is_held_and_the_night_goes_on(night: Night) -> None:
    poison, good = night.add(task("poison"), task("good"))
    night.run(lambda spec, _action: Play(dies=spec.task_id == poison))
    assert (night.state(poison), night.state(good)) == (TaskState.HELD, TaskState.COMPLETED)
    held = night.store.get(poison)
    assert (held.reason, held.deaths, held.failures) == (Reason.POISON, 3, 0)


def test_a_task_whose_processes_cannot_be_ended_is_held_and_the_night_goes_on(night: Night) -> None:
    """They may go on, so a second attempt could run beside the first."""
    stuck, good = night.add(task("stuck"), task("good"))
    night.run(lambda spec, _action: Play(stuck=spec.task_id == stuck))

    assert (night.state(stuck), night.state(good)) == (TaskState.HELD, TaskState.COMPLETED)
    held = night.store.get(stuck)
    assert (held.reason, held.attempt, held.failures, held.error) == (Reason.INTERRUPTED, 1, 0, "worker died")


def test_an_at_most_once_task_never_waits_behind_another_one(night: Night) -> None:
    once = action(at_most_once=True)
    night.add(*(task(str(number), action=once) for number in range(20)))
    most = 0

    def play(_spec: Spec, _action: Action) -> Play:
        nonlocal most
        most = max(most, *(offer.outstanding for offer in night.executor.offers()))
        return Play(seconds=0.0001)

    night.run(play, slots=1)
    assert most <= 1
    assert night.store.counts().completed == 20


def test_a_resource_is_never_over_allocated(night: Night) -> None:
    night.add(*(task(str(number), needs={"gpu": 1.0}, workflow=f"w{number % 3}") for number in range(12)))
    night.add(*(task(f"plain {number}") for number in range(12)))
    at_once = 0

    def play(spec: Spec, _action: Action) -> Play:
        nonlocal at_once
        running = [spec, *(entry[0] for entry in night.executor._current.values())]
        at_once = max(at_once, sum(bool(entry.workflow) for entry in running))
        return Play(seconds=1.0)

    night.run(play, slots=8, resources={"gpu": 2})
    assert at_once == 2
    assert night.store.counts().completed == 24


def test_no_two_attempts_have_the_same_id_of_a_resource(night: Night) -> None:
    """Tiny and long ones, whole ones and halves, some of which fail and some of which are ended with the engine."""
    night.add(*(task(str(n), needs={"gpu": (0.5, 1.0, 2.0)[n % 3]}, workflow=f"w{n % 5}") for n in range(60)))
    night.add(*(task(f"plain {number}") for number in range(12)))
    given: list[tuple[bytes, ...]] = []

    def play(spec: Spec, _action: Action) -> Play:
        entries = [spec, *(entry[0] for entry in night.executor._current.values())]
        taken = [one for entry in entries for one in dict(entry.granted).get(b"OVERNIGHT_GPU", b"").split(b",") if one]
        assert len(taken) == len(set(taken))
        given.append(tuple(dict(spec.granted).get(b"OVERNIGHT_GPU", b"").split(b",")))
        return Play(seconds=(0.001, 0.7)[spec.task_id % 2])

    night.run(play, slots=6, ids={"gpu": ("a", "b", "c")}, script=[(3.0, night.give_up)])
    assert night.store.counts().completed < 72
    night.run(play, slots=6, ids={"gpu": ("a", "b", "c")})
    assert night.store.counts().completed == 72
    assert {len(one) for one in given} == {1, 2}
    assert {one for pair in given for one in pair} == {b"", b"a", b"b", b"c"}


def test_a_queue_runs_no_more_than_its_slots(night: Night) -> None:
    night.store.set_queue(Queue("slow", slots=1), now=night.clock.now(), by="test")
    night.add(*(task(str(number), queue="slow") for number in range(5)))
    started = night.clock.monotonic()
    night.run(lambda _spec, _action: Play(seconds=10.0), slots=4)
    assert night.clock.monotonic() - started >= 50


def test_a_queue_starts_no_faster_than_its_rate(night: Night) -> None:
    night.store.set_queue(Queue("api", rate=2.0), now=night.clock.now(), by="test")
    night.add(*(task(str(number), queue="api") for number in range(21)))
    started = night.clock.monotonic()
    night.run(lambda _spec, _action: Play(seconds=0.0), slots=4)
    assert 9.5 <= night.clock.monotonic() - started <= 11.5


def test_a_paused_queue_waits_and_goes_on_at_its_time(night: Night) -> None:
    until = night.clock.now() + 3600
    night.store.set_queue(Queue("q", paused=True, paused_until=until), now=night.clock.now(), by="test")
    night.add(task("a", queue="q"))
    night.run()
    assert until <= night.clock.now() <= until + 1


def test_a_task_for_later_starts_at_its_time(night: Night) -> None:
    later = night.clock.now() + 600
    (task_id,) = night.add(task("later", not_before=later))
    night.run()
    assert later <= night.clock.now() <= later + 0.1
    assert night.state(task_id) is TaskState.COMPLETED


def test_an_idle_engine_writes_nothing_and_sleeps_a_second_at_a_time(night: Night) -> None:
    turns: list[object] = []
    real_turn = night.store.turn
    night.store.turn = lambda **words: turns.append(1) or real_turn(**words)  # type: ignore[method-assign,func-returns-value]  # counts the calls
    night.run(goal=Never(), script=[(3600.0, lambda: night.stops.signals.append(Ask.SIGTERM))])
    assert len(turns) <= 3


def test_a_ring_starts_new_work_at_once(night: Night) -> None:
    other = SqliteStore.open(night.directory / "queue.db")
    begun_at: list[float] = []

    def add() -> None:
        other.add([task("new")], now=night.clock.now())
        night.bell.ring()

    def play(_spec: Spec, _action: Action) -> Play:
        begun_at.append(night.clock.monotonic())
        return Play()

    start = night.clock.monotonic()
    night.run(play, goal=Never(), script=[(10.37, add), (20.0, lambda: night.stops.signals.append(Ask.SIGTERM))])
    other.close()
    assert begun_at == [pytest.approx(start + 10.37)]


def test_a_lost_ring_costs_a_second_and_never_a_task(night: Night) -> None:
    other = SqliteStore.open(night.directory / "queue.db")
    begun_at: list[float] = []

    def add() -> None:
        other.add([task("new")], now=night.clock.now())

    def play(_spec: Spec, _action: Action) -> Play:
        begun_at.append(night.clock.monotonic())
        return Play()

    start = night.clock.monotonic()
    night.run(
        play,
        goal=Never(),
        script=[
            (10.37, add),
            (20.0, lambda: night.stops.signals.append(Ask.SIGTERM)),
        ],
    )
    other.close()
    assert start + 10.37 <= begun_at[0] <= start + 11.5


def test_outcomes_are_acknowledged_only_after_they_were_written(night: Night) -> None:
    night.add(task("a"))
    real_turn = night.store.turn

    def turn(**words: Any) -> Any:
        written = {settlement.task_id for settlement in words["settlements"]}
        assert written >= {event.task_id for event in night.executor.unacknowledged}
        result = real_turn(**words)
        assert len(night.executor.unacknowledged) == len(written)
        return result

    night.store.turn = turn  # type: ignore[method-assign]  # looks in between
    night.run()
    assert night.executor.unacknowledged == []


def test_what_a_crashed_engine_left_open_is_run_again_without_a_failure(night: Night) -> None:
    (task_id,) = night.add(task("a"))

    class PowerCutError(Exception):
        pass

    def cut() -> None:
        raise PowerCutError

    with pytest.raises(PowerCutError):
        night.run(lambda _spec, _action: Play(seconds=100.0), script=[(1.0, cut)])
    assert night.state(task_id) is TaskState.RUNNING

    night.run()
    again = night.store.get(task_id)
    assert (again.state, again.attempt, again.failures, again.deaths) == (TaskState.COMPLETED, 2, 0, 0)


def test_an_engine_with_no_slot_free_sleeps_though_a_retry_is_due(night: Night) -> None:
    bad, _long = night.add(task("bad", priority=1), task("long"))

    def play(spec: Spec, _action: Action) -> Play:
        fails = spec.task_id == bad and spec.attempt == 1
        return Play(seconds=0.1 if spec.task_id == bad else 60.0, ending=Ending.EXITED, exit_code=int(fails))

    night.run(play, slots=1)
    assert night.state(bad) is TaskState.COMPLETED
    assert night.waiter.waits < 150


def test_a_pause_with_an_end_is_waited_for_a_second_at_a_time(night: Night) -> None:
    until = night.clock.now() + 3600
    night.store.set_queue(Queue("q", paused=True, paused_until=until), now=night.clock.now(), by="test")
    night.add(task("a", queue="q"))
    turns: list[object] = []
    real_turn = night.store.turn
    night.store.turn = lambda **words: turns.append(1) or real_turn(**words)  # type: ignore[method-assign,func-returns-value]  # counts the calls
    night.run()
    assert until <= night.clock.now() <= until + 0.1
    assert night.waiter.waits < 3700
    assert len(turns) < 10


def test_what_waits_behind_a_task_that_turns_out_long_goes_to_another_slot(night: Night) -> None:
    """All were tiny so far; one of them takes five minutes, and nobody else waits for it."""
    night.add(*(task(str(number)) for number in range(400)))

    def play(spec: Spec, _action: Action) -> Play:
        return Play(seconds=300.0 if spec.input == b"150" else 0.001)

    start = night.clock.monotonic()
    done_at: list[float] = []
    real_settled = night.recorder.settled

    def settled(running: Running | None, settlement: Settlement) -> None:
        if settlement.state is TaskState.COMPLETED:
            done_at.append(night.clock.monotonic() - start)
        real_settled(running, settlement)

    night.recorder.settled = settled  # type: ignore[method-assign]  # notes the moment besides
    night.run(play, slots=2)
    assert len(done_at) == 400
    assert sorted(done_at)[-2] < 5
    assert len(night.begun()) == 400


def test_an_urgent_long_task_does_not_wait_until_the_tiny_ones_have_run_out(night: Night) -> None:
    night.add(*(task(str(number)) for number in range(3000)))
    other = SqliteStore.open(night.directory / "queue.db")
    urgent: list[int] = []

    def add() -> None:
        urgent.extend(other.add([task("urgent", priority=9, workflow="long")], now=night.clock.now()).ids)
        night.bell.ring()

    night.run(lambda _spec, _action: Play(seconds=0.001), slots=1, script=[(0.2, add)])
    other.close()
    assert night.begun().index(urgent[0]) < 600
