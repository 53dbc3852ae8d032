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
