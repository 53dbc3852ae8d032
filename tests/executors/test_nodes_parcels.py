"""Files that go to nodes with their attempts, and come back with what was written beside them."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest
from fake_nodes import FakeNodes
from nodes_bench import NodesBench

from overnight.core.endings import AttemptKey, Ending, Evidence, Lost
from overnight.core.states import ErrorClass
from overnight.core.task import Action, ActionKind
from overnight.executors.contract import Spec
from overnight.executors.nodes import parcels as parcel
from overnight.executors.nodes.files import Landing
from overnight.executors.nodes.letters import MOST_BYTES
from overnight.executors.nodes.messages import Ship
from overnight.executors.nodes.node import Lease
from overnight.executors.nodes.parcels import Parcels, Sender
from overnight.testing import Play

ACTION = Action(kind=ActionKind.COMMAND, cwd=b"/")


@pytest.fixture
def bench(tmp_path: Path) -> Iterator[NodesBench]:
    """One slot, on one node; inputs lie in a directory of their own."""
    (tmp_path / "inputs").mkdir()
    bench = NodesBench(tmp_path, slots=1, names=("a",), lease=Lease(60.0, 1.0), parcels=Sender())
    bench.open()
    yield bench
    bench.close()
    assert bench.survivors() == []


def parcels_of(bench: NodesBench) -> list[str]:
    place = bench.root / "node-a" / "parcels"
    return [path.name for path in place.iterdir()] if place.exists() else []


def test_an_attempt_has_a_copy_of_its_input_and_what_it_writes_beside_comes_back(bench: NodesBench) -> None:
    content = os.urandom(3 * MOST_BYTES + 7)
    (bench.root / "inputs" / "photo.raw").write_bytes(content)
    script = bench.shell('cp "$1" "${1%.raw}.png"; : > "${1%.raw}.empty"; printf %s "$1"')

    ended = bench.run(script, "inputs/photo.raw")

    assert (ended.ending, ended.exit_code) == (Ending.EXITED, 0)
    copy = Path(os.fsdecode(bench.printed(ended)[1]))
    assert copy.is_relative_to(bench.root / "node-a")
    assert copy.name == "photo.raw"
    assert (bench.root / "inputs" / "photo.png").read_bytes() == content
    assert (bench.root / "inputs" / "photo.empty").read_bytes() == b""
    assert (bench.root / "inputs" / "photo.raw").read_bytes() == content
    bench.executor.ack()
    bench.until(lambda: not parcels_of(bench))


def test_names_of_any_bytes_and_inputs_that_name_nothing_are_as_ever(bench: NodesBench) -> None:
    odd = os.fsencode(bench.root) + b"/inputs/\xff\xfe \n.txt"
    Path(os.fsdecode(odd)).write_bytes(b"odd")
    shell = bench.shell('test -e "$1" && cat "$1" || printf "no file %s" "$1"')

    assert bench.printed(bench.run(shell, odd))[1] == b"odd"
    assert bench.printed(bench.run(shell, "just words"))[1] == b"no file just words"
    assert bench.printed(bench.run(shell, "inputs"))[2] != b"", "a directory is not sent"


@pytest.fixture
def sent() -> list[tuple[bytes, bytes]]:
    """The input and the directory with which each attempt has begun."""
    return []


@pytest.fixture
def nodes(tmp_path: Path, sent: list[tuple[bytes, bytes]]) -> FakeNodes:
    """Two nodes that have no directory of the task's, in virtual time."""

    def play(spec: Spec, action: Action) -> Play:
        sent.append((spec.input, action.cwd))
        return Play(seconds=5.0)

    nodes = FakeNodes(tmp_path, play, parcels=Sender())
    for node in nodes.carrier.nodes.values():
        node.lacks = "it has no directory '/'"
        node.parcels = Parcels(tmp_path / node.name)
        node.renew()
    (tmp_path / "a.txt").write_text("a")
    nodes.open()
    return nodes


