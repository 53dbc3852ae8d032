"""The turn loop on the real store, with an executor and a clock that a test owns."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import pytest

from overnight.core.endings import Ending
from overnight.core.errors import DiskFullError
from overnight.core.states import Outcome, Reason, TaskState
from overnight.core.stopping import Ask, StoppedBy
from overnight.core.task import Action, ActionKind, NewTask
from overnight.core.verdict import Settlement
from overnight.engine.attempts import Running
from overnight.engine.goal import Goal, Never, QueueEmpty, TheseAtRest
from overnight.engine.journal import Journal
from overnight.engine.loop import Engine, Result
from overnight.executors.contract import Spec
from overnight.host.waiter import Source
from overnight.monitor.books import audit
from overnight.store.contract import Queue, Selector, Verb
from overnight.store.sqlite import SqliteStore
from overnight.testing import FakeBell, FakeClock, FakeExecutor, FakeRoom, FakeStops, FakeWaiter, Play, Recorder


def action(**options: Any) -> Action:
    return Action(kind=ActionKind.CALL, cwd=b"/", call="m:f", **options)


def task(name: str, **options: Any) -> NewTask:
    what = options.pop("action", None) or action()
    return NewTask(action=what, input=name.encode(), **options)


class Watched(FakeWaiter):
    """Counts the waits, and ends the test of an engine that spins: one that waits without letting time pass."""

    def __init__(self, clock: FakeClock, *rest: Any) -> None:
        super().__init__(clock, *rest)
        self._now = clock.monotonic
        self._moment = clock.monotonic()
        self._waits_now = self.waits = 0

    def wait(self, sources: Sequence[Source], seconds: float) -> list[Source]:
        ready = super().wait(sources, seconds)
        self.waits += 1
        self._waits_now = self._waits_now + 1 if self._now() == self._moment else 0
        self._moment = self._now()
        assert self._waits_now < 1000, "the engine spins"
        return ready


class Night:
    """A store, and everything that an engine needs besides."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        self.clock = FakeClock()
        self.store = SqliteStore.open(directory / "queue.db", create=True, migrate=True)
        self.recorder = Recorder()
        self.bell, self.stops, self.room = FakeBell(), FakeStops(), FakeRoom()
        self.executor = FakeExecutor(self.clock, slots=2)

    def add(self, *tasks: NewTask) -> list[int]:
        return self.store.add(tasks, now=self.clock.now()).ids

    def run(
        self,
        play: Callable[[Spec, Action], Play] | None = None,
        *,
        slots: int = 2,
        goal: Goal | None = None,
        script: Sequence[tuple[float, Callable[[], None]]] = (),
        resources: dict[str, float] | None = None,
    ) -> Result:
        self.executor = FakeExecutor(self.clock, slots=slots, play=play)
        self.waiter = Watched(self.clock, self.executor, self.bell, self.stops, script)
        engine = Engine(
            store=self.store,
            executor=self.executor,
            clock=self.clock,
            waiter=self.waiter,
            bell=self.bell,
            stops=self.stops,
            journal=Journal(self.directory / "events.jsonl", self.store),
            room=self.room,
            goal=goal or QueueEmpty(),
            observer=self.recorder,
            resources=resources,
        )
        return engine.run()

    def state(self, task_id: int) -> TaskState:
        return self.store.get(task_id).state

    def begun(self) -> list[int]:
        return [key.task_id for key in self.executor.begun]


@pytest.fixture
def night(tmp_path: Path) -> Iterator[Night]:
    made = Night(tmp_path)
    yield made
    assert made.store.recount() == []
    made.store.close()


def failing(times: int) -> Callable[[Spec, Action], Play]:
    return lambda spec, _action: Play(ending=Ending.EXITED, exit_code=0 if spec.attempt > times else 1)


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


