"""What people do to tasks that are not alone: workflow tasks, their steps, and tasks that wait for others."""

from __future__ import annotations

import msgspec
import pytest
from flow_parts import Player, carry_on, names, step
from store_parts import NOON, SmallEngine, settlement, task

from overnight.core.errors import NotFoundError, UsageError
from overnight.core.states import Reason, TaskState
from overnight.store.contract import Acted, Selector, Store, Verb

S = TaskState


def act(store: Store, verb: Verb, *ids: int, restart: tuple[str, ...] = ()) -> Acted:
    return store.act(verb, Selector(ids=ids), now=NOON, by="me", restart=restart)


# -- a whole workflow task --------------------------------------------------------------------


def test_cancelling_a_task_cancels_its_steps(store: Store) -> None:
    player = Player(store, step("a"), step("b", "a"), step("c"))
    player.add()
    first, other = player.claim()
    player.engine.turn(settlement(other))

    acted = act(store, Verb.CANCEL, 1)
    assert (acted.changed, acted.asked) == (0, 1)
    assert player.states() == {"a": "running", "b": "cancelled", "c": "completed"}
    assert [(one.verb, one.task_id) for one in store.orders().controls] == [("cancel", first.id)]

    turn = player.engine.turn(settlement(first, S.CANCELLED))
    assert [(one.id, one.state) for one in turn.rested] == [(1, S.CANCELLED)]


def test_cancelling_a_task_of_which_nothing_runs_ends_it_at_once(store: Store) -> None:
    player = Player(store, step("a"), step("b", "a"))
    player.add("x", "y")
    (first, _) = player.claim()
    player.engine.turn(settlement(first, S.WAITING))
    acted = act(store, Verb.CANCEL, 1)
    assert (acted.changed, acted.asked) == (1, 0)
    assert player.state() is S.CANCELLED
    assert player.states() == {"a": "cancelled", "b": "cancelled"}


def test_a_cancelled_task_that_has_not_begun_has_no_steps(store: Store) -> None:
    player = Player(store, step("a"))
    player.add("x")
    act(store, Verb.CANCEL, 1)
    assert player.state() is S.CANCELLED
    assert player.claim() == []


def test_holding_a_task_holds_what_could_move(store: Store) -> None:
    player = Player(store, step("a"), step("b", "a"), step("c"))
    player.add()
    first, other = player.claim()
    act(store, Verb.HOLD, 1)
    player.engine.turn(settlement(first, S.HELD, reason=Reason.BY_HAND))
    assert player.state() is S.RUNNING
    turn = player.engine.turn(settlement(other, S.HELD, reason=Reason.BY_HAND))
    assert [(one.id, one.state, one.reason) for one in turn.rested] == [(1, S.HELD, Reason.BY_HAND)]
    assert store.get(1).error == "step 'a' is held"
    assert player.states() == {"a": "held", "b": "waiting", "c": "held"}

    act(store, Verb.RELEASE, 1)
    assert player.state() is S.PENDING
    player.play()
    assert sorted(player.names) == ["a", "b", "c"]
    assert player.state() is S.COMPLETED


def test_a_poisonous_step_holds_its_task_when_nothing_else_can_move(store: Store) -> None:
    player = Player(store, step("a"), step("b"), step("c", "a", "b"))
    player.add()
    first, other = player.claim()
    player.engine.turn(settlement(first, S.HELD))
    assert player.state() is S.RUNNING
    player.engine.turn(settlement(other))
    assert (player.state(), store.get(1).reason) == (S.HELD, Reason.POISON)
    assert store.counts().held == 1


def test_releasing_the_step_lets_its_task_go_on(store: Store) -> None:
    player = Player(store, step("a"), step("b", "a"))
    player.add()
    (first,) = player.claim()
    player.engine.turn(settlement(first, S.HELD))
    acted = act(store, Verb.RELEASE, first.id)
    assert acted.ids == [first.id]
    assert player.state() is S.PENDING
    assert player.states() == {"a": "waiting", "b": "waiting"}
    player.play()
    assert player.names == ["a", "b"]
    assert player.state() is S.COMPLETED


