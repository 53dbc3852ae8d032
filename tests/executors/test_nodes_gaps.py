"""What comes between engine and nodes at the wrong moment: half a file, an old word, a torn record. In virtual time."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from fake_nodes import LEASE, FakeNodes

from overnight.core.endings import AttemptKey, Ended, Evidence, Lost
from overnight.core.results import Spilled, digest, reference
from overnight.core.task import Action, ActionKind
from overnight.executors.contract import Over, Spec
from overnight.executors.nodes import node as node_of
from overnight.executors.nodes import placements as records
from overnight.executors.nodes.carrier import Said
from overnight.executors.nodes.letters import MOST_BYTES
from overnight.executors.nodes.messages import Piece
from overnight.executors.nodes.node import State
from overnight.executors.nodes.placements import Placements, read
from overnight.host import results
from overnight.testing import Play

ACTIONS = {number: Action(kind=ActionKind.COMMAND, cwd=b"/") for number in range(1, 21)}
KEY = AttemptKey(1, 1)
#: Of four letters.
LARGE = b'"' + b"x" * (3 * MOST_BYTES + MOST_BYTES // 2) + b'"'


def plays(spec: Spec, _action: Action) -> Play:
    """The input says how long it takes, and a large result comes of it when it says so."""
    seconds, _, large = spec.input.partition(b" ")
    if not large:
        return Play(seconds=float(seconds or b"0.001"))
    return Play(seconds=float(seconds), result=reference(Spilled("1-1.json", len(LARGE), digest(LARGE))))


def pieces(ended: Ended) -> Iterator[Piece]:
    """What the node has of it."""
    if ended.result:
        for at in range(0, len(LARGE), MOST_BYTES):
            yield Piece(*ended.key, b"1-1.json", LARGE[at : at + MOST_BYTES])


@pytest.fixture
def nodes(tmp_path: Path) -> FakeNodes:
    nodes = FakeNodes(tmp_path, plays)
    for node in nodes.carrier.nodes.values():
        node.pieces = pieces
        node.renew()
    nodes.open()
    return nodes


def start(nodes: FakeNodes, task_id: int = 1, *, slot: int = 0, words: bytes = b"1e6", action: int = 1) -> AttemptKey:
    spec = Spec(task_id, 1, action, words, "default")
    nodes.executor.submit(slot, [spec], ACTIONS)
    return spec.key


def crash(nodes: FakeNodes, *left: AttemptKey, fence: int = 2) -> dict[AttemptKey, Over]:
    nodes.executor = nodes.make()
    nodes.seen.clear()
    return {event.key: event for event in nodes.executor.open(fence=fence, left_open=list(left))}


def hold(nodes: FakeNodes, letters: int) -> None:
    """Let time pass until the agent has had so many letters of a large result acknowledged."""
    agent = nodes.carrier.nodes["a"].agent
    nodes.until(lambda: agent._letters._number > letters)


def test_half_a_large_result_is_not_taken_for_all_of_it_when_the_line_breaks(nodes: FakeNodes) -> None:
    """Its first pieces had come, and were not to be told again; what had come of it was forgotten here."""
    start(nodes, words=b"0.1 large")
    hold(nodes, 1)
    nodes.carrier.cut("a")
    nodes.carrier.mend("a")
    nodes.until(lambda: nodes.seen)

    [ended] = nodes.seen
    assert isinstance(ended, Ended)
    assert results.read(nodes.root / "results", ended.result) == LARGE


def test_nor_when_the_engine_dies_between_its_pieces(nodes: FakeNodes) -> None:
    start(nodes, words=b"0.1 large")
    hold(nodes, 1)

    ended = crash(nodes, KEY)[KEY]

    assert isinstance(ended, Ended)
    assert results.read(nodes.root / "results", ended.result) == LARGE


def test_words_from_before_a_gap_are_not_put_together_with_those_after_it(nodes: FakeNodes) -> None:
    """A bridge dies with a word in its hands; the next one brings the words behind it before the agent greets."""
    start(nodes, words=b"0.1 large")
    hold(nodes, 1)
    nodes.carrier.cut("a")
    agent = nodes.carrier.nodes["a"].agent
    agent._letters.write()  # this one was in its hands
    agent._report(agent._letters.write())
    nodes.carrier.late += [Said("a", words) for words in agent.out]
    nodes.executor.events()
    nodes.carrier.mend("a")
    nodes.until(lambda: nodes.seen)

    [ended] = nodes.seen
    assert isinstance(ended, Ended)
    assert results.read(nodes.root / "results", ended.result) == LARGE


def test_a_result_that_did_not_come_whole_is_no_result(nodes: FakeNodes) -> None:
    """Somebody has emptied the directory of the node: the attempt counts as interrupted, and is made anew."""
    nodes.carrier.nodes["a"].agent._letters._pieces = lambda _: iter(())
    start(nodes, words=b"0.1 large")
    nodes.until(lambda: nodes.seen)

    [lost] = nodes.seen
    assert isinstance(lost, Lost)
    assert lost.evidence is Evidence.STARTED
    assert "result" in lost.error
    assert not (nodes.root / "results" / "1-1.json").exists()


def test_nothing_of_files_is_kept_whose_outcome_was_told_already(nodes: FakeNodes) -> None:
    start(nodes, words=b"0.1 large")
    nodes.until(lambda: nodes.seen)
    nodes.carrier.cut("a")
    nodes.carrier.mend("a")
    nodes.pass_time(1.0)

    [node, _] = nodes.executor.nodes()
    assert node._pieces == {}


def test_a_record_that_is_written_anew_knows_of_outcomes_that_are_not_committed(
    nodes: FakeNodes, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(records, "MANY", 1)
    start(nodes, words=b"0.1")
    start(nodes, 2, slot=1)
    nodes.until(lambda: nodes.seen)
    start(nodes, 3)

    told = crash(nodes, KEY, AttemptKey(2, 1), AttemptKey(3, 1))

    assert isinstance(told[KEY], Ended), "it has ended, and would have been run again"


def test_a_record_that_was_half_written_on_a_full_disk_spoils_none_that_follows(tmp_path: Path) -> None:
    path = tmp_path / "placements"
    placements = Placements(path, 16.0, lambda: {(7, 1): "b"})
    placements.begin()
    path.write_bytes(path.read_bytes() + b'["a",[[1,')
    placements.failed = True

    placements.note("a", [(2, 1)])

    assert read(path).by_key == {(7, 1): "b", (2, 1): "a"}
    assert read(path).whole


def test_a_disk_without_room_is_remembered(tmp_path: Path) -> None:
    path = tmp_path / "placements"
    placements = Placements(path, 16.0, dict)
    path.mkdir()
    with pytest.raises(IsADirectoryError):
        placements.note("a", [(1, 1)])

    assert placements.failed
    path.rmdir()
    placements.note("a", [(2, 1)])
    assert read(path).by_key == {(2, 1): "a"}


@pytest.mark.parametrize("rest", [b"\0" * 100 + b"\n", b'["a",[[1,\n["b",[[2,1]]]\n', b"\xff\xfe\n"])
def test_a_record_that_cannot_be_read_is_not_whole_and_keeps_nobody_from_beginning(rest: bytes, tmp_path: Path) -> None:
    path = tmp_path / "placements"
    placements = Placements(path, 16.0, dict)
    placements.begin()
    placements.note("a", [(1, 1)])
    path.write_bytes(path.read_bytes() + rest)

    placed = read(path)

    assert not placed.whole
    assert "a" in placed.nodes


@pytest.mark.parametrize("words", [b"\xff\xff\n", b"\0" * 4096, b"boot x\n"])
def test_nor_does_one_without_a_head(words: bytes, tmp_path: Path) -> None:
    path = tmp_path / "placements"
    path.write_bytes(words)

    assert not read(path).whole


def test_after_the_loss_of_the_machine_a_node_that_never_comes_is_waited_for_as_long_as_its_lease(
    nodes: FakeNodes,
) -> None:
    path = nodes.root / "placements"
    Placements(path, LEASE.over_after, dict).note("gone", [KEY])
    path.write_bytes(b"another-boot 16\n" + path.read_bytes())
    nodes.executor = nodes.make()
    before = nodes.clock.monotonic()

    nodes.executor.open(fence=2, left_open=[])

    assert LEASE.over_after <= nodes.clock.monotonic() - before < LEASE.over_after + 1


def test_an_agent_of_whom_no_word_can_be_read_is_refused(nodes: FakeNodes) -> None:
    nodes.carrier.late.append(Said("b", b"\x91\xa3new"))
    nodes.until(lambda: nodes.executor.nodes()[1].state is State.REFUSED)

    assert "cannot be read" in nodes.executor.nodes()[1].why
    assert nodes.executor.nodes()[0].state is State.UP


def test_what_the_store_does_not_know_of_has_ended_before_a_node_is_given_anything(nodes: FakeNodes) -> None:
    """A store that was set back hands the same attempt out again, perhaps to another node."""
    start(nodes)
    nodes.until(lambda: nodes.executor.started(KEY))
    nodes.carrier.nodes["a"].executor.takes = 3.0
    before = nodes.clock.monotonic()

    crash(nodes)

    assert nodes.clock.monotonic() >= before + 3.0
    assert nodes.carrier.nodes["a"].world._alive == set()
    nodes.until(lambda: len(nodes.executor.offers()) == 2)
    assert nodes.seen == []


def test_a_node_that_may_still_run_what_the_store_does_not_know_of_is_waited_for(nodes: FakeNodes) -> None:
    start(nodes)
    nodes.until(lambda: nodes.executor.started(KEY))
    nodes.carrier.nodes["a"].frozen = True
    before = nodes.clock.monotonic()

    crash(nodes)

    assert nodes.clock.monotonic() >= before + LEASE.over_after


def test_after_an_orderly_end_nobody_is_waited_for(nodes: FakeNodes) -> None:
    start(nodes, words=b"0.1")
    nodes.until(lambda: nodes.seen)
    nodes.executor.ack()
    nodes.executor.close()
    for node in nodes.carrier.nodes.values():
        node.frozen = True
    before = nodes.clock.monotonic()

    crash(nodes)

    assert nodes.clock.monotonic() == before
    assert read(nodes.root / "placements").nodes == frozenset()


def test_an_agent_remembers_only_so_many_actions(nodes: FakeNodes, monkeypatch: pytest.MonkeyPatch) -> None:
    """Tasks that were added one by one have actions of their own, a million of them in a night."""
    monkeypatch.setattr(node_of, "ACTIONS_KEPT", 8)
    for number in range(1, 21):
        start(nodes, number, words=b"0", action=number)
        start(nodes, 100 + number, words=b"0", action=1)
    nodes.until(lambda: len(nodes.seen) == 40)

    assert all(isinstance(event, Ended) for event in nodes.seen)
    assert len(nodes.carrier.nodes["a"].agent._actions) <= 8
    assert len(nodes.executor.nodes()[0]._known_actions) <= 8


def test_files_of_the_node_are_let_go_only_when_no_outcome_is_on_its_way(nodes: FakeNodes) -> None:
    """An engine that finds no room for a quarter of an hour asks for them later."""
    agent = nodes.carrier.nodes["a"].agent
    start(nodes, words=b"0.1")
    nodes.until(lambda: nodes.seen)
    nodes.pass_time(1.0)
    assert not agent.may_tidy

    nodes.executor.ack()
    nodes.pass_time(1.0)
    assert agent.may_tidy


def test_what_is_handed_to_a_node_that_has_just_gone_never_began(nodes: FakeNodes) -> None:
    nodes.carrier.cut("a")
    nodes.executor.events()

    key = start(nodes)
    [lost] = [event for event in nodes.executor.events() if event.key == key]

    assert isinstance(lost, Lost)
    assert lost.evidence is Evidence.NEVER_STARTED
    assert nodes.begun() == []
