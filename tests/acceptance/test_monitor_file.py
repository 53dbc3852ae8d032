"""monitor.json beside a night's work: right while it goes on, and right when everything was killed."""

from __future__ import annotations

import os
import signal
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from collecting import collecting
from small_machine import ROOM
from terminal import PROGRAM

import overnight
from overnight.host.beside import Beside
from overnight.host.clock import SystemClock
from overnight.host.home import Home
from overnight.host.lock import read_owner
from overnight.host.processes import alive
from overnight.testing.terminal import PATIENCE, Terminal
from overnight.wiring import watching

#: Runs until a file named go is there, and no longer than a minute.
WAITS = "i=0; until [ -e go ] || [ $i = 1200 ]; do sleep 0.05; i=$((i+1)); done"


@pytest.fixture
def terminal(tmp_path: Path) -> Iterator[Terminal]:
    made = Terminal(tmp_path, PROGRAM, ROOM | {"OVERNIGHT_MONITOR": "true"})
    yield made
    (tmp_path / "go").touch()
    made.close()


Until = Callable[[Callable[[], object]], None]


def status(terminal: Terminal) -> overnight.MonitoringStatus | None:
    try:
        return overnight.MonitoringStatus.read(terminal.cwd)
    except overnight.OvernightError:
        return None


def says(terminal: Terminal, **fields: object) -> bool:
    found = status(terminal)
    return found is not None and all(getattr(found, name) == value for name, value in fields.items())


def sidecar(terminal: Terminal) -> int | None:
    owner = read_owner(terminal.cwd / ".overnight" / "monitor.lock")
    return owner.pid if owner else None


def test_a_run_that_is_over_at_once_leaves_its_last_state(terminal: Terminal) -> None:
    terminal.run("run", "--retries=0", "--", "test", "{}", "=", "a", ":::", "a", "b", code=1)
    assert says(terminal, status="completed", files_processed=2, files_failed=1, error_rate_percent=50.0)
    assert sidecar(terminal) is None


def test_it_follows_the_work_whatever_becomes_of_who_writes_it(terminal: Terminal, until: Until) -> None:
    terminal.run("add", "--shell", "--", WAITS, ":::", "x")
    run = terminal.start("run")
    until(lambda: says(terminal, status="running", current_file="x"))
    first = sidecar(terminal)
    assert first is not None
    os.kill(first, signal.SIGKILL)
    until(lambda: sidecar(terminal) not in (None, first))
    terminal.run("add", "--", "true", ":::", "y")
    until(lambda: says(terminal, files_processed=1))
    (terminal.cwd / "go").touch()
    assert run.wait(PATIENCE) == 0
    assert says(terminal, status="completed", files_processed=2, current_file=None)
    assert sidecar(terminal) is None
    log = (terminal.cwd / ".overnight" / "engine.log").read_text()
    assert log.count(f"monitor: the one before (process {first}) has ended without a word") == 1


def test_a_run_does_not_wait_for_a_frozen_one(terminal: Terminal, until: Until) -> None:
    terminal.run("add", "--shell", "--", WAITS, ":::", "x")
    run = terminal.start("run")
    until(lambda: says(terminal, status="running"))
    frozen = read_owner(terminal.cwd / ".overnight" / "monitor.lock")
    assert frozen is not None
    who = frozen.who()
    assert who is not None
    os.kill(who.pid, signal.SIGSTOP)
    (terminal.cwd / "go").touch()
    assert run.wait(PATIENCE) == 0
    assert says(terminal, status="completed", files_processed=1)
    assert not alive(who)
    home = Home(terminal.cwd / ".overnight")
    assert Beside(watching.command(home), SystemClock()).once(PATIENCE)
    assert home.log.read_text().count(f"the one before (process {who.pid}) has ended without a word") == 1


