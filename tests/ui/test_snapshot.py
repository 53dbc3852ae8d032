"""One picture of now: whom it believes about the engine, and when."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import msgspec
import pytest

from overnight.core.durations import iso
from overnight.core.slots import Bounds
from overnight.core.task import Action, ActionKind, NewTask
from overnight.host.lock import HomeLock
from overnight.host.processes import boot_id, identity
from overnight.monitor import progress
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


@pytest.mark.usefixtures("engine")
def test_a_gate_that_holds_is_shown_with_its_figures_and_no_rate(store: Store, tmp_path: Path) -> None:
    gate = {"gate": "disk", "available_bytes": 4, "needed_bytes": 11}
    write(tmp_path, state="paused", gates=[gate], rate_per_second=5.0, seconds_left=1.0)
    picture = take(store, tmp_path, now=NOON)
    assert [(it.gate, it.available_bytes, it.needed_bytes) for it in picture.engine.gates] == [("disk", 4, 11)]
    assert (picture.rate_per_second, picture.seconds_left, picture.healthy) == (None, None, False)
    write(tmp_path, state="working", gates=[gate | {"gate": "memory"}], rate_per_second=5.0)
    picture = take(store, tmp_path, now=NOON)
    assert (picture.engine.state, picture.rate_per_second, picture.healthy) == ("running", 5.0, False)


@pytest.mark.usefixtures("engine")
def test_slots_are_shown_with_their_bounds_and_the_uptime_by_the_engines_own_measure(
    store: Store, tmp_path: Path
) -> None:
    bounds = {"least": 1, "usual": 4, "most": 8, "auto": True}
    write(tmp_path, bounds=bounds, active=3, uptime_seconds=500.0, started_at=NOON - 86400)
    engine = take(store, tmp_path, now=NOON).engine
    assert (engine.slots, engine.active, engine.bounds) == (4, 3, Bounds(1, 4, 8))
    assert engine.uptime_seconds == 501.0


def test_the_last_heartbeat_is_shown_of_an_engine_that_is_gone(store: Store, tmp_path: Path) -> None:
    path = tmp_path / "heartbeat.log"
    assert take(store, tmp_path, now=NOON).heartbeat is None
    line = {"at": iso(NOON - 300), "pid": 7, "completed": 12, "active": 2, "tasks": [13, 14]}
    path.write_bytes(b'{"at": "old"}\n' + msgspec.json.encode(line) + b'\n{"at": "tor')
    beat = take(store, tmp_path, now=NOON).heartbeat
    assert beat is not None
    assert (beat.at.timestamp(), beat.completed, beat.active, beat.tasks) == (NOON - 300, 12, 2, [13, 14])
    path.write_bytes(b"no heartbeat\n")
    assert take(store, tmp_path, now=NOON).heartbeat is None


def watched(home: Path, *, supervisor: int, engine: int | None = None) -> HomeLock:
    """A lock that is held by an engine and its supervisor, or by the supervisor alone."""
    me = identity(supervisor)
    lock = HomeLock(home / "lock")
    ticks = me.ticks if me else 1
    words = {"pid": engine or supervisor, "start": ticks, "boot_id": boot_id()}
    lock.acquire(words | {"supervisor": supervisor, "supervisor_start": ticks})
    return lock


def report(**fields: object) -> dict[str, object]:
    return {"pid": os.getpid(), "restarts": 2, "last_crash": "was killed by SIGKILL", "last_crash_at": NOON} | fields


def test_an_engine_that_is_watched_is_shown_with_its_supervisor(store: Store, tmp_path: Path) -> None:
    with watched(tmp_path, supervisor=os.getpid(), engine=7):
        write(tmp_path, pid=7, state="working", supervisor=report())
        picture = take(store, tmp_path, now=NOON)
    watch = picture.engine.supervisor
    assert watch is not None
    assert (watch.pid, watch.alive, watch.restarts, watch.last_crash) == (os.getpid(), True, 2, "was killed by SIGKILL")
    assert picture.healthy


def test_a_supervisor_that_is_gone_is_missed(store: Store, tmp_path: Path) -> None:
    """The number is somebody else's by now, or nobody's."""
    with watched(tmp_path, supervisor=2**22 + 1, engine=7):
        write(tmp_path, pid=7, state="working", supervisor=report(pid=2**22 + 1))
        picture = take(store, tmp_path, now=NOON)
    assert picture.engine.state is EngineState.RUNNING
    assert picture.engine.supervisor is not None
    assert not picture.engine.supervisor.alive
    assert not picture.healthy


@pytest.mark.parametrize(("state", "shown", "why"), [("restarting", "restarting", "so"), ("working", "starting", "")])
def test_between_two_engines_it_is_restarting(store: Store, tmp_path: Path, state: str, shown: str, why: str) -> None:
    with watched(tmp_path, supervisor=os.getpid()):
        write(tmp_path, pid=7, state=state, why="so", supervisor=report())
        engine = take(store, tmp_path, now=NOON).engine
    assert (engine.state, engine.why, engine.pid) == (shown, why, None)


def test_a_supervisor_that_gave_up_is_told_of_until_somebody_starts_again(store: Store, tmp_path: Path) -> None:
    write(tmp_path, state="gave_up", why="it crashed", supervisor=report(gave_up=True))
    engine = take(store, tmp_path, now=NOON).engine
    assert (engine.state, engine.why) == (EngineState.STOPPED, "it crashed")
    assert engine.supervisor is not None
    assert engine.supervisor.gave_up
    with watched(tmp_path, supervisor=os.getpid()):
        again = take(store, tmp_path, now=NOON).engine
    assert again.supervisor is not None
    assert not again.supervisor.gave_up
    write(tmp_path, state="stopping", supervisor=report())
    assert take(store, tmp_path, now=NOON).engine.supervisor is None


@pytest.mark.usefixtures("engine")
def test_running_tasks_are_shown_with_what_they_do(store: Store, tmp_path: Path) -> None:
    begin_one(store)
    picture = take(store, tmp_path, now=NOON + 5)
    assert (picture.counts.running, picture.interrupted) == (1, 0)
    assert [(view.task.input, view.action.argv if view.action else ()) for view in picture.running] == [
        (b"a", (b"gzip",))
    ]


def test_without_an_engine_what_runs_by_the_books_was_interrupted(store: Store, tmp_path: Path) -> None:
    begin_one(store)
    picture = take(store, tmp_path, now=NOON + 5)
    assert (picture.counts.running, picture.interrupted) == (1, 1)
    assert [(view.interrupted, view.seconds) for view in picture.running] == [(True, None)]


def test_what_a_program_has_popped_goes_on_without_an_engine(store: Store, tmp_path: Path) -> None:
    begin_one(store)
    store.add([NewTask(Action(ActionKind.COMMAND, b"/", argv=(b"gzip",)), b"b")], now=NOON)
    store.pop("default", owner="1:2:boot", now=NOON, by="a program")
    picture = take(store, tmp_path, now=NOON + 5)
    assert (picture.counts.running, picture.interrupted) == (2, 1)
    assert {view.task.input: view.interrupted for view in picture.running} == {b"a": True, b"b": False}


def begin_one(store: Store) -> None:
    """An engine has claimed a task."""
    store.add([NewTask(Action(ActionKind.COMMAND, b"/", argv=(b"gzip",)), b"a")], now=NOON)
    fence = store.take_fence(now=NOON, by="engine")
    lanes = {lane.id: {"work": 1.0} for lane in store.orders().lanes}
    store.turn(fence=fence, now=NOON, claim=Claim(count=1, lanes=lanes, pools={"work": 1.0}))


def test_the_scores_are_shown_with_their_counts(overnight: Callable[..., Any]) -> None:
    assert "autonomy" not in overnight("add", "--", "true").out + overnight("status", "--detailed").out
    overnight("run", "--quiet", "--retries", "0", "--", "sh", "-c", 'test "$1" != b', "sh", ":::", "a", "b", "c")
    overnight("run", "--quiet")  # that one was done when its own were; the first task may be left
    lines = overnight("status", "--detailed").lines
    assert "autonomy: 0.750; 3 of 4 tasks completed without a person" in lines
    assert "recovery rate: 0.000; 0 of 1 that met an error completed after it" in lines
    found = overnight("status", "--detailed", "--json").json["scores"]
    assert (found["autonomy"]["part"], found["autonomy"]["whole"], found["newest_tasks"]) == (3, 4, 10_000)
    assert 0 < found["execution_efficiency"]["value"] <= 1
    assert "scores" not in overnight("status", "--json").json


def test_only_what_is_shown_is_looked_up_among_the_reports(
    store: Store, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A picture is made up to five times a second, and each slot and attempt has a file of its own."""
    begin_one(store)
    (tmp_path / "spool").mkdir()
    for task in range(1, 20):
        (tmp_path / "spool" / f"control-1-{task}-1").write_bytes(b'{"progress": 0.5}\n')
    read: list[str] = []
    real = progress._tail

    def tail(path: str) -> bytes:
        read.append(Path(path).name)
        return real(path)

    monkeypatch.setattr(progress, "_tail", tail)
    (shown,) = take(store, tmp_path, now=NOON).running
    assert shown.report is not None
    assert shown.report.progress == 0.5
    assert read == [f"control-1-{shown.task.id}-1"]
    take(store, tmp_path, now=NOON, most_running=1)
    assert len(read) == 1
