from __future__ import annotations

import os
import select
import signal
import stat
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from overnight.host import doorbell
from overnight.host.doorbell import Doorbell, ring


def descriptors() -> set[str]:
    """Which descriptors this process has open."""
    return {entry.name for entry in Path("/dev/fd").iterdir()}


@pytest.fixture(params=["short", "long"])
def path(request: pytest.FixtureRequest, tmp_path: Path) -> Path:
    """The name of a bell; the long one is far over the 108 bytes that a socket's path may have."""
    directory = tmp_path if request.param == "short" else tmp_path / ("x" * 200) / ("y" * 200)
    directory.mkdir(parents=True, exist_ok=True)
    return directory / "doorbell"


@pytest.fixture
def bell(path: Path) -> Iterator[Doorbell]:
    made = Doorbell(path)
    yield made
    made.close()


def test_a_ring_is_heard_and_equal_words_are_one(bell: Doorbell, path: Path) -> None:
    assert bell.drain() == set()

    assert ring(path)
    assert ring(path)
    assert ring(path, b"w")

    assert select.select([bell], [], [], 5)[0] == [bell]
    assert bell.drain() == {b"r", b"w"}
    assert bell.drain() == set()


def test_nobody_at_home_is_said_and_raises_nothing(path: Path) -> None:
    assert not ring(path)
    assert not ring(path.parent / "no" / "such" / "directory")
    assert not ring(Path("nul\0inside"))
    path.write_text("not a socket")
    assert not ring(path)


def test_the_bell_of_an_engine_that_was_killed_is_replaced(path: Path) -> None:
    program = f"import os, signal; from pathlib import Path; from overnight.host.doorbell import Doorbell\n\
bell = Doorbell(Path({str(path)!r})); os.kill(os.getpid(), signal.SIGKILL)"
    assert subprocess.run([sys.executable, "-c", program], check=False).returncode == -signal.SIGKILL
    assert path.is_socket()
    assert not ring(path)

    bell = Doorbell(path)

    assert ring(path)
    assert bell.drain() == {b"r"}
    bell.close()


def test_closing_takes_the_name_away(path: Path) -> None:
    bell = Doorbell(path)
    bell.close()
    bell.close()

    assert not os.path.lexists(path)
    assert not ring(path)


def test_an_old_engine_does_not_take_the_new_ones_bell_away(path: Path) -> None:
    old = Doorbell(path)
    new = Doorbell(path)
    old.close()

    assert ring(path)
    assert new.drain() == {b"r"}
    new.close()


def test_a_crowd_never_blocks_and_is_told_that_it_was_heard(bell: Doorbell, path: Path) -> None:
    """The socket holds few datagrams (10 on some systems); the ring after that must not wait."""
    assert all(ring(path) for _ in range(3000))

    while words := bell.drain():
        assert words == {b"r"}


def test_a_flood_cannot_hold_the_engine(bell: Doorbell, path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(doorbell, "_AT_ONCE", 2)
    for word in (b"r", b"w", b"d"):
        ring(path, word)

    assert bell.drain() == {b"r", b"w"}
    assert bell.drain() == {b"d"}


def test_only_its_owner_may_ring(bell: Doorbell, path: Path) -> None:
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert not os.get_inheritable(bell.fileno())


def test_where_a_long_path_cannot_be_reached_the_bell_is_mute(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """As on macOS. The engine looks into the store each second anyway."""
    monkeypatch.setattr(doorbell, "_DESCRIPTORS", tmp_path / "none")
    path = tmp_path / ("x" * 200) / "doorbell"
    path.parent.mkdir()

    bell = Doorbell(path)

    assert not ring(path)
    assert bell.drain() == set()
    bell.close()


def test_a_bell_that_cannot_be_hung_leaves_nothing_open(tmp_path: Path) -> None:
    before = descriptors()
    with pytest.raises(OSError, match="No such file"):
        Doorbell(tmp_path / "missing" / "doorbell")
    assert descriptors() == before


@pytest.mark.usefixtures("bell")
def test_no_descriptor_is_left_by_ringing(path: Path) -> None:
    before = descriptors()
    for _ in range(5):
        ring(path)
        ring(path.parent / "nobody")
    assert descriptors() == before
