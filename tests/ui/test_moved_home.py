"""A home that was copied or moved says that its tasks run where they were added, and not where it is now."""

from __future__ import annotations

import json
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

Program = Callable[..., subprocess.CompletedProcess[bytes]]


@pytest.fixture
def copied(program: Program, place: Path) -> Path:
    """A project with two tasks that are held, copied with its home."""
    assert program("add", "-a", "-", "--", "touch", "{}", stdin=b"one\ntwo\n").returncode == 0
    assert program("hold", "--all").returncode == 0
    there = place.parent / "there"
    shutil.copytree(place, there)
    return there


def said(found: subprocess.CompletedProcess[bytes]) -> str:
    return (found.stdout + found.stderr).decode()


def events(there: Path) -> list[dict[str, object]]:
    lines = (there / ".overnight/events.jsonl").read_text().splitlines()
    return [event for event in map(json.loads, lines) if event["event"] == "home_moved"]


def test_a_copy_says_where_its_tasks_would_run(
    copied: Path, place: Path, program: Program, monkeypatch: pytest.MonkeyPatch
) -> None:
    words = f"this home was in {place} before; 2 tasks that were added there would run there, and not here"
    assert words not in said(program("status"))
    monkeypatch.chdir(copied)

    assert words in said(program("status")), "before any engine has seen it"
    assert json.loads(program("status", "--json").stdout)["moved"] == {"was": str(place), "tasks": 2}
    first, second = (program("run") for _ in range(2))
    assert words in said(first)
    assert words not in said(second), "each engine would be too often"
    [event] = events(copied)
    assert (event["was"], event["now"], event["tasks"]) == (str(place), str(copied), 2)
    assert words in said(program("status"))
    assert words in said(program("doctor", "home"))

    assert program("cancel", "--all").returncode == 0
    assert "before" not in said(program("status"))
    assert "moved" not in json.loads(program("status", "--json").stdout)


def test_the_original_has_nothing_to_say(copied: Path, place: Path, program: Program) -> None:
    assert copied != place
    program("run")
    assert "before" not in said(program("status"))
    assert events(place) == []


def test_what_is_added_in_the_copy_runs_there_and_is_not_counted(
    copied: Path, place: Path, program: Program, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(copied)
    program("add", "--", "touch", "new")
    assert "2 tasks that were added there" in said(program("run"))
    assert (copied / "new").exists()
    assert not (place / "new").exists()


def test_another_name_of_the_same_place_is_no_other_place(
    place: Path, program: Program, monkeypatch: pytest.MonkeyPatch
) -> None:
    program("add", "--", "true")
    program("hold", "--all")
    (place.parent / "link").symlink_to(place)
    monkeypatch.chdir("/")
    home = str(place.parent / "link" / ".overnight")
    assert "before" not in said(program("--home", home, "status"))
    assert "before" not in said(program("--home", home, "run"))
