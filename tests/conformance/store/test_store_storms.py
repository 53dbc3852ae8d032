"""Storms on record: what begins, goes on, and ends with everything that it stopped."""

from __future__ import annotations

import msgspec
import pytest
from flow_parts import Player, step
from store_parts import ACTION, CAUSE, NOON, SmallEngine, settlement, storm, task, tasks, told

from overnight.core.states import TaskState
from overnight.core.storms import Subject
from overnight.store.contract import Claim, Selector, Store, Verb

S = TaskState


def fail(engine: SmallEngine, name: str, *, at: float = NOON, state: TaskState = S.FAILED, **changes: object) -> int:
    claimed = engine.one(name)
    ended = settlement(claimed, state, fingerprint=changes.pop("cause", CAUSE), error="connection refused")
    engine.turn(ended, now=at)
    return claimed.id


def test_a_storm_is_on_record_until_it_is_ended(store: Store) -> None:
    store.add([task()], now=NOON)
    assert store.storms() == []
    store.set_storm(storm(), now=NOON + 10)
    after = storm(probes=1, probe_at=NOON + 190)
    store.set_storm(after, now=NOON + 70)
    assert store.storms() == store.orders().storms == [after]
    assert store.end_storm(after, now=NOON + 200, by="me") == []
    assert store.storms() == []
    assert store.end_storm(after, now=NOON + 201, by="me") is None
    names = [event["event"] for event in told(store)]
    assert names[-3:] == ["storm_began", "storm_probed", "storm_ended"]


def test_its_failures_are_revived_with_its_end_and_older_ones_and_others_are_not(
    store: Store, engine: SmallEngine
) -> None:
    older = fail(engine, "older", at=NOON - 5)
    other = fail(engine, "other", at=NOON + 1, cause="ba9876543210")
    mine = fail(engine, "mine", at=NOON + 1)
    waits = fail(engine, "waits", at=NOON + 2, state=S.WAITING)
    store.set_storm(storm(), now=NOON + 10)

    assert store.end_storm(storm(), now=NOON + 20, by="me") == [mine]

    assert store.states([older, other, mine, waits]) == {
        older: S.FAILED,
        other: S.FAILED,
        mine: S.PENDING,
        waits: S.PENDING,
    }
    assert (store.get(mine).generation, store.get(mine).failures) == (2, 0)
    assert (store.get(waits).generation, store.get(waits).failures) == (1, 1)
    [ended] = [event for event in told(store) if event["event"] == "storm_ended"]
    assert (ended["by"], ended["revived"], ended["seconds"]) == ("me", 1, 10.0)


def test_what_was_revived_often_enough_stays_failed(store: Store, engine: SmallEngine) -> None:
    mine = fail(engine, "mine")
    store.set_storm(storm(), now=NOON)
    assert store.end_storm(storm(), now=NOON, by="brake", revivals=1) == [mine]
    (claimed,) = engine.claim()
    engine.turn(settlement(claimed, S.FAILED, fingerprint=CAUSE), now=NOON + 1)
    store.set_storm(storm(), now=NOON + 2)
    assert store.end_storm(storm(), now=NOON + 3, by="brake", revivals=1) == []
    store.set_storm(storm(), now=NOON + 4)
    assert store.end_storm(storm(), now=NOON + 5, by="me") == [mine]


def test_the_step_of_a_storm_goes_on_with_its_task(store: Store) -> None:
    player = Player(store, step("a"))
    player.add("w", workflow="flow")
    claimed = player.claim_one()
    player.engine.turn(settlement(claimed, S.FAILED, fingerprint=CAUSE, error="connection refused"))
    assert store.get(1).state is S.FAILED
    one = storm(Subject(workflow="flow", step="a"))
    store.set_storm(one, now=NOON)
    assert store.end_storm(one, now=NOON, by="me") == [1]
    assert (store.get(1).state, player.states()) == (S.PENDING, {"a": "waiting"})


def test_a_plain_task_that_carries_its_name_is_none_of_its_failures(store: Store, engine: SmallEngine) -> None:
    store.add([task("named", workflow="flow")], now=NOON)
    (claimed,) = engine.claim()
    engine.turn(settlement(claimed, S.FAILED, fingerprint=CAUSE), now=NOON + 1)
    one = storm(Subject(workflow="flow", step="a"))
    store.set_storm(one, now=NOON)
    assert store.end_storm(one, now=NOON + 2, by="me") == []
    assert store.get(claimed.id).state is S.FAILED


def test_a_retry_by_a_person_hurries_the_next_probe(store: Store, engine: SmallEngine) -> None:
    mine = fail(engine, "mine")
    store.set_storm(storm(), now=NOON)
    store.act(Verb.RETRY, Selector(ids=(mine,)), now=NOON + 5, by="me")
    assert [one.probe_at for one in store.storms()] == [NOON + 5]


@pytest.mark.parametrize("from_the_end", [False, True])
def test_a_claim_passes_over_an_action_but_for_one_task_of_it(
    store: Store, engine: SmallEngine, *, from_the_end: bool
) -> None:
    stopped = store.add(tasks(5), now=NOON).ids
    others = store.add(tasks(3, action=msgspec.structs.replace(ACTION, timeout=7.0)), now=NOON).ids
    [action_id] = {store.get(one).action_id for one in stopped}
    everything = engine.everything()
    claim = Claim(everything.count, everything.lanes, everything.pools, without=frozenset({action_id}), probes={})
    assert sorted(one.id for one in engine.turn(claim=claim).claimed) == others
    claim = Claim(
        everything.count,
        everything.lanes,
        everything.pools,
        without=frozenset({action_id}),
        probes={action_id: from_the_end},
    )
    assert [one.id for one in engine.turn(claim=claim).claimed] == [stopped[-1 if from_the_end else 0]]


def test_an_action_of_a_storm_is_kept(store: Store, engine: SmallEngine) -> None:
    fail(engine, "mine")
    store.add(tasks(1, action=msgspec.structs.replace(ACTION, timeout=7.0)), now=NOON)
    store.set_storm(storm(), now=NOON)
    assert list(store.spare_actions()) == []
    store.end_storm(storm(), now=NOON, by="me")
    assert list(store.spare_actions()) == [1]
