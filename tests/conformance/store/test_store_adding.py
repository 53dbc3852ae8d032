"""What producers may rely on."""

from __future__ import annotations

import pytest
from store_parts import ACTION, NOON, SmallEngine, settlement, task, tasks, told

from overnight.core.errors import NotFoundError
from overnight.core.lanes import OPS_QUEUE
from overnight.core.states import TaskState
from overnight.core.task import Action, ActionKind, Backoff
from overnight.store.contract import Query, Selector, Store, Verb

EVERY_BYTE = bytes(range(256))


def test_a_task_is_read_back_as_it_was_given(store: Store) -> None:
    """Inputs are bytes: every value of a byte comes back, none is read as text."""
    action = Action(
        kind=ActionKind.COMMAND,
        cwd=EVERY_BYTE,
        argv=(b"a", EVERY_BYTE),
        env={b"PATH": EVERY_BYTE},
        timeout=None,
        backoff=Backoff(first=0.5),
        at_most_once=True,
    )
    given = task(
        EVERY_BYTE, action=action, queue="night", workflow="w", priority=-7, title="Ä", description="d", stamp="1:2"
    )

    (task_id,) = store.add([given], now=NOON).ids
    found = store.get(task_id)

    assert (found.input, found.queue, found.workflow, found.priority) == (EVERY_BYTE, "night", "w", -7)
    assert (found.title, found.description, found.stamp, found.added_at) == ("Ä", "d", "1:2", NOON)
    assert (found.state, found.attempt, found.generation) == (TaskState.PENDING, 0, 1)
    assert store.actions([found.action_id]) == {found.action_id: action}


def test_equal_actions_are_stored_once(store: Store) -> None:
    ids = store.add([task("a"), task("b")], now=NOON).ids + store.add([task("c")], now=NOON).ids
    assert len({store.get(task_id).action_id for task_id in ids}) == 1


def test_a_later_time_makes_a_task_wait_and_a_past_one_does_not(store: Store) -> None:
    later, past = store.add([task("a", not_before=NOON + 1), task("b", not_before=NOON - 1)], now=NOON).ids
    assert store.get(later).state is TaskState.WAITING
    assert store.get(later).not_before == NOON + 1
    assert store.get(past).state is TaskState.PENDING


def test_an_add_is_all_or_none(store: Store) -> None:
    with pytest.raises(Exception, match="priority"):
        store.add([task("good"), task("bad", priority=10**9)], now=NOON)
    assert store.counts().total == 0
    assert list(told(store)) == []


def test_adding_nothing_is_fine(store: Store) -> None:
    assert store.add([], now=NOON).ids == []


def test_ids_rise_and_are_never_given_twice(store: Store) -> None:
    """Not even after the newest task was removed."""
    first = store.add(tasks(3), now=NOON).ids
    store.act(Verb.CANCEL, Selector(everything=True), now=NOON, by="me")
    assert store.remove(Selector(everything=True), now=NOON, by="me") == 3
    second = store.add(tasks(2), now=NOON).ids
    assert first == sorted(first)
    assert min(second) > max(first)


def test_text_that_is_not_utf8_is_taken(store: Store) -> None:
    """File names come as text with lone surrogates; neither the database nor JSON takes those."""
    (task_id,) = store.add([task("a", title="bad \udcff name", queue="q\udc80")], now=NOON, by="u\udcff").ids
    assert store.get(task_id).title == "bad \\udcff name"
    assert store.counts(queue="q\\udc80").total == 1


# -- unique -----------------------------------------------------------------------------------


def test_with_unique_an_equal_task_is_not_added_again(store: Store, engine: SmallEngine) -> None:
    """Whatever has become of the first one."""
    first = engine.one("a")
    engine.turn(settlement(first))
    added = store.add([task("b"), task("a")], now=NOON, unique=True)
    assert added.known == [first.id]
    assert [store.get(task_id).input for task_id in added.ids] == [b"b"]