def test_releasing_a_step_of_a_task_that_runs_lets_it_be_claimed(store: Store) -> None:
    player = Player(store, step("a"), step("b"))
    player.add()
    first, _ = player.claim()
    player.engine.turn(settlement(first, S.HELD))
    act(store, Verb.RELEASE, first.id)
    assert player.state() is S.RUNNING
    assert names(player.claim()) == ["a"]


def test_holding_a_task_before_it_begins_and_letting_it_go(store: Store) -> None:
    player = Player(store, step("a"))
    player.add()
    act(store, Verb.HOLD, 1)
    assert player.claim() == []
    act(store, Verb.RELEASE, 1)
    player.play()
    assert player.names == ["a"]


def test_cancelling_a_held_task_ends_its_steps(store: Store) -> None:
    player = Player(store, step("a"), step("b", "a"))
    player.add()
    (first,) = player.claim()
    player.engine.turn(settlement(first, S.HELD))
    act(store, Verb.CANCEL, 1)
    assert player.state() is S.CANCELLED
    assert player.states() == {"a": "cancelled", "b": "cancelled"}


# -- once more --------------------------------------------------------------------------------


def test_a_retry_runs_what_failed_and_what_comes_after_it(store: Store) -> None:
    player = Player(store, step("a"), step("b", "a"), step("c", "b"), step("d", "a"))
    player.add()
    player.play({"b": S.FAILED})
    before = {one.step: one.id for one in player.steps()}
    act(store, Verb.RETRY, 1)
    assert (player.state(), store.get(1).generation) == (S.PENDING, 2)
    player.ran.clear()
    player.play()
    assert player.names == ["b", "c"]
    assert {one.step: one.id for one in player.steps()} == before
    assert {one.step: one.generation for one in player.steps()} == {"a": 1, "b": 2, "c": 2, "d": 1}
    assert player.state() is S.COMPLETED


def test_a_retry_of_what_is_done_runs_all_of_it(store: Store) -> None:
    player = Player(store, step("a"), step("b", "a"))
    player.add()
    player.play()
    act(store, Verb.RETRY, 1)
    player.play()
    assert player.names == ["a", "b", "a", "b"]


def test_a_retry_runs_what_has_failed_without_harm(store: Store) -> None:
    player = Player(store, carry_on("a"), step("b", "a"), step("c"))
    player.add()
    player.play({"a": S.FAILED})
    act(store, Verb.RETRY, 1)
    player.ran.clear()
    player.play()
    assert player.names == ["a", "b"]
    assert store.get(1).error == ""


def test_a_retry_can_begin_at_a_step(store: Store) -> None:
    player = Player(store, step("a"), step("b", "a"), step("c", "b"), step("d"))
    player.add()
    player.play()
    player.ran.clear()
    act(store, Verb.RETRY, 1, restart=("b",))
    player.play()
    assert player.names == ["b", "c"]


def test_retrying_a_step_retries_its_task_from_there(store: Store) -> None:
    player = Player(store, step("a"), step("b", "a"), step("c", "b"))
    player.add()
    player.play({"b": S.FAILED})
    acted = act(store, Verb.RETRY, player.id_of("b"))
    assert acted.ids == [player.id_of("b")]
    assert (player.state(), store.get(1).generation) == (S.PENDING, 2)
    player.ran.clear()
    player.play()
    assert player.names == ["b", "c"]


def test_a_failed_step_can_be_mended_while_others_of_its_task_run(store: Store) -> None:
    player = Player(store, step("a"), step("b", "a"), step("c"))
    player.add()
    first, _ = player.claim()
    player.engine.turn(settlement(first, S.FAILED))
    assert player.states() == {"a": "failed", "b": "failed", "c": "running"}
    act(store, Verb.RETRY, 1)
    assert player.states() == {"a": "pending", "b": "waiting", "c": "running"}
    assert player.state() is S.RUNNING


