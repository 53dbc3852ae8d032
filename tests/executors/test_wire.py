"""Messages over a line: whole or not at all, of any size, and by hand where the system keeps no borders."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from pathlib import Path

import msgspec
import pytest

from overnight.executors.contract import Spec
from overnight.executors.local import wire
from overnight.executors.local.wire import Line, Message, Run, encode, frames, pair


def descriptors() -> set[str]:
    """What this process has open."""
    return {entry.name for entry in Path("/dev/fd").iterdir()}


def run(first: int, size: int) -> Run:
    return Run(first, 0, 1, msgspec.Raw(b"\xc0"), [Spec(1, 1, 1, b"x" * size, "default")])


@pytest.fixture(params=["seqpacket", "stream"])
def ends(
    request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Iterator[tuple[Line, Line]]:
    if request.param == "stream":
        monkeypatch.setattr(wire, "SEQPACKET", None)
    ours, theirs = (Line(end, str(tmp_path)) for end in pair())
    yield ours, theirs
    ours.close()
    theirs.close()


def test_messages_arrive_whole_and_in_order(ends: tuple[Line, Line], tmp_path: Path) -> None:
    """The large ones go another way, and leave nothing behind."""
    ours, theirs = ends
    sizes = [0, 1, 5000, wire.LARGEST - 100, wire.LARGEST + 100, 1_000_000, 3]
    received: list[Message] = []
    for first, size in enumerate(sizes):
        assert ours.send(encode(run(first, size)))
        message = theirs.receive()
        assert message is not None
        received.append(message)

    told = [(message.first, len(message.specs[0].input)) for message in received if isinstance(message, Run)]
    assert told == list(enumerate(sizes))
    assert list(tmp_path.iterdir()) == []
    assert theirs.receive() is None


def test_what_was_said_before_an_end_is_heard_also_when_it_had_not_read_everything(tmp_path: Path) -> None:
    """The kernel tells first that something was never read, and then has what was said before."""
    ours, theirs = (Line(end, str(tmp_path)) for end in pair())
    assert ours.send(encode(run(0, 1)))
    assert theirs.send(encode(run(7, 1)))
    theirs.close()

    message = ours.receive()

    assert isinstance(message, Run)
    assert message.first == 7
    with pytest.raises(EOFError):
        ours.receive()
    ours.close()


def test_a_line_that_is_full_says_so(tmp_path: Path) -> None:
    ours, theirs = (Line(end, str(tmp_path)) for end in pair())
    sent = 0
    while ours.send(encode(run(sent, 2000))):
        sent += 1
    firsts = []
    while isinstance(message := theirs.receive(), Run):
        firsts.append(message.first)
    ours.close()
    theirs.close()

    assert firsts == list(range(sent))


def test_a_large_message_needs_no_disk_and_no_descriptor_when_it_is_through(tmp_path: Path) -> None:
    """A full disk once ended the worker whose result did not fit into a socket."""
    ours, theirs = (Line(end, str(tmp_path / "no such directory")) for end in pair())
    before = descriptors()

    assert ours.send(encode(run(7, 1_000_000)))
    message = theirs.receive()

    assert isinstance(message, Run)
    assert len(message.specs[0].input) == 1_000_000
    assert descriptors() == before
    ours.close()
    theirs.close()


def test_a_large_message_for_which_there_is_no_room_is_nowhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """By hand, where it would be a file."""
    monkeypatch.setattr(wire, "SEQPACKET", None)
    ours, theirs = (Line(end, str(tmp_path)) for end in pair())
    ours.socket.settimeout(0)
    with contextlib.suppress(BlockingIOError):
        while True:
            ours.socket.send(b"x" * 1000)

    assert not ours.send(encode(run(7, 1_000_000)))
    assert list(tmp_path.iterdir()) == []
    ours.close()
    theirs.close()


def test_the_end_of_the_other_side_is_told_after_its_last_words(ends: tuple[Line, Line]) -> None:
    ours, theirs = ends
    ours.send(encode(run(1, 10)))
    ours.close()

    assert theirs.receive() is not None
    with pytest.raises(EOFError):
        theirs.receive()


def test_a_batch_is_cut_into_frames_that_fit() -> None:
    specs = [Spec(number, 1, 1, b"x" * (100_000 if number % 5 == 0 else 10), "default") for number in range(100)]

    cut = frames(specs, 16)

    assert [spec for frame in cut for spec in frame] == specs
    assert max(len(frame) for frame in cut) <= 16
    assert all(sum(len(spec.input) for spec in frame) <= wire.LARGEST for frame in cut)