def test_a_stop_lets_what_runs_finish_and_claims_no_more(night: Night) -> None:
    ids = night.add(*(task(str(number)) for number in range(4)))
    result = night.run(
        lambda _spec, _action: Play(seconds=10.0), script=[(1.0, lambda: night.stops.signals.append(Ask.SIGINT))]
    )
    assert [night.state(task_id) for task_id in ids] == [TaskState.COMPLETED] * 2 + [TaskState.PENDING] * 2
    assert (result.stopped_by, result.exit_code) == (StoppedBy.SIGNAL, None)


def test_sigterm_ends_what_runs_and_counts_no_failure(night: Night) -> None:
    ids = night.add(task("a"), task("b"), task("c"))
    result = night.run(
        lambda _spec, _action: Play(seconds=1000.0), script=[(1.0, lambda: night.stops.signals.append(Ask.SIGTERM))]
    )
    assert {night.state(task_id) for task_id in ids} == {TaskState.PENDING}
    assert night.store.get(ids[0]).failures == 0
    assert [attempt.outcome for attempt in night.store.attempts(ids[0])] == [Outcome.INTERRUPTED]
    assert result.exit_code == 143


def test_the_stop_file_is_seen_within_a_second_and_removed(night: Night) -> None:
    night.stops.file = True
    night.add(*(task(str(number)) for number in range(50)))
    result = night.run(lambda _spec, _action: Play(seconds=1.0), slots=1)
    assert result.stopped_by is StoppedBy.STOP_SIGNAL
    assert result.counts.completed <= 2
    assert not night.stops.file


def test_prefetched_tasks_go_back_untouched_when_a_stop_comes(night: Night) -> None:
    ids = night.add(*(task(str(number)) for number in range(200)))
    night.run(
        lambda _spec, _action: Play(seconds=0.01),
        slots=1,
        script=[(0.1, lambda: night.stops.signals.append(Ask.SIGINT))],
    )
    begun = set(night.begun())
    assert 0 < len(begun) < 200
    assert all(night.state(task_id) is TaskState.PENDING for task_id in ids if task_id not in begun)
    assert all(night.state(task_id) is TaskState.COMPLETED for task_id in begun)


def test_exit_99_completes_the_task_and_stops_the_queue(night: Night) -> None:
    night.add(task("a"), task("b"))
    result = night.run(lambda _spec, _action: Play(seconds=1, ending=Ending.EXITED, exit_code=99), slots=1)
    assert (result.stopped_by, result.counts.completed, result.counts.pending) == (StoppedBy.HALT, 1, 1)


@pytest.mark.parametrize(("verb", "state"), [(Verb.CANCEL, TaskState.CANCELLED), (Verb.HOLD, TaskState.HELD)])
def test_a_running_task_is_ended_when_a_person_asks(night: Night, verb: Verb, state: TaskState) -> None:
    (long,) = night.add(task("long"))
    other = SqliteStore.open(night.directory / "queue.db")

    def ask() -> None:
        acted = other.act(verb, Selector(ids=(long,)), now=night.clock.now(), by="person")
        assert (acted.changed, acted.asked) == (0, 1)
        night.bell.ring()

    night.run(lambda _spec, _action: Play(seconds=1000.0), script=[(1.0, ask)])
    other.close()
    assert night.state(long) is state
    assert night.clock.monotonic() < 1000 + 10
    assert night.store.orders().controls == []


def test_cancelling_a_prefetched_task_spares_its_neighbours(night: Night) -> None:
    ids = night.add(*(task(str(number)) for number in range(100)))
    other = SqliteStore.open(night.directory / "queue.db")

    def ask() -> None:
        running = next(task_id for task_id in reversed(ids) if other.get(task_id).state is TaskState.RUNNING)
        asked.append(running)
        other.act(Verb.CANCEL, Selector(ids=(running,)), now=night.clock.now(), by="person")
        night.bell.ring()

    asked: list[int] = []
    night.run(lambda _spec, _action: Play(seconds=0.01), slots=1, script=[(0.1, ask)])
    other.close()
    assert night.state(asked[0]) is TaskState.CANCELLED
    assert asked[0] not in night.begun()
    assert night.store.counts().completed == 99
    assert len(night.begun()) == 99