def test_what_waits_goes_back_when_something_before_it_runs_once_more(store: Store) -> None:
    player = Player(store, carry_on("a"), step("b", "a"), step("c", "b"))
    player.add()
    (first,) = player.claim()
    player.engine.turn(settlement(first, S.FAILED))
    assert player.states() == {"a": "failed", "b": "pending", "c": "waiting"}
    act(store, Verb.RETRY, first.id)
    assert player.states() == {"a": "pending", "b": "waiting", "c": "waiting"}
    player.play()
    assert player.names == ["a", "b", "c"]


def test_a_step_whose_need_has_failed_is_not_revived_alone(store: Store) -> None:
    """It would wait for ever."""
    player = Player(store, step("a"), step("b"), step("c", "a", "b"))
    player.add()
    player.play({"a": S.FAILED, "b": S.FAILED})
    act(store, Verb.RETRY, player.id_of("a"))
    player.ran.clear()
    player.play()
    assert player.names == ["a"]
    assert player.states() == {"a": "completed", "b": "failed", "c": "failed"}
    assert player.state() is S.FAILED


def test_a_retry_waits_for_its_turn_like_a_new_task(store: Store) -> None:
    """Its steps start when it is claimed, so that no more tasks are open than allowed."""
    player = Player(store, step("a"))
    player.add()
    player.play({"a": S.FAILED})
    act(store, Verb.RETRY, 1)
    claim = player.engine.everything()
    lanes: dict[int, dict[str, float]] = {lane.id: {} for lane in store.orders().lanes if lane.role == "step"}
    assert player.engine.turn(claim=claim.__class__(count=9, lanes=lanes, pools={})).claimed == []


def test_a_retry_of_a_step_that_waits_for_its_time_hurries_it(store: Store) -> None:
    player = Player(store, step("a"))
    player.add()
    (first,) = player.claim()
    player.engine.turn(settlement(first, S.WAITING))
    act(store, Verb.RETRY, first.id)
    assert names(player.claim()) == ["a"]


def test_by_another_definition_only_the_rest_is_done(store: Store) -> None:
    player = Player(store, step("a"), step("b", "a"), step("c", "b"))
    player.add()
    player.play({"a": b'{"n":1}', "b": S.FAILED})
    old = player.steps()
    player.define(step("new"), step("a"), step("b", "a", run=("mended", "{a.n}")), step("c", "b"))
    act(store, Verb.RETRY, 1)
    player.ran.clear()
    player.play()
    assert sorted(player.names) == ["b", "c", "new"]
    assert player.states() == dict.fromkeys(("new", "a", "b", "c"), "completed")
    assert store.get(player.id_of("a")).result == b'{"n":1}'
    assert [str(store.get(one.id).state) for one in old] == ["completed", "cancelled", "cancelled"]
    assert player.state() is S.COMPLETED


def test_by_another_definition_what_comes_after_a_change_is_done_again(store: Store) -> None:
    player = Player(store, step("a"), step("b", "a"), step("c", "b"))
    player.add()
    player.play({"c": S.FAILED})
    player.define(step("a", run=("other",)), step("b", "a"), step("c", "b"))
    act(store, Verb.RETRY, 1)
    player.ran.clear()
    player.play()
    assert player.names == ["a", "b", "c"]


def test_a_longer_limit_is_no_other_step(store: Store) -> None:
    player = Player(store, step("a"), step("b", "a"))
    player.add()
    player.play({"b": S.FAILED})
    player.define(step("a", timeout=9.0), step("b", "a", timeout=9.0))
    act(store, Verb.RETRY, 1)
    player.ran.clear()
    player.play()
    assert player.names == ["b"]


# -- single steps -----------------------------------------------------------------------------


