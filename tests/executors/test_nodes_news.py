"""What is told of nodes: who came, fell silent, was lost with what, was closed; and where each attempt ran."""

from __future__ import annotations

from pathlib import Path

import pytest
from fake_nodes import LEASE, FakeNodes

from overnight.core import events
from overnight.core.endings import AttemptKey, Evidence, Lost
from overnight.core.event_names import EventName
from overnight.core.node_events import Words, told
from overnight.core.nodes import Change, Closing, NodeNews
from overnight.core.task import Action, ActionKind
from overnight.core.version import VERSION
from overnight.executors.contract import Spec
from overnight.executors.nodes.messages import PROTOCOL, Facts
from overnight.executors.nodes.node import State, other_program
from overnight.testing import Play

ACTIONS = {1: Action(kind=ActionKind.COMMAND, cwd=b"/")}
LONG = 1e6


def plays(spec: Spec, _: Action) -> Play:
    return Play(seconds=float(spec.input))


@pytest.fixture
def closed() -> dict[str, Closing]:
    return {}


@pytest.fixture
def nodes(tmp_path: Path, closed: dict[str, Closing]) -> FakeNodes:
    nodes = FakeNodes(tmp_path, plays, closed=lambda: dict(closed))
    nodes.open()
    return nodes


def start(nodes: FakeNodes, slot: int, *tasks: int, seconds: float = LONG) -> None:
    specs = [Spec(task_id, 1, 1, b"%g" % seconds, "default") for task_id in tasks]
    nodes.executor.submit(slot, specs, ACTIONS)
    nodes.until(lambda: nodes.executor.started(specs[0].key))


def test_a_node_that_comes_is_told_of_once(nodes: FakeNodes) -> None:
    joined = [(one.node, one.change, one.slots, one.version, one.again) for one in nodes.executor.news()]
    assert sorted(joined) == [("a", Change.JOINED, 4, VERSION, False), ("b", Change.JOINED, 4, VERSION, False)]

    nodes.pass_time(5.0)
    assert nodes.executor.news() == []


def test_a_node_that_is_silent_for_a_while_loses_nothing(nodes: FakeNodes) -> None:
    start(nodes, 0, 1)
    nodes.executor.news()
    nodes.carrier.cut("a")
    nodes.pass_time(1.0)
    assert nodes.executor.news() == [NodeNews("a", Change.SILENT, "the line was cut", attempts=1)]

    nodes.carrier.mend("a")
    nodes.until(lambda: nodes.executor.nodes()[0].state is State.UP)
    [back] = nodes.executor.news()
    assert (back.change, back.again) == (Change.JOINED, True)


def test_a_lost_node_is_told_of_with_what_went_with_it(nodes: FakeNodes) -> None:
    start(nodes, 0, 1, 2)
    nodes.executor.news()
    nodes.carrier.nodes["a"].frozen = True
    nodes.pass_time(LEASE.over_after + LEASE.ttl / 6)

    [lost] = nodes.executor.news()
    assert (lost.node, lost.change, lost.attempts, lost.begun, lost.tasks) == ("a", Change.LOST, 2, 1, (1, 2))
    assert "the node a was not heard for 16 s" in lost.why
    assert [node.lost for node in nodes.executor.nodes()] == [2, 0]
    assert {(event.key, event.node) for event in nodes.seen if isinstance(event, Lost)} == {
        ((1, 1), "a"),
        ((2, 1), "a"),
    }


def test_an_attempt_says_where_it_ran_and_one_that_never_began_was_nowhere(
    nodes: FakeNodes, closed: dict[str, Closing]
) -> None:
    start(nodes, 1, 1, 2, seconds=3.0)
    closed["b"] = Closing.DRAIN
    nodes.until(lambda: len(nodes.seen) == 2)

    told_of = {event.key: event for event in nodes.seen}
    ended, back = told_of[AttemptKey(1, 1)], told_of[AttemptKey(2, 1)]
    assert not isinstance(ended, Lost)
    assert isinstance(back, Lost)
    assert (ended.node, back.node, back.evidence) == ("b", "", Evidence.NEVER_STARTED)  # type: ignore[union-attr]


