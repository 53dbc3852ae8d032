"""The engine whose store is taken away: noticed within a beat, and left to whoever can put it back."""

from __future__ import annotations

import pytest
from night import Night, task

from overnight.core import store_events
from overnight.core.errors import StoreDamagedError
from overnight.testing import Play


def test_a_store_that_is_gone_is_noticed_within_a_beat_and_the_night_goes_on(night: Night) -> None:
    night.add(*(task(str(number)) for number in range(10)))
    path, away = night.directory / "queue.db", night.directory / "away.db"
    taken: list[float] = []
    noticed: list[float] = []

    def take_away() -> None:
        path.rename(away)
        taken.append(night.clock.monotonic())

    def put_back(_error: StoreDamagedError) -> None:
        noticed.append(night.clock.monotonic())
        away.rename(path)
        night.store.reopen()

    night.rescue = put_back
    result = night.run(lambda _spec, _action: Play(seconds=3.0), script=[(4.5, take_away)])
    assert result.counts.completed == 10
    assert len(noticed) == 1
    assert noticed[0] - taken[0] <= 1.0


def test_one_that_goes_with_the_last_task_is_missed_before_the_end(night: Night) -> None:
    night.add(task("a"))
    path, away = night.directory / "queue.db", night.directory / "away.db"
    saved: list[StoreDamagedError] = []

    def put_back(error: StoreDamagedError) -> None:
        saved.append(error)
        away.rename(path)

    night.rescue = put_back
    night.run(lambda _spec, _action: Play(seconds=0.5), script=[(0.4, lambda: (path.rename(away), None)[1])])
    assert len(saved) == 1


def test_without_anybody_who_can_the_engine_ends_and_the_journal_has_everything(night: Night) -> None:
    night.add(task("a"))
    path = night.directory / "queue.db"
    word = store_events.CheckpointFailed(at="2027-01-01T00:00:00Z", error="the last word")

    def take_away() -> None:
        path.unlink()
        night.store.note([word])

    with pytest.raises(StoreDamagedError, match="is gone while it is in use"):
        night.run(lambda _spec, _action: Play(seconds=5.0), script=[(1.5, take_away)])
    assert night.store.outbox(10) == []
    assert b"the last word" in (night.directory / "events.jsonl").read_bytes().splitlines()[-1]
