"""What attempts print on nodes while they run: brought to who follows it, at nobody's cost. In virtual time."""

from __future__ import annotations

import math
import os
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path

import pytest
from fake_nodes import FakeNode, FakeNodes

from overnight.core.endings import AttemptKey
from overnight.core.task import Action, ActionKind
from overnight.executors.contract import Spec
from overnight.executors.local.output import Frames, follow
from overnight.executors.local.segments import HEADER, NAME, Stream
from overnight.executors.nodes.live import PIECE, SEGMENT, Prints
from overnight.executors.nodes.messages import Printed, understood
from overnight.executors.nodes.node import State
from overnight.host.following import Following
from overnight.testing import Play

ACTIONS = {1: Action(kind=ActionKind.COMMAND, cwd=b"/")}
FIRST, OTHER = AttemptKey(1, 1), AttemptKey(2, 1)


def frame(key: AttemptKey, content: bytes, stream: int = Stream.STDOUT) -> bytes:
    return HEADER.pack(*key, stream, 0.0, len(content)) + content


class Paper:
    """What attempts print on one node."""

    def __init__(self, node: FakeNode, root: Path, nodes: FakeNodes) -> None:
        self.root = root
        root.mkdir()
        node.prints = self.prints = Prints(root, nodes.clock)
        node.renew()

    def write(self, key: AttemptKey, *frames: bytes) -> None:
        with (self.root / NAME.format(slot=key.task_id, number=1)).open("ab") as file:
            file.write(b"".join(frames))


@pytest.fixture
def nodes(tmp_path: Path) -> FakeNodes:
    """One attempt on node a, which takes long."""
    return FakeNodes(tmp_path, lambda _spec, _action: Play(seconds=1e6), slots=1)


@pytest.fixture
def paper(nodes: FakeNodes, tmp_path: Path) -> Iterator[Paper]:
    paper = Paper(nodes.carrier.nodes["a"], tmp_path / "paper", nodes)
    nodes.open()
    nodes.executor.submit(0, [Spec(1, 1, 1, b"", "default"), Spec(2, 1, 1, b"", "default")], ACTIONS)
    nodes.until(lambda: nodes.executor.started(FIRST))
    yield paper
    paper.prints.begin_again()


def brought(following: Following, key: AttemptKey = FIRST) -> bytes:
    """What is there of what an attempt printed."""
    found = b""
    for stream, content in follow(following.directory, *key):
        if not stream:
            break
        found += content
    return found


def test_it_comes_within_a_second_or_so_and_goes_on_to_its_last_word(nodes: FakeNodes, paper: Paper) -> None:
    paper.write(FIRST, frame(FIRST, b"one "), frame(OTHER, b"of another"))
    with closing(Following(nodes.root / "following", *FIRST)) as following:
        nodes.until(lambda: brought(following) == b"one ", seconds=1.5)
        paper.write(FIRST, frame(FIRST, b"two ", Stream.STDERR)[:-2])
        nodes.pass_time(1.0)
        assert brought(following) == b"one ", "half of a frame is none"
        with (paper.root / NAME.format(slot=1, number=1)).open("ab") as file:
            file.write(b"o ")
        paper.write(FIRST, frame(FIRST, b"", Stream.END))
        nodes.until(lambda: brought(following) == b"one two ", seconds=1.0)
        nodes.pass_time(0.5)
        assert list(follow(following.directory, *FIRST)) == [(1, b"one "), (2, b"two ")], "its last word has come"


def test_without_who_follows_nothing_is_asked_read_or_sent(
    nodes: FakeNodes, paper: Paper, monkeypatch: pytest.MonkeyPatch
) -> None:
    def read(*_: object) -> bytes:
        raise AssertionError("nobody follows")

    monkeypatch.setattr(Frames, "take", read)
    paper.write(FIRST, frame(FIRST, b"one"))
    nodes.pass_time(5.0)
    assert not (nodes.root / "following").exists()


