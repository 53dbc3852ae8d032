"""What people may rely on: every verb on every state, selections, removal."""

from __future__ import annotations

from itertools import product

import pytest
from store_parts import NOON, SmallEngine, settlement, task, tasks, told

from overnight.core.states import STEPS, Cause, Reason, TaskState
from overnight.store.contract import Query, Queue, Selector, Store, Verb

S = TaskState
#: What each verb makes of a task in each state; "asked" leaves a control. All else stays as it is.
EFFECTS = {
    (Verb.CANCEL, S.WAITING): S.CANCELLED,
    (Verb.CANCEL, S.PENDING): S.CANCELLED,
    (Verb.CANCEL, S.HELD): S.CANCELLED,
    (Verb.CANCEL, S.RUNNING): "asked",
    (Verb.HOLD, S.WAITING): S.HELD,
    (Verb.HOLD, S.PENDING): S.HELD,
    (Verb.HOLD, S.RUNNING): "asked",
    (Verb.RELEASE, S.HELD): S.PENDING,
    (Verb.RETRY, S.COMPLETED): S.PENDING,
    (Verb.RETRY, S.FAILED): S.PENDING,
    (Verb.RETRY, S.CANCELLED): S.PENDING,
    (Verb.RETRY, S.WAITING): S.PENDING,
}


@pytest.mark.parametrize(("verb", "state"), list(product(Verb, TaskState)))
def test_a_verb_does_what_the_table_allows_and_nothing_else(
    store: Store, engine: SmallEngine, verb: Verb, state: TaskState
) -> None:
    task_id = engine.bring(state)
    before, events = store.get(task_id), len(list(told(store)))
    acted = store.act(verb, Selector(ids=(task_id,)), now=NOON + 1, by="me")
    effect = EFFECTS.get((verb, state))
    if effect is None:
        assert (acted.changed, acted.asked, acted.ids) == (0, 0, [])
        assert store.get(task_id) == before
        assert len(list(told(store))) == events
    elif effect == "asked":
        assert (acted.changed, acted.asked, acted.ids) == (0, 1, [task_id])
        assert store.get(task_id) == before
        (control,) = store.orders().controls
        assert (control.verb, control.task_id, control.by) == (verb, task_id, "me")
    else:
        assert (acted.changed, acted.asked, acted.ids) == (1, 0, [task_id])
        assert store.get(task_id).state is effect
        assert list(told(store))[-1]["by"] == "me"


def test_the_table_of_effects_is_legal() -> None:
    for (_, state), target in EFFECTS.items():
        if target != "asked":
            assert any(target in STEPS.get((state, cause), ()) for cause in Cause)


def test_asking_twice_about_a_running_task_leaves_one_control(store: Store, engine: SmallEngine) -> None:
    task_id = engine.bring(S.RUNNING)
    for _ in range(2):
        assert store.act(Verb.CANCEL, Selector(ids=(task_id,)), now=NOON, by="me").asked == 1
    assert len(store.orders().controls) == 1


def test_a_retried_task_begins_a_new_generation_under_a_higher_attempt(store: Store, engine: SmallEngine) -> None:
    """Failures and deaths start again; the attempt number is the fence and goes on rising."""
    claimed = engine.one()
    engine.turn(settlement(claimed, S.FAILED, failures=4, deaths=2, error="e", fingerprint="f"))
    store.act(Verb.RETRY, Selector(states=(S.FAILED,)), now=NOON, by="me")
    found = store.get(claimed.id)
    assert (found.generation, found.failures, found.deaths, found.attempt) == (2, 0, 0, 1)
    assert (found.error, found.fingerprint, found.reason, found.finished_at, found.started_at) == (
        "",
        "",
        None,
        None,
        None,
    )
    (again,) = engine.claim()
    assert (again.attempt, again.generation) == (2, 2)
    engine.turn(settlement(again))
    assert [one.number for one in store.attempts(claimed.id)] == [1, 2]


