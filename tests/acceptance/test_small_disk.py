"""The real program on a disk that runs short, and on one that is really full."""

from __future__ import annotations

import subprocess
from collections.abc import Callable, Iterator
from contextlib import closing, suppress
from pathlib import Path
from typing import Any

import pytest
from night import task
from small_disk import fill, small_disk
from terminal import Terminal

from overnight.core.errors import DiskFullError
from overnight.core.states import Outcome, TaskState
from overnight.core.verdict import Settlement
from overnight.host.reserve import Reserve
from overnight.store.contract import Claim, Claimed
from overnight.store.sqlite import SqliteStore

MIB = 1024 * 1024
#: The program whose disk gate is always open, and the one that takes a full disk for an error like any other.
GATELESS = """
from overnight.core import gates
from overnight.ui.cli import main
gates.disk = lambda *_, **__: None
main()
"""
HASTY = """
from overnight.engine.conditions import Conditions
from overnight.ui.cli import main
def ran_out(_):
    raise
Conditions.ran_out = ran_out
main()
"""
Until = Callable[[Callable[[], object]], None]


@pytest.fixture
def disk(tmp_path: Path) -> Iterator[Path]:
    with small_disk(tmp_path / "disk", size_bytes=64 * MIB) as directory:
        yield directory


@pytest.fixture
def there(disk: Path) -> Iterator[Terminal]:
    """A terminal in a directory on that disk, with a gate that fits it."""
    (disk / "overnight.toml").write_text('[gates]\ndisk = "16MiB"\nmemory = 0\n')
    with closing(Terminal(disk)) as made:
        yield made


def status(there: Terminal) -> dict[str, Any]:
    told: dict[str, Any] = there.json("status", "--json")
    return told


def pauses(there: Terminal, running: subprocess.Popen[bytes], until: Until) -> bool:
    """Whether an engine comes to rest before it has come to its end."""

    def rests() -> bool:
        told = status(there)
        return (told["engine"] or {}).get("state") == "paused" and not told["counts"]["running"]

    until(lambda: running.poll() is not None or rests())
    return running.poll() is None


def begin(there: Terminal, ledger: Path, names: list[str], until: Until) -> subprocess.Popen[bytes]:
    """A run of these tasks, of which some have ended when it is returned."""
    running = there.start("run", "-j", "2", *names, "--", "sh", "-c", 'echo "$0" >>ledger; sleep 0.1')
    until(lambda: ledger.exists() and len(ledger.read_text().splitlines()) >= 4)
    return running


def test_a_run_pauses_below_its_threshold_says_so_and_goes_on_with_more_room(
    there: Terminal, disk: Path, until: Until
) -> None:
    names = [f"task-{number}" for number in range(40)]
    ledger, ballast = disk / "ledger", disk / "ballast"
    running = begin(there, ledger, names, until)
    ballast.write_bytes(bytes(52 * MIB))

    assert pauses(there, running, until)
    paused = status(there)
    [gate] = paused["engine"]["gates"]
    assert gate["available_bytes"] < 16 * MIB < gate["needed_bytes"]
    assert (paused["rate_per_second"], paused["counts"]["pending"] > 0) == (None, True)
    assert len(ledger.read_text().splitlines()) == paused["counts"]["completed"]

    ballast.unlink()
    _, said = running.communicate(timeout=60)
    assert running.returncode == 0, said
    assert b"on the disk left" in said
    assert b"there is room on the disk again" in said
    assert sorted(ledger.read_text().split()) == sorted(names)
    there.verify()


def test_without_the_gate_a_run_goes_on_below_its_threshold(there: Terminal, disk: Path, until: Until) -> None:
    """The control."""
    names = [f"task-{number}" for number in range(20)]
    with closing(Terminal(disk, ("-c", GATELESS))) as gateless:
        running = begin(gateless, disk / "ledger", names, until)
        (disk / "ballast").write_bytes(bytes(52 * MIB))
        assert not pauses(there, running, until)
    assert sorted((disk / "ledger").read_text().split()) == sorted(names)


