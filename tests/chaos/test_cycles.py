"""Engines started and stopped in one process, again and again, hold no more at the end than at the beginning."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

SCRIPT = Path(__file__).parents[1] / "support" / "cycles.py"


#: Cycles over which memory goes up and down by itself, by up to a megabyte: their peak is what is compared.
BREATH = 5


def figures(directory: Path, count: int, *words: str) -> list[dict[str, int]]:
    """What the process held after each of so many cycles."""
    done = subprocess.run(
        [sys.executable, SCRIPT, str(count), *words], cwd=directory, capture_output=True, check=True, timeout=1800
    )
    return [json.loads(line) for line in done.stdout.splitlines()]


def changed(found: list[dict[str, int]], *, after: int, bytes_a_cycle: int) -> set[str]:
    """What there is another number of at the end than after the first so many cycles; of memory, more than this."""
    first, last = (max(one["memory"] for one in part) for part in (found[after : after + BREATH], found[-BREATH:]))
    counted = {name for name in found[0] if name != "memory" and found[-1][name] != found[after][name]}
    return counted | ({"memory"} if last - first > bytes_a_cycle * (len(found) - BREATH - after) else set())


def test_starting_and_stopping_in_one_process_holds_on_to_nothing(tmp_path: Path) -> None:
    assert changed(figures(tmp_path, 12), after=1, bytes_a_cycle=200 * 1024) == set()


def test_one_of_everything_left_behind_in_each_cycle_is_seen(tmp_path: Path) -> None:
    """The control."""
    found = figures(tmp_path, 8, "careless")
    assert changed(found, after=1, bytes_a_cycle=200 * 1024) == set(found[0])


@pytest.mark.prove
def test_a_thousand_cycles_in_one_process_hold_on_to_nothing_and_take_no_memory(tmp_path: Path) -> None:
    assert changed(figures(tmp_path, 1000), after=100, bytes_a_cycle=1024) == set()
