"""Giving up when too many have failed, and what Ctrl-C means when the goal is reached."""

from __future__ import annotations

import pytest
from night import Night, action, task

from overnight.core.endings import Ending
from overnight.core.halting import Halt
from overnight.core.states import Outcome, TaskState
from overnight.core.stopping import Ask, Mode, StoppedBy
from overnight.core.task import Action
from overnight.engine.goal import QueueEmpty, TheseAtRest
from overnight.executors.contract import Spec
from overnight.testing import Play

FAILS, PENDING = TaskState.FAILED, TaskState.PENDING


def brittle(night: Night, count: int, *, retries: int = 0) -> list[int]:
    return night.add(*(task(str(number), action=action(retries=retries)) for number in range(count)))


def failing(_spec: Spec, _action: Action) -> Play:
    return Play(seconds=1.0, ending=Ending.EXITED, exit_code=1)


def test_so_many_failures_end_the_run_and_leave_the_rest(night: Night) -> None:
    ids = brittle(night, 10)
    result = night.run(
        lambda spec, _action: Play(seconds=1.0, ending=Ending.EXITED, exit_code=spec.task_id % 2),
        slots=1,
        goal=TheseAtRest(ids, night.store, Halt(Ask.HALT, 3)),
    )
    assert [night.state(one) for one in ids] == [FAILS, TaskState.COMPLETED] * 2 + [FAILS] + [PENDING] * 5
    assert (result.stopped_by, result.exit_code) == (StoppedBy.HALT, None)


def test_a_share_is_of_all_tasks_of_the_call(night: Night) -> None:
    ids = brittle(night, 10)
    night.run(failing, slots=1, goal=TheseAtRest(ids, night.store, Halt(Ask.HALT, 40, percent=True)))
    assert sum(night.state(one) is FAILS for one in ids) == 4


def test_a_failure_that_will_be_tried_again_is_none(night: Night) -> None:
    ids = brittle(night, 2, retries=2)
    result = night.run(
        lambda spec, _action: Play(ending=Ending.EXITED, exit_code=int(spec.attempt < 3)),
        goal=TheseAtRest(ids, night.store, Halt(Ask.HALT_NOW, 1)),
    )
    assert (result.stopped_by, result.counts.completed) == (StoppedBy.QUEUE_EMPTY, 2)


def test_failures_of_others_do_not_count(night: Night) -> None:
    theirs, mine = brittle(night, 3), brittle(night, 1)
    result = night.run(
        lambda spec, _action: Play(ending=Ending.EXITED, exit_code=int(spec.task_id in theirs)),
        slots=1,
        goal=TheseAtRest(mine, night.store, Halt(Ask.HALT, 1)),
    )
    assert (result.stopped_by, result.counts.failed) == (StoppedBy.QUEUE_EMPTY, 3)


@pytest.mark.parametrize(
    ("ask", "state", "outcome"),
    [(Ask.HALT, TaskState.COMPLETED, Outcome.COMPLETED), (Ask.HALT_NOW, PENDING, Outcome.INTERRUPTED)],
)
def test_what_runs_may_finish_unless_it_is_to_end_now(
    night: Night, ask: Ask, state: TaskState, outcome: Outcome
) -> None:
    slow, bad, last = brittle(night, 3)

    def play(spec: Spec, _action: Action) -> Play:
        return Play(seconds=1000.0) if spec.task_id == slow else failing(spec, _action)

    night.run(play, goal=TheseAtRest([slow, bad, last], night.store, Halt(ask, 1)))
    assert (night.state(slow), night.state(bad), night.state(last)) == (state, FAILS, PENDING)
    assert [attempt.outcome for attempt in night.store.attempts(slow)] == [outcome]


def test_a_run_of_the_whole_queue_gives_up_as_well(night: Night) -> None:
    ids = brittle(night, 10)
    result = night.run(failing, slots=1, goal=QueueEmpty(Halt(Ask.HALT, 20, percent=True), total=10))
    assert (result.stopped_by, sum(night.state(one) is FAILS for one in ids)) == (StoppedBy.HALT, 2)


def test_one_ctrl_c_after_the_goal_does_not_end_the_tasks_of_others(night: Night) -> None:
    (theirs,), (mine,) = night.add(task("theirs")), night.add(task("mine"))
    result = night.run(
        lambda spec, _action: Play(seconds=100.0 if spec.task_id == theirs else 1.0),
        goal=TheseAtRest([mine], night.store),
        script=[(5.0, lambda: night.stops.signals.append(Ask.SIGINT))],
    )
    assert night.state(theirs) is TaskState.COMPLETED
    assert result.exit_code is None
    assert [(stop.mode, stop.by) for stop in night.recorder.stops] == [
        (Mode.DRAIN, StoppedBy.QUEUE_EMPTY),
        (Mode.DRAIN, StoppedBy.SIGNAL),
    ]


def test_the_last_failure_ends_no_task_of_others(night: Night) -> None:
    """With it everything that was asked for is at rest, and there is nothing left to give up."""
    (mine,), (theirs,) = brittle(night, 1), brittle(night, 1)
    result = night.run(
        lambda spec, _action: Play(
            seconds=1.0 if spec.task_id == mine else 100.0, ending=Ending.EXITED, exit_code=int(spec.task_id == mine)
        ),
        goal=TheseAtRest([mine], night.store, Halt(Ask.HALT_NOW, 1)),
    )
    assert (night.state(mine), night.state(theirs)) == (FAILS, TaskState.COMPLETED)
    assert result.stopped_by is StoppedBy.QUEUE_EMPTY


def test_nothing_is_handed_out_ahead_of_a_failure_that_may_end_it(night: Night) -> None:
    """Tiny tasks go to a slot by the hundred; those behind the failure would be done before anybody heard of it."""
    ids = brittle(night, 200)
    night.run(
        lambda spec, _action: Play(seconds=0.001, ending=Ending.EXITED, exit_code=int(spec.task_id == ids[100])),
        slots=1,
        goal=TheseAtRest(ids, night.store, Halt(Ask.HALT, 1)),
    )
    assert len(night.begun()) == 101
