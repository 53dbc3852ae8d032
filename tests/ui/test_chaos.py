"""``overnight chaos``: a sheet that passes here, leaves nothing behind, and fails when something is wrong."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path
from random import Random
from typing import Any

import pytest

from overnight.testing import chaos
from overnight.testing.chaos import Control, Family, Result, Struck

Call = Callable[..., Any]
Program = Callable[..., subprocess.CompletedProcess[bytes]]


def test_everything_passes_here_and_nothing_is_left_behind(program: Program, place: Path) -> None:
    room = place / "room"
    room.mkdir()
    done = program("chaos", "--seconds", "1", "--seed", "5", "--json", env={"TMPDIR": str(room)})
    assert done.returncode == 0, done.stdout
    sheet = json.loads(done.stdout)
    assert sheet["passed"]
    assert sheet["seed"] == 5
    assert [one["family"] for one in sheet["families"]] == [one.name for one in chaos.families(())]
    assert all(one["count"] > 0 for one in sheet["families"])
    assert list(room.iterdir()) == []
    assert not (place / ".overnight").exists()


def one_family(violations: list[str], control: Control, monkeypatch: pytest.MonkeyPatch) -> None:
    def strike(_place: Path, _dice: Random) -> Iterator[Struck]:
        while True:
            yield Struck(3, violations)

    family = Family("crashes", "engines killed", 1.0, strike, lambda _: control)
    monkeypatch.setattr(chaos, "families", lambda _program: [family])


def test_the_sheet_is_plain(overnight: Call, monkeypatch: pytest.MonkeyPatch) -> None:
    one_family([], Control("seen", passed=True), monkeypatch)
    said = overnight("chaos", "--seconds", "0", "--seed", "1")
    assert said.status == 0
    assert said.lines[0].startswith("pass  crashes          3  engines killed (")
    assert said.lines[1:] == [
        "      control: seen",
        "passed (seed 1): nothing was lost, doubled, damaged or left behind",
    ]


@pytest.mark.parametrize(
    ("violations", "control"), [(["task 1 is lost"], Control("", passed=True)), ([], Control("blind", passed=False))]
)
def test_a_broken_promise_and_a_blind_judge_both_fail(
    overnight: Call, monkeypatch: pytest.MonkeyPatch, violations: list[str], control: Control
) -> None:
    one_family(violations, control, monkeypatch)
    said = overnight("chaos", "--seconds", "0")
    assert said.status == 1
    assert said.lines[0].startswith("FAIL  crashes")
    assert all(f"      {words}" in said.lines for words in violations)
    assert "  try: " in said.err


def test_a_family_stops_at_the_first_violation() -> None:
    portions = iter([Struck(2, []), Struck(2, ["wrong"]), Struck(2, [])])
    family = Family("a", "b", 1.0, lambda _place, _dice: portions)
    found: Result = chaos._run(family, 100.0, Random(1))  # noqa: S311 - dice
    assert (found.count, found.violations, found.passed) == (4, ["wrong"], False)
