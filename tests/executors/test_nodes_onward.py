"""Attempts that go on on their nodes while no engine is there, and are the next one's. In virtual time."""

from __future__ import annotations

from pathlib import Path

import pytest
from fake_nodes import LEASE, FakeNodes

from overnight.core.endings import AttemptKey, Ended, Evidence, Froze, Lost
from overnight.core.task import Action, ActionKind
from overnight.executors.contract import Offer, Onward, Over, Spec
from overnight.testing import Play

ACTIONS = {1: Action(kind=ActionKind.COMMAND, cwd=b"/")}
GRANTED = ((b"OVERNIGHT_GPU", b"1"),)
FIRST, BEHIND, OTHER = AttemptKey(1, 1), AttemptKey(2, 1), AttemptKey(3, 1)


def plays(spec: Spec, _: Action) -> Play:
    return Play(seconds=float(spec.input))


@pytest.fixture
def nodes(tmp_path: Path) -> FakeNodes:
    """The first attempt takes ten seconds, on node a, another one waits behind it; one on node b takes long."""
    nodes = FakeNodes(tmp_path, plays)
    nodes.open()
    first = Spec(1, 1, 1, b"10", "default", granted=GRANTED)
    nodes.executor.submit(0, [first, Spec(2, 1, 1, b"1", "default")], ACTIONS)
    nodes.executor.submit(1, [Spec(3, 1, 1, b"1e6", "default")], ACTIONS)
    nodes.until(lambda: all(nodes.executor.started(key) for key in (FIRST, OTHER)))
    return nodes


def crash(nodes: FakeNodes, *, fence: int = 2) -> tuple[dict[AttemptKey, Over], dict[AttemptKey, Onward]]:
    """Another engine: what it is told at once, and what goes on."""
    nodes.executor = nodes.make()
    told = nodes.executor.open(fence=fence, left_open=[FIRST, BEHIND, OTHER])
    return {event.key: event for event in told}, {one.key: one for one in nodes.executor.onward()}


def test_what_runs_goes_on_in_its_slot_with_what_it_was_given(nodes: FakeNodes) -> None:
    told, going = crash(nodes)

    assert told == {}
    assert going.keys() == {FIRST, BEHIND, OTHER}
    assert going[FIRST].slot == going[BEHIND].slot != going[OTHER].slot
    assert going[FIRST].granted == GRANTED
    nodes.until(lambda: nodes.executor.started(FIRST))
    assert sorted(nodes.executor.offers()) == [Offer(going[one].slot, count) for one, count in ((FIRST, 2), (OTHER, 1))]


def test_its_end_is_told_to_the_next_engine_and_nothing_is_run_twice(nodes: FakeNodes) -> None:
    crash(nodes)
    nodes.until(lambda: len(nodes.seen) == 2)
    nodes.executor.ack()

    assert [event.key for event in nodes.seen if isinstance(event, Ended)] == [FIRST, BEHIND]
    assert nodes.begun() == [FIRST, BEHIND, OTHER]


def test_three_engines_later_it_is_still_the_same(nodes: FakeNodes) -> None:
    for fence in (2, 3, 4):
        _, going = crash(nodes, fence=fence)
        nodes.pass_time(1.0)
    assert going.keys() == {FIRST, BEHIND, OTHER}

    nodes.until(lambda: len(nodes.seen) == 2)
    assert nodes.begun() == [FIRST, BEHIND, OTHER]


def test_what_has_ended_meanwhile_is_told_and_the_rest_goes_on(nodes: FakeNodes) -> None:
    nodes.clock.advance(10.5)  # nobody listens, and the lease lasts

    told, going = crash(nodes)

    assert isinstance(told[FIRST], Ended)
    assert BEHIND in told.keys() | going.keys()
    assert OTHER in going


def test_it_can_be_cancelled_and_taken_back(nodes: FakeNodes) -> None:
    _, going = crash(nodes)

    assert nodes.executor.recall(going[FIRST].slot) == [BEHIND]
    nodes.executor.cancel([OTHER])
    nodes.until(lambda: nodes.seen)

    assert [event.key for event in nodes.seen] == [OTHER]


def test_when_the_lease_is_over_it_has_ended_and_is_told_as_lost(nodes: FakeNodes) -> None:
    nodes.clock.advance(LEASE.ttl + 0.1)
    for node in nodes.carrier.nodes.values():
        node.agent.look()

    told, going = crash(nodes)

    assert going == {}
    lost = told[OTHER]
    assert isinstance(lost, Lost)
    assert lost.evidence is Evidence.STARTED
    assert not any(node.world._alive for node in nodes.carrier.nodes.values())


def test_of_a_node_that_does_not_answer_the_rest_is_not_given_up(nodes: FakeNodes) -> None:
    nodes.carrier.nodes["a"].frozen = True

    told, going = crash(nodes)

    assert {key: type(one) for key, one in told.items()} == {FIRST: Lost, BEHIND: Lost}
    assert going.keys() == {OTHER}


def test_an_engine_with_fewer_slots_ends_what_has_none(nodes: FakeNodes) -> None:
    nodes.slots = 1

    told, going = crash(nodes)

    assert going.keys() == {FIRST, BEHIND}
    lost = told[OTHER]
    assert isinstance(lost, Lost)
    assert "fewer slots" in lost.error


def test_what_stood_still_goes_on_for_whoever_comes(nodes: FakeNodes) -> None:
    """Who wanted it to stand still died, and nobody would let it go on."""
    nodes.executor.freeze(OTHER, frozen=True)
    nodes.until(lambda: Froze(*OTHER, frozen=True) in nodes.seen)

    crash(nodes)
    nodes.pass_time(1.0)

    assert nodes.carrier.nodes["b"].executor._frozen == {}


def test_what_stands_still_does_so_when_only_the_line_breaks(nodes: FakeNodes) -> None:
    nodes.executor.freeze(OTHER, frozen=True)
    nodes.until(lambda: Froze(*OTHER, frozen=True) in nodes.seen)

    nodes.carrier.cut("b")
    nodes.carrier.mend("b")
    nodes.pass_time(1.0)

    assert Froze(*OTHER, frozen=False) not in nodes.seen