def test_a_released_task_is_forgiven_its_deaths(store: Store, engine: SmallEngine) -> None:
    claimed = engine.one()
    engine.turn(settlement(claimed, S.HELD, failures=1, deaths=3))
    store.act(Verb.RELEASE, Selector(everything=True), now=NOON, by="me")
    found = store.get(claimed.id)
    assert (found.state, found.deaths, found.failures, found.reason) == (S.PENDING, 0, 1, None)


def test_what_is_held_by_hand_says_so(store: Store, engine: SmallEngine) -> None:
    task_id = engine.bring(S.WAITING)
    store.act(Verb.HOLD, Selector(ids=(task_id,)), now=NOON, by="me")
    found = store.get(task_id)
    assert (found.state, found.reason, found.not_before) == (S.HELD, Reason.BY_HAND, None)


def test_retry_hurries_a_retry_and_not_what_was_put_off_when_it_was_added(store: Store, engine: SmallEngine) -> None:
    retried = engine.bring(S.WAITING)
    (put_off,) = store.add([task("b", not_before=NOON + 1000)], now=NOON).ids
    acted = store.act(Verb.RETRY, Selector(everything=True), now=NOON, by="me")
    assert acted.ids == [retried]
    assert store.get(put_off).state is S.WAITING


def test_many_thousands_are_acted_on_in_one_transaction(store: Store) -> None:
    """In pieces inside; the answer counts all and names at most ten thousand."""
    store.add(tasks(12_000), now=NOON)
    acted = store.act(Verb.CANCEL, Selector(everything=True), now=NOON, by="me")
    assert (acted.changed, len(acted.ids)) == (12_000, 10_000)
    assert store.counts().cancelled == 12_000
    assert len([one for one in told(store) if one["event"] == "file_cancelled"]) == 12_000
    assert store.remove(Selector(everything=True), now=NOON, by="me") == 12_000


# -- selectors --------------------------------------------------------------------------------


@pytest.fixture
def mixed(engine: SmallEngine) -> dict[str, int]:
    """One task of each kind, all failed, with causes."""
    kinds = {"plain": {}, "queued": {"queue": "q"}, "flow": {"workflow": "w"}, "both": {"queue": "q", "workflow": "w"}}
    ids = {}
    for name, changes in kinds.items():
        claimed = engine.one(name, **changes)
        engine.turn(settlement(claimed, S.FAILED, fingerprint=f"print-{name[0]}"))
        ids[name] = claimed.id
    return ids


@pytest.mark.parametrize(
    ("selector", "names"),
    [
        (Selector(), ""),
        (Selector(everything=True), "plain queued flow both"),
        (Selector(queue="q"), "queued both"),
        (Selector(workflow="w"), "flow both"),
        (Selector(queue="q", workflow="w"), "both"),
        (Selector(queue="nowhere"), ""),
        (Selector(cause="print-f"), "flow"),
        (Selector(cause="print-f", queue="q"), ""),
        (Selector(cause=""), ""),
        (Selector(states=(S.FAILED, S.HELD)), "plain queued flow both"),
        (Selector(states=(S.COMPLETED,)), ""),
        (Selector(states=(S.COMPLETED,), everything=True), ""),
    ],
    ids=str,
)
def test_a_selector_means_all_of_its_conditions(
    store: Store, mixed: dict[str, int], selector: Selector, names: str
) -> None:
    acted = store.act(Verb.RETRY, selector, now=NOON, by="me")
    assert sorted(acted.ids) == sorted(mixed[name] for name in names.split())


def test_ids_are_narrowed_by_the_other_conditions(store: Store, mixed: dict[str, int]) -> None:
    selector = Selector(ids=(mixed["plain"], mixed["queued"], 12345), queue="q")
    assert store.act(Verb.RETRY, selector, now=NOON, by="me").ids == [mixed["queued"]]


# -- removing ---------------------------------------------------------------------------------


@pytest.mark.parametrize("state", TaskState)
def test_only_what_is_final_or_held_can_be_removed(store: Store, engine: SmallEngine, state: TaskState) -> None:
    task_id = engine.bring(state)
    gone = store.remove(Selector(ids=(task_id,)), now=NOON, by="me")
    removable = state not in (S.WAITING, S.PENDING, S.RUNNING)
    assert gone == removable
    assert (task_id in store.states([task_id])) is not removable
    assert store.counts().removed == removable
    assert store.attempts(task_id) == [] or not removable


