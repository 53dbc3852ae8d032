"""The sidecar: what it writes, and that no trouble of its own stays, spreads or is told twice."""

from __future__ import annotations

import json
import os
import threading
from collections.abc import Iterator, Mapping, Sequence
from contextlib import closing
from pathlib import Path
from typing import Any, cast

import apsw
import msgspec
import pytest
from prometheus_client.parser import text_string_to_metric_families
from small_disk import fill, small_disk

from overnight.core.errors import StoreBusyError
from overnight.core.gauges import NAMES
from overnight.core.states import Outcome, Reason, TaskState
from overnight.core.task import Action, ActionKind, NewTask
from overnight.core.verdict import Settlement
from overnight.engine.journal import Journal
from overnight.host.lock import HomeLock
from overnight.monitor import snapshot
from overnight.monitor.history.asking import Past
from overnight.monitor.sidecar import AGAIN_AFTER, BUSY, EXPOSE_EVERY, FORGET_EVERY, SOON, Gauges, Sidecar
from overnight.monitor.snapshot import take
from overnight.monitor.status_file import MonitoringStatus
from overnight.monitor.telling import Telling
from overnight.store.contract import Claim, Selector, Store, Verb
from overnight.store.sqlite import SqliteStore

NOON = 1_800_000_000.0
ACTION = Action(kind=ActionKind.COMMAND, cwd=b"/data", argv=(b"process", b"{}"))


class HandClock:
    """Moved by hand."""

    def __init__(self) -> None:
        self.at = NOON
        #: Of the wall clock.
        self.ahead = 0.0

    def now(self) -> float:
        return self.at + self.ahead

    def monotonic(self) -> float:
        return self.at


class StillMachine:
    """Always the same."""

    def look(self) -> Mapping[str, float]:
        return {"cpu": 0.25, "disk_free": 7e9}

    def resident(self, pid: int) -> float | None:
        return float(pid)


@pytest.fixture
def clock() -> HandClock:
    return HandClock()


@pytest.fixture
def told() -> list[str]:
    return []


@pytest.fixture
def watched(store: Store, tmp_path: Path) -> Iterator[Store]:
    """The same store as another process sees it."""
    assert store.counts().total == 0
    opened = SqliteStore.open(tmp_path / "queue.db", readonly=True)
    yield opened
    opened.close()


def made(home: Path, watched: Store, clock: HandClock, told: list[str], *tellings: Telling) -> Sidecar:
    return Sidecar(
        home,
        watched,
        look=lambda: take(watched, home, now=clock.now()),
        gauges=StillMachine(),
        clock=clock,
        told=told.append,
        tellings=tellings,
    )


@pytest.fixture
def sidecar(tmp_path: Path, watched: Store, clock: HandClock, told: list[str]) -> Sidecar:
    return made(tmp_path, watched, clock, told)


def add(store: Store, count: int) -> list[int]:
    return store.add([NewTask(ACTION, str(n).encode()) for n in range(count)], now=NOON).ids


def work(store: Store, home: Path, **changes: Any) -> None:
    """Claim everything, end it after two seconds, and write the journal."""
    fence = store.take_fence(now=NOON, by="me")
    lanes = {lane.id: dict[str, float]() for lane in store.orders().lanes}
    claimed = store.turn(fence=fence, now=NOON, claim=Claim(count=99, lanes=lanes, pools={})).claimed
    plain = [
        Settlement(one.id, one.attempt, TaskState.COMPLETED, Outcome.COMPLETED, 0, 0, NOON, 2.0) for one in claimed
    ]
    store.turn(fence=fence, now=NOON, settlements=[msgspec.structs.replace(one, **changes) for one in plain])
    journal = Journal(home / "events.jsonl", store)
    journal.pump()
    journal.close()


def test_what_has_changed_is_written_soon(sidecar: Sidecar, store: Store, tmp_path: Path, clock: HandClock) -> None:
    """Not at once: while one thing happens after another that would cost more than it tells."""
    sidecar.round()
    assert MonitoringStatus.read(tmp_path).files_in_queue == 0
    add(store, 3)
    sidecar.round()
    assert MonitoringStatus.read(tmp_path).files_in_queue == 0
    clock.at += SOON
    sidecar.round()
    status = MonitoringStatus.read(tmp_path)
    assert (status.status, status.files_in_queue, status.estimated_remaining_files) == ("stopped", 3, 3)
    assert status.machine == {"cpu": 0.25, "disk_free": 7e9, "monitor_memory": float(os.getpid())}


