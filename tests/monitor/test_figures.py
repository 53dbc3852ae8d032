"""What alerts compare: worked out from history, store and picture."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from history_parts import ending

from overnight.core.alert_conditions import FIGURES, TRIGGERS
from overnight.core.gates import Gate
from overnight.core.lanes import OPS_QUEUE
from overnight.core.task import Action, ActionKind, NewTask
from overnight.monitor.figures import KNOWN, STANDS, Worked, goes_on, said_of
from overnight.monitor.history.keeping import History
from overnight.monitor.snapshot import EngineState, EngineView, GateView, Snapshot, SupervisorView
from overnight.store.contract import Counts
from overnight.store.sqlite import SqliteStore

NOON = 1_800_000_000.0
ACTION = Action(kind=ActionKind.COMMAND, cwd=b"/data", argv=(b"process",))


class Bench:
    """Everything that a figure is made of."""

    def __init__(self, place: Path) -> None:
        self.store = SqliteStore.open(place / "queue.db", create=True, migrate=True)
        self.history = History(place / "history.db")
        self.moment = 0.0
        self.worked = Worked(place, self.store, self)

    def now(self) -> float:
        return NOON

    def monotonic(self) -> float:
        return self.moment

    def figure(self, name: str, **counts: Any) -> float | None:
        self.moment += STANDS
        engine = EngineView(EngineState.RUNNING, started_at=NOON - 3600)
        picture = Snapshot(NOON, engine, Counts(**counts), [], None, None)
        return self.worked.figure(name, picture=picture, measured={"disk_free": 7.0}, history=self.history)

    def ended(self, outcome: str, n: int, at: float = NOON - 120) -> None:
        seq = self.history.journal_seq + 1
        self.history.tally([ending(at, outcome=outcome)] * n, seq=seq)

    def close(self) -> None:
        self.history.close()
        self.store.close()


@pytest.fixture
def bench(tmp_path: Path) -> Iterator[Bench]:
    with closing(Bench(tmp_path)) as made:
        yield made


def test_every_figure_that_can_be_written_can_be_had(bench: Bench) -> None:
    assert FIGURES.keys() == KNOWN
    assert bench.figure("disk_free") == 7.0
    assert bench.figure("cpu") is None
    for name in FIGURES:
        bench.figure(name)


def test_an_error_rate_is_a_share_of_enough(bench: Bench) -> None:
    bench.ended("failed", 4)
    assert bench.figure("error_rate") == 0.0
    bench.ended("completed", 12)
    bench.ended("recalled", 100)
    bench.ended("failed", 1000, at=NOON - 7200)
    assert bench.figure("error_rate") == 0.25


def test_the_queue_is_as_old_as_what_is_next_in_line(bench: Bench) -> None:
    assert bench.figure("queue_age") == 0.0
    bench.store.add([NewTask(ACTION, b"x", queue=OPS_QUEUE)], now=NOON - 900)
    bench.store.add([NewTask(ACTION, b"a")], now=NOON - 300)
    bench.store.add([NewTask(ACTION, b"b", queue="other")], now=NOON - 600)
    assert bench.figure("queue_age") == 600.0


def test_throughput_is_measured_by_its_own_history(bench: Bench) -> None:
    assert bench.figure("throughput", running=1) == 1.0  # no history yet
    for minute in range(40):
        bench.ended("completed", 20, at=NOON - 3600 - 60 * minute)
    bench.ended("completed", 50)
    assert bench.figure("throughput", running=1) == pytest.approx(50 / 10 / 20)
    assert bench.figure("throughput") == 1.0  # nothing to do is no slowness


def test_a_figure_stands_for_a_moment(bench: Bench) -> None:
    bench.ended("completed", 20)
    assert bench.figure("error_rate") == 0.0
    bench.ended("failed", 20)
    bench.moment -= STANDS
    assert bench.figure("error_rate") == 0.0
    assert bench.figure("error_rate") == 0.5


def picture(engine: EngineView | None = None, **counts: Any) -> Snapshot:
    return Snapshot(NOON, engine or EngineView(EngineState.RUNNING), Counts(**counts), [], None, None)


def test_what_goes_on_is_seen() -> None:
    shut = EngineView(EngineState.RUNNING, gates=[GateView(Gate.DISK, 1, 2)])
    gave_up = EngineView(
        EngineState.STOPPED,
        why="the engine crashed",
        supervisor=SupervisorView(1, alive=False, gave_up=True, restarts=9, last_crash="", last_crash_at=None),
    )
    assert goes_on("task_held", picture(held=1)) is True
    assert goes_on("task_held", picture()) is False
    assert goes_on("gate_closed", picture(shut)) is True
    assert goes_on("gate_closed", picture(EngineView(EngineState.STOPPED))) is None
    assert goes_on("crash_budget", picture(gave_up)) is True
    assert said_of("crash_budget", picture(gave_up)) == "the engine crashed"
    assert said_of("gate_closed", picture(shut)) == "disk: 1 B are there"
    assert said_of("task_held", picture(held=2)) == "2 held"
    assert goes_on("crash_budget", picture(EngineView(EngineState.STOPPED))) is None
    assert goes_on("crash_budget", picture()) is False


def test_the_picture_says_it_of_all_that_is_seen_and_of_nothing_else() -> None:
    for name, trigger in TRIGGERS.items():
        assert (goes_on(name, picture()) is not None) == trigger.is_seen
