"""The real program on a disk that runs short, and on one that is really full."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from small_disk import fill, small_disk
from terminal import Terminal

MIB = 1024 * 1024
Until = Callable[[Callable[[], object]], None]


@pytest.fixture
def disk(tmp_path: Path) -> Iterator[Path]:
    with small_disk(tmp_path / "disk", size_bytes=64 * MIB) as directory:
        yield directory


@pytest.fixture
def there(disk: Path) -> Iterator[Terminal]:
    """A terminal in a directory on that disk, with a gate that fits it."""
    (disk / "overnight.toml").write_text('[gates]\ndisk = "16MiB"\nmemory = 0\n')
    made = Terminal(disk)
    yield made
    made.close()


def status(there: Terminal) -> dict[str, Any]:
    told: dict[str, Any] = there.json("status", "--json")
    return told


def test_a_run_pauses_below_its_threshold_says_so_and_goes_on_with_more_room(
    there: Terminal, disk: Path, until: Until
) -> None:
    names = [f"task-{number}" for number in range(40)]
    running = there.start("run", "-j", "2", *names, "--", "sh", "-c", 'echo "$0" >>ledger; sleep 0.1')
    ledger = disk / "ledger"
    until(lambda: ledger.exists() and len(ledger.read_text().splitlines()) >= 4)
    ballast = disk / "ballast"
    ballast.write_bytes(bytes(52 * MIB))

    until(lambda: status(there)["engine"]["state"] == "paused" and not status(there)["counts"]["running"])
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


def test_a_disk_that_is_really_full_costs_no_task_anything(there: Terminal, disk: Path, until: Until) -> None:
    (disk / "overnight.toml").write_text("[gates]\ndisk = 0\nmemory = 0\n")
    inputs = [f"task-{number}" for number in range(40)]
    there.run("add", *inputs, "--", "sh", "-c", "sleep 0.1")
    running = there.start("run", "-j", "2")
    until(lambda: there.counts()["completed"] >= 4)
    filler = fill(disk)
    until(lambda: b"paused" in there.complete("status").stdout)
    filler.unlink()
    _, said = running.communicate(timeout=60)
    assert running.returncode == 0, said
    assert (there.counts()["completed"], there.counts()["total"]) == (40, 40)
    assert [task["attempt"] for task in there.tasks()] == [1] * 40
    there.verify()


def test_without_room_no_engine_starts_and_nothing_that_was_added_is_lost(there: Terminal, disk: Path) -> None:
    ballast = disk / "ballast"
    there.run("add", "a", "b", "--", "true")
    ballast.write_bytes(bytes(52 * MIB))
    ended = there.complete("run")
    assert ended.returncode == 75
    assert b"nothing was started, and what is in the queue stays there" in ended.stderr
    ballast.unlink()
    there.run("run")
    assert status(there)["counts"]["completed"] == 2
