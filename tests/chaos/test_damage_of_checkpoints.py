"""Checkpoints damaged everywhere when the store is gone: each is found, and the next whole one gives all again."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path

import pytest
from damaging import PAGE, Ruin, flip, places, recover

from overnight.ops import repair

RANGES = 256
FEW = 6
FILES = ("queue.db", "summary.json", "manifest.json")


@pytest.fixture(scope="module")
def ruin(tmp_path_factory: pytest.TempPathFactory) -> Ruin:
    return Ruin(tmp_path_factory.mktemp("checkpoints"))


def try_one(ruin: Ruin, spoil: Callable[[Path], None], what: str, *, whole: int = 1) -> None:
    """Lose the store, spoil the newest checkpoint, and expect everything from the one that is number `whole`."""
    home = ruin.copy("case")
    every = ruin.checkpoints(home)
    home.store.unlink()
    spoil(every[0])
    done = recover(home)
    assert done is not None
    assert done.checkpoint == every[whole].name, what
    assert len(done.passed_over) == whole, what
    assert ruin.lost(home) == [], what


def try_flips(ruin: Ruin, name: str, count: int) -> None:
    size = (ruin.checkpoints(ruin.home)[0] / name).stat().st_size
    for place in places(size, min(count, size)):
        try_one(ruin, lambda folder, at=place: flip(folder / name, at), f"byte {place} of {name}")  # type: ignore[misc]


def cut(path: Path, size: int) -> None:
    with path.open("r+b") as file:
        file.truncate(size)


def try_cuts(ruin: Ruin, name: str, every: int) -> None:
    size = (ruin.checkpoints(ruin.home)[0] / name).stat().st_size
    for left in range(0, size, every):
        try_one(ruin, lambda folder, at=left: cut(folder / name, at), f"{left} bytes of {name}")  # type: ignore[misc]


@pytest.mark.parametrize("name", FILES)
def test_some_changed_ranges_are_found(ruin: Ruin, name: str) -> None:
    try_flips(ruin, name, FEW)


@pytest.mark.prove
@pytest.mark.parametrize("name", FILES)
def test_each_of_256_changed_ranges_is_found(ruin: Ruin, name: str) -> None:
    try_flips(ruin, name, RANGES)


@pytest.mark.prove
@pytest.mark.parametrize("name", FILES)
def test_one_that_was_cut_off_anywhere_is_found(ruin: Ruin, name: str) -> None:
    try_cuts(ruin, name, PAGE)


@pytest.mark.parametrize("name", FILES)
def test_one_that_lacks_a_file_is_passed_over(ruin: Ruin, name: str) -> None:
    try_one(ruin, lambda folder: (folder / name).unlink(), name)


def test_one_that_was_deleted_is_not_missed(ruin: Ruin) -> None:
    home = ruin.copy("deleted")
    newest, second, _ = ruin.checkpoints(home)
    shutil.rmtree(newest)
    home.store.unlink()
    done = recover(home)
    assert done is not None
    assert done.checkpoint == second.name
    assert ruin.lost(home) == []


def test_two_that_have_each_others_manifest_are_both_passed_over(ruin: Ruin) -> None:
    def swap(newest: Path) -> None:
        second = ruin.checkpoints_in(newest.parent)[1]
        contents = [(folder / "manifest.json").read_bytes() for folder in (newest, second)]
        for folder, content in zip((newest, second), reversed(contents), strict=True):
            (folder / "manifest.json").write_bytes(content)

    try_one(ruin, swap, "manifests", whole=2)


def test_one_with_the_files_of_another_is_passed_over(ruin: Ruin) -> None:
    def mix(newest: Path) -> None:
        second = ruin.checkpoints_in(newest.parent)[1]
        shutil.copy(second / "queue.db", newest / "queue.db")

    try_one(ruin, mix, "a copy of another time")


def test_without_the_look_at_a_checkpoint_a_damaged_one_is_used(ruin: Ruin, monkeypatch: pytest.MonkeyPatch) -> None:
    """The control. An older copy in its place is whole as a store, so only the manifest tells."""
    monkeypatch.setattr(repair, "troubles", lambda *_: [])
    home = ruin.copy("control")
    newest, second, _ = ruin.checkpoints(home)
    shutil.copy(second / "queue.db", newest / "queue.db")
    home.store.unlink()
    done = recover(home)
    assert done is not None
    assert done.checkpoint == newest.name
    assert ruin.lost(home)
