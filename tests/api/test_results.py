"""Results of every size: read back alike, wherever they lie, and removed with their tasks."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest
from work_for_workers import big, no_json

from overnight import AutonomousProcessor, FileQueue, Overnight, TaskFailedError
from overnight.core.errors import NotFoundError, StoreDamagedError

LARGE = 200_000


def shell(*words: str) -> str:
    done = subprocess.run([sys.executable, "-m", "overnight", *words], capture_output=True, text=True, check=False)
    assert (done.returncode, "Traceback" in done.stderr) == (0, False), done.stderr
    return done.stdout


def files(here: Path) -> list[str]:
    directory = here / ".overnight/results"
    return sorted(path.name for path in directory.iterdir()) if directory.exists() else []


@pytest.fixture
def large(here: Path) -> int:
    """A completed task with a large result."""
    night = Overnight()
    number = night.add(big, str(LARGE))
    night.run()
    assert files(here) == [f"{number}-1.json"]
    return number


def test_a_large_result_is_read_back_like_a_small_one(large: int) -> None:
    assert Overnight().result(large) == "x" * LARGE
    assert json.loads(shell("show", str(large), "--json"))["result"] == "x" * LARGE


def test_people_are_shown_where_a_large_result_lies(here: Path, large: int) -> None:
    said = shell("show", str(large))
    assert f" in {here}/.overnight/results/{large}-1.json\n" in said
    assert "xxx" not in said


def test_store_and_journal_keep_only_the_reference(here: Path, large: int) -> None:
    assert Overnight().get(large).state == "completed"
    line = next(
        line for line in (here / ".overnight/events.jsonl").read_text().splitlines() if "file_completed" in line
    )
    assert json.loads(line)["result"].startswith(f"@{large}-1.json {LARGE + 2} ")


@pytest.mark.parametrize("how", ["overnight.toml", "environment"])
def test_what_is_large_can_be_set(here: Path, monkeypatch: pytest.MonkeyPatch, how: str) -> None:
    if how == "environment":
        monkeypatch.setenv("OVERNIGHT_INLINE_RESULT", "1MB")
    else:
        (here / "overnight.toml").write_text('[defaults]\ninline_result = "1MB"\n')
    night = Overnight()
    night.add_many(big, [str(LARGE), str(2 * 1024 * 1024)])
    night.run()
    assert files(here) == ["2-1.json"]
    assert [len(night.result(number)) for number in (1, 2)] == [LARGE, 2 * 1024 * 1024]


def test_a_file_goes_with_its_task_and_not_before(here: Path, large: int) -> None:
    night = Overnight()
    other = night.add(big, str(LARGE))
    night.run()
    shell("clean", str(large), "--yes")
    assert files(here) == [f"{other}-1.json"]
    shell("retry", str(other))
    night.run()
    assert files(here) == [f"{other}-1.json", f"{other}-2.json"]
    shell("clean", "--all", "--yes")
    assert files(here) == []


def test_clearing_a_queue_removes_files_of_what_it_forgets(here: Path) -> None:
    """One that completed and was revived has a file of its earlier life."""
    night = Overnight()
    number = night.add(big, str(LARGE))
    night.run()
    shell("retry", str(number))
    FileQueue().clear()
    assert (night.list(), files(here)) == ([], [])


def test_a_file_that_is_damaged_or_gone_is_told_and_the_rest_is_still_shown(here: Path, large: int) -> None:
    path = here / f".overnight/results/{large}-1.json"
    path.write_bytes(b'"y"')
    with pytest.raises(StoreDamagedError, match="is not what was written there"):
        Overnight().result(large)
    path.unlink()
    with pytest.raises(NotFoundError, match="and is gone; the task stays completed"):
        Overnight().result(large)
    done = subprocess.run(
        [sys.executable, "-m", "overnight", "show", str(large), "--json"], capture_output=True, text=True, check=False
    )
    assert (done.returncode, json.loads(done.stdout)["state"], json.loads(done.stdout)["result"]) == (
        0,
        "completed",
        None,
    )
    assert "is gone" in done.stderr


def test_what_is_no_json_fails_at_once_and_says_what_it_was() -> None:
    night = Overnight()
    number = night.add(no_json, "a")
    assert night.run().failed == 1
    with pytest.raises(TaskFailedError, match="cannot be written as JSON"):
        night.result(number)
    assert night.get(number).attempt == 1


def test_a_handler_may_return_as_much() -> None:
    processor = AutonomousProcessor(handler=big)
    processor.queue.add(str(LARGE))
    assert processor.run()["success"]
    assert len(Overnight().result(1)) == LARGE