def test_a_line_that_is_cut_costs_no_byte_and_doubles_none(nodes: FakeNodes, paper: Paper) -> None:
    paper.write(FIRST, frame(FIRST, b"before "))
    with closing(Following(nodes.root / "following", *FIRST)) as following:
        nodes.until(lambda: brought(following) == b"before ")
        nodes.carrier.cut("a")
        paper.write(FIRST, frame(FIRST, b"meanwhile "))
        nodes.pass_time(3.0)
        assert brought(following) == b"before "
        nodes.carrier.mend("a")
        paper.write(FIRST, frame(FIRST, b"after"))
        nodes.until(lambda: brought(following) == b"before meanwhile after", seconds=5.0)


def test_the_next_engine_goes_on_where_the_last_one_was_killed(nodes: FakeNodes, paper: Paper) -> None:
    paper.write(FIRST, frame(FIRST, b"before "))
    with closing(Following(nodes.root / "following", *FIRST)) as following:
        nodes.until(lambda: brought(following) == b"before ")
        nodes.executor = nodes.make()
        nodes.executor.open(fence=2, left_open=[FIRST, OTHER])
        paper.write(FIRST, frame(FIRST, b"after"))
        nodes.until(lambda: brought(following) == b"before after", seconds=5.0)


def test_an_agent_that_is_killed_is_said_nothing_of_and_the_attempt_is_lost(nodes: FakeNodes, paper: Paper) -> None:
    paper.write(FIRST, frame(FIRST, b"before"))
    with closing(Following(nodes.root / "following", *FIRST)) as following:
        nodes.until(lambda: brought(following) == b"before")
        nodes.carrier.kill("a")
        nodes.until(lambda: nodes.seen, seconds=20.0)
        nodes.pass_time(2.0)
        assert brought(following) == b"before"


def test_a_node_has_one_piece_under_way_whatever_is_followed_there(nodes: FakeNodes, paper: Paper) -> None:
    """What it says besides, that it lives above all, waits behind no more than that."""
    node = nodes.carrier.nodes["a"]
    for key in (FIRST, OTHER):
        paper.write(key, *(frame(key, bytes([number]) * PIECE) for number in range(5)))
    with (
        closing(Following(nodes.root / "following", *FIRST)) as one,
        closing(Following(nodes.root / "following", *OTHER)) as two,
    ):
        nodes.until(lambda: brought(one) or brought(two))
        had = len(brought(one)) + len(brought(two))
        pieces = []
        for _ in range(100):  # its words come, and nobody answers
            nodes.clock.advance(0.05)
            pieces += [heard for said in node.step() if isinstance(heard := understood(said), Printed)]
        assert len(pieces) <= 1
        assert all(len(piece.data) <= 2 * PIECE for piece in pieces)
        nodes.carrier.cut("a")
        nodes.carrier.mend("a")
        nodes.until(lambda: len(brought(one)) == len(brought(two, OTHER)) == 5 * PIECE, seconds=20.0)
        assert had < 5 * PIECE


def test_nobody_is_shown_anything_after_he_has_gone(nodes: FakeNodes, paper: Paper) -> None:
    following = Following(nodes.root / "following", *FIRST)
    paper.write(FIRST, frame(FIRST, b"before"))
    nodes.until(lambda: brought(following) == b"before")
    nodes.until(lambda: paper.prints.due() < math.inf, seconds=1.0)

    following.close()
    nodes.until(lambda: paper.prints.due() == math.inf, seconds=1.5)

    assert not following.directory.exists()
    assert not any(node.shown for node in nodes.executor.nodes())


def test_who_comes_when_the_last_one_has_just_gone_gets_it_from_the_beginning(nodes: FakeNodes, paper: Paper) -> None:
    paper.write(FIRST, frame(FIRST, b"one "))
    with closing(Following(nodes.root / "following", *FIRST)) as following:
        nodes.until(lambda: brought(following) == b"one ")
        nodes.pass_time(0.1)
    with closing(Following(nodes.root / "following", *FIRST)) as following:
        paper.write(FIRST, frame(FIRST, b"two"))
        nodes.until(lambda: brought(following) == b"one two", seconds=2.5)