def test_cancelling_a_step_fails_what_waits_for_it_and_cancels_its_task(store: Store) -> None:
    player = Player(store, step("a"), step("b", "a"), step("c", "b"), step("d"))
    player.add()
    player.turn()
    b = player.id_of("b")
    assert act(store, Verb.CANCEL, b).ids == [b]
    assert player.states() == {"a": "pending", "b": "cancelled", "c": "failed", "d": "pending"}
    assert store.get(player.id_of("c")).error == "step 'b' was cancelled"
    player.play()
    assert player.state() is S.CANCELLED


def test_holding_a_step_leaves_the_others_alone(store: Store) -> None:
    player = Player(store, step("a"), step("b"))
    player.add()
    player.turn()
    act(store, Verb.HOLD, player.id_of("a"))
    assert player.states() == {"a": "held", "b": "pending"}
    player.play()
    assert (player.state(), store.get(1).reason) == (S.HELD, Reason.BY_HAND)


def test_a_running_step_is_asked_for(store: Store) -> None:
    player = Player(store, step("a"))
    player.add()
    (first,) = player.claim()
    acted = act(store, Verb.HOLD, first.id)
    assert (acted.changed, acted.asked) == (0, 1)


def test_a_selection_of_all_means_tasks_and_not_their_steps(store: Store) -> None:
    player = Player(store, step("a"), step("b", "a"))
    player.add("x", "y")
    player.play({"a": S.FAILED})
    acted = store.act(Verb.RETRY, Selector(states=(S.FAILED,), everything=True), now=NOON, by="me")
    assert (acted.changed, acted.ids) == (2, [1, 2])


# -- tasks that wait for others ---------------------------------------------------------------


@pytest.fixture
def chain(store: Store, engine: SmallEngine) -> SmallEngine:
    """Task 2 waits for task 1, task 3 for both."""
    store.add([task("1")], now=NOON)
    store.add([task("2", after=(1,))], now=NOON)
    store.add([task("3", after=(1, 2))], now=NOON)
    return engine


def states(store: Store) -> list[str]:
    return [str(store.get(number).state) for number in (1, 2, 3)]


def test_a_task_starts_when_those_before_it_are_completed(store: Store, chain: SmallEngine) -> None:
    assert states(store) == ["pending", "waiting", "waiting"]
    order = []
    while claimed := chain.claim():
        (one,) = claimed
        order.append(one.id)
        chain.turn(settlement(one))
    assert order == [1, 2, 3]
    assert store.waits_for([1, 2, 3]) == {2: [1], 3: [1, 2]}


def test_what_waits_for_a_failed_task_fails_with_it(store: Store, chain: SmallEngine) -> None:
    (one,) = chain.claim()
    turn = chain.turn(settlement(one, S.FAILED))
    assert states(store) == ["failed", "failed", "failed"]
    assert [(rested.id, rested.reason, rested.error) for rested in turn.rested] == [
        (2, Reason.DEPENDENCY, "task 1 has failed"),
        (3, Reason.DEPENDENCY, "task 1 has failed"),
    ]


def test_mending_a_task_revives_what_failed_only_because_of_it(store: Store, chain: SmallEngine) -> None:
    (one,) = chain.claim()
    chain.turn(settlement(one, S.FAILED))
    act(store, Verb.RETRY, 1)
    assert states(store) == ["pending", "waiting", "waiting"]
    while claimed := chain.claim():
        chain.turn(*map(settlement, claimed))
    assert states(store) == ["completed", "completed", "completed"]


def test_retrying_what_fell_with_a_failed_task_fails_again(store: Store, chain: SmallEngine) -> None:
    (one,) = chain.claim()
    chain.turn(settlement(one, S.FAILED))
    act(store, Verb.RETRY, 2)
    assert states(store) == ["failed", "failed", "failed"]
    assert store.get(2).generation == 2