def test_a_task_whose_worker_dies_three_times_is_held_and_the_night_goes_on(night: Night) -> None:
    poison, good = night.add(task("poison"), task("good"))
    night.run(lambda spec, _action: Play(dies=spec.task_id == poison))
    assert (night.state(poison), night.state(good)) == (TaskState.HELD, TaskState.COMPLETED)
    held = night.store.get(poison)
    assert (held.reason, held.deaths, held.failures) == (Reason.POISON, 3, 0)


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


def test_the_goal_of_certain_tasks_is_reached_although_others_wait(night: Night) -> None:
    mine = night.add(task("mine", priority=1))
    night.add(*(task(str(number)) for number in range(100)))
    goal = TheseAtRest(mine, night.store)
    result = night.run(lambda _spec, _action: Play(seconds=5.0), slots=1, goal=goal)
    assert goal.tally == {TaskState.COMPLETED: 1}
    assert result.counts.pending > 0


def test_a_task_that_a_person_cancels_while_it_waits_counts_for_the_goal(night: Night) -> None:
    mine = night.add(task("later", not_before=night.clock.now() + 10_000))
    night.add(task("long"))
    other = SqliteStore.open(night.directory / "queue.db")

    def cancel() -> None:
        other.act(Verb.CANCEL, Selector(ids=tuple(mine)), now=night.clock.now(), by="person")

    goal = TheseAtRest(mine, night.store)
    night.run(goal=goal, script=[(5.0, cancel)])
    other.close()
    assert goal.tally == {TaskState.CANCELLED: 1}


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


def test_an_engine_that_drains_sleeps_though_a_retry_is_due(night: Night) -> None:
    night.add(task("later", not_before=night.clock.now() + 5), task("long"))
    night.run(lambda _spec, _action: Play(seconds=60.0), script=[(1.0, lambda: night.stops.signals.append(Ask.SIGINT))])
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


def test_a_rung_cancel_of_a_waiting_task_counts_for_the_goal(night: Night) -> None:
    mine = night.add(task("mine", not_before=night.clock.now() + 10_000))
    night.add(task("theirs", not_before=night.clock.now() + 20_000))
    other = SqliteStore.open(night.directory / "queue.db")

    def cancel() -> None:
        other.act(Verb.CANCEL, Selector(ids=tuple(mine)), now=night.clock.now(), by="person")
        night.bell.ring()

    began = night.clock.monotonic()
    goal = TheseAtRest(mine, night.store)
    night.run(goal=goal, script=[(5.3, cancel)])
    other.close()
    assert goal.tally == {TaskState.CANCELLED: 1}
    assert night.clock.monotonic() - began < 10


class Disk:
    """A disk under a store and its journal, full when a test says so."""

    def __init__(self, night: Night, monkeypatch: pytest.MonkeyPatch) -> None:
        self.full = self.journal_full = False
        self._night = night
        for name in ("turn", "drained", "act"):
            monkeypatch.setattr(night.store, name, self._guard(getattr(night.store, name), lambda: self.full))
        monkeypatch.setattr(Journal, "pump", self._guard(Journal.pump, lambda: self.full or self.journal_full))

    @staticmethod
    def _guard(real: Callable[..., Any], full: Callable[[], bool]) -> Callable[..., Any]:
        def guarded(*words: Any, **named: Any) -> Any:
            if full():
                raise DiskFullError("full")
            return real(*words, **named)

        return guarded

    def fill(self) -> None:
        self.full, self._night.room.free = True, False

    def fill_journal(self) -> None:
        self.journal_full, self._night.room.free = True, False

    def clear(self) -> None:
        self.full = self.journal_full = False
        self._night.room.free = True