def full_at_work(there: Terminal, disk: Path, until: Until) -> tuple[int, bytes]:
    """A run of 40 tasks whose disk is full for a while: its exit status, and what it said."""
    (disk / "overnight.toml").write_text("[gates]\ndisk = 0\nmemory = 0\n")
    inputs = [f"task-{number}" for number in range(40)]
    there.run("add", *inputs, "--", "sh", "-c", "sleep 0.1")
    running = there.start("run", "-j", "2")
    until(lambda: there.counts()["completed"] >= 4)
    filler = fill(disk)
    until(lambda: running.poll() is not None or b"paused" in there.complete("status").stdout)
    filler.unlink()
    _, said = running.communicate(timeout=60)
    return running.returncode, said


def test_a_disk_that_is_really_full_costs_no_task_anything(there: Terminal, disk: Path, until: Until) -> None:
    ended, said = full_at_work(there, disk, until)
    assert ended == 0, said
    assert (there.counts()["completed"], there.counts()["total"]) == (40, 40)
    assert [task["attempt"] for task in there.tasks()] == [1] * 40
    there.verify()


def test_an_engine_that_does_not_wait_for_room_ends_with_work_left(disk: Path, until: Until) -> None:
    """The control."""
    with closing(Terminal(disk, ("-c", HASTY))) as hasty:
        ended, said = full_at_work(hasty, disk, until)
        assert (ended, hasty.counts()["completed"] < 40) == (DiskFullError.exit_code, True), said


def outcomes_after_all(disk: Path, reserve: Reserve) -> int:
    """How many outcomes are recorded on a full disk once the reserve has been given up, out of 50 of 1 KB each."""
    now = 1_800_000_000.0
    with closing(SqliteStore.open(disk / "queue.db", create=True, migrate=True)) as store:
        store.add([task(str(number)) for number in range(50)], now=now)
        fence = store.take_fence(now=now, by="test")
        claim = Claim(count=50, lanes={lane.id: {} for lane in store.orders().lanes}, pools={})
        ended = [completed(one, now) for one in store.turn(fence=fence, now=now, claim=claim).claimed]
        fill(disk)
        with pytest.raises(DiskFullError):
            store.turn(fence=fence, now=now, settlements=ended)
        reserve.ran_out()
        with suppress(DiskFullError):
            store.turn(fence=fence, now=now, settlements=ended)
        return store.counts().completed


def completed(one: Claimed, now: float) -> Settlement:
    return Settlement(
        one.id, one.attempt, TaskState.COMPLETED, Outcome.COMPLETED, one.failures, one.deaths, now, result=b"x" * 1000
    )


@pytest.mark.parametrize("kept", [True, False])
def test_what_has_ended_is_recorded_out_of_the_reserve(disk: Path, kept: bool) -> None:  # noqa: FBT001 - parametrized
    """And without the reserve, which is the control, nothing of it is."""
    reserve = Reserve(disk / "reserve")
    assert not kept or reserve.keep()
    assert outcomes_after_all(disk, reserve) == (50 if kept else 0)


def refused(there: Terminal, disk: Path) -> subprocess.CompletedProcess[bytes]:
    """What becomes of a run for whose start there is too little room; there is room again afterwards."""
    ballast = disk / "ballast"
    there.run("add", "a", "b", "--", "true")
    ballast.write_bytes(bytes(52 * MIB))
    ended = there.complete("run")
    ballast.unlink()
    return ended


def test_without_room_no_engine_starts_and_nothing_that_was_added_is_lost(there: Terminal, disk: Path) -> None:
    ended = refused(there, disk)
    assert ended.returncode == 75
    assert b"nothing was started, and what is in the queue stays there" in ended.stderr
    there.run("run")
    assert status(there)["counts"]["completed"] == 2


@pytest.mark.usefixtures("there")
def test_without_the_gate_an_engine_starts_with_any_room(disk: Path) -> None:
    """The control."""
    with closing(Terminal(disk, ("-c", GATELESS))) as gateless:
        assert refused(gateless, disk).returncode == 0