def test_while_nothing_changes_nothing_is_written(
    sidecar: Sidecar, store: Store, tmp_path: Path, clock: HandClock
) -> None:
    add(store, 1)
    sidecar.round()
    before = (tmp_path / "monitor.json").stat().st_ino
    clock.at += BUSY * 2
    sidecar.round()
    assert (tmp_path / "monitor.json").stat().st_ino == before


def test_what_cannot_be_written_is_told_once_and_heals(
    sidecar: Sidecar, tmp_path: Path, clock: HandClock, told: list[str]
) -> None:
    """The other files go on meanwhile."""
    (tmp_path / "history.db").mkdir()
    for _ in range(3):
        sidecar.round()
        clock.at += AGAIN_AFTER
    assert sorted(words.partition(":")[0] for words in told) == [
        "history.db (attempts)",
        "history.db (samples)",
    ]
    assert all("the work goes on" in words for words in told)
    assert MonitoringStatus.read(tmp_path).status == "stopped"
    (tmp_path / "history.db").rmdir()
    told.clear()
    for _ in range(2):
        sidecar.round()
        clock.at += AGAIN_AFTER
    assert len(told) == 2
    assert all("written again" in words for words in told)


def test_a_history_that_was_deleted_is_begun_anew(
    sidecar: Sidecar, tmp_path: Path, clock: HandClock, told: list[str]
) -> None:
    sidecar.round()
    for name in ("history.db", "history.db-wal", "history.db-shm"):
        (tmp_path / name).unlink()
    clock.at += 60
    sidecar.round()
    with closing(Past(tmp_path / "history.db")) as past:
        assert len(past.series("cpu", since=NOON, until=NOON + 99, now=NOON + 99)) == 1
    assert told == ["history.db is gone or damaged; another one is begun, and the work goes on"]


def test_a_history_that_was_damaged_before_is_begun_anew_and_told_of(
    sidecar: Sidecar, tmp_path: Path, clock: HandClock, told: list[str]
) -> None:
    (tmp_path / "history.db").write_bytes(b"no database")
    for _ in range(3):
        sidecar.round()
        clock.at += BUSY
    assert told == ["history.db was damaged and lies aside; another one is begun, and the work goes on"]


def test_a_disk_that_is_really_full_is_told_once_for_each_file_and_heals(
    tmp_path: Path, store: Store, watched: Store, clock: HandClock, told: list[str]
) -> None:
    """With the store on another one, so that the work goes on meanwhile."""
    with small_disk(tmp_path / "disk", size_bytes=2_000_000) as home:
        sidecar = made(home, watched, clock, told)
        sidecar.round()
        filler = fill(home)
        add(store, 3)
        work(store, tmp_path)
        for _ in range(200):
            clock.at += EXPOSE_EVERY
            sidecar.round()
        files = [words.partition(":")[0] for words in told]
        assert {"monitor.json", "metrics.prom", "history.db (samples)"} <= set(files)
        assert len(files) == len(set(files))
        told.clear()
        filler.unlink()
        for _ in range(3):
            clock.at += EXPOSE_EVERY
            sidecar.round()
        assert sorted(told) == sorted(f"{name} is written again" for name in files)
        assert MonitoringStatus.read(home).files_processed == 3
        sidecar.finish()


def test_a_damaged_history_is_no_trouble_of_the_other_files(
    sidecar: Sidecar, store: Store, tmp_path: Path, clock: HandClock, told: list[str]
) -> None:
    """It is set aside, and begun anew out of the journal."""
    add(store, 3)
    work(store, tmp_path)
    sidecar.round()
    path = tmp_path / "history.db"
    with closing(apsw.Connection(str(path))) as connection:
        connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    path.write_bytes(path.read_bytes()[:4096] + b"\xa5" * (path.stat().st_size - 4096))
    for _ in range(6):
        add(store, 1)
        clock.at += EXPOSE_EVERY
        sidecar.round()
    assert MonitoringStatus.read(tmp_path).avg_file_duration_seconds == 2.0
    assert not [words for words in told if words.startswith("monitor.json")]
    assert (tmp_path / "history.db.damaged").exists()
    with closing(Past(path)) as past:
        assert [one.n for one in past.totals()] == [3]


