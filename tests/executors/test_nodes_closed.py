"""Nodes that people close: given nothing more, emptied, emptied at once."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from fake_nodes import FakeNodes

from overnight.core.endings import AttemptKey, Ended, Evidence, Lost
from overnight.core.nodes import Change, Closing
from overnight.core.task import Action, ActionKind
from overnight.executors.contract import Spec
from overnight.executors.nodes.carrier import Gone, Said
from overnight.executors.nodes.node import State
from overnight.testing import Play

ACTIONS = {1: Action(kind=ActionKind.COMMAND, cwd=b"/")}


@pytest.fixture
def closed() -> dict[str, Closing]:
    return {}


@pytest.fixture
def nodes(tmp_path: Path, closed: dict[str, Closing]) -> FakeNodes:
    nodes = FakeNodes(tmp_path, lambda _spec, _action: Play(seconds=5.0), closed=lambda: dict(closed))
    nodes.open()
    for slot, pair in enumerate(((1, 2), (3, 4))):
        nodes.executor.submit(slot, [Spec(number, 1, 1, b"", "default") for number in pair], ACTIONS)
    nodes.until(lambda: all(nodes.executor.started(AttemptKey(number, 1)) for number in (1, 3)))
    return nodes


def test_a_cordoned_node_finishes_what_it_has_and_is_offered_no_more(
    nodes: FakeNodes, closed: dict[str, Closing]
) -> None:
    closed["b"] = Closing.CORDON
    nodes.until(lambda: len(nodes.seen) == 4)
    nodes.executor.ack()
    nodes.pass_time(2.0)

    assert all(isinstance(event, Ended) for event in nodes.seen)
    assert len(nodes.executor.offers()) == 2, "its slot has found a seat on the other node"
    nodes.executor.submit(1, [Spec(5, 1, 1, b"", "default")], ACTIONS)
    nodes.pass_time(1.0)
    assert (5, 1) in nodes.carrier.nodes["a"].begun


def test_a_drained_node_gives_back_what_it_has_not_begun_and_ends(nodes: FakeNodes, closed: dict[str, Closing]) -> None:
    closed["b"] = Closing.DRAIN
    nodes.until(lambda: len(nodes.seen) == 3, seconds=8.0)
    nodes.executor.ack()
    nodes.pass_time(2.0)

    told = {event.key: event for event in nodes.seen}
    assert isinstance(told[AttemptKey(3, 1)], Ended)
    back = told[AttemptKey(4, 1)]
    assert isinstance(back, Lost)
    assert back.evidence is Evidence.NEVER_STARTED
    assert {node.name: node.state for node in nodes.executor.nodes()} == {"a": State.UP, "b": State.CLOSED}


def test_a_node_drained_at_once_ends_what_runs(nodes: FakeNodes, closed: dict[str, Closing]) -> None:
    closed["b"] = Closing.DRAIN_NOW
    nodes.until(lambda: AttemptKey(3, 1) in {event.key for event in nodes.seen}, seconds=2.0)

    lost = next(event for event in nodes.seen if event.key == AttemptKey(3, 1))
    assert isinstance(lost, Lost)
    assert (lost.evidence, lost.worker_died) == (Evidence.STARTED, False)
    assert lost.error == "its node was drained"


def test_a_node_that_was_cordoned_is_given_work_again(nodes: FakeNodes, closed: dict[str, Closing]) -> None:
    closed["b"] = Closing.CORDON
    nodes.pass_time(2.0)
    assert [offer.slot for offer in nodes.executor.offers()] == [0]
    closed.clear()
    nodes.pass_time(2.0)

    assert [offer.slot for offer in nodes.executor.offers()] == [0, 1]


def test_a_drained_node_that_is_opened_again_comes_back_with_another_agent(
    nodes: FakeNodes, closed: dict[str, Closing]
) -> None:
    closed["b"] = Closing.DRAIN
    nodes.until(lambda: len(nodes.seen) == 3, seconds=8.0)
    nodes.executor.ack()
    nodes.until(lambda: nodes.executor.nodes()[1].state is State.CLOSED)
    nodes.pass_time(2.0)
    assert nodes.executor.nodes()[1].state is State.CLOSED
    nodes.executor.news()

    closed.clear()
    nodes.until(lambda: nodes.executor.nodes()[1].state is State.UP, seconds=3.0)
    nodes.executor.resize(8)
    nodes.until(lambda: len(nodes.executor.offers()) == 8)

    assert [one.change for one in nodes.executor.news()] == [Change.OPENED, Change.JOINED]
    for slot in range(8):
        nodes.executor.submit(slot, [Spec(10 + slot, 1, 1, b"", "default")], ACTIONS)
    nodes.until(lambda: len(nodes.seen) == 11, seconds=20.0)
    assert len(nodes.carrier.nodes["b"].begun) == 5


def test_one_that_is_opened_before_its_agent_has_ended_comes_back_as_well(
    nodes: FakeNodes, closed: dict[str, Closing]
) -> None:
    closed["b"] = Closing.DRAIN
    nodes.until(lambda: len(nodes.seen) == 3, seconds=8.0)
    nodes.carrier.nodes["b"].frozen = True  # it does not hear in time that it is to end
    nodes.executor.ack()
    nodes.pass_time(2.0)
    closed.clear()
    nodes.pass_time(2.0)
    nodes.carrier.nodes["b"].frozen = False
    nodes.executor.resize(8)

    nodes.until(lambda: len(nodes.executor.offers()) == 8, seconds=20.0)


def test_one_whose_last_word_is_lost_comes_back_as_well(nodes: FakeNodes, closed: dict[str, Closing]) -> None:
    closed["b"] = Closing.DRAIN
    nodes.until(lambda: len(nodes.seen) == 3, seconds=8.0)
    nodes.executor.ack()
    receive = nodes.carrier.receive

    def lose_what_it_says() -> list[Said | Gone]:
        words = receive()
        if not nodes.carrier.nodes["b"].agent.closed or not nodes.carrier.nodes["b"].linked:
            return words
        nodes.carrier.cut("b")
        return [word for word in words if word.node != "b"]

    nodes.carrier.receive = lose_what_it_says  # type: ignore[method-assign]
    nodes.until(lambda: nodes.executor.nodes()[1].state is State.AWAY, seconds=25.0)
    nodes.carrier.receive = receive  # type: ignore[method-assign]
    nodes.carrier.nodes["b"].linked = True

    closed.clear()
    nodes.until(lambda: nodes.executor.nodes()[1].state is State.UP, seconds=3.0)


def test_nodes_that_end_with_the_engine_are_not_looked_for_again(nodes: FakeNodes) -> None:
    nodes.carrier.nodes["a"].frozen = True  # so that it takes its time
    nodes.executor.close()
    assert [node.state for node in nodes.executor.nodes()] == [State.UP, State.CLOSED]


def soon(nodes: FakeNodes, act: Callable[[], None]) -> None:
    """Do this after half a second of waiting."""
    at, wait, acts = nodes.clock.monotonic() + 0.5, nodes.carrier.wait, [act]

    def waited(seconds: float) -> None:
        wait(seconds)
        while acts and nodes.clock.monotonic() >= at:
            acts.pop()()

    nodes.carrier.wait = waited  # type: ignore[method-assign]


def test_nodes_that_cannot_be_used_are_not_waited_for(tmp_path: Path) -> None:
    """One cannot start its agent, twice: the others are enough, and why it cannot is known."""
    nodes = FakeNodes(tmp_path)
    nodes.carrier.cut("b")
    soon(nodes, lambda: nodes.carrier.cut("b"))
    before = nodes.clock.monotonic()

    facts = nodes.executor.connect(60.0)

    assert [one.name for one in facts] == ["a"]
    assert nodes.executor.failed == {"b": "the line was cut"}
    assert nodes.clock.monotonic() - before < 1.0
    nodes.open()


def test_a_node_whose_former_agent_is_just_ending_is_waited_for(tmp_path: Path) -> None:
    nodes = FakeNodes(tmp_path)
    nodes.carrier.cut("b")
    soon(nodes, lambda: nodes.carrier.mend("b"))

    assert [one.name for one in nodes.executor.connect(60.0)] == ["a", "b"]


def test_a_node_without_the_directory_of_a_task_gives_it_back_and_is_given_no_more(nodes: FakeNodes) -> None:
    nodes.carrier.nodes["b"].lacks = "it has no directory '/x'"
    other = {2: Action(kind=ActionKind.COMMAND, cwd=b"/x")}
    nodes.executor.submit(1, [Spec(5, 1, 2, b"", "default")], other)
    nodes.until(lambda: AttemptKey(5, 1) in {event.key for event in nodes.seen})
    nodes.pass_time(1.5)

    [back] = [event for event in nodes.seen if event.key == (5, 1)]
    assert isinstance(back, Lost)
    assert back.evidence is Evidence.NEVER_STARTED
    assert [offer.slot for offer in nodes.executor.offers()] == [0]


def test_where_no_node_has_it_the_task_is_run_to_be_refused(nodes: FakeNodes) -> None:
    for node in nodes.carrier.nodes.values():
        node.lacks = "it has no directory '/x'"
    other = {2: Action(kind=ActionKind.COMMAND, cwd=b"/x")}
    for slot in (0, 1):
        nodes.executor.submit(slot, [Spec(5 + slot, 1, 2, b"", "default")], other)
    nodes.until(lambda: {(5, 1), (6, 1)} <= {event.key for event in nodes.seen})
    nodes.pass_time(1.5)
    nodes.executor.submit(0, [Spec(5, 2, 2, b"", "default")], other)

    nodes.until(lambda: AttemptKey(5, 2) in {event.key for event in nodes.seen})

    [over] = [event for event in nodes.seen if event.key == (5, 2)]
    assert isinstance(over, Ended)


def test_what_nodes_have_is_known_once_they_have_greeted(nodes: FakeNodes, closed: dict[str, Closing]) -> None:
    stocks = nodes.executor.stocks({})
    assert set(stocks.seats.values()) == stocks.working == stocks.nodes.keys() == {"a", "b"}
    nodes.carrier.nodes["b"].ids = {"gpu": ("0", "1")}
    nodes.carrier.kill("b")
    nodes.until(lambda: nodes.executor.stocks({}).nodes["b"].amounts == {"gpu": 2.0})

    closed["b"] = Closing.CORDON
    nodes.pass_time(2.0)

    assert nodes.executor.stocks({}).working == {"a"}


def test_a_node_that_comes_back_with_fewer_slots_is_offered_no_more_than_those(tmp_path: Path) -> None:
    nodes = FakeNodes(tmp_path, slots=8)
    nodes.open()
    nodes.carrier.nodes["b"].slots = 1
    nodes.carrier.kill("b")
    nodes.pass_time(3.0)

    assert len(nodes.executor.offers()) == 5
    assert list(nodes.executor.stocks({}).seats.values()).count("b") == 1
    assert [node.slots for node in nodes.executor.nodes()] == [4, 1]