@pytest.mark.parametrize("what", ["fill", "fill_journal"])
def test_a_full_disk_pauses_claiming_and_costs_no_task_anything(
    night: Night, monkeypatch: pytest.MonkeyPatch, what: str
) -> None:
    disk = Disk(night, monkeypatch)
    ids = night.add(*(task(str(number)) for number in range(20)))
    night.run(lambda _spec, _action: Play(seconds=1.0), script=[(3.5, getattr(disk, what)), (60.0, disk.clear)])
    assert [night.store.get(task_id).attempt for task_id in ids] == [1] * 20
    assert night.store.counts().completed == 20
    assert night.recorder.disk_reports == [True, False]
    assert night.clock.monotonic() > 1060
    assert night.waiter.waits < 400
    assert audit(night.store, night.directory / "events.jsonl") == []


def test_a_stop_at_once_is_obeyed_though_the_disk_is_full_and_what_ended_is_left_to_the_next_engine(
    night: Night, monkeypatch: pytest.MonkeyPatch
) -> None:
    disk = Disk(night, monkeypatch)
    (task_id,) = night.add(task("a"))
    result = night.run(
        lambda _spec, _action: Play(seconds=1.0),
        script=[(0.5, disk.fill), (30.0, lambda: night.stops.signals.append(Ask.SIGTERM))],
    )
    assert result.exit_code == 143
    assert night.clock.monotonic() < 1040
    assert [event.task_id for event in night.executor.unacknowledged] == [task_id]
    assert night.state(task_id) is TaskState.RUNNING


@pytest.mark.parametrize(("verb", "state"), [(Verb.CANCEL, TaskState.CANCELLED), (Verb.HOLD, TaskState.HELD)])
def test_an_attempt_that_fails_before_the_engine_has_heard_of_a_cancel_is_not_tried_again(
    night: Night, verb: Verb, state: TaskState
) -> None:
    (bad,) = night.add(task("bad"))
    other = SqliteStore.open(night.directory / "queue.db")

    def ask() -> None:
        acted = other.act(verb, Selector(ids=(bad,)), now=night.clock.now(), by="person")
        assert acted.asked == 1

    night.run(lambda _spec, _action: Play(seconds=0.5, ending=Ending.EXITED, exit_code=1), script=[(0.45, ask)])
    other.close()
    assert len(night.begun()) == 1
    assert night.state(bad) is state
    assert night.store.orders().controls == []


def test_a_cancel_that_comes_with_a_stop_at_once_is_obeyed(night: Night) -> None:
    (long,) = night.add(task("long"))
    other = SqliteStore.open(night.directory / "queue.db")

    def ask() -> None:
        other.ask(Ask.STOP_NOW, now=night.clock.now(), by="person")
        other.act(Verb.CANCEL, Selector(ids=(long,)), now=night.clock.now(), by="person")
        night.bell.ring()

    night.run(lambda _spec, _action: Play(seconds=1000.0), script=[(0.5, ask)])
    other.close()
    assert night.state(long) is TaskState.CANCELLED
    assert night.store.orders().controls == []


@pytest.mark.parametrize("ask", ["file", "signal", "control"])
def test_a_stop_during_recovery_starts_nothing(night: Night, monkeypatch: pytest.MonkeyPatch, ask: str) -> None:
    night.add(task("a"))
    real = FakeExecutor.open

    def slow_open(self: FakeExecutor, **words: Any) -> Any:
        if ask == "file":
            night.stops.file = True
        elif ask == "signal":
            night.stops.signals.append(Ask.SIGINT)
        else:
            night.store.ask(Ask.STOP_NOW, now=night.clock.now(), by="person")
        return real(self, **words)

    monkeypatch.setattr(FakeExecutor, "open", slow_open)
    result = night.run()
    assert night.begun() == []
    assert result.counts.pending == 1
    assert night.store.orders().controls == []


def test_a_stop_that_was_asked_of_an_earlier_engine_does_not_stop_this_one(night: Night) -> None:
    night.add(task("a"))
    night.store.ask(Ask.STOP_NOW, now=night.clock.now(), by="person")
    assert night.run().counts.completed == 1
    assert night.store.orders().controls == []


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