def test_what_people_want_of_nodes_is_told(nodes: FakeNodes, closed: dict[str, Closing]) -> None:
    nodes.executor.news()
    closed["a"] = Closing.CORDON
    nodes.pass_time(1.5)
    assert nodes.executor.news() == [NodeNews("a", Change.CLOSED, "cordon")]
    closed["a"] = Closing.DRAIN
    nodes.pass_time(2.5)
    assert nodes.executor.news() == [NodeNews("a", Change.CLOSED, "drain"), NodeNews("a", Change.DRAINED)]
    closed.clear()
    nodes.pass_time(1.5)
    opened, joined = nodes.executor.news()
    assert opened == NodeNews("a", Change.OPENED)
    assert (joined.node, joined.change, joined.again) == ("a", Change.JOINED, True)


def test_a_node_that_cannot_be_used_is_told_of_with_the_reason(tmp_path: Path) -> None:
    nodes = FakeNodes(tmp_path, plays, slots=1, versions=(VERSION, "0.0.1"))
    nodes.open()
    nodes.carrier.nodes["a"].lacks = "it has no directory '/data'"
    nodes.pass_time(1.5)

    refused = next(one for one in nodes.executor.news() if one.change is Change.REFUSED)
    assert refused.node == "b"
    assert "0.0.1" in refused.why


def test_people_are_told_of_losses_and_of_what_is_not_used_and_that_it_is_back() -> None:
    words = Words()
    lost = NodeNews("a", Change.LOST, "the node a was not heard for 16 s")
    refused, unfit = (
        NodeNews("a", Change.REFUSED, "it has another version"),
        NodeNews("a", Change.REFUSED, "x", unfit=True),
    )
    said = {
        lost: "the node a was not heard for 16 s; what it had goes back to the queue",
        refused: "the node a is not used: it has another version; tasks run on others, or wait for one",
        unfit: "the node a is given nothing: x; others do its tasks if they have it",
    }
    for news, sentence in said.items():
        assert (words.of(news) or ("", ""))[0] == sentence
        assert words.of(NodeNews("b", Change.JOINED, again=True)) is None
        assert words.of(NodeNews("a", Change.JOINED, again=True)) == ("the node a is back", "")
        assert words.of(NodeNews("a", Change.JOINED, again=True)) is None
    for change in (Change.SILENT, Change.CLOSED, Change.OPENED, Change.DRAINED):
        assert words.of(NodeNews("a", change, "why")) is None


def test_what_an_attempt_lacks_is_told_apart_from_a_node_that_cannot_be_used(nodes: FakeNodes) -> None:
    nodes.executor.news()
    nodes.carrier.nodes["a"].lacks = "it has no directory '/data'"
    nodes.executor.submit(0, [Spec(1, 1, 1, b"1", "default")], ACTIONS)
    nodes.pass_time(1.5)
    assert nodes.executor.news() == [NodeNews("a", Change.REFUSED, "it has no directory '/data'", unfit=True)]


def test_each_change_has_an_event_of_its_own() -> None:
    records = {change: told(NodeNews("a", change, "why", tasks=(7,)), at="t") for change in Change}
    names = {str(type(record).__struct_config__.tag) for record in records.values()}
    assert names == {name.value for name in EventName if name.value.startswith("node_")}
    assert b'"tasks":[7]' in events.lines([records[Change.LOST]])
    assert b'"how":"why"' in events.lines([records[Change.CLOSED]])


def test_one_of_the_same_version_that_speaks_otherwise_is_told_apart() -> None:
    assert other_program(Facts("a", slots=1, version=VERSION, python="3.11.0")) == ""
    other = Facts("a", slots=1, version=VERSION, python="3.11.0", protocol=PROTOCOL + 1)
    assert other_program(other) == (
        f"it has overnight {VERSION} (protocol {PROTOCOL + 1}), and this engine is {VERSION} (protocol {PROTOCOL});"
        " install the same on both"
    )
    assert "protocol" not in other_program(Facts("a", slots=1, version="0.0.2", python="3.11.0"))


def test_what_is_not_used_comes_with_what_it_means_and_what_to_type() -> None:
    words = Words().of(NodeNews("a", Change.REFUSED, "it has another version"))
    assert words is not None
    assert "tasks" in words[0]
    assert "overnight nodes list" in words[1]
