"""The power is cut at every operation of the disk under the real store; nothing that was acknowledged is missing."""

from __future__ import annotations

import random
from collections.abc import Iterator
from pathlib import Path

import pytest

from overnight.store.sqlite import connection
from overnight.testing.cutting import Recording, cut, fast_directory, record

#: The long proof is dealt out in so many parts; each cuts everywhere with dice of its own.
PARTS = 6
SAMPLE = 150


@pytest.fixture
def directory() -> Iterator[Path]:
    with fast_directory() as made:
        yield made


def recorded(directory: Path) -> Recording:
    (directory / "recorded").mkdir()
    return record(directory / "recorded")


def sample(recording: Recording, count: int) -> list[int]:
    return random.Random(1).sample(range(len(recording.trace) + 1), count)  # noqa: S311 - dice


def test_a_sample_of_power_cuts_loses_nothing_that_was_acknowledged(directory: Path) -> None:
    recording = recorded(directory)
    done = cut(recording, sample(recording, SAMPLE), seed=1, directory=directory / "cut")
    assert done.violations == []
    assert done.count >= SAMPLE


@pytest.mark.prove
@pytest.mark.parametrize("part", range(PARTS))
def test_no_power_cut_at_any_operation_loses_what_was_acknowledged(directory: Path, part: int) -> None:
    recording = recorded(directory)
    done = cut(recording, range(len(recording.trace) + 1), seed=100 + part, directory=directory / "cut")
    assert done.violations == []
    print(f"{done.count} cuts")  # noqa: T201 - shown with -rP
    assert done.count >= 1000


@pytest.mark.parametrize(
    ("synchronous", "words"),
    [("NORMAL", "acknowledged transactions are lost"), ("OFF", "acknowledged transactions are lost")],
)
def test_with_fewer_syncs_the_same_cuts_lose_work(
    directory: Path, synchronous: str, words: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The control: what the store asks of the disk is what saves the tasks."""
    weaker = connection._PRAGMAS.replace("synchronous = FULL", f"synchronous = {synchronous}")
    assert weaker != connection._PRAGMAS
    monkeypatch.setattr(connection, "_PRAGMAS", weaker)
    recording = recorded(directory)
    done = cut(recording, sample(recording, SAMPLE), seed=1, directory=directory / "cut", again=False)
    assert any(words in one for one in done.violations), done.violations[:3]


def test_without_any_sync_the_store_itself_is_damaged(directory: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The control of the look at the pages: a log that is moved before it is on the disk."""
    monkeypatch.setattr(connection, "_PRAGMAS", connection._PRAGMAS.replace("= FULL", "= OFF"))
    recording = recorded(directory)
    done = cut(recording, range(0, len(recording.trace), 3), seed=2, directory=directory / "cut", again=False)
    assert any("damaged" in one or "not usable" in one or "never was" in one for one in done.violations)
