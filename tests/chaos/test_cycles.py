"""Engines started and stopped in one process, again and again, hold no more at the end than at the beginning."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

SCRIPT = Path(__file__).parents[1] / "support" / "cycles.py"


def figures(directory: Path, count: int) -> list[dict[str, int]]:
    """What the process held after each of so many cycles."""
    done = subprocess.run(
        [sys.executable, SCRIPT, str(count)], cwd=directory, capture_output=True, check=True, timeout=1800
    )
    return [json.loads(line) for line in done.stdout.splitlines()]


def held(one: dict[str, int]) -> dict[str, int]:
    """Everything that can be counted."""
    return {name: value for name, value in one.items() if name != "memory"}


def test_starting_and_stopping_in_one_process_holds_on_to_nothing(tmp_path: Path) -> None:
    found = figures(tmp_path, 12)
    assert held(found[-1]) == held(found[1])


@pytest.mark.prove
def test_a_thousand_cycles_in_one_process_hold_on_to_nothing_and_take_no_memory(tmp_path: Path) -> None:
    found = figures(tmp_path, 1000)
    assert held(found[-1]) == held(found[100])
    assert (found[-1]["memory"] - found[100]["memory"]) / 900 < 1024