def test_a_node_without_the_directory_of_the_task_runs_it_where_its_files_are(
    nodes: FakeNodes, sent: list[tuple[bytes, bytes]]
) -> None:
    copies = nodes.root / "a"
    nodes.executor.submit(0, [Spec(1, 1, 1, bytes(nodes.root / "a.txt"), "default")], {1: ACTION})
    nodes.until(lambda: nodes.seen)

    assert sent == [(bytes(copies / "1-1" / "beside" / "a.txt"), bytes(copies))]


def test_what_is_taken_back_leaves_no_copy_and_what_goes_on_keeps_its_own(nodes: FakeNodes) -> None:
    for number in (1, 2):
        nodes.executor.submit(0, [Spec(number, 1, 1, bytes(nodes.root / "a.txt"), "default")], {1: ACTION})
    nodes.until(lambda: nodes.executor.started(AttemptKey(1, 1)))
    assert nodes.executor.recall() == [(2, 1)]

    nodes.executor = nodes.make()
    nodes.executor.open(fence=2, left_open=[AttemptKey(1, 1)])
    assert [path.name for path in (nodes.root / "a").iterdir()] == ["1-1"]

    nodes.until(lambda: nodes.seen)
    nodes.executor.ack()
    nodes.pass_time(1.0)
    assert list((nodes.root / "a").iterdir()) == []


def test_a_file_that_is_too_large_is_refused_with_advice(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(parcel, "LARGEST", 10)
    (tmp_path / "large").write_bytes(b"x" * 11)
    spec = Spec(1, 1, 1, os.fsencode(tmp_path / "large"), "default")

    refused = Sender().refusal(spec, ACTION, now=1.0)

    assert refused is not None
    assert (refused.ending, refused.error_class) == (Ending.REFUSED, ErrorClass.RESOURCE)
    assert "without --ship" in refused.error
    (tmp_path / "large").write_bytes(b"x" * 10)
    assert Sender().refusal(spec, ACTION, now=1.0) is None


def test_a_file_that_cannot_be_laid_down_is_a_refusal_and_not_half_a_file(tmp_path: Path) -> None:
    (tmp_path / "parcels").write_text("in the way")
    parcels = Parcels(tmp_path / "parcels")
    spec = Spec(1, 1, 1, b"/there/a.txt", "default")
    parcels.take(Ship(1, 1, b"/there/a.txt", b"half"))

    refused = parcels.unpacked(spec, now=1.0)

    assert not isinstance(refused, Spec)
    assert "could not be written on its node" in refused.error
    assert parcels.unpacked(spec, now=1.0) == spec, "said once"


def test_what_no_engine_asks_for_any_more_goes(tmp_path: Path) -> None:
    parcels = Parcels(tmp_path / "parcels")
    for number in (1, 2, 3):
        parcels.take(Ship(number, 1, b"/there/a.txt", b"x"))
    parcels.drop([(1, 1), (9, 9)])
    again = Parcels(tmp_path / "parcels")

    again.keep([(2, 1)])

    assert [path.name for path in (tmp_path / "parcels").iterdir()] == ["2-1"]
    assert again.has(Spec(2, 1, 1, b"a.txt", "default"))


def test_what_cannot_be_laid_beside_the_input_makes_the_attempt_count_as_interrupted(tmp_path: Path) -> None:
    parcels = Parcels(tmp_path / "parcels")
    parcels.take(Ship(1, 1, os.fsencode(tmp_path / "gone" / "a.txt"), b"x"))
    (tmp_path / "parcels" / "1-1" / "beside" / "b.txt").write_bytes(b"y")
    ended = parcel._refused(Spec(1, 1, 1, b"", "default"), "", 1.0)

    over = Landing(tmp_path / "output", tmp_path / "results").land(ended, list(parcels.brought((1, 1))))

    assert isinstance(over, Lost)
    assert over.evidence is Evidence.STARTED
    assert "beside its input" in over.error
