"""A home that was copied or moved says that its tasks run where they were added, and not where it is now."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

Call = Callable[..., Any]


@pytest.fixture
def copied(overnight: Call, place: Path) -> Path:
    """A project with two tasks that are held, copied with its home."""
    assert overnight("add", "one", "two", "--", "touch", "{}").status == 0
    assert overnight("hold", "--all").status == 0
    there = place.parent / "there"
    shutil.copytree(place, there)
    return there


def said(found: Any) -> str:
    return f"{found.out}{found.err}"


def events(there: Path) -> list[dict[str, object]]:
    lines = (there / ".overnight/events.jsonl").read_text().splitlines()
    return [event for event in map(json.loads, lines) if event["event"] == "home_moved"]


def test_a_copy_says_where_its_tasks_would_run(
    copied: Path, place: Path, overnight: Call, monkeypatch: pytest.MonkeyPatch
) -> None:
    words = f"this home was in {place} before; 2 tasks that were added there would run there, and not here"
    assert words not in said(overnight("status"))
    monkeypatch.chdir(copied)

    assert words in said(overnight("status")), "before any engine has seen it"
    assert overnight("status", "--json").json["moved"] == {"was": str(place), "tasks": 2}
    first, second = (overnight("run") for _ in range(2))
    assert words in said(first)
    assert words not in said(second), "each engine would be too often"
    [event] = events(copied)
    assert (event["was"], event["now"], event["tasks"]) == (str(place), str(copied), 2)
    assert words in said(overnight("status"))
    assert words in said(overnight("doctor", "home"))

    assert overnight("cancel", "--all").status == 0
    assert "before" not in said(overnight("status"))
    assert "moved" not in overnight("status", "--json").json


def test_the_original_has_nothing_to_say(copied: Path, place: Path, overnight: Call) -> None:
    assert copied != place
    overnight("run")
    assert "before" not in said(overnight("status"))
    assert events(place) == []


def test_what_is_added_in_the_copy_runs_there_and_is_not_counted(
    copied: Path, place: Path, overnight: Call, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(copied)
    overnight("add", "--", "touch", "new")
    assert "2 tasks that were added there" in said(overnight("run"))
    assert (copied / "new").exists()
    assert not (place / "new").exists()


def test_another_name_of_the_same_place_is_no_other_place(
    place: Path, overnight: Call, monkeypatch: pytest.MonkeyPatch
) -> None:
    overnight("add", "--", "true")
    overnight("hold", "--all")
    (place.parent / "link").symlink_to(place)
    monkeypatch.chdir("/")
    home = str(place.parent / "link" / ".overnight")
    assert "before" not in said(overnight("--home", home, "status"))
    assert "before" not in said(overnight("--home", home, "run"))


@pytest.fixture
def restored(overnight: Call, place: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A project with one task done and one to do is lost, and its home made again elsewhere from a backup."""
    assert overnight("run", "--quiet", "one", "--", "touch", "{}").status == 0
    assert overnight("add", "two", "--", "touch", "{}").status == 0
    assert overnight("backup", "create").status == 0
    there = place.parent / "there"
    shutil.copytree(place / ".overnight/backups", place.parent / "backups")
    monkeypatch.chdir(place.parent)
    shutil.rmtree(place)
    (backup,) = (path for path in (place.parent / "backups").iterdir() if path.name.startswith("2"))
    done = overnight("backup", "restore", str(backup), "--to", str(there / ".overnight"), "--yes")
    assert f"overnight relocate {place} {there}" in done.err
    monkeypatch.chdir(there)
    return there


def test_after_a_restore_elsewhere_one_line_has_the_tasks_run_there(
    restored: Path, place: Path, overnight: Call
) -> None:
    line = f"overnight relocate {place} {restored}"
    assert line in said(overnight("status"))
    assert line in said(overnight("doctor", "home"))

    assert "2 tasks would be done" in overnight("relocate", str(place), str(restored), "--dry-run").out
    assert overnight("relocate", str(place), ".").out == f"2 tasks are done in {restored} from here on\n"

    assert "before" not in said(overnight("status"))
    assert overnight("run", "--quiet", "one", "two", "--", "touch", "{}").status == 0
    assert sorted(path.name for path in restored.iterdir() if path.name != ".overnight") == ["two"], "one was done"
    assert overnight("verify").status == 0


def test_a_failure_for_want_of_the_directory_is_mended_by_the_same_line(
    restored: Path, place: Path, overnight: Call
) -> None:
    assert overnight("run", "--quiet").status == 1
    assert "overnight relocate OLD NEW" in overnight("report").out
    overnight("relocate", str(place), str(restored))
    overnight("retry", "--all", "--state", "failed")
    assert overnight("run", "--quiet").status == 0
    assert (restored / "two").exists()


def test_a_directory_that_is_not_there_is_nobody_s_new_place(overnight: Call, place: Path) -> None:
    overnight("add", "--", "true")
    assert overnight("relocate", str(place), "nowhere").status == 2
    assert overnight("relocate", str(place), ".").status == 2