def test_retrying_all_keeps_the_order(store: Store, chain: SmallEngine) -> None:
    (one,) = chain.claim()
    chain.turn(settlement(one, S.FAILED))
    store.act(Verb.RETRY, Selector(states=(S.FAILED,), everything=True), now=NOON, by="me")
    assert states(store) == ["pending", "waiting", "waiting"]


def test_what_waits_for_a_cancelled_task_fails(store: Store, chain: SmallEngine) -> None:
    act(store, Verb.CANCEL, 1)
    assert states(store) == ["cancelled", "failed", "failed"]
    assert store.get(3).error == "task 1 was cancelled"
    assert chain.claim() == []


def test_a_held_task_keeps_others_waiting(store: Store, chain: SmallEngine) -> None:
    act(store, Verb.HOLD, 1)
    assert states(store) == ["held", "waiting", "waiting"]
    assert chain.claim() == []


def test_removing_a_held_task_fails_what_waits_for_it(store: Store, chain: SmallEngine) -> None:
    act(store, Verb.HOLD, 1)
    store.remove(Selector(ids=(1,)), now=NOON, by="me")
    assert [str(store.get(number).state) for number in (2, 3)] == ["failed", "failed"]
    assert chain.claim() == []


def test_a_task_that_is_held_while_it_waits_goes_on_waiting_when_it_is_released(
    store: Store, chain: SmallEngine
) -> None:
    act(store, Verb.HOLD, 2)
    act(store, Verb.RELEASE, 2)
    assert states(store) == ["pending", "waiting", "waiting"]
    act(store, Verb.HOLD, 2)
    (one,) = chain.claim()
    chain.turn(settlement(one))
    assert states(store) == ["completed", "held", "waiting"]
    act(store, Verb.RELEASE, 2)
    assert states(store) == ["completed", "pending", "waiting"]


def test_a_task_that_was_held_while_what_it_waits_for_failed_fails_when_it_is_released(
    store: Store, chain: SmallEngine
) -> None:
    act(store, Verb.HOLD, 2)
    act(store, Verb.CANCEL, 1)
    assert states(store) == ["cancelled", "held", "failed"]
    act(store, Verb.RELEASE, 2)
    assert states(store) == ["cancelled", "failed", "failed"]
    assert chain.claim() == []


def test_a_task_can_wait_for_others_and_for_a_time(store: Store, engine: SmallEngine) -> None:
    store.add([task("1")], now=NOON)
    store.add([task("2", after=(1,), not_before=NOON + 50)], now=NOON)
    (one,) = engine.claim()
    turn = engine.turn(settlement(one))
    assert str(store.get(2).state) == "waiting"
    assert engine.turn().next_due == NOON + 50
    assert turn.rested == []
    assert [claimed.id for claimed in engine.claim(now=NOON + 50)] == [2]


def test_a_time_that_is_over_makes_nothing_start_too_early(store: Store, engine: SmallEngine) -> None:
    store.add([task("1")], now=NOON)
    store.add([task("2", after=(1,), not_before=NOON + 50)], now=NOON)
    (one,) = engine.claim()
    assert engine.claim(now=NOON + 60) == []
    engine.turn(settlement(one), now=NOON + 70)
    assert [claimed.id for claimed in engine.claim(now=NOON + 70)] == [2]


def test_what_is_done_is_not_waited_for(store: Store, engine: SmallEngine) -> None:
    engine.bring(S.COMPLETED, "1")
    store.add([task("2", after=(1,))], now=NOON)
    assert [claimed.id for claimed in engine.claim()] == [2]


def test_tasks_of_one_call_can_wait_for_each_other(store: Store, engine: SmallEngine) -> None:
    added = store.add([task("1"), task("2", after_here=(0,)), task("3", after_here=(0, 1))], now=NOON)
    assert added.ids == [1, 2, 3]
    assert store.waits_for([1, 2, 3]) == {2: [1], 3: [1, 2]}
    assert [claimed.id for claimed in engine.claim()] == [1]


