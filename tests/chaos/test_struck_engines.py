"""Whole nights on a disk that fails under them: the engine exits or pauses, and the next one finds the books exact."""

from __future__ import annotations

import functools
from pathlib import Path

import apsw
import pytest
from crashing_night import MEDIUM, Night, violations

from overnight.core.errors import OvernightError
from overnight.store.sqlite.connection import Database
from overnight.testing import CrashPoints, Disk
from overnight.testing.cutting import fast_directory
from overnight.testing.disk import Judge, Kind
from overnight.testing.io_faults import Strike

#: Writes that a full disk refuses before somebody makes room.
REFUSED = 25
PARTS = 4
#: Every so many operations of a night are struck by `make test`, and by `make prove`.
SAMPLE, FINER = 463, 17


def full_for_a_while(at: int) -> Judge:
    """No room from one operation on, until so many writes were refused."""
    refused = 0

    def judge(number: int, kind: Kind, _file: str) -> Exception | None:
        nonlocal refused
        if number < at or kind is not Kind.WRITE or refused >= REFUSED:
            return None
        refused += 1
        return apsw.FullError("no room")

    return judge


def struck_night(judge: Judge | None) -> tuple[int, int, list[str]]:
    """A night whose disk fails as `judge` says until an engine has ended by it.

    Returns:
        Operations of the disk in the first engine's life, how many engines ended early, and what was wrong.
    """
    with fast_directory() as directory, Disk(directory) as disk:
        night = Night(Path(directory), CrashPoints())
        night.add_kinds(MEDIUM)
        disk.operations = 0
        disk.fail(judge)
        ended = 0
        while not over(night):
            ended += 1
            disk.fail(None)  # the next engine finds a sound disk
            assert ended < 3
        disk.fail(None)
        return disk.operations, ended, violations(night)


def over(night: Night) -> bool:
    """Whether an engine has come to the end of the night, and not to its own."""
    try:
        night.run()
    except OvernightError:
        return False
    return True


@functools.cache
def operations() -> int:
    count, ended, wrong = struck_night(None)
    assert (ended, wrong) == (0, [])
    return count


def try_nights(step: int, part: int = 0, parts: int = 1) -> None:
    early = 0
    for at in range(1 + part * step, operations() + 1, step * parts):
        for judge in (Strike(at).judge(), Strike(at, lasting=True).judge(), full_for_a_while(at)):
            _, ended, wrong = struck_night(judge)
            assert wrong == [], f"operation {at}"
            early += ended
    assert early > 0


def test_a_sample_of_failing_disks_ends_engines_and_loses_nothing() -> None:
    try_nights(SAMPLE)


@pytest.mark.prove
@pytest.mark.parametrize("part", range(PARTS))
def test_no_failing_disk_loses_or_doubles_a_task(part: int) -> None:
    try_nights(FINER, part, PARTS)


def test_an_engine_that_goes_on_after_an_unknown_commit_is_found_out(monkeypatch: pytest.MonkeyPatch) -> None:
    """The control: what was not written is taken for written."""
    real = Database._commit

    def commit(self: Database) -> None:
        try:
            real(self)
        except OvernightError:
            return

    monkeypatch.setattr(Database, "_commit", commit)
    found = [struck_night(Strike(at, lasting=True).judge()) for at in range(200, operations(), operations() // 6)]
    assert any(wrong for _, _, wrong in found)
