"""How much room the machine must have: below it no task is started, or fewer run at the same time.

Two gates. Without free disk the store could not record what ends, so below the first threshold
nothing is claimed. Without free memory the machine would swap or kill, so below the second one there
is a warning, and fewer slots (see `core.slots`). A gate that has closed opens only when there is
clearly more than what closed it: figures that hover about a threshold must not open and close it each
second, and the memory that one slot less has freed must not bring that slot back.
"""

from __future__ import annotations

from enum import StrEnum

import msgspec

from overnight.core.durations import format_size

#: Without a word of a person the memory gate needs this many bytes, or a share of all memory where that is less:
#: a gate that a small machine can never open says nothing.
USUAL_MEMORY = 4_000_000_000
USUAL_SHARE = 4


class Reading(msgspec.Struct, frozen=True):
    """What the machine has at one moment. Sizes are bytes; None is what the system does not tell.

    Pressures are the share of the last ten seconds, 0 to 1, in which a task had to wait for a CPU or
    for memory, or in which all that were not idle waited for a disk.
    """

    disk_free: int
    memory_available: int | None = None
    memory_total: int | None = None
    #: CPUs that this process may use.
    cpus: int = 1
    #: Processes that run or want to, on average over the last minute.
    load: float | None = None
    cpu_pressure: float | None = None
    memory_pressure: float | None = None
    disk_pressure: float | None = None


class Gate(StrEnum):
    """What there is not enough of."""

    DISK = "disk"
    MEMORY = "memory"


#: What opens a gate again is so many times what closes it.
MARGINS = {Gate.DISK: 1.1, Gate.MEMORY: 1.5}


class Thresholds(msgspec.Struct, frozen=True):
    """Bytes below which each gate closes; 0 for a gate that is always open.

    `memory` None: `USUAL_MEMORY`, or a quarter of all memory where that is less.
    """

    disk: int = 1_000_000_000
    memory: int | None = None


class Hold(msgspec.Struct, frozen=True):
    """A gate that is closed: how many bytes there are, and how many will open it."""

    gate: Gate
    available: int
    needed: int

    def words(self) -> str:
        """For people: what there is, and what is needed."""
        what = "on the disk" if self.gate is Gate.DISK else "of memory"
        return f"{format_size(self.available)} {what} left, {format_size(self.needed)} needed"


def disk(reading: Reading, thresholds: Thresholds, *, was: Hold | None) -> Hold | None:
    """Whether the disk gate holds now. `was`: what it said before."""
    return _hold(Gate.DISK, reading.disk_free, thresholds.disk, was)


def memory(reading: Reading, thresholds: Thresholds, *, was: Hold | None) -> Hold | None:
    """Whether the memory gate holds now; never where the system does not tell."""
    if reading.memory_available is None:
        return None
    threshold = memory_threshold(reading, thresholds)
    return _hold(Gate.MEMORY, reading.memory_available, threshold, was)


def memory_threshold(reading: Reading, thresholds: Thresholds) -> int:
    """Bytes below which the memory gate closes on this machine."""
    if thresholds.memory is not None:
        return thresholds.memory
    return min(USUAL_MEMORY, (reading.memory_total or 0) // USUAL_SHARE)


def _hold(gate: Gate, available: int, threshold: int, was: Hold | None) -> Hold | None:
    needed = round(threshold * MARGINS[gate])
    return Hold(gate, available, needed) if available < (needed if was else threshold) else None
