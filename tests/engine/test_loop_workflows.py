"""Nights with workflows: what is open at a time, what is given to steps, how a night ends."""

from __future__ import annotations

from collections import Counter
from contextlib import closing
from typing import Any

import pytest
from night import Night, task

from overnight.core.endings import Ending
from overnight.core.lanes import OPEN_A_SLOT
from overnight.core.states import TaskState
from overnight.core.stopping import StoppedBy
from overnight.core.task import Action, ActionKind, NewTask
from overnight.core.workflow.model import Step, Workflow
from overnight.engine.goal import TheseAtRest
from overnight.executors.contract import Spec
from overnight.store.contract import Query, Queue, Selector, Verb
from overnight.store.sqlite import SqliteStore
from overnight.testing import Play

FLOW = Action(kind=ActionKind.WORKFLOW, call="flow", cwd=b"/")


@pytest.fixture
def flow(night: Night) -> Night:
    """A night with a workflow of two steps."""
    define(night, Step(id="a", run=("a",)), Step(id="b", run=("b",), needs=("a",)))
    return night


def define(night: Night, *steps: Step, **options: Any) -> None:
    night.store.define([Workflow(name="flow", steps=steps, **options)], source="test", now=night.clock.now(), by="me")


def add(night: Night, count: int, **options: Any) -> list[int]:
    return night.add(*(NewTask(action=FLOW, input=b"%d" % number, **options) for number in range(count)))


def test_a_night_of_workflows_ends_when_all_of_them_have(flow: Night) -> None:
    ids = add(flow, 20)
    result = flow.run()
    assert result.stopped_by is StoppedBy.QUEUE_EMPTY
    assert {flow.state(task_id) for task_id in ids} == {TaskState.COMPLETED}
    assert flow.store.counts().steps == {"completed": 40}
    assert flow.store.recount() == []


def test_a_run_of_chosen_tasks_waits_for_their_steps(flow: Night) -> None:
    ids = add(flow, 5)
    goal = TheseAtRest(ids, flow.store)
    flow.run(goal=goal)
    assert goal.tally == {TaskState.COMPLETED: 5}


def test_observers_hear_of_tasks_and_of_steps(flow: Night) -> None:
    add(flow, 3)
    flow.run()
    told = Counter((one.step, one.state) for one in flow.recorder.settlements)
    assert told == {(name, TaskState.COMPLETED): 3 for name in ("a", "b", "")}


def test_a_workflow_runs_no_more_than_its_slots_in_all_queues_together(flow: Night) -> None:
    flow.store.set_queue(Queue("workflow flow", slots=2), now=flow.clock.now(), by="test")
    add(flow, 6, queue="one")
    add(flow, 6, queue="other")
    plain = flow.add(*(task(str(number)) for number in range(8)))
    started = flow.clock.monotonic()
    running: list[int] = []

    def play(_spec: Spec, _action: Action) -> Play:
        steps = flow.store.tasks(Query(states=(TaskState.RUNNING,), steps=True))
        running.append(sum(bool(one.step) for one in steps))
        return Play(seconds=10.0)

    flow.run(play, slots=4)

    assert max(running) == 2
    assert 120 <= flow.clock.monotonic() - started < 130, "12 tasks, two steps each, two at a time"
    assert max(flow.store.get(one).finished_at or 0.0 for one in plain) < flow.clock.now() - 70, "others go on beside"


def test_a_workflow_starts_no_faster_than_its_rate(flow: Night) -> None:
    flow.store.set_queue(Queue("workflow flow", rate=2.0), now=flow.clock.now(), by="test")
    add(flow, 10)
    started = flow.clock.monotonic()
    flow.run(lambda _spec, _action: Play(seconds=0.0), slots=4)
    assert 9.0 <= flow.clock.monotonic() - started <= 11.5


def test_a_workflow_that_may_run_but_slowly_leaves_places_to_others(flow: Night) -> None:
    """Its own open tasks are capped by its slots; else no other workflow could be begun before it is done."""
    flow.store.set_queue(Queue("workflow flow", slots=1), now=flow.clock.now(), by="test")
    other = Workflow(name="other", steps=(Step(id="c", run=("c",)),))
    flow.store.define([other], source="else", now=flow.clock.now(), by="me")
    add(flow, 20)
    last = flow.add(NewTask(Action(kind=ActionKind.WORKFLOW, call="other", cwd=b"/"), b"x"))[0]
    started = flow.clock.now()
    flow.run(lambda _spec, _action: Play(seconds=1.0), slots=4)
    assert (flow.store.get(last).finished_at or 0.0) - started < 5.0


def test_only_so_many_tasks_are_open_as_keep_the_slots_busy(flow: Night) -> None:
    add(flow, 50)
    most = 0

    def play(_spec: Spec, _action: Action) -> Play:
        nonlocal most
        most = max(most, flow.store.counts().running)
        return Play(seconds=1.0)

    flow.run(play, slots=2)
    assert 2 <= most <= 2 * OPEN_A_SLOT
    assert flow.store.counts().completed == 50


def test_tasks_whose_steps_wait_for_a_retry_leave_room_for_others_but_not_for_all(flow: Night) -> None:
    add(flow, 50)
    most = 0

    def play(spec: Spec, _action: Action) -> Play:
        nonlocal most
        most = max(most, flow.store.counts().running)
        return Play(seconds=1.0, ending=Ending.EXITED, exit_code=1 if spec.attempt == 1 else 0)

    flow.run(play, slots=2)
    assert 2 < most <= 2 * OPEN_A_SLOT
    assert flow.store.counts().completed == 50


