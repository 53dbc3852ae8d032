"""The files of a folder, and being told of changes where the kernel can be asked."""

from __future__ import annotations

import os
import sys
from pathlib import Path

import pytest

from overnight.core.watching import Look
from overnight.host.folder import Nudges, files_of


def every(_: bytes) -> bool:
    return True


def test_size_and_time_of_regular_files_are_found(tmp_path: Path) -> None:
    (tmp_path / "a").write_bytes(b"abc")
    os.utime(tmp_path / "a", ns=(1, 2_000_000_000))
    (tmp_path / "folder").mkdir()
    (tmp_path / "link").symlink_to("a")
    (tmp_path / "nowhere").symlink_to("gone")
    os.mkfifo(tmp_path / "pipe")
    (tmp_path / os.fsdecode(b"caf\xe9")).touch()
    found = files_of(bytes(tmp_path), every)

    assert found is not None
    assert found.keys() == {b"a", b"link", b"caf\xe9"}
    assert found[b"a"] == found[b"link"] == Look(3, 2_000_000_000)


def test_only_wanted_names_are_looked_at(tmp_path: Path) -> None:
    for name in "ab":
        (tmp_path / name).touch()

    assert list(files_of(bytes(tmp_path), lambda name: name == b"b") or ()) == [b"b"]


def test_a_folder_that_is_not_there_is_none(tmp_path: Path) -> None:
    assert files_of(bytes(tmp_path / "gone"), every) is None
    (tmp_path / "file").touch()
    assert files_of(bytes(tmp_path / "file"), every) is None


def test_a_change_is_told_and_so_is_the_end_of_the_folder(tmp_path: Path) -> None:
    folder = tmp_path / "inbox"
    folder.mkdir()
    nudges = Nudges(bytes(folder))
    assert nudges.begin()
    while nudges.changed():  # what was there before may be told once
        pass
    (folder / "a").touch()
    while not nudges.changed():
        pass
    (folder / "a").unlink()
    folder.rmdir()
    while not nudges.changed():
        pass


def test_without_the_package_or_the_folder_nobody_tells(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert not Nudges(bytes(tmp_path / "gone")).begin()
    monkeypatch.setitem(sys.modules, "watchfiles", None)
    assert not Nudges(bytes(tmp_path)).begin()