def test_with_unique_equal_tasks_of_one_call_are_one(store: Store) -> None:
    added = store.add([task("a"), task("b"), task("a")], now=NOON, unique=True)
    assert [store.get(task_id).input for task_id in added.ids] == [b"a", b"b"]
    assert added.known == []


def test_unique_holds_for_the_runners_own_tasks_among_themselves(store: Store) -> None:
    """A task of a person that does the same is another one, and an own one is never taken for it."""
    (own,) = store.add([task("a", queue=OPS_QUEUE)], now=NOON, unique=True).ids
    assert store.add([task("a", queue=OPS_QUEUE)], now=NOON, unique=True).known == [own]
    (theirs,) = store.add([task("a")], now=NOON, unique=True).ids
    assert store.add([task("a")], now=NOON, unique=True).known == [theirs]
    assert store.add([task("a", queue=OPS_QUEUE)], now=NOON, unique=True).at == [own]


def test_without_unique_equal_tasks_are_two(store: Store) -> None:
    assert len(store.add([task("a"), task("a")], now=NOON).ids) == 2


def test_equal_means_the_same_action_directory_and_input(store: Store) -> None:
    elsewhere = Action(kind=ActionKind.COMMAND, cwd=b"/other", argv=ACTION.argv)
    patient = Action(kind=ActionKind.COMMAND, cwd=ACTION.cwd, argv=ACTION.argv, retries=9)
    (first,) = store.add([task("a", stamp="1:1")], now=NOON).ids
    found = store.find([task("a"), task("b"), task("a", action=elsewhere), task("a", action=patient)])
    assert [(one.position, one.id, one.state, one.stamp) for one in found] == [
        (0, first, TaskState.PENDING, "1:1"),
        (3, first, TaskState.PENDING, "1:1"),
    ]


def test_find_gives_the_newest(store: Store) -> None:
    _, newest = store.add([task("a"), task("a")], now=NOON).ids
    assert [one.id for one in store.find([task("a")])] == [newest]


# -- batches ----------------------------------------------------------------------------------


def test_nobody_sees_a_batch_before_it_is_published(store: Store, engine: SmallEngine) -> None:
    engine.turn()
    before = len(list(told(store)))
    batch = store.open_batch(now=NOON, owner="1:2:boot")
    ids = store.add([*tasks(3), task("late", not_before=NOON + 5)], now=NOON, batch=batch).ids

    assert store.open_batches() == [(batch, "1:2:boot", NOON)]
    assert store.counts().total == 0
    assert store.tasks(Query()) == []
    assert store.tasks(Query(states=(TaskState.PENDING, TaskState.WAITING))) == []
    assert store.states(ids) == {}
    assert store.find(tasks(1)) == []
    assert store.orders().lanes == []
    assert store.queues() == []
    with pytest.raises(NotFoundError):
        store.get(ids[0])
    assert store.act(Verb.CANCEL, Selector(everything=True), now=NOON, by="me").changed == 0
    assert store.act(Verb.CANCEL, Selector(ids=tuple(ids)), now=NOON, by="me").changed == 0
    assert engine.claim() == []
    assert len(list(told(store))) == before


def test_publishing_shows_all_of_a_batch_at_once(store: Store, engine: SmallEngine) -> None:
    batch = store.open_batch(now=NOON, owner="me")
    ids = store.add(tasks(3), now=NOON, batch=batch).ids + store.add([task("x")], now=NOON, batch=batch).ids
    assert store.publish(batch, now=NOON) == 4
    assert store.counts().pending == 4
    assert [one["id"] for one in told(store) if one["event"] == "file_added"] == ids
    assert [one.id for one in engine.claim()] == ids
    assert store.open_batches() == []


