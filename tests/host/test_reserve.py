"""When there is room again after the disk was full."""

from __future__ import annotations

from pathlib import Path

import pytest

from overnight.host import reserve
from overnight.host.reserve import ENOUGH_BYTES, RESERVE_BYTES, Reserve, enough_of

MIB = 1024 * 1024


@pytest.fixture
def disk(monkeypatch: pytest.MonkeyPatch) -> dict[str, int]:
    """A disk whose size and free room the test sets."""
    room = {"total": 100_000 * MIB, "free": 0}
    monkeypatch.setattr(reserve, "free_bytes", lambda _: room["free"])
    monkeypatch.setattr(reserve, "total_bytes", lambda _: room["total"])
    return room


def test_work_goes_on_when_there_is_room_again(tmp_path: Path, disk: dict[str, int]) -> None:
    kept = Reserve(tmp_path / "reserve")

    disk["free"] = ENOUGH_BYTES - 1
    assert not kept.returned()
    disk["free"] = ENOUGH_BYTES
    assert kept.returned()
    assert (tmp_path / "reserve").stat().st_size == RESERVE_BYTES


def test_work_goes_on_on_a_disk_that_is_smaller_than_the_usual_room(tmp_path: Path, disk: dict[str, int]) -> None:
    """Else a pause on a small file system would never end, however much is removed."""
    disk["total"] = 6 * MIB
    disk["free"] = 5 * MIB

    assert Reserve(tmp_path / "reserve").returned()


def test_what_counts_as_room_covers_the_reserve_at_least() -> None:
    assert enough_of(0) == 2 * RESERVE_BYTES
    assert enough_of(6 * MIB) == 6 * MIB // 10
    assert enough_of(1000 * MIB) == ENOUGH_BYTES
