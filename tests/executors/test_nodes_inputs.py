"""What is told of an attempt that has failed on a node where its input was not, though it is a file here."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from fake_nodes import FakeNodes

from overnight.core.endings import AttemptKey, Ended, Ending
from overnight.core.task import Action, ActionKind
from overnight.executors.contract import Spec
from overnight.executors.nodes import parcels as parcel
from overnight.executors.nodes.files import Landing, Luggage
from overnight.executors.nodes.messages import Ship
from overnight.executors.nodes.parcels import Parcels
from overnight.testing import Play

KEY = AttemptKey(1, 1)


@pytest.fixture
def action(tmp_path: Path) -> Action:
    (tmp_path / "inputs").mkdir()
    return Action(kind=ActionKind.COMMAND, cwd=os.fsencode(tmp_path / "inputs"))


def failed(ending: Ending = Ending.EXITED, exit_code: int | None = 1, error: str = "") -> Ended:
    return Ended(*KEY, ending, 1.0, 0.0, exit_code=exit_code, error=error)


def told(root: Path, action: Action, ended: Ended, *, there: bool, here: bool, name: bytes = b"a.txt") -> str:
    """The error of an attempt, by whether its input was there on the node, and is here."""
    path = root / "inputs" / "a.txt"
    parcels = Parcels(root / "parcels")
    parcels.expect(Spec(*KEY, 1, name, "default"), action)
    path.touch() if there else path.unlink(missing_ok=True)
    pieces = list(Luggage(root / "output", root / "results", parcels).pieces(ended))
    path.touch() if here else path.unlink(missing_ok=True)
    over = Landing(root / "output", root / "results").land(ended, pieces)
    assert isinstance(over, Ended)
    return over.error


def test_it_names_the_file_and_says_what_to_do(tmp_path: Path, action: Action) -> None:
    words = f"its input '{tmp_path}/inputs/a.txt' is here and not on its node: "
    words += "have it at the same path there, or say --ship"
    assert told(tmp_path, action, failed(), there=False, here=True) == f"{words} (exit status 1)"
    raised = failed(Ending.RAISED, None, "FileNotFoundError: a.txt")
    assert told(tmp_path, action, raised, there=False, here=True) == f"{words} (FileNotFoundError: a.txt)"


@pytest.mark.parametrize(
    ("ended", "there", "here", "name"),
    [
        (failed(), True, True, b"a.txt"),  # it fails of something else
        (failed(), False, False, b"a.txt"),  # it is no file at all
        (failed(exit_code=0), False, True, b"a.txt"),
        (failed(Ending.RETURNED, None), False, True, b"a.txt"),
        (failed(Ending.TIMEOUT, None), False, True, b"a.txt"),
        (failed(), False, True, b"a\0b"),
        (failed(), False, True, b""),
    ],
)
def test_of_others_nothing_is_said(
    tmp_path: Path,
    action: Action,
    ended: Ended,
    there: bool,  # noqa: FBT001  # a parameter
    here: bool,  # noqa: FBT001  # a parameter
    name: bytes,
) -> None:
    assert told(tmp_path, action, ended, there=there, here=here, name=name) == ""


def test_what_came_along_is_there(tmp_path: Path) -> None:
    nodes = FakeNodes(tmp_path, lambda _spec, _action: Play(ending=Ending.EXITED, exit_code=1))
    node = nodes.carrier.nodes["a"]
    node.parcels = Parcels(tmp_path / "parcels")
    node.renew()
    nodes.open()
    node.parcels.take(Ship(*KEY, b"/there/a.txt", b"x"))
    nodes.executor.submit(0, [Spec(*KEY, 1, b"/there/a.txt", "default")], {1: Action(ActionKind.COMMAND, b"/")})
    nodes.until(lambda: nodes.seen)
    assert list(node.parcels.absent(KEY)) == []


def test_a_whole_engine_is_told_and_nothing_is_remembered(
    tmp_path: Path, action: Action, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "inputs" / "a.txt").touch()
    monkeypatch.setattr(parcel, "is_here", lambda _: False)
    nodes = FakeNodes(tmp_path, lambda _spec, _action: Play(ending=Ending.EXITED, exit_code=1))
    for node in nodes.carrier.nodes.values():
        node.parcels = Parcels(tmp_path / node.name)
        node.pieces = Luggage(tmp_path / "output", tmp_path / "results", node.parcels).pieces
        node.renew()
    nodes.open()
    nodes.executor.submit(0, [Spec(*KEY, 1, b"a.txt", "default")], {1: action})
    nodes.until(lambda: nodes.seen)
    [ended] = nodes.seen
    assert isinstance(ended, Ended)
    assert "is here and not on its node" in ended.error

    nodes.executor.ack()
    nodes.pass_time(1.0)
    assert [list(node.parcels.absent(KEY)) for node in nodes.carrier.nodes.values() if node.parcels] == [[], []]