def test_the_books_know_how_many_were_removed_of_each_queue(store: Store, mixed: dict[str, int]) -> None:
    store.remove(Selector(queue="q"), now=NOON, by="me")
    assert store.counts(queue="q").removed == 2
    assert store.counts().removed == 2
    assert store.counts().failed == len(mixed) - 2


def test_removing_tells_what_was_removed(store: Store, engine: SmallEngine) -> None:
    task_id = engine.bring(S.COMPLETED)
    store.remove(Selector(everything=True), now=NOON, by="me")
    last = list(told(store))[-1]
    assert (last["event"], last["id"], last["by"], last["state"]) == ("file_removed", task_id, "me", "completed")


# -- queues -----------------------------------------------------------------------------------


def test_a_queue_is_listed_when_it_has_settings_or_tasks(store: Store) -> None:
    store.add([task("a", queue="busy")], now=NOON)
    store.set_queue(Queue("set", slots=2, rate=0.5, paused=True, paused_until=NOON + 60), now=NOON, by="me")
    expected = [Queue("busy"), Queue("set", slots=2, rate=0.5, paused=True, paused_until=NOON + 60)]
    assert store.queues() == expected
    assert store.orders().queues == expected
    store.set_queue(Queue("set"), now=NOON, by="me")
    assert store.queues() == [Queue("busy"), Queue("set")]
    changed = [one for one in told(store) if one["event"] == "queue_changed"]
    assert [one.get("slots") for one in changed] == [2, None]


# -- reading ----------------------------------------------------------------------------------


def test_a_listing_is_newest_first_and_goes_on_where_it_ended(store: Store) -> None:
    ids = store.add(tasks(7), now=NOON).ids
    first = store.tasks(Query(limit=3))
    store.add([task("new")], now=NOON)
    second = store.tasks(Query(limit=3, before=first[-1].id))
    assert [one.id for one in first + second] == ids[:0:-1]


def test_a_listing_of_several_states_is_one_list(store: Store, engine: SmallEngine) -> None:
    ids = [engine.bring(state, state.value) for state in TaskState if state is not S.PENDING]
    ids.append(engine.bring(S.PENDING, "pending"))
    assert [one.id for one in store.tasks(Query(states=tuple(TaskState)))] == ids[::-1]
    for state in TaskState:
        assert [one.state for one in store.tasks(Query(states=(state,)))] == [state]
    two = store.tasks(Query(states=(S.FAILED, S.RUNNING), limit=1))
    assert len(two) == 1


def test_a_listing_can_be_of_a_queue_a_workflow_or_a_cause(store: Store, mixed: dict[str, int]) -> None:
    assert [one.id for one in store.tasks(Query(queue="q"))] == [mixed["both"], mixed["queued"]]
    assert [one.id for one in store.tasks(Query(workflow="w", states=(S.FAILED,)))] == [mixed["both"], mixed["flow"]]
    assert [one.id for one in store.tasks(Query(cause="print-p"))] == [mixed["plain"]]


def test_counts_are_of_a_queue_and_a_workflow(store: Store, mixed: dict[str, int]) -> None:
    assert store.counts().failed == len(mixed)
    assert store.counts(queue="q").failed == 2
    assert store.counts(queue="q", workflow="w").failed == 1
    assert store.counts(queue="none").total == 0


def test_unknown_ids_are_absent(store: Store) -> None:
    (task_id,) = store.add([task()], now=NOON).ids
    assert store.states([task_id, 999]) == {task_id: S.PENDING}
    assert store.states([]) == {}
    assert store.actions([]) == {}
    assert store.attempts(999) == []


def test_it_is_known_where_tasks_belong(store: Store) -> None:
    one, other = store.add([task("a"), task("b", queue="night", workflow="scan")], now=NOON).ids
    hidden = store.open_batch(now=NOON, owner="me")
    (unseen,) = store.add([task("c")], now=NOON, batch=hidden).ids
    assert store.places([one, other, unseen, 999]) == {one: ("default", ""), other: ("night", "scan")}
    assert store.places([]) == {}