def test_an_attempt_that_has_ended_is_shown_no_more(nodes: FakeNodes, paper: Paper) -> None:
    with closing(Following(nodes.root / "following", *FIRST)) as following:
        paper.write(FIRST, frame(FIRST, b"before"))
        nodes.until(lambda: brought(following) == b"before")
        nodes.executor.cancel([FIRST])
        nodes.until(lambda: nodes.seen)
        nodes.executor.ack()
        nodes.pass_time(2.0)
        assert not any(node.shown for node in nodes.executor.nodes())


@pytest.mark.parametrize("how", ["half", "none"])
def test_a_full_disk_here_costs_a_delay(
    nodes: FakeNodes, paper: Paper, monkeypatch: pytest.MonkeyPatch, how: str
) -> None:
    real = os.pwrite

    def full(file: int, data: bytes, at: int) -> int:
        if how == "none":
            raise OSError(28, "no space")
        return real(file, data[: len(data) // 2], at)

    monkeypatch.setattr(os, "pwrite", full)
    with closing(Following(nodes.root / "following", *FIRST)) as following:
        paper.write(FIRST, frame(FIRST, b"one "), frame(FIRST, b"two"))
        nodes.pass_time(3.0)
        assert brought(following) == b""
        monkeypatch.setattr(os, "pwrite", real)
        nodes.until(lambda: brought(following) == b"one two", seconds=2.5)
        assert (following.directory / SEGMENT).read_bytes() == frame(FIRST, b"one ") + frame(FIRST, b"two")
    assert nodes.executor.nodes()[0].state is State.UP


def test_what_cannot_be_read_there_does_not_come(
    nodes: FakeNodes, paper: Paper, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(*_: object) -> bytes:
        raise OSError(5, "broken")

    monkeypatch.setattr(Frames, "take", broken)
    with closing(Following(nodes.root / "following", *FIRST)) as following:
        paper.write(FIRST, frame(FIRST, b"one"))
        nodes.pass_time(3.0)
        assert brought(following) == b""
    assert nodes.executor.nodes()[0].state is State.UP


def counting(times: int) -> Callable[[], bool]:
    """Enough, when it has been asked so often."""
    left = [times]

    def enough() -> bool:
        left[0] -= 1
        return left[0] <= 0

    return enough


def test_a_node_reads_for_a_moment_at_a_time_and_goes_on_where_it_was(tmp_path: Path) -> None:
    """Among a million frames of others an attempt is found in the end, and nothing else waits for that."""
    segment = tmp_path / NAME.format(slot=1, number=1)
    segment.write_bytes(frame(OTHER, b"x") * 3000 + frame(FIRST, b"a") * 2000)
    frames = Frames(tmp_path, *FIRST)
    assert frames.take(PIECE, counting(1)) == b""
    calls, found = 1, b""
    while len(found) < 2000 * len(frame(FIRST, b"a")):
        found += frames.take(1000, counting(5))
        calls += 1
        assert calls < 2000
    assert calls > 100
    assert found == frame(FIRST, b"a") * 2000
    frames.close()


def test_what_is_known_already_is_passed_over(tmp_path: Path) -> None:
    segment = tmp_path / NAME.format(slot=1, number=1)
    segment.write_bytes(frame(FIRST, b"known") + frame(FIRST, b"new") + frame(FIRST, b"", Stream.END) + b"\0" * 500)
    frames = Frames(tmp_path, *FIRST, at=len(frame(FIRST, b"known")))
    assert frames.take(PIECE, lambda: False) == frame(FIRST, b"new") + frame(FIRST, b"", Stream.END)
    assert frames.over
    assert frames.take(PIECE, lambda: False) == b""
    frames.close()
