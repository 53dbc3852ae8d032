"""What the scores are worked out from: each task in its group, the newest ones only."""

from __future__ import annotations

from flow_parts import Player, step
from store_parts import CAUSE, NOON, SmallEngine, settlement, storm, task, tasks

from overnight.core.scores import Group, scores
from overnight.core.states import ErrorClass, TaskState
from overnight.store.contract import Selector, Store, Verb

S = TaskState


def test_attempts_make_the_group_of_their_task(store: Store, engine: SmallEngine) -> None:
    first = engine.one("mended")
    engine.turn(settlement(first, S.WAITING, seconds=4.0, error_class=ErrorClass.TRANSIENT))
    (again,) = engine.claim(now=NOON + 200)
    engine.turn(settlement(again, seconds=6.0))
    lost = engine.one("lost")
    engine.turn(settlement(lost, S.FAILED, seconds=1.0, error_class=ErrorClass.PERMANENT))
    store.add([task("still to run")], now=NOON)

    groups = sorted(store.scored(1000), key=lambda one: one.state)
    assert groups == [
        Group(S.COMPLETED, False, False, True, 1, 10.0, 6.0),  # noqa: FBT003 - in the order of their names
        Group(S.FAILED, False, False, False, 1, 1.0, 0.0),  # noqa: FBT003 - the same
        Group(S.PENDING, False, False, False, 1, 0.0, 0.0),  # noqa: FBT003 - the same
    ]


def test_one_that_a_person_queued_again_has_needed_one(store: Store, engine: SmallEngine) -> None:
    task_id = engine.bring(S.FAILED)
    store.act(Verb.RETRY, Selector(ids=(task_id,)), now=NOON, by="me")
    (claimed,) = engine.claim()
    engine.turn(settlement(claimed))
    found = scores(store.scored(1000))
    assert (found.autonomy.value, found.recovery.value) == (0.0, 1.0)


def test_what_the_brake_revives_has_needed_nobody_and_what_a_person_lets_go_on_has(
    store: Store, engine: SmallEngine
) -> None:
    for revivals, share in ((3, 1.0), (None, 0.5)):
        claimed = engine.one(f"{revivals}")
        engine.turn(settlement(claimed, S.FAILED, fingerprint=CAUSE))
        store.set_storm(storm(), now=NOON)
        assert store.end_storm(storm(), now=NOON, by="whoever", revivals=revivals) == [claimed.id]
        (again,) = engine.claim()
        engine.turn(settlement(again))
        assert scores(store.scored(1000)).autonomy.value == share


def test_one_that_was_held_and_released_has_needed_a_person(store: Store, engine: SmallEngine) -> None:
    store.act(Verb.RELEASE, Selector(ids=(engine.bring(S.HELD),)), now=NOON, by="me")
    (claimed,) = engine.claim()
    engine.turn(settlement(claimed))
    assert scores(store.scored(1000)).autonomy.value == 0.0


def test_a_wait_that_somebody_ended_early_has_needed_nobody(store: Store, engine: SmallEngine) -> None:
    store.act(Verb.RETRY, Selector(ids=(engine.bring(S.WAITING),)), now=NOON, by="me")
    (claimed,) = engine.claim()
    engine.turn(settlement(claimed))
    assert scores(store.scored(1000)).autonomy.value == 1.0


def test_a_task_has_needed_whoever_ran_its_steps_again(store: Store) -> None:
    player = Player(store, step("one"), step("two", "one"))
    player.add()
    player.play({"two": S.FAILED})
    store.act(Verb.RETRY, Selector(ids=(player.id_of("two"),)), now=NOON, by="me")
    player.play()
    assert player.state() is S.COMPLETED
    assert scores(store.scored(1000)).autonomy.value == 0.0


def test_what_is_forgotten_is_forgotten_whole(store: Store, engine: SmallEngine) -> None:
    store.act(Verb.RETRY, Selector(ids=(engine.bring(S.FAILED),)), now=NOON, by="me")
    (claimed,) = engine.claim()
    engine.turn(settlement(claimed))
    assert store.remove(Selector(everything=True), now=NOON, by="me") == 1


def test_only_the_newest_are_looked_at(store: Store) -> None:
    store.add(tasks(30), now=NOON)
    assert sum(one.tasks for one in store.scored(10)) == 10


def test_what_is_not_published_is_not_there(store: Store) -> None:
    batch = store.open_batch(now=NOON, owner="1:1:1")
    store.add(tasks(3), now=NOON, batch=batch)
    assert store.scored(1000) == []
    store.publish(batch, now=NOON)
    assert sum(one.tasks for one in store.scored(1000)) == 3


def test_steps_are_told_from_tasks(store: Store) -> None:
    player = Player(store, step("one"), step("two", "one"))
    player.add()
    player.play()
    assert {(one.is_step, one.tasks) for one in store.scored(1000)} == {(False, 1), (True, 2)}