def test_the_last_state_is_written_at_the_end(sidecar: Sidecar, tmp_path: Path, clock: HandClock) -> None:
    lock = HomeLock(tmp_path / "lock")
    lock.acquire({"pid": os.getpid()})
    sidecar.round()
    assert MonitoringStatus.read(tmp_path).status == "starting"
    lock.release()  # no change of the store tells of it
    clock.at += 0.05
    sidecar.finish()
    assert MonitoringStatus.read(tmp_path).status == "stopped"


def test_what_became_of_attempts_is_added_up_once_whoever_dies(
    sidecar: Sidecar, store: Store, watched: Store, tmp_path: Path, clock: HandClock
) -> None:
    add(store, 3)
    work(store, tmp_path)
    add(store, 1)
    work(store, tmp_path, state=TaskState.FAILED, outcome=Outcome.FAILED, reason=Reason.ERROR, fingerprint="f")
    sidecar.round()
    del sidecar  # as if killed
    another = made(tmp_path, watched, clock, [])
    another.finish()
    with closing(Past(tmp_path / "history.db")) as past:
        done, failed = past.totals()
    assert (done.queue, done.outcome, done.n, done.seconds) == ("default", "completed", 3, 6.0)
    assert (failed.outcome, failed.n) == ("failed", 1)
    status = MonitoringStatus.read(tmp_path)
    assert (status.status, status.files_processed, status.files_failed) == ("completed", 4, 1)
    assert (status.avg_file_duration_seconds, status.error_rate_percent) == (2.0, 25.0)


def test_metrics_are_what_prometheus_reads(sidecar: Sidecar, store: Store, tmp_path: Path, clock: HandClock) -> None:
    add(store, 3)
    clock.at += EXPOSE_EVERY
    sidecar.round()
    text = (tmp_path / "metrics.prom").read_text()
    found = {
        (sample.name, *sorted(sample.labels.values())): sample.value
        for family in text_string_to_metric_families(text)
        for sample in family.samples
    }
    assert found["overnight_tasks", "default", "pending"] == 3
    assert found["overnight_engine_up",] == 0
    assert found["overnight_machine_cpu_ratio",] == 0.25
    assert found["overnight_oldest_waiting_seconds", "default"] == EXPOSE_EVERY


def test_it_looks_more_often_as_soon_as_there_is_work(
    sidecar: Sidecar, store: Store, tmp_path: Path, clock: HandClock
) -> None:
    sidecar.round()
    add(store, 1)
    assert store.pop("default", owner="1:1:x", now=NOON, by="me") is not None
    for _ in range(4):
        clock.at += BUSY
        sidecar.round()
    with closing(Past(tmp_path / "history.db")) as past:
        assert len(past.series("running", since=NOON, until=NOON + 9, now=NOON + 9)) >= 4


def test_whatever_goes_wrong_with_one_duty_the_others_go_on(
    tmp_path: Path, watched: Store, clock: HandClock, told: list[str]
) -> None:
    sidecar = made(tmp_path, watched, clock, told)
    sidecar._gauges = cast(Gauges, object())
    for _ in range(3):
        sidecar.round()
        clock.at += AGAIN_AFTER
    assert [words for words in told if words.startswith("history.db (samples)")] == [
        "history.db (samples): 'object' object has no attribute 'look'; the work goes on"
    ]
    assert MonitoringStatus.read(tmp_path).status == "stopped"