def test_tiny_steps_take_few_transactions(flow: Night) -> None:
    add(flow, 1000)
    turns = []
    real_turn = flow.store.turn
    flow.store.turn = lambda **words: turns.append(1) or real_turn(**words)  # type: ignore[method-assign,func-returns-value]  # counts the calls
    flow.run(lambda _spec, _action: Play(seconds=0.00001))
    assert flow.store.counts().completed == 1000
    assert len(turns) < 200


def test_started_work_is_finished_first(flow: Night) -> None:
    add(flow, 20)
    order: list[tuple[int, str]] = []

    def play(spec: Spec, _action: Action) -> Play:
        order.append((int(spec.input), spec.step))
        return Play(seconds=1.0)

    flow.run(play, slots=1)
    assert order == [(number, step) for number in range(20) for step in "ab"]


def test_a_step_is_given_its_name_and_the_outputs_that_it_uses(night: Night) -> None:
    define(night, Step(id="a", run=("a",)), Step(id="b", run=("cp", "{a.path}")))
    add(night, 1)
    specs: list[Spec] = []

    def play(spec: Spec, _action: Action) -> Play:
        specs.append(spec)
        return Play(result=b'{"path":"x"}')

    night.run(play)
    assert [(spec.step, spec.workflow, spec.given) for spec in specs] == [
        ("a", "flow", b""),
        ("b", "flow", b'{"a":{"path":"x"}}'),
    ]


def test_resources_and_slots_of_a_queue_are_a_matter_of_steps(night: Night) -> None:
    define(night, Step(id="a", run=("a",), resources={"gpu": 1.0}), Step(id="b", run=("b",), needs=("a",)))
    add(night, 12)
    at_once = 0

    def play(spec: Spec, _action: Action) -> Play:
        nonlocal at_once
        running = [spec, *(entry[0] for entry in night.executor._current.values())]
        at_once = max(at_once, sum(entry.step == "a" for entry in running))
        return Play(seconds=1.0)

    night.run(play, slots=6, resources={"gpu": 2})
    assert at_once == 2
    assert night.store.counts().completed == 12


def test_a_workflow_that_nobody_defines_keeps_nobody_else_from_working(night: Night) -> None:
    add(night, 3)
    (plain,) = night.add(task("plain"))
    night.run(script=[(30.0, night.give_up)])
    assert night.state(plain) is TaskState.COMPLETED
    assert night.store.counts().pending == 3


def test_a_stop_leaves_open_tasks_for_the_next_engine(flow: Night) -> None:
    add(flow, 4)
    result = flow.run(lambda _spec, _action: Play(seconds=10.0), slots=2, script=[(5.0, flow.give_up)])
    assert result.left == 4
    assert flow.store.counts().running > 0
    flow.run()
    assert flow.store.counts().completed == 4
    assert flow.store.recount() == []


def test_a_night_ends_when_only_a_person_can_help(flow: Night) -> None:
    """What is left waits for a task that is held."""
    poison, other = add(flow, 2)
    (after,) = flow.add(task("after", after=(poison,)))
    flow.run(lambda spec, _action: Play(dies=spec.input == b"0"))
    assert (flow.state(poison), flow.state(other)) == (TaskState.HELD, TaskState.COMPLETED)
    assert flow.state(after) is TaskState.WAITING


def test_a_task_cancelled_while_its_step_runs_is_cancelled_when_that_has_ended(flow: Night) -> None:
    (task_id,) = add(flow, 1)
    began = flow.clock.monotonic()

    def cancel() -> None:
        with closing(SqliteStore.open(flow.directory / "queue.db")) as other:
            other.act(Verb.CANCEL, Selector(ids=(task_id,)), now=flow.clock.now(), by="me")
        flow.bell.ring()

    flow.run(lambda _spec, _action: Play(seconds=100.0), script=[(5.0, cancel)])
    assert flow.state(task_id) is TaskState.CANCELLED
    assert flow.store.counts().steps == {"cancelled": 2}
    assert flow.store.orders().controls == []
    assert flow.clock.monotonic() - began < 10


def test_a_deadline_ends_the_step_that_runs(night: Night) -> None:
    define(night, Step(id="a", run=("a",)), Step(id="b", run=("b",), needs=("a",)), deadline=30.0)
    (task_id,) = add(night, 1)
    began = night.clock.monotonic()
    night.run(lambda _spec, _action: Play(seconds=1000.0))
    assert night.store.get(task_id).error == "over the deadline of its workflow"
    assert 30.0 <= night.clock.monotonic() - began < 40.0


def test_tasks_that_wait_for_others_run_after_them(night: Night) -> None:
    first, second = night.add(task("1"), task("2", after_here=(0,)))
    (third,) = night.add(task("3", after=(second,)))
    night.run()
    assert night.begun() == [first, second, third]


def test_what_falls_with_a_failed_task_is_told(night: Night) -> None:
    first, second = night.add(task("1"), task("2", after_here=(0,)))
    goal = TheseAtRest([first, second], night.store)
    night.run(lambda _spec, _action: Play(ending=Ending.EXITED, exit_code=65), goal=goal)
    assert goal.tally == {TaskState.FAILED: 2}