def test_a_published_batch_lives_like_any_other_tasks(store: Store, engine: SmallEngine) -> None:
    """Plain and batched tasks of one kind are claimed in one order, finished, removed and counted together."""
    batch = store.open_batch(now=NOON, owner="me")
    first = store.add([task("1")], now=NOON, batch=batch).ids
    second = store.add([task("2")], now=NOON).ids
    third = store.add([task("3")], now=NOON, batch=batch).ids
    store.publish(batch, now=NOON)
    claimed = engine.claim()
    assert [one.id for one in claimed] == first + second + third
    engine.turn(*map(settlement, claimed))
    assert store.remove(Selector(everything=True), now=NOON, by="me") == 3
    assert store.counts().removed == 3
    assert store.counts(queue="default").removed == 3


def test_an_abandoned_batch_leaves_nothing(store: Store) -> None:
    (kept,) = store.add([task("kept")], now=NOON).ids
    batch = store.open_batch(now=NOON, owner="me")
    store.add([*tasks(3), task("w", not_before=NOON + 9)], now=NOON, batch=batch)
    assert store.abandon(batch) == 4
    assert store.open_batches() == []
    assert [one.id for one in store.tasks(Query())] == [kept]
    assert len([one for one in told(store) if one["event"] == "file_added"]) == 1
    with pytest.raises(NotFoundError):
        store.publish(batch, now=NOON)


def test_what_is_published_cannot_be_abandoned_or_added_to(store: Store) -> None:
    batch = store.open_batch(now=NOON, owner="me")
    store.add(tasks(2), now=NOON, batch=batch)
    store.publish(batch, now=NOON)
    assert store.abandon(batch) == 0
    with pytest.raises(NotFoundError):
        store.add(tasks(1), now=NOON, batch=batch)
    with pytest.raises(NotFoundError):
        store.publish(batch, now=NOON)
    assert store.counts().pending == 2


def test_unique_looks_into_its_own_batch_and_not_into_those_of_others(store: Store) -> None:
    mine, theirs = store.open_batch(now=NOON, owner="me"), store.open_batch(now=NOON, owner="they")
    (first,) = store.add([task("a")], now=NOON, batch=mine, unique=True).ids
    assert store.add([task("a")], now=NOON, batch=mine, unique=True).known == [first]
    assert len(store.add([task("a")], now=NOON, batch=theirs, unique=True).ids) == 1


@pytest.mark.parametrize("state", TaskState)
def test_only_what_is_still_to_run_gets_the_stamp_of_its_file_as_it_is_now(
    store: Store, engine: SmallEngine, state: TaskState
) -> None:
    """A completed one has worked on the file as it was; a failed one will be revived, and works on this one then."""
    task_id = engine.bring(state)
    expected = state in (TaskState.WAITING, TaskState.PENDING, TaskState.FAILED)

    assert store.restamp({task_id: "5:7", 999: "1:1"}, now=NOON + 1, by="me") == expected

    assert store.get(task_id).stamp == ("5:7" if expected else "")
    (known,) = store.find([task()])
    assert known.stamp == store.get(task_id).stamp
    edits = [event for event in told(store) if event["event"] == "file_edited"]
    assert [(event["id"], event["by"], event["stamp"]) for event in edits] == [(task_id, "me", "5:7")] * expected


def test_a_stamp_that_is_the_same_is_no_change(store: Store) -> None:
    (task_id,) = store.add([task(stamp="5:7")], now=NOON).ids
    before = len(list(told(store)))
    assert store.restamp({task_id: "5:7"}, now=NOON + 1, by="me") == 0
    assert len(list(told(store))) == before


def test_what_is_revived_gets_its_stamp_with_that(store: Store, engine: SmallEngine) -> None:
    task_id = engine.bring(TaskState.FAILED)
    store.act(Verb.RETRY, Selector(ids=(task_id,)), now=NOON + 1, by="me", stamps={task_id: "5:7"})
    assert (store.get(task_id).state, store.get(task_id).stamp) == (TaskState.PENDING, "5:7")
    assert [event["event"] for event in told(store)][-2:] == ["file_edited", "file_revived"]
