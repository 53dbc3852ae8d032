"""Directories for what is half made: whose they are, and when they go."""

from __future__ import annotations

import fcntl
from pathlib import Path

import pytest

from overnight.host.rough import making


def test_it_is_gone_afterwards_whatever_lies_in_it(tmp_path: Path) -> None:
    with making(tmp_path / "new", ".rough-") as rough:
        (rough / "deep").mkdir()
        (rough / "deep" / "file").write_text("x")
    assert list((tmp_path / "new").iterdir()) == []


def test_what_was_moved_to_its_place_stays(tmp_path: Path) -> None:
    with making(tmp_path, ".rough-") as rough:
        rough.rename(tmp_path / "whole")
    assert [path.name for path in tmp_path.iterdir()] == ["whole"]


def test_those_of_the_dead_are_removed_and_those_of_the_living_are_not(tmp_path: Path) -> None:
    (tmp_path / ".rough-4711-dead").mkdir()
    with making(tmp_path, ".rough-") as first, making(tmp_path, ".rough-") as second:
        assert set(tmp_path.iterdir()) == {first, second}


def test_one_that_was_cleared_away_before_it_was_locked_is_made_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    real = fcntl.flock

    def late(descriptor: int, how: int) -> None:
        monkeypatch.undo()
        next(tmp_path.iterdir()).rmdir()
        real(descriptor, how)

    monkeypatch.setattr(fcntl, "flock", late)
    with making(tmp_path, ".rough-") as rough:
        assert rough.is_dir()


def test_what_somebody_still_needs_is_kept(tmp_path: Path) -> None:
    (tmp_path / ".rough-promised").mkdir()
    with making(tmp_path, ".rough-", keep=lambda path: path.name.endswith("promised")):
        pass
    assert [path.name for path in tmp_path.iterdir()] == [".rough-promised"]
    with making(tmp_path, ".rough-", keep=lambda _: True) as rough:
        pass
    assert rough.is_dir()
