"""What an engine and whoever holds a home do about damage, and what they say."""

from __future__ import annotations

import errno
import os
from pathlib import Path

import pytest
from keeping import Place

from overnight.core.errors import HomeUnusableError, MendNeededError, StoreDamagedError
from overnight.core.settings import resolve
from overnight.host.removal import is_gone
from overnight.wiring import mending
from overnight.wiring.engine import holding
from overnight.wiring.mending import rescuer

GONE = StoreDamagedError("queue.db is gone while it is in use; nothing more can be recorded in it")


class Heard:
    """Who is told."""

    def __init__(self) -> None:
        self.words: list[str] = []

    def __call__(self, words: str, hint: str) -> None:
        assert hint
        self.words.append(words)


def test_for_want_of_room_a_rescue_is_tried_again_and_told_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    place, heard = Place(tmp_path), Heard()
    place.add("a")
    place.home.store.unlink()
    save = rescuer(place.home, place.store, heard)
    with monkeypatch.context() as patch:
        refused = OSError(errno.ENOSPC, "no room")
        patch.setattr(mending, "rescue", lambda *_, **__: (_ for _ in ()).throw(refused))
        save(GONE)
        save(GONE)
    assert len(heard.words) == 1
    assert "no room is left" in heard.words[0]
    save(GONE)
    assert "nothing is lost" in heard.words[1]
    assert "\n" not in heard.words[1]  # it is said in one line
    place.reopen()
    assert list(place.states()) == ["a"]
    place.store.close()


def test_a_rescue_that_cannot_succeed_leaves_it_to_the_next_engine(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_: object, **__: object) -> None:
        raise OSError(errno.EIO, "Input/output error")

    place, heard = Place(tmp_path), Heard()
    monkeypatch.setattr(mending, "rescue", refuse)
    with pytest.raises(MendNeededError, match="whoever takes the home next rebuilds") as caught:
        rescuer(place.home, place.store, heard)(GONE)
    assert caught.value.exit_code == 1
    assert heard.words == []
    place.store.close()


def test_nothing_is_rescued_of_a_home_that_was_removed(tmp_path: Path) -> None:
    place, heard = Place(tmp_path), Heard()
    place.home.path.rename(tmp_path / "moved")
    with pytest.raises(HomeUnusableError, match="was removed or moved while it was in use"):
        rescuer(place.home, place.store, heard)(GONE)
    assert not place.home.path.exists()
    place.store.close()


@pytest.mark.parametrize(
    "error",
    [FileNotFoundError(errno.ENOENT, "No such file or directory", "events.jsonl"), GONE],
    ids=["system", "store"],
)
@pytest.mark.parametrize("removed", [True, False])
def test_whatever_fails_once_the_home_is_gone_is_told_as_that(
    tmp_path: Path, error: Exception, *, removed: bool
) -> None:
    """Which file an engine misses first is luck."""
    place = Place(tmp_path)
    place.store.close()
    with pytest.raises(HomeUnusableError if removed else type(error)) as caught:
        fail_while_holding(place, error, removed=removed)
    assert ("was removed or moved while it was in use" in str(caught.value)) is removed
    assert is_gone(place.home) is removed


def fail_while_holding(place: Place, error: Exception, *, removed: bool) -> None:
    with holding(place.home, settings=resolve(flags={}, environ={}, configured={})):
        if removed:
            place.home.path.rename(place.home.path.with_name("moved"))
        raise error


@pytest.mark.parametrize("number", [errno.EACCES, errno.EIO, errno.ESTALE])
def test_a_home_that_cannot_be_looked_at_is_not_taken_for_gone(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, number: int
) -> None:
    """A disk or a network that fails for a while: a supervisor starts the engine again."""

    def refuse(path: object, **_: object) -> None:
        raise OSError(number, os.strerror(number), path)

    place = Place(tmp_path)
    place.store.close()
    with monkeypatch.context() as patch:
        patch.setattr(os, "lstat", refuse)
        assert not is_gone(place.home)