def test_it_ends_with_its_parent_and_not_by_a_signal_that_is_meant_for_others(terminal: Terminal, until: Until) -> None:
    terminal.run("add", "--shell", "--", WAITS, ":::", "x")
    run = terminal.start("run")
    until(lambda: says(terminal, status="running"))
    first = sidecar(terminal)
    assert first is not None
    for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
        os.kill(first, number)
    terminal.run("add", "--", "true", ":::", "y")
    until(lambda: says(terminal, files_processed=1))
    assert sidecar(terminal) == first
    (terminal.cwd / "go").touch()
    assert run.wait(PATIENCE) == 0
    assert sidecar(terminal) is None


def test_what_a_killed_one_had_begun_to_write_is_swept_up(terminal: Terminal) -> None:
    terminal.run("add", "--", "true", ":::", "x")
    home = Home(terminal.cwd / ".overnight")
    begun = [home.path / f".{name}.0123456789ab.tmp" for name in ("monitor.json", "metrics.prom")]
    others = [home.path / ".home.json.0123456789ab.tmp", home.path / ".monitor.json.tmp"]
    for path in (*begun, *others):
        path.touch()
    assert Beside(watching.command(home), SystemClock()).once(PATIENCE)
    assert not any(path.exists() for path in begun)
    assert all(path.exists() for path in others)


def test_the_last_state_is_right_when_the_engine_is_killed(terminal: Terminal, until: Until) -> None:
    terminal.run("add", "--shell", "--", WAITS, ":::", *"abc")
    run = terminal.start("run", "-j1")
    until(lambda: says(terminal, status="running", current_file="a"))
    run.kill()
    run.communicate()
    until(lambda: sidecar(terminal) is None)
    assert says(terminal, status="stopped", files_in_queue=2, estimated_remaining_files=3, pid=None)


def test_in_the_background_it_belongs_to_the_supervisor(terminal: Terminal, until: Until) -> None:
    terminal.run("add", "--shell", "--", WAITS, ":::", "x")
    terminal.run("start")
    until(lambda: says(terminal, status="running", current_file="x"))
    first = sidecar(terminal)
    os.kill(terminal.owner()["pid"], signal.SIGKILL)
    until(lambda: says(terminal, status="running", current_file="x", pid=terminal.owner().get("pid")))
    assert sidecar(terminal) == first
    (terminal.cwd / "go").touch()
    until(lambda: says(terminal, files_processed=1))
    terminal.run("stop")
    until(lambda: sidecar(terminal) is None)
    assert says(terminal, status="completed", files_processed=1, pid=None)
    terminal.verify()


def test_who_wants_none_gets_none(terminal: Terminal) -> None:
    (terminal.cwd / "overnight.toml").write_text("[monitor]\nenabled = false\n")
    quiet = Terminal(
        terminal.cwd, PROGRAM, {name: value for name, value in ROOM.items() if name != "OVERNIGHT_MONITOR"}
    )
    quiet.run("run", "--", "true", ":::", "a")
    assert not (terminal.cwd / ".overnight" / "monitor.json").exists()


def test_a_night_is_a_trace_of_each_task_at_the_collector(terminal: Terminal, until: Until) -> None:
    with collecting() as collector:
        variables = ROOM | {"OVERNIGHT_MONITOR": "true", "OVERNIGHT_TRACES": collector.address}
        told = Terminal(terminal.cwd, PROGRAM, variables)
        told.run("start")
        told.run("add", "--retries=0", "--", "test", "{}", "!=", "b", ":::", *"abc")
        until(lambda: len({span.span_id for span in collector.spans}) == 6)
        told.run("stop")
        spans = {span.span_id: span for span in collector.spans}.values()
    roots = [span for span in spans if not span.parent_span_id]
    assert sorted(span.name for span in spans) == ["attempt"] * 3 + ["task"] * 3
    assert sorted(span.status.code for span in roots) == [1, 1, 2]
    assert len({span.trace_id for span in spans}) == 3


def test_its_last_word_can_be_had_when_nobody_holds_the_home(terminal: Terminal) -> None:
    """It has never seen a holder, and ends all the same."""
    terminal.run("add", "--", "true", ":::", "x")
    beside = Beside(watching.command(Home(terminal.cwd / ".overnight")), SystemClock())
    assert beside.once(PATIENCE)
    assert says(terminal, status="stopped", files_in_queue=1)
