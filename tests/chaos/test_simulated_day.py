"""A whole day of faults in seconds: nothing lost, nothing doubled, nothing grown."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest
from simulated_day import HOUR, KEEP, Day

from overnight.core.endings import Ended
from overnight.engine.retention import MANY_ACTIONS
from overnight.monitor.books import audit
from overnight.store.sqlite import SqliteStore
from overnight.testing import FakeWorld

#: Memory, where there is such a file system: nothing here is about power cuts, and a day has many commits.
FAST = "/dev/shm" if Path("/dev/shm").is_dir() else None  # noqa: S108 - a directory of one's own is made in it
#: Tasks added each hour of a whole day: with what is tried again a little more than 100,000 attempts.
AN_HOUR = 3960
#: Objects that may be more at the end of the day than in the middle of its second half.
FEW = 2000


@pytest.fixture
def directory() -> Iterator[Path]:
    with tempfile.TemporaryDirectory(dir=FAST) as name:
        yield Path(name)


def all_is_well(day: Day, directory: Path, an_hour: int) -> None:
    assert day.violations == []
    assert day.crashes >= 1
    with closing(SqliteStore.open(directory / "queue.db")) as store:
        assert store.recount() == []
        assert audit(store, directory / "events.jsonl") == []
        counts = store.counts()
        assert counts.total + counts.removed == day.added
        assert counts.removed > day.added / 4
        # Fewer than that are not worth a round, and the next one comes after an hour, or when there is room.
        assert len(store.spare_actions()) < MANY_ACTIONS + an_hour / 10 * 1.25
    assert counts.total < an_hour * (KEEP / HOUR + 3) + counts.held


def test_a_few_hours_of_faults_lose_nothing_double_nothing_and_leave_nothing_behind(directory: Path) -> None:
    day = Day(directory, seed=1, hours=4, an_hour=300)
    day.live()
    all_is_well(day, directory, 300)
    assert day.began >= 1000
    assert max(day.sizes().values()) < 100, day.sizes()


def test_a_day_on_which_outcomes_are_forgotten_is_found_out(directory: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The control: nothing is kept of an outcome that no engine has acknowledged."""
    real = FakeWorld.end

    def end(self: FakeWorld, outcome: Ended) -> None:
        real(self, outcome)
        self.forget([outcome.key])

    monkeypatch.setattr(FakeWorld, "end", end)
    day = Day(directory, seed=4, hours=6, an_hour=300)
    day.live()
    assert any("began after a success" in words for words in day.violations)


@pytest.mark.prove
@pytest.mark.parametrize("seed", range(10))
def test_a_day_of_faults(directory: Path, seed: int) -> None:
    day = Day(directory, seed=seed, hours=24, an_hour=AN_HOUR)
    day.live()
    all_is_well(day, directory, AN_HOUR)
    assert day.began >= 100_000
    assert set(day.happened) == {"full", "disk", "memory", "load", "clock"}
    settled = day.objects[len(day.objects) * 5 // 8 :]
    assert max(settled[-6:]) - min(settled[:6]) < FEW, settled
    assert sum(day.sizes().values()) < 3000