def test_attempts_whose_queues_could_not_be_looked_up_are_read_again(
    tmp_path: Path, store: Store, watched: Store, clock: HandClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    add(store, 3)
    work(store, tmp_path)
    sidecar = made(tmp_path, watched, clock, [])
    with monkeypatch.context() as patch:
        patch.setattr(watched, "places", busy)
        sidecar.round()
    clock.at += AGAIN_AFTER
    sidecar.round()
    with closing(Past(tmp_path / "history.db")) as past:
        assert [one.n for one in past.totals()] == [3]


def busy(_: object) -> dict[int, tuple[str, str]]:
    raise StoreBusyError("busy")


def test_a_clock_that_jumps_makes_nothing_old(tmp_path: Path, watched: Store, clock: HandClock) -> None:
    sidecar = made(tmp_path, watched, clock, [])
    sidecar.round()
    for _ in range(2):
        clock.at += FORGET_EVERY / 2 + 1
        sidecar.round()
    clock.ahead = 400 * 86400.0
    clock.at += FORGET_EVERY + 1
    sidecar.round()
    with closing(Past(tmp_path / "history.db")) as past:
        assert past.series("cpu", since=NOON - 9, until=NOON + 9, now=NOON + 9)


def test_the_current_file_is_the_one_that_runs_longest_of_however_many(
    sidecar: Sidecar, store: Store, tmp_path: Path, clock: HandClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(snapshot, "MOST_RUNNING", 2)
    add(store, 4)
    for _ in range(4):
        assert store.pop("default", owner="1:1:x", now=clock.now(), by="me") is not None
        clock.at += 1
    sidecar.round()
    status = MonitoringStatus.read(tmp_path)
    assert (status.current_file, status.counts["running"]) == ("0", 4)


def test_what_is_held_is_not_completed(sidecar: Sidecar, store: Store, tmp_path: Path) -> None:
    add(store, 1)
    store.act(Verb.HOLD, Selector(everything=True), now=NOON, by="me")
    sidecar.finish()
    assert MonitoringStatus.read(tmp_path).status == "stopped"


class Deaf:
    """Listens only when it likes to."""

    name = "what goes to nobody"
    position = "nobody_seq"

    def __init__(self) -> None:
        self.listens = False
        self.heard: list[bytes] = []

    def prepare(self, lines: Sequence[bytes]) -> Sequence[bytes]:
        return lines

    def deliver(self, told: Sequence[bytes]) -> None:
        if not self.listens:
            raise OSError("deaf")
        self.heard += told


def arrived() -> None:
    """Wait for what is on its way."""
    for thread in threading.enumerate():
        if thread.daemon and thread is not threading.current_thread():
            thread.join(20)


def test_the_last_of_what_happened_is_told_before_the_end(
    tmp_path: Path, store: Store, watched: Store, clock: HandClock
) -> None:
    deaf = Deaf()
    deaf.listens = True
    sidecar = made(tmp_path, watched, clock, [], Telling(tmp_path / "events.jsonl", deaf))
    sidecar.round()
    arrived()
    add(store, 2)
    work(store, tmp_path)
    sidecar.finish()
    assert len(deaf.heard) == len((tmp_path / "events.jsonl").read_bytes().splitlines())


def test_somebody_who_does_not_listen_is_told_of_once_and_hears_everything_later(
    tmp_path: Path, store: Store, watched: Store, clock: HandClock, told: list[str]
) -> None:
    deaf = Deaf()
    sidecar = made(tmp_path, watched, clock, told, Telling(tmp_path / "events.jsonl", deaf))
    sidecar.round()
    add(store, 3)
    work(store, tmp_path)
    for _ in range(6):
        clock.at += AGAIN_AFTER
        sidecar.round()
        arrived()
    assert told == ["what goes to nobody: deaf; the work goes on"]
    assert MonitoringStatus.read(tmp_path).files_processed == 3
    deaf.listens = True
    for _ in range(3):
        clock.at += AGAIN_AFTER
        sidecar.round()
        arrived()
    assert told[1:] == ["what goes to nobody is written again"]
    sidecar.finish()
    assert [json.loads(line)["seq"] for line in deaf.heard] == list(range(1, 1 + len(deaf.heard)))
    assert len(deaf.heard) == len((tmp_path / "events.jsonl").read_bytes().splitlines())


def test_every_figure_of_the_picture_has_a_column() -> None:
    assert {"waiting", "pending", "running", "completed", "failed", "held", "slots", "active", "rate"} <= set(NAMES)


class Stuck(Deaf):
    """Takes what it is told and never answers."""

    def __init__(self) -> None:
        super().__init__()
        self.over = threading.Event()

    def deliver(self, told: Sequence[bytes]) -> None:
        self.over.wait(60)
        super().deliver(told)


def test_somebody_who_hangs_holds_nothing_up(
    tmp_path: Path, store: Store, watched: Store, clock: HandClock, told: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("overnight.monitor.sidecar._ARRIVAL", 0.01)
    stuck = Stuck()
    sidecar = made(tmp_path, watched, clock, told, Telling(tmp_path / "events.jsonl", stuck))
    sidecar.round()
    add(store, 3)
    work(store, tmp_path)
    clock.at += BUSY
    sidecar.round()
    assert MonitoringStatus.read(tmp_path).files_processed == 3
    assert sidecar.finish()
    assert told == []
    stuck.over.set()
    arrived()
