from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

import pytest

from overnight.host.stop_file import NOW, StopFile


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "STOP"


def test_nobody_asks_when_there_is_none(path: Path) -> None:
    file = StopFile(path)
    assert file.wish() is None
    assert file.touched() is None
    assert not file.remove_if(None)
    file.remove()


def test_a_touch_is_enough(path: Path) -> None:
    path.touch()
    assert StopFile(path).wish() == ""


@pytest.mark.parametrize("content", [b"now", b"now\n", b"now\r\n"])
def test_now_written_inside_asks_for_more(path: Path, content: bytes) -> None:
    path.write_bytes(content)
    assert StopFile(path).wish() == NOW


@pytest.mark.parametrize("content", [b"nowhere", b"NOW?", b"\xff\xff", b"not now"])
def test_anything_else_is_a_touch(path: Path, content: bytes) -> None:
    path.write_bytes(content)
    assert StopFile(path).wish() not in (NOW, None)


def test_an_ask_only_gets_stronger(path: Path) -> None:
    file = StopFile(path)
    file.ask(now=False)
    assert file.wish() == ""
    file.ask(now=True)
    file.ask(now=False)
    file.ask(now=True)
    assert file.wish() == NOW


def test_one_from_another_night_is_removed_and_one_that_came_since_is_not(path: Path) -> None:
    file = StopFile(path)
    path.touch()
    before = file.touched()
    assert file.remove_if(before)
    assert not path.exists()

    path.touch()
    before = file.touched()
    os.utime(path, (1, 1))
    assert not file.remove_if(before)
    assert path.exists()


@pytest.mark.parametrize("make", [os.mkfifo, Path.mkdir, lambda path: path.symlink_to("nowhere")])
def test_whatever_has_its_name_asks_for_a_stop_and_is_not_waited_for(path: Path, make: Callable[[Path], None]) -> None:
    make(path)
    assert StopFile(path).wish() == ""
