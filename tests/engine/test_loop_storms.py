"""Failures alike of everybody: the brake stops them, one task probes, and everything goes on when it succeeds."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager

import pytest
from night import Night, action, task

from overnight.core.endings import Ending
from overnight.core.states import ErrorClass, TaskState
from overnight.core.stopping import Ask, StoppedBy
from overnight.core.storms import Policy
from overnight.core.task import Action, ActionKind, NewTask
from overnight.core.workflow.model import Step, Workflow
from overnight.engine.brake import Brake
from overnight.engine.goal import Never, TheseAtRest
from overnight.executors.contract import Spec
from overnight.store.contract import Selector, Verb
from overnight.store.sqlite import SqliteStore
from overnight.testing import Play

MINUTE = 60.0
DOWN = Play(0.01, Ending.RAISED, error="connection refused", error_class=ErrorClass.TRANSIENT)


def service(
    night: Night, *, down_for: float, calls: list[float], failure: Play = DOWN
) -> Callable[[Spec, Action], Play]:
    """Something that all tasks need, and that is not there for so many seconds from now on."""
    start = night.clock.now()

    def play(_spec: Spec, _action: Action) -> Play:
        calls.append(night.clock.now() - start)
        return failure if calls[-1] < down_for else Play(0.01)

    return play


@contextmanager
def somebody_else(night: Night) -> Iterator[SqliteStore]:
    """The store as another process has it."""
    store = SqliteStore.open(night.directory / "queue.db")
    yield store
    store.close()


@pytest.mark.parametrize("retries", [0, 3])
def test_an_outage_costs_its_time_and_a_handful_of_calls_and_everybody_is_served(night: Night, retries: int) -> None:
    ids = night.add(*(task(str(number), action=action(retries=retries)) for number in range(1000)))
    calls: list[float] = []

    night.run(service(night, down_for=10 * MINUTE, calls=calls))

    assert night.store.counts().completed == 1000
    wasted = [call for call in calls if call < 10 * MINUTE]
    assert len(wasted) <= 20 + 2 + 3  # the row, what ran then, and three probes
    assert [round(call / MINUTE) for call in wasted if call > 30] == [1, 3, 7]
    assert round(min(call for call in calls if call >= 10 * MINUTE) / MINUTE) == 15
    assert sum(night.store.get(task_id).generation > 1 for task_id in ids) == (20 if retries == 0 else 0)
    [began] = night.told("storm_began")
    assert (began["queue"], began["failures"], began["error"]) == ("default", 20, "connection refused")
    assert len(night.told("storm_probed")) == 3
    [ended] = night.told("storm_ended")
    assert (ended["by"], ended.get("revived", 0)) == ("storm brake", 20 if retries == 0 else 0)
    assert night.store.storms() == []


def test_without_the_brake_every_task_fails(night: Night) -> None:
    """The control."""
    night.add(*(task(str(number), action=action(retries=3)) for number in range(1000)))
    calls: list[float] = []
    night.run(service(night, down_for=10 * MINUTE, calls=calls), brake=Policy(after=0))
    assert night.store.counts().failed == 1000
    assert len(calls) == 4000


def test_the_alarm_says_what_and_how_many_and_what_to_type(night: Night) -> None:
    night.add(*(task(str(number), queue="shop", action=action(retries=0)) for number in range(100)))
    night.run(service(night, down_for=MINUTE / 2, calls=[]))
    (begins, hint), (ends, _) = night.alarms
    assert begins.startswith("20 tasks of queue shop failed alike in a row (connection refused); the others wait, and")
    assert begins.endswith("one of them is tried in 1 min")
    assert hint == "mend it, then 'overnight unpause shop' lets all of them go on"
    assert ends == "a storm is over after 1 min: shop goes on, 20 of its failures again"


def test_failures_of_different_causes_are_no_storm(night: Night) -> None:
    night.add(*(task(str(number), action=action(retries=0)) for number in range(100)))
    night.run(lambda spec, _: Play(ending=Ending.RAISED, error=("this", "that")[spec.task_id % 2]))
    assert night.store.counts().failed == 100
    assert night.told("storm_began") == []


def test_a_success_in_between_breaks_the_row(night: Night) -> None:
    night.add(*(task(str(number), action=action(retries=0)) for number in range(100)))
    night.run(lambda spec, _: Play() if spec.task_id % 15 == 0 else DOWN, slots=1)
    assert (night.store.counts().failed, night.store.counts().completed) == (94, 6)


def test_one_task_that_is_tried_again_and_again_is_no_storm(night: Night) -> None:
    night.add(task("a", action=action(retries=50)))
    night.run(lambda _spec, _action: DOWN)
    assert (night.store.counts().failed, night.told("storm_began")) == (1, [])


def test_an_exit_status_that_answers_is_no_message(night: Night) -> None:
    """``grep -q`` has found nothing, a hundred times."""
    night.add(*(task(str(number), action=action(retries=0)) for number in range(100)))
    night.run(lambda _spec, _action: Play(ending=Ending.EXITED, exit_code=1))
    assert (night.store.counts().failed, night.told("storm_began")) == (100, [])


def test_other_commands_of_the_same_queue_go_on(night: Night) -> None:
    bad = night.add(*(task(str(number), action=action(retries=0, timeout=1.0)) for number in range(100)))
    good = night.add(*(task(str(number), action=action(retries=0, timeout=2.0)) for number in range(100)))
    served: list[float] = []
    start = night.clock.now()

    def play(spec: Spec, _action: Action) -> Play:
        if spec.task_id in bad and night.clock.now() < start + 10 * MINUTE:
            return DOWN
        served.append(night.clock.now() - start)
        return Play(0.01)

    night.run(play)
    assert night.store.counts().completed == 200
    assert len([moment for moment in served if moment < MINUTE]) == len(good)


def test_inputs_that_are_bad_by_themselves_are_passed_over_in_the_end(night: Night) -> None:
    """Thirty in a row, then good ones: the probe that comes from the end tells them from an outage."""
    ids = night.add(*(task(str(number), action=action(retries=1)) for number in range(500)))
    start = night.clock.now()
    night.run(lambda spec, _: DOWN if spec.task_id in ids[:30] else Play(0.01))
    assert (night.store.counts().completed, night.store.counts().failed) == (470, 30)
    assert night.clock.now() - start < 5 * MINUTE


def test_a_storm_outlives_the_engine_and_its_successor_probes_when_it_is_time(night: Night) -> None:
    night.add(*(task(str(number), action=action(retries=0)) for number in range(100)))
    calls: list[float] = []
    play = service(night, down_for=10 * MINUTE, calls=calls)
    night.run(play, script=[(30.0, night.give_up)])
    before = len(calls)
    [storm] = night.store.storms()

    night.run(play, script=[(5.0, night.give_up)])

    assert (len(calls), night.store.storms()) == (before, [storm])
    night.run(play)
    assert night.store.counts().completed == 100
    assert calls[before] == pytest.approx(MINUTE, abs=1.0)


def test_a_person_who_ends_the_storm_has_all_of_it_go_on(night: Night) -> None:
    night.add(*(task(str(number), action=action(retries=0)) for number in range(100)))
    calls: list[float] = []

    def unpause() -> None:
        with somebody_else(night) as store:
            [storm] = store.storms()
            assert store.end_storm(storm, now=night.clock.now(), by="me") is not None
        night.bell.ring()

    night.run(service(night, down_for=20.0, calls=calls), script=[(30.0, unpause)])
    assert night.store.counts().completed == 100
    assert max(calls) < 32.0


def test_a_retry_by_a_person_has_it_tried_at_once(night: Night) -> None:
    ids = night.add(*(task(str(number), action=action(retries=0)) for number in range(100)))
    calls: list[float] = []

    def again() -> None:
        with somebody_else(night) as store:
            store.act(Verb.RETRY, Selector(ids=(ids[0],)), now=night.clock.now(), by="me")
        night.bell.ring()

    night.run(service(night, down_for=20.0, calls=calls), script=[(30.0, again)])
    assert night.store.counts().completed == 100
    assert max(calls) < 32.0


def test_older_failures_of_the_same_cause_are_left_as_they_are(night: Night) -> None:
    old = night.add(task("old", action=action(retries=0)))
    night.run(lambda _spec, _action: DOWN)
    night.clock.advance(10.0)
    night.add(*(task(str(number), action=action(retries=0)) for number in range(100)))
    night.run(service(night, down_for=30.0, calls=[]))
    assert night.state(old[0]) is TaskState.FAILED
    assert night.store.counts().completed == 100


def test_what_no_try_can_mend_ends_a_run_and_the_same_line_goes_on(night: Night) -> None:
    ids = night.add(*(task(str(number), action=action(retries=3)) for number in range(100)))
    typo = Play(0.01, Ending.RAISED, error="name 'frm' is not defined", error_class=ErrorClass.PERMANENT)
    calls: list[float] = []

    result = night.run(service(night, down_for=1e9, calls=calls, failure=typo), goal=TheseAtRest(ids, night.store))

    assert (result.stopped_by, result.counts.failed, result.counts.pending) == (StoppedBy.HALT, 20, 80)
    assert len(calls) <= 22
    night.store.act(Verb.RETRY, Selector(states=(TaskState.FAILED,)), now=night.clock.now(), by="me")
    result = night.run(goal=TheseAtRest(ids, night.store))
    assert (result.stopped_by, result.counts.completed) == (StoppedBy.QUEUE_EMPTY, 100)
    assert night.store.storms() == []


def test_an_engine_in_the_background_waits_for_somebody_to_mend_it(night: Night) -> None:
    night.add(*(task(str(number), action=action(retries=3)) for number in range(100)))
    typo = Play(0.01, Ending.RAISED, error="name 'frm' is not defined", error_class=ErrorClass.PERMANENT)
    play = service(night, down_for=2 * MINUTE, calls=[], failure=typo)
    night.run(play, goal=Never(), script=[(20 * MINUTE, lambda: night.stops.signals.append(Ask.SIGTERM))])
    assert night.store.counts().completed == 100


def add_flows(night: Night) -> list[int]:
    steps = (Step(id="probe", run=("probe",)), Step(id="upload", run=("upload",), needs=("probe",), retries=0))
    night.store.define([Workflow(name="flow", steps=steps)], source="test", now=night.clock.now(), by="me")
    flow = Action(ActionKind.WORKFLOW, b"/", call="flow")
    return night.add(*(NewTask(flow, b"%d" % number, workflow="flow") for number in range(200)))


def test_a_workflow_stands_still_when_one_of_its_steps_fails_for_everybody(night: Night) -> None:
    flows = add_flows(night)
    plain = night.add(*(task(str(number)) for number in range(50)))
    calls: list[float] = []
    down = service(night, down_for=10 * MINUTE, calls=calls)

    night.run(lambda spec, action: down(spec, action) if spec.step == "upload" else Play(0.01))

    assert {night.state(one) for one in flows + plain} == {TaskState.COMPLETED}
    assert len([call for call in calls if call < 10 * MINUTE]) <= 20 + 2 + 3
    assert max(night.store.get(one).finished_at or 0.0 for one in plain) < night.clock.now() - 14 * MINUTE
    [began] = night.told("storm_began")
    assert (began["workflow"], began["step"], "action" in began) == ("flow", "upload", False)
    assert night.told("storm_ended")[0]["revived"] == 20
    assert night.alarms[0][0].startswith("20 tasks of workflow 'flow' failed alike in a row, in step 'upload' (conn")


def test_plain_tasks_that_carry_the_name_of_a_workflow_are_none_of_its_storm(night: Night) -> None:
    """They neither wait for it nor are its probe, however urgent they are."""
    flows = add_flows(night)
    added: list[int] = []
    calls: list[float] = []
    down = service(night, down_for=10 * MINUTE, calls=calls)

    def more() -> None:
        with somebody_else(night) as store:
            urgent = [task(str(number), workflow="flow", priority=5) for number in range(50)]
            added.extend(store.add(urgent, now=night.clock.now()).ids)
        night.bell.ring()

    def play(spec: Spec, action: Action) -> Play:
        return down(spec, action) if spec.step == "upload" else Play(0.01)

    night.run(play, script=[(30.0, more), (59.0, more)])

    named = [night.store.get(one) for one in added]
    assert len(named) == 100
    assert max((one.finished_at or 0.0) - one.added_at for one in named) < 1.0
    assert {night.state(one) for one in flows} == {TaskState.COMPLETED}
    assert [round(call / MINUTE) for call in calls if 30 < call < 10 * MINUTE] == [1, 3, 7]


def test_retries_are_not_used_up_in_a_storm(night: Night, monkeypatch: pytest.MonkeyPatch) -> None:
    ids = night.add(*(task(str(number), action=action(retries=0)) for number in range(21)))
    slow = Play(2.0, Ending.RAISED, error="connection refused", error_class=ErrorClass.TRANSIENT)
    night.run(service(night, down_for=5.0, calls=[], failure=slow), slots=21, script=[(3.0, night.give_up)])
    assert sum(night.state(one) is TaskState.FAILED for one in ids) == 20
    assert night.store.get(ids[-1]).failures == 0

    monkeypatch.setattr(Brake, "_spared", lambda _self, _storm, _running, settlement, **_: settlement)
    more = night.add(*(task(f"more {number}", action=action(retries=0, timeout=7.0)) for number in range(21)))
    night.run(service(night, down_for=5.0, calls=[], failure=slow), slots=21, script=[(3.0, night.give_up)])
    assert sum(night.state(one) is TaskState.FAILED for one in more) == 21


def test_a_clock_that_is_set_changes_nothing_about_the_next_probe(night: Night) -> None:
    night.add(*(task(str(number), action=action(retries=0)) for number in range(100)))
    calls: list[float] = []
    start = night.clock.monotonic()

    def play(_spec: Spec, _action: Action) -> Play:
        calls.append(night.clock.monotonic() - start)
        return DOWN if calls[-1] < MINUTE / 2 else Play(0.01)

    night.run(play, script=[(10.0, lambda: night.clock.step_wall(-86400.0))])
    assert night.store.counts().completed == 100
    assert next(call for call in calls if call > 30) == pytest.approx(MINUTE, abs=2.0)


def test_what_may_run_but_once_is_neither_spared_nor_revived_without_a_person(night: Night) -> None:
    once = action(retries=0, at_most_once=True)
    ids = night.add(*(task(str(number), action=once) for number in range(100)))
    night.run(service(night, down_for=1.5 * MINUTE, calls=[]))
    assert {night.store.get(one).attempt for one in ids} == {1}
    assert (night.store.counts().failed, night.store.counts().completed) == (21, 79)


def test_mended_the_wrong_way_at_first_it_is_still_one_command_each_time(night: Night) -> None:
    """Whoever ends a storm by hand has proven nothing: the same tasks count again."""
    ids = night.add(*(task(str(number), action=action(retries=0)) for number in range(100)))

    def unpause() -> None:
        with somebody_else(night) as store:
            for storm in store.storms():
                store.end_storm(storm, now=night.clock.now(), by="me")
        night.bell.ring()

    night.run(service(night, down_for=25.0, calls=[]), script=[(15.0, unpause), (30.0, unpause)])
    assert {night.state(one) for one in ids} == {TaskState.COMPLETED}
