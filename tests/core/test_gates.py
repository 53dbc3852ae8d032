"""When there is too little room on the machine, in plain numbers."""

from __future__ import annotations

import pytest

from overnight.core.gates import Gate, Hold, Reading, Thresholds, disk, memory

GB = 1_000_000_000
ANY = Hold(Gate.DISK, 0, 1)

#: Free disk and the threshold, in GB; whether the gate held before; whether it holds now.
DISK = [
    (5.0, 1.0, False, False),
    (1.0, 1.0, False, False),
    (0.999, 1.0, False, True),
    (0.0, 1.0, False, True),
    # Hovering about the threshold changes nothing; a tenth more does.
    (1.0, 1.0, True, True),
    (1.099, 1.0, True, True),
    (1.1, 1.0, True, False),
    # Turned off.
    (0.0, 0.0, False, False),
    (0.0, 0.0, True, False),
]

#: Available memory, all of it, the threshold (None: nobody has said one), held before, holds now.
MEMORY = [
    (9.0, 32.0, None, False, False),
    (4.0, 32.0, None, False, False),
    (3.9, 32.0, None, False, True),
    (5.9, 32.0, None, True, True),
    (6.0, 32.0, None, True, False),
    # A small machine: a quarter of what it has.
    (2.0, 8.0, None, False, False),
    (1.9, 8.0, None, False, True),
    (3.0, 8.0, None, True, False),
    # What a person says is taken as it is.
    (3.0, 8.0, 4.0, False, True),
    (0.1, 8.0, 0.0, True, False),
]


@pytest.mark.parametrize(("free", "threshold", "held", "holds"), DISK)
def test_the_disk_gate(free: float, threshold: float, held: bool, holds: bool) -> None:  # noqa: FBT001 - a table
    reading = Reading(disk_free=int(free * GB))
    assert (disk(reading, Thresholds(disk=int(threshold * GB)), was=ANY if held else None) is not None) == holds


@pytest.mark.parametrize(("available", "total", "threshold", "held", "holds"), MEMORY)
def test_the_memory_gate(
    available: float,
    total: float,
    threshold: float | None,
    held: bool,  # noqa: FBT001 - a table
    holds: bool,  # noqa: FBT001 - a table
) -> None:
    reading = Reading(disk_free=0, memory_available=int(available * GB), memory_total=int(total * GB))
    thresholds = Thresholds(memory=None if threshold is None else int(threshold * GB))
    assert (memory(reading, thresholds, was=ANY if held else None) is not None) == holds


def test_a_machine_that_tells_nothing_of_its_memory_is_never_short_of_it() -> None:
    assert memory(Reading(disk_free=0), Thresholds(memory=4 * GB), was=ANY) is None
    assert memory(Reading(disk_free=0, memory_available=1), Thresholds(), was=ANY) is None


def test_a_hold_says_what_there_is_and_what_opens_it() -> None:
    hold = disk(Reading(disk_free=412_000_000), Thresholds(), was=None)
    assert hold == Hold(Gate.DISK, 412_000_000, 1_100_000_000)
    assert hold is not None
    assert hold.words() == "412 MB on the disk left, 1.1 GB needed"
