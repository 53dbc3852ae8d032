"""Engines started and stopped in one process, again and again, hold no more at the end than at the beginning."""

from __future__ import annotations

import json
import os
import random
import statistics
import subprocess
import sys
from collections.abc import Sequence
from itertools import pairwise
from pathlib import Path

import pytest

SCRIPT = Path(__file__).parents[1] / "support" / "cycles.py"
#: Windows by which memory is judged.
WINDOWS = 15


def figures(directory: Path, count: int, *words: str) -> list[dict[str, int]]:
    """What the process held after each of so many cycles."""
    done = subprocess.run(
        [sys.executable, SCRIPT, str(count), *words],
        cwd=directory,
        env=os.environ | {"PYTHONMALLOC": "malloc"},
        capture_output=True,
        check=True,
        timeout=1800,
    )
    return [json.loads(line) for line in done.stdout.splitlines()]


def growth(values: Sequence[float]) -> float:
    """By how much it grows from one value to the next, as a rule.

    The medians of windows in a row: what grows with each cycle is more in each window than in the one before, and
    a table that was full and became twice as large is so in one.
    """
    size = len(values) // WINDOWS or 1
    medians = [statistics.median(values[at : at + size]) for at in range(0, len(values) - size + 1, size)]
    return statistics.median(later - sooner for sooner, later in pairwise(medians)) / size


def changed(found: list[dict[str, int]], *, after: int, bytes_a_cycle: int) -> set[str]:
    """What there is another number of at the end than after the first so many cycles; of memory, more than this."""
    counted = {name for name in found[0] if name != "memory" and found[-1][name] != found[after][name]}
    grows = growth([one["memory"] for one in found[after:]]) > bytes_a_cycle
    return counted | ({"memory"} if grows else set())


@pytest.mark.parametrize(("leak", "grows"), [(0, False), (500, False), (1500, True), (5000, True)])
def test_steps_and_swings_of_memory_are_told_from_what_grows(leak: int, grows: bool) -> None:  # noqa: FBT001 - a row
    dice = random.Random(1)  # noqa: S311 - for a series of numbers
    tables = {150: 600_000, 400: 1_200_000, 700: 600_000}
    total, series = 32_000_000, []
    for cycle in range(900):
        total += leak + tables.get(cycle, 0)
        series.append(total + dice.choice((0, 0, 0, 400_000)))
    assert (growth(series) > 1024) is grows


def test_starting_and_stopping_in_one_process_holds_on_to_nothing(tmp_path: Path) -> None:
    assert changed(figures(tmp_path, 12), after=1, bytes_a_cycle=200 * 1024) == set()


def test_one_of_everything_left_behind_in_each_cycle_is_seen(tmp_path: Path) -> None:
    """The control."""
    found = figures(tmp_path, 8, "careless")
    assert changed(found, after=1, bytes_a_cycle=200 * 1024) == set(found[0])


@pytest.mark.prove
def test_two_kilobytes_left_behind_in_each_cycle_are_seen(tmp_path: Path) -> None:
    """The control of the next one; half of that would be allowed."""
    assert changed(figures(tmp_path, 460, "leaking", "2048"), after=100, bytes_a_cycle=1024) == {"memory"}


@pytest.mark.prove
def test_a_thousand_cycles_in_one_process_hold_on_to_nothing_and_take_no_memory(tmp_path: Path) -> None:
    assert changed(figures(tmp_path, 1000), after=100, bytes_a_cycle=1024) == set()
