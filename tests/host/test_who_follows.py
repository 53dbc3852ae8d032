"""Who follows what an attempt prints elsewhere, and what is left when nobody does any more."""

from __future__ import annotations

import fcntl
import os
import subprocess
import sys
from pathlib import Path

import pytest

from overnight.host.following import Following, followed


def test_what_is_followed_is_known_and_gone_with_the_last_one(tmp_path: Path) -> None:
    root = tmp_path / "following"
    assert followed(root) == {}
    one, other = Following(root, 7, 2), Following(root, 7, 2)
    (one.directory / "laid-down").touch()

    one.close()
    assert followed(root) == {(7, 2): root / "7-2"}
    assert (other.directory / "laid-down").exists()

    other.close()
    assert followed(root) == {}
    assert os.listdir(root) == []  # noqa: PTH208


def test_who_is_killed_follows_no_more(tmp_path: Path) -> None:
    script = f"import os; from overnight.host.following import Following; Following({str(tmp_path)!r} and __import__"
    script += f"('pathlib').Path({str(tmp_path)!r}), 1, 1); os.kill(os.getpid(), 9)"
    subprocess.run([sys.executable, "-c", script], check=False)
    assert (tmp_path / "1-1" / "lock").exists()

    assert followed(tmp_path) == {}
    assert not (tmp_path / "1-1").exists()


def test_one_that_is_removed_while_somebody_comes_is_made_anew(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    first = Following(tmp_path, 1, 1)
    opened = os.open

    def just_before(path: Path, flags: int, mode: int = 0o777) -> int:
        descriptor = opened(path, flags, mode)
        monkeypatch.setattr(os, "open", opened)
        first.close()
        return descriptor

    monkeypatch.setattr(os, "open", just_before)
    second = Following(tmp_path, 1, 1)

    assert followed(tmp_path) == {(1, 1): tmp_path / "1-1"}
    second.close()


def test_what_somebody_makes_anew_is_not_removed_after_the_last_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The engine has opened a lock, the last one removes it in this moment, and somebody else comes."""
    first, came = Following(tmp_path, 1, 1), list[Following]()
    flock = fcntl.flock

    def just_before(lock: int, how: int) -> None:
        monkeypatch.setattr(fcntl, "flock", flock)
        first.close()
        came.append(Following(tmp_path, 1, 1))
        flock(lock, how)

    monkeypatch.setattr(fcntl, "flock", just_before)
    followed(tmp_path)

    assert followed(tmp_path) == {(1, 1): tmp_path / "1-1"}
    came[0].close()


def test_one_without_a_lock_goes(tmp_path: Path) -> None:
    """Whoever made it, or removed it, was killed on the way."""
    (tmp_path / "1-1").mkdir()
    (tmp_path / "1-1" / "laid-down").touch()
    assert followed(tmp_path) == {}
    assert not (tmp_path / "1-1").exists()


def test_what_is_no_attempt_is_left_alone(tmp_path: Path) -> None:
    (tmp_path / "other").mkdir()
    assert followed(tmp_path) == {}
    assert (tmp_path / "other").exists()
