"""How many slots there are, in plain numbers."""

from __future__ import annotations

import math
from typing import Any

import pytest

from overnight.core.gates import Gate, Hold, Reading
from overnight.core.slots import Bounds, Step, automatic, fixed, step

GB = 1_000_000_000
SHORT = Hold(Gate.MEMORY, 3 * GB, 6 * GB)
EIGHT = Bounds(least=1, usual=4, most=8)


def machine(**said: Any) -> Reading:
    """Four CPUs with nothing to do."""
    idle: dict[str, Any] = {"disk_free": 99 * GB, "memory_available": 20 * GB, "memory_total": 32 * GB, "cpus": 4}
    idle |= {"load": 0.5, "cpu_pressure": 0.0, "memory_pressure": 0.0, "disk_pressure": 0.0}
    return Reading(**idle | said)


BLIND = {"cpu_pressure": None, "memory_pressure": None, "disk_pressure": None}
CASES: list[tuple[str, int, int, dict[str, Any], dict[str, Any]]] = [
    # what, slots now, slots then, what differs about the machine, what differs about the question
    ("an idle machine with more to do takes one more", 4, 5, {}, {}),
    ("and one only", 1, 2, {}, {}),
    ("nobody waits for a slot", 4, 4, {}, {"wanted": False}),
    ("the last step was just now", 4, 4, {}, {"since": 29.9}),
    ("as many as allowed", 8, 8, {}, {}),
    ("the CPUs are busy, which is what they are for", 4, 4, {"load": 4.0, "cpu_pressure": 0.05}, {}),
    ("a little waiting for CPUs", 5, 5, {"load": 4.6, "cpu_pressure": 0.4}, {}),
    ("too many want a CPU", 5, 4, {"load": 6.0, "cpu_pressure": 0.9}, {}),
    ("somebody else's load counts, too", 2, 1, {"load": 9.0, "cpu_pressure": 1.0}, {}),
    ("a load of sleepers on a slow disk is no want of CPUs", 4, 4, {"load": 9.0, "cpu_pressure": 0.0}, {}),
    ("never below the least", 1, 1, {"load": 9.0, "cpu_pressure": 1.0, "memory_pressure": 1.0}, {"short": SHORT}),
    ("the last step was just now, and its effect cannot be seen", 5, 5, {"load": 6, "cpu_pressure": 1}, {"since": 9.9}),
    ("the machine swaps", 4, 3, {"memory_pressure": 0.2}, {}),
    ("after swapping it must be quiet first", 3, 3, {"memory_pressure": 0.06}, {}),
    ("memory is short", 4, 3, {}, {"short": SHORT}),
    ("memory is short and nobody waits", 4, 3, {}, {"short": SHORT, "wanted": False}),
    ("the disk cannot keep up with more slots than CPUs", 5, 4, {"disk_pressure": 0.5}, {}),
    ("a slow disk alone takes nothing below one a CPU", 4, 4, {"disk_pressure": 0.9}, {}),
    ("and does not keep slots from coming back", 3, 4, {"disk_pressure": 0.9}, {}),
    ("no pressures told: the load, slowly", 5, 4, {"load": 6.0, **BLIND}, {"since": 60.0}),
    ("no pressures told: the load follows slowly", 5, 5, {"load": 6.0, **BLIND}, {"since": 59.0}),
    ("no pressures told and little load", 4, 5, {"load": 1.0, **BLIND}, {}),
    ("nothing told at all", 4, 4, {"load": None, **BLIND, "memory_available": None}, {}),
    ("nothing told at all, and fewer than usual", 3, 4, {"load": None, **BLIND, "memory_available": None}, {}),
    ("in a container the load is not told, but who waits is", 4, 3, {"load": None, "cpu_pressure": 0.6}, {}),
    ("in a container, with little waiting", 4, 5, {"load": None}, {}),
]


@pytest.mark.parametrize(("slots", "then", "differs", "asked"), [case[1:] for case in CASES], ids=[c[0] for c in CASES])
def test_one_step_at_a_time(slots: int, then: int, differs: dict[str, Any], asked: dict[str, Any]) -> None:
    question = {"short": None, "wanted": True, "since": math.inf} | asked
    made = step(
        slots,
        EIGHT,
        machine(**differs),
        short_of_memory=question["short"],
        wanted=question["wanted"],
        since=question["since"],
    )
    assert (made.slots if made else slots) == then
    assert made is None or made.why


@pytest.mark.parametrize("short", [None, SHORT])
@pytest.mark.parametrize("slots", range(1, 9))
@pytest.mark.parametrize("load", [0.0, 99.0])
def test_never_out_of_bounds_and_never_two_at_once(short: Hold | None, slots: int, load: float) -> None:
    bounds = Bounds(least=1, usual=4, most=8)
    made = step(
        slots, bounds, machine(load=load, cpu_pressure=load / 99), short_of_memory=short, wanted=True, since=math.inf
    )
    assert made is None or (bounds.least <= made.slots <= bounds.most and abs(made.slots - slots) == 1)


def test_a_number_that_a_person_has_chosen_yields_to_memory_alone() -> None:
    busy = machine(load=99.0, cpu_pressure=1.0, memory_pressure=1.0, disk_pressure=1.0)
    assert step(4, fixed(4), busy, short_of_memory=None, wanted=True, since=math.inf) is None
    assert step(4, fixed(4), busy, short_of_memory=SHORT, wanted=False, since=math.inf) == Step(
        3, "3.0 GB of memory left, 6.0 GB needed"
    )
    back = step(3, fixed(4), busy, short_of_memory=None, wanted=False, since=math.inf)
    assert back == Step(4, "there is memory again: 20.0 GB left")
    assert step(1, fixed(1), busy, short_of_memory=SHORT, wanted=True, since=math.inf) is None


@pytest.mark.parametrize(
    ("cpus", "least", "most", "bounds"),
    [
        (4, 1, None, (1, 4, 8)),
        (4, 1, 2, (1, 2, 2)),
        (4, 6, None, (6, 6, 8)),
        (1, 6, None, (6, 6, 6)),
        (1, 1, None, (1, 1, 2)),
    ],
)
def test_it_begins_with_one_a_cpu_within_its_bounds(
    cpus: int, least: int, most: int | None, bounds: tuple[int, int, int]
) -> None:
    made = automatic(cpus, least=least, most=most)
    assert (made.least, made.usual, made.most) == bounds


def test_a_step_says_why() -> None:
    made = step(5, EIGHT, machine(load=6.2, cpu_pressure=0.72), short_of_memory=None, wanted=True, since=math.inf)
    assert made == Step(4, "load 6.2 on 4 CPUs, somebody waited for one in 72% of the time")