def test_with_unique_who_waits_for_what_is_there_already_waits_for_that(store: Store, engine: SmallEngine) -> None:
    """Positions are those of the call, however many of its tasks were there before."""
    (there,) = store.add([task("b")], now=NOON).ids
    added = store.add(
        [task("a"), task("b"), task("a"), task("c", after_here=(1, 2)), task("d", after_here=(3,))],
        now=NOON,
        unique=True,
    )
    first, third, fourth = added.ids
    assert added.at == [first, there, first, third, fourth]
    assert added.known == [there]
    assert {one: sorted(others) for one, others in store.waits_for([third, fourth]).items()} == {
        third: [there, first],
        fourth: [third],
    }
    assert [claimed.id for claimed in engine.claim()] == [there, first]


def test_entries_of_a_list_that_do_the_same_are_different_tasks(store: Store) -> None:
    first, second = (msgspec.structs.replace(task("a").action, entry=entry) for entry in ("T1", "T2"))
    tasks = [msgspec.structs.replace(task("a"), action=action) for action in (first, second)]
    assert len(store.add(tasks, now=NOON, unique=True).ids) == 2
    assert store.add(tasks, now=NOON, unique=True).ids == []


def test_tasks_of_a_batch_can_wait_for_each_other(store: Store, engine: SmallEngine) -> None:
    batch = store.open_batch(now=NOON, owner="me")
    store.add([task("1")], now=NOON, batch=batch)
    store.add([task("2", after=(1,))], now=NOON, batch=batch)
    store.publish(batch, now=NOON)
    (one,) = engine.claim()
    engine.turn(settlement(one))
    assert [claimed.id for claimed in engine.claim()] == [2]


def test_an_abandoned_batch_leaves_no_edges(store: Store) -> None:
    batch = store.open_batch(now=NOON, owner="me")
    store.add([task("1"), task("2", after_here=(0,))], now=NOON, batch=batch)
    store.abandon(batch)
    assert store.waits_for([1, 2]) == {}


def test_waiting_for_what_cannot_be_is_refused_whole(store: Store, engine: SmallEngine) -> None:
    failed = engine.bring(S.FAILED)
    for after, here, error in (
        ((99,), (), NotFoundError),
        ((failed,), (), UsageError),
        ((), (1,), UsageError),
        ((), (2,), UsageError),
    ):
        with pytest.raises(error):
            store.add([task("x"), task("y", after=after, after_here=here)], now=NOON)
    assert store.counts().total == 1


def test_a_task_can_wait_for_a_workflow_task(store: Store) -> None:
    player = Player(store, step("a"), step("b", "a"))
    player.add("x", "y")
    store.add([task("after", after=(1,)), task("other", after=(2,))], now=NOON)
    player.play({})
    assert [one.state for one in (store.get(3), store.get(4))] == [S.COMPLETED, S.COMPLETED]
    assert player.ran[-2:] == [(0, ""), (0, "")]


def test_what_waits_for_a_workflow_task_that_failed_fails_with_it(store: Store) -> None:
    player = Player(store, step("a"), step("b", "a"))
    player.add("x")
    store.add([task("after", after=(1,))], now=NOON)
    player.play({"a": S.FAILED})
    assert str(store.get(2).state) == "failed"
    act(store, Verb.RETRY, player.id_of("a"))
    player.play()
    assert (player.state(1), player.state(2)) == (S.COMPLETED, S.COMPLETED)


def test_a_workflow_task_can_wait_for_another_one(store: Store) -> None:
    player = Player(store, step("a"))
    player.add("x")
    player.add("y", after=(1,))
    player.play()
    assert [parent for parent, _ in player.ran] == [1, 2]


def test_a_long_chain_falls_at_once(store: Store, engine: SmallEngine) -> None:
    count = 2000
    store.add([task(str(n), after_here=(n - 1,) if n else ()) for n in range(count)], now=NOON)
    (one,) = engine.claim()
    assert len(engine.turn(settlement(one, S.FAILED)).rested) == count - 1
    assert store.counts().failed == count
