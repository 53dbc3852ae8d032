"""One picture of now: whom it believes about the engine, and when."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import msgspec
import pytest

from overnight.core.durations import iso
from overnight.core.task import Action, ActionKind, NewTask
from overnight.host.lock import HomeLock
from overnight.monitor.snapshot import SILENT_AFTER, EngineState, take
from overnight.store.contract import Claim, Store
from overnight.store.sqlite import SqliteStore

NOON = 1_800_000_000.0


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    opened = SqliteStore.open(tmp_path / "queue.db", create=True, migrate=True)
    yield opened
    opened.close()


@pytest.fixture
def engine(tmp_path: Path) -> Iterator[None]:
    """The home is held by this process."""
    lock = HomeLock(tmp_path / "lock")
    lock.acquire({"pid": os.getpid()})
    yield
    lock.release()


def write(home: Path, **fields: object) -> None:
    words = {"pid": os.getpid(), "started_at": NOON - 60, "last_heartbeat": iso(NOON - 1), "slots": 4} | fields
    (home / "engine.json").write_bytes(msgspec.json.encode(words))


def test_without_a_lock_no_file_makes_an_engine(store: Store, tmp_path: Path) -> None:
    write(tmp_path, rate_per_second=5.0, why="the disk is full")
    picture = take(store, tmp_path, now=NOON)
    assert picture.engine.state is EngineState.STOPPED
    assert picture.rate_per_second is None
    assert picture.engine.why == "the disk is full"


@pytest.mark.usefixtures("engine")
def test_an_engine_that_has_written_nothing_yet_is_starting(store: Store, tmp_path: Path) -> None:
    assert take(store, tmp_path, now=NOON).engine.state is EngineState.STARTING
    (tmp_path / "engine.json").write_bytes(b'{"pid": ')
    assert take(store, tmp_path, now=NOON).engine.state is EngineState.STARTING


@pytest.mark.usefixtures("engine")
def test_the_file_of_another_process_is_not_believed(store: Store, tmp_path: Path) -> None:
    write(tmp_path, pid=1, rate_per_second=5.0)
    picture = take(store, tmp_path, now=NOON)
    assert (picture.engine.state, picture.rate_per_second) == (EngineState.STARTING, None)


@pytest.mark.usefixtures("engine")
def test_an_engine_at_work_is_shown_with_its_figures(store: Store, tmp_path: Path) -> None:
    write(tmp_path, rate_per_second=5.0, seconds_left=12.0, state="working")
    picture = take(store, tmp_path, now=NOON)
    assert (picture.engine.state, picture.engine.uptime_seconds) == (EngineState.RUNNING, 60)
    assert (picture.rate_per_second, picture.seconds_left) == (5.0, 12.0)
    assert picture.engine.last_heartbeat == NOON - 1
    assert picture.healthy


@pytest.mark.usefixtures("engine")
def test_an_engine_that_pauses_or_is_silent_is_not_healthy(store: Store, tmp_path: Path) -> None:
    write(tmp_path, state="paused", why="the disk is full")
    picture = take(store, tmp_path, now=NOON)
    assert (picture.engine.state, picture.engine.why, picture.healthy) == ("paused", "the disk is full", False)
    write(tmp_path, last_heartbeat=iso(NOON - SILENT_AFTER - 1))
    picture = take(store, tmp_path, now=NOON)
    assert (picture.engine.state, picture.healthy) == (EngineState.SILENT, False)


def test_running_tasks_are_shown_with_what_they_do(store: Store, tmp_path: Path) -> None:
    store.add([NewTask(Action(ActionKind.COMMAND, b"/", argv=(b"gzip",)), b"a")], now=NOON)
    fence = store.take_fence(now=NOON, by="engine")
    lanes = {lane.id: {"work": 1.0} for lane in store.orders().lanes}
    store.turn(fence=fence, now=NOON, claim=Claim(count=1, lanes=lanes, pools={"work": 1.0}))
    picture = take(store, tmp_path, now=NOON + 5)
    assert picture.counts.running == 1
    assert [(view.task.input, view.action.argv if view.action else ()) for view in picture.running] == [
        (b"a", (b"gzip",))
    ]
