"""Tasks that programs outside the engine have popped, and the engine beside them."""

from __future__ import annotations

import pytest
from night import Night, task

from overnight.core.states import Outcome, Reason, TaskState
from overnight.core.stopping import StoppedBy
from overnight.core.verdict import Settlement
from overnight.engine.goal import QueueEmpty, TheseAtRest
from overnight.engine.popped import give_back
from overnight.store.contract import Counts, Popped, Selector, Verb
from overnight.testing import Play

THEM = "4711:1:boot"


def pop(night: Night, owner: str = THEM) -> Popped:
    one = night.store.pop("default", owner=owner, now=night.clock.now(), by="test")
    assert one is not None
    return one


def done(one: Popped) -> Settlement:
    return Settlement(one.task_id, one.attempt, TaskState.COMPLETED, Outcome.COMPLETED, 0, 0, one.claimed_at)


def test_what_a_program_popped_before_it_died_is_worked_on(night: Night) -> None:
    (number,) = night.add(task("a"))
    pop(night)
    night.dead.add(THEM)

    result = night.run()

    assert (night.state(number), result.elsewhere, result.left) == (TaskState.COMPLETED, 0, 0)
    assert [attempt.outcome for attempt in night.store.attempts(number)] == [Outcome.LOST, Outcome.COMPLETED]


def test_a_program_that_dies_during_the_run_gives_back_within_a_second(night: Night) -> None:
    taken, _ = night.add(task("a"), task("long"))
    pop(night)
    dies_at = night.clock.now() + 10

    result = night.run(
        lambda spec, _action: Play(seconds=0.1 if spec.task_id == taken else 100.0),
        script=[(10.0, lambda: night.dead.add(THEM))],
    )

    assert result.counts.completed == 2
    started = night.store.get(taken).started_at
    assert started is not None
    assert dies_at <= started <= dies_at + 1.1


def test_a_program_that_hangs_does_not_keep_the_night_from_ending(night: Night) -> None:
    """And the end says what it still holds."""
    taken, mine = night.add(task("a"), task("b"))
    pop(night)
    began = night.clock.monotonic()

    result = night.run()

    assert (result.stopped_by, result.elsewhere, result.left) == (StoppedBy.QUEUE_EMPTY, 1, 0)
    assert (night.state(taken), night.state(mine)) == (TaskState.RUNNING, TaskState.COMPLETED)
    assert night.clock.monotonic() - began < 2


@pytest.mark.parametrize("also", [True, False])
def test_a_run_of_certain_tasks_waits_for_none_that_others_have_popped(night: Night, *, also: bool) -> None:
    taken, mine = night.add(task("a"), task("b"))
    night.store.add([task("not of this run", not_before=night.clock.now() + 1000)], now=night.clock.now())
    pop(night)
    goal = TheseAtRest([taken, mine] if also else [mine], night.store)

    result = night.run(goal=goal)

    assert (goal.at_rest, goal.met()) == (1, not also)
    assert (result.elsewhere, result.left) == (1, 1)


def test_a_program_that_dies_just_before_the_end_is_still_noticed(night: Night) -> None:
    """At the last moment, when nothing else is left: the run goes on with what it had."""
    taken, _ = night.add(task("a"), task("b"))
    pop(night)

    result = night.run(lambda _spec, _action: Play(seconds=0.5), slots=1, script=[(0.4, lambda: night.dead.add(THEM))])

    assert (night.state(taken), result.elsewhere) == (TaskState.COMPLETED, 0)


def test_a_task_at_three_deaths_of_its_owners_is_held(night: Night) -> None:
    (number,) = night.add(task("a"))
    for owner in ("1:1:b", "2:1:b", "3:1:b"):
        give_back(night.store, lambda one: one not in night.dead, now=night.clock.now())
        pop(night, owner)
        night.dead.add(owner)

    result = night.run()

    assert (night.state(number), night.store.get(number).reason) == (TaskState.HELD, Reason.POISON)
    assert result.counts.held == 1


@pytest.mark.parametrize("verb", [Verb.CANCEL, Verb.HOLD])
def test_a_wish_about_a_popped_task_waits_until_its_owner_is_done_with_it(night: Night, verb: Verb) -> None:
    """While he lives nobody can obey it, and it is not forgotten; the engine neither spins nor waits."""
    (number,) = night.add(task("a"))
    pop(night)
    acted = night.store.act(verb, Selector(ids=(number,)), now=night.clock.now(), by="me")
    assert acted.asked == 1

    night.run()
    assert night.state(number) is TaskState.RUNNING
    night.dead.add(THEM)
    night.run()

    assert night.state(number) is (TaskState.CANCELLED if verb is Verb.CANCEL else TaskState.HELD)
    assert night.begun() == []


def test_a_wish_that_comes_too_late_changes_nothing_about_what_is_done(night: Night) -> None:
    (number,) = night.add(task("a"))
    one = pop(night)
    night.store.act(Verb.CANCEL, Selector(ids=(number,)), now=night.clock.now(), by="me")
    night.store.hand_in([done(one)], now=night.clock.now())

    night.run()

    assert night.state(number) is TaskState.COMPLETED
    assert night.store.orders().controls == []


def test_only_what_was_popped_is_left_to_others() -> None:
    """A workflow task runs by its steps, with no attempt of its own, and is waited for."""
    goal = QueueEmpty()
    assert goal.reached(Counts(running=2, popped=2, completed=5))
    assert not goal.reached(Counts(running=2, popped=1))
    assert not goal.reached(Counts(waiting=1, running=1, popped=1))
