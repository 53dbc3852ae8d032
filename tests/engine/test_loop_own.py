"""The runner's own tasks: beside the work of people, in a slot of their own, and counted apart."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import pytest
from night import Night, action, task

from overnight.core.endings import Ending
from overnight.core.halting import Halt
from overnight.core.lanes import EVERY_QUEUE, OPS_QUEUE
from overnight.core.states import Outcome, TaskState
from overnight.core.stopping import Ask, StoppedBy
from overnight.core.storms import Policy
from overnight.core.task import Action
from overnight.engine.goal import Never, QueueEmpty
from overnight.executors.contract import Spec
from overnight.store.contract import Query, Queue, Selector, Verb
from overnight.store.sqlite import SqliteStore
from overnight.testing import Play


def add_own(night: Night, *names: str) -> list[int]:
    return night.add(*(task(name, queue=OPS_QUEUE) for name in names))


def add_from_elsewhere(night: Night, *names: str) -> None:
    """As another process does it."""
    other = SqliteStore.open(night.directory / "queue.db")
    other.add([task(name, queue=OPS_QUEUE) for name in names], now=night.clock.now())
    other.close()
    night.bell.ring()


def for_seconds(own: float, *, of_people: float) -> Callable[[Spec, Action], Play]:
    return lambda spec, _action: Play(seconds=own if spec.queue == OPS_QUEUE else of_people)


def test_work_of_people_neither_starves_them_nor_loses_a_slot_to_them(night: Night) -> None:
    night.add(*(task(str(number), priority=9) for number in range(4)))
    own = add_own(night, "x", "y", "z")
    began: dict[int, float] = {}
    start = night.clock.monotonic()

    def play(spec: Spec, _action: Action) -> Play:
        began[spec.task_id] = night.clock.monotonic() - start
        return Play(seconds=10.0 if spec.queue == OPS_QUEUE else 100.0)

    night.run(play, slots=2)

    assert [round(began[one]) for one in own] == [0, 10, 20]
    assert sorted(round(at) for one, at in began.items() if one not in own) == [0, 0, 100, 100]
    assert all(night.state(one) is TaskState.COMPLETED for one in own)


def test_one_that_comes_while_every_slot_is_busy_begins_at_once(night: Night) -> None:
    night.add(task("a"), task("b"))
    began: list[float] = []
    start = night.clock.monotonic()

    def play(spec: Spec, _action: Action) -> Play:
        if spec.queue == OPS_QUEUE:
            began.append(night.clock.monotonic() - start)
        return Play(seconds=1000.0 if spec.queue != OPS_QUEUE else 1.0)

    def come() -> None:
        add_from_elsewhere(night, "x")

    night.run(play, slots=1, script=[(50.0, come)])
    assert began == [50.0]


def test_their_retries_begin_in_time_while_every_slot_is_busy(night: Night) -> None:
    night.add(task("a"))
    (own,) = add_own(night, "x")
    began: list[float] = []
    start = night.clock.monotonic()

    def play(spec: Spec, _action: Action) -> Play:
        if spec.task_id == own:
            began.append(night.clock.monotonic() - start)
            return Play(seconds=0.0, ending=Ending.EXITED, exit_code=1)
        return Play(seconds=1000.0)

    night.run(play, slots=1)
    assert [round(at) for at in began] == [0, 2, 6, 14]


def test_no_slot_is_there_without_them_and_it_goes_when_it_was_idle(night: Night) -> None:
    seen: list[set[int]] = []

    def look() -> None:
        seen.append(set(night.executor._queues))

    def come() -> None:
        add_from_elsewhere(night, "x")

    script = [(1.0, look), (2.0, come), (4.0, look), (80.0, look), (100.0, look), (101.0, night.give_up)]
    night.run(goal=Never(), slots=2, script=script)
    assert seen == [{0, 1}, {0, 1, 2}, {0, 1, 2}, {0, 1}]


def test_one_that_waits_for_its_time_costs_an_idle_engine_nothing(night: Night) -> None:
    night.run(goal=Never(), script=[(100.0, night.give_up)])
    waits = night.waiter.waits
    night.add(task("x", queue=OPS_QUEUE, not_before=night.clock.now() + 1e6))
    night.run(goal=Never(), script=[(100.0, night.give_up)])
    assert night.waiter.waits <= waits + 2


def test_nobody_counts_them_or_waits_for_them(night: Night) -> None:
    (mine,) = night.add(task("a"))
    own = add_own(night, "x", "y")
    night.run(lambda spec, _action: Play(seconds=100.0 if spec.queue == OPS_QUEUE else 1.0), slots=1)

    counts = night.store.counts()
    assert (counts.total, counts.completed, counts.unfinished) == (1, 1, 0)
    assert night.store.counts(queue=OPS_QUEUE).pending == 2
    assert [one.task_id for one in night.recorder.settlements] == [mine]
    # The one that ran was ended in the end, without a failure; the other never began.
    assert [one.outcome for one in night.store.attempts(own[0])] == [Outcome.INTERRUPTED]
    assert night.store.get(own[0]).failures == 0


def test_what_runs_when_the_work_is_over_is_given_a_moment(night: Night) -> None:
    night.add(task("a"))
    (own,) = add_own(night, "x")
    result = night.run(lambda spec, _action: Play(seconds=4.0 if spec.queue == OPS_QUEUE else 1.0), slots=1)
    assert night.state(own) is TaskState.COMPLETED
    assert (result.stopped_by, result.left) == (StoppedBy.QUEUE_EMPTY, 0)


def test_their_failures_stop_and_slow_nothing(night: Night) -> None:
    """Of one that stops the queue, too; and an error of theirs is no storm."""
    for number in range(8):
        night.add(task(f"x{number}", queue=OPS_QUEUE))
    mine = night.add(*(task(str(number)) for number in range(30)))

    def play(spec: Spec, _action: Action) -> Play:
        if spec.queue != OPS_QUEUE:
            return Play(seconds=1.0)
        return Play(seconds=0.1, ending=Ending.EXITED, exit_code=65 if spec.input != b"x7" else 99, error="no route")

    night.run(play, slots=1, goal=QueueEmpty(Halt(Ask.HALT, 1), 30), brake=Policy(after=2))
    assert all(night.state(one) is TaskState.COMPLETED for one in mine)
    assert night.store.counts(queue=OPS_QUEUE).failed == 7
    assert (night.alarms, night.store.storms()) == ([], [])


def test_they_make_no_storm_beside_failures_of_people(night: Night) -> None:
    own = action(timeout=7.0)
    night.add(*(task(f"x{number}", queue=OPS_QUEUE, action=own) for number in range(10)))
    night.add(*(task(name) for name in "abcdefghij"))

    def play(spec: Spec, _action: Action) -> Play:
        if spec.queue == OPS_QUEUE:
            return Play(seconds=1.0, ending=Ending.EXITED, exit_code=65, error="no route")
        name = spec.input.decode()
        return Play(seconds=1.0, ending=Ending.EXITED, exit_code=int(spec.attempt == 1), error=f"no {name * 5}")

    night.run(play, slots=1, brake=Policy(after=4))
    assert night.store.counts(queue=OPS_QUEUE).failed == 10
    assert (night.alarms, night.store.storms()) == ([], [])


def test_a_pause_of_everything_is_not_theirs(night: Night) -> None:
    (mine,) = night.add(task("a"))
    (own,) = add_own(night, "x")
    night.store.set_queue(Queue(EVERY_QUEUE, paused=True), now=night.clock.now(), by="test")
    night.run(goal=Never(), script=[(5.0, night.give_up)])
    assert (night.state(mine), night.state(own)) == (TaskState.PENDING, TaskState.COMPLETED)


def test_without_room_for_the_slot_they_wait_a_little(night: Night, monkeypatch: pytest.MonkeyPatch) -> None:
    answers = iter([False, False])

    def come() -> None:
        real = night.executor.set_aside
        monkeypatch.setattr(night.executor, "set_aside", lambda slot: next(answers, True) and real(slot))
        add_from_elsewhere(night, "x")

    night.run(goal=Never(), script=[(1.0, come), (10.0, night.give_up)])
    (own,) = (one.id for one in night.store.tasks(Query(queue=OPS_QUEUE)))
    assert [one.outcome for one in night.store.attempts(own)] == [Outcome.RECALLED] * 2 + [Outcome.COMPLETED]


def test_what_an_engine_left_behind_is_not_counted_by_the_next(night: Night) -> None:
    (own,) = add_own(night, "x")
    night.add(task("a"))

    class Killed(Exception):  # noqa: N818 - it stands for the end of the process
        pass

    def kill() -> None:
        raise Killed

    with pytest.raises(Killed):
        night.run(for_seconds(100.0, of_people=100.0), script=[(1.0, kill)])
    night.recorder.settlements.clear()
    night.run(for_seconds(1.0, of_people=10.0))
    assert night.state(own) is TaskState.COMPLETED
    assert own not in {one.task_id for one in night.recorder.settlements}


def test_they_are_found_only_by_the_name_of_their_queue_or_their_number(night: Night) -> None:
    (mine,) = night.add(task("a"))
    (own,) = add_own(night, "a")

    def listed(query: Query) -> Sequence[int]:
        return [one.id for one in night.store.tasks(query)]

    assert listed(Query()) == [mine]
    assert listed(Query(queue=OPS_QUEUE)) == [own]
    assert listed(Query(own=True)) == [own, mine]
    assert [one.name for one in night.store.queues()] == ["default"]
    # The same work for a person is another task.
    assert [one.id for one in night.store.find([task("a")])] == [mine]
    assert night.store.act(Verb.CANCEL, Selector(everything=True), now=night.clock.now(), by="test").ids == [mine]
    assert (night.state(mine), night.state(own)) == (TaskState.CANCELLED, TaskState.PENDING)
    night.store.act(Verb.CANCEL, Selector(ids=(own,)), now=night.clock.now(), by="test")
    assert night.state(own) is TaskState.CANCELLED


def test_a_stop_ends_them_like_everything(night: Night) -> None:
    (own,) = add_own(night, "x")
    night.run(for_seconds(1000.0, of_people=1.0), goal=Never(), script=[(3.0, night.give_up)])
    assert night.state(own) is TaskState.PENDING
