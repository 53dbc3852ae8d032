"""How many attempts run at the same time, when the machine decides.

One step at a time, and after each a pause that is long enough to see what it has done: the pressures
that the kernel tells are means over ten seconds, the load over a minute. Down comes before up, and up
needs clearly more room than what sends down, so that a machine at its limit is left where it is.

Who has fixed the number keeps it but for one thing: while memory is short, slots go one by one, and
come back one by one.
"""

from __future__ import annotations

import msgspec

from overnight.core.durations import format_size
from overnight.core.gates import Hold, Reading

#: Seconds after any step before slots are taken away, and before one is added.
BEFORE_LESS = 10.0
BEFORE_MORE = 30.0
#: The same where the system tells no pressure and the load, which follows slowly, is all there is.
BEFORE_LESS_BY_LOAD = 60.0
#: Load for each CPU, and share of the time with somebody waiting for a CPU, beyond which a slot goes.
BUSY_LOAD = 1.25
BUSY_CPU = 0.5
#: The same below which one more is worth trying.
CALM_LOAD = 0.8
CALM_CPU = 0.1
#: Share of the time with somebody waiting for memory beyond which a slot goes: the machine has begun to swap.
BUSY_MEMORY = 0.1
#: Share of the time in which everybody waited for the disk. More slots than CPUs do not make that better.
BUSY_DISK = 0.4
CALM_DISK = 0.1


class Bounds(msgspec.Struct, frozen=True):
    """Between what the number moves. `usual` is where it begins; with `auto` false it only returns there."""

    least: int
    usual: int
    most: int
    auto: bool = True


class Step(msgspec.Struct, frozen=True):
    """A change of the number of slots, and why, for people."""

    slots: int
    why: str


def fixed(slots: int) -> Bounds:
    """A number that a person has chosen."""
    return Bounds(1, slots, slots, auto=False)


def automatic(cpus: int, *, least: int, most: int | None) -> Bounds:
    """One a CPU to begin with, up to two unless a person has said how many."""
    most = max(least, 2 * cpus if most is None else most)
    return Bounds(least, min(max(cpus, least), most), most)


def step(
    slots: int, bounds: Bounds, reading: Reading, *, short_of_memory: Hold | None, wanted: bool, since: float
) -> Step | None:
    """Decide whether there is one slot more, one less, or as many as before.

    Args:
        slots: How many there are.
        bounds: Between what.
        reading: What the machine has.
        short_of_memory: The memory gate, while it holds.
        wanted: Whether every slot is busy and there is more to do.
        since: Seconds since the last step, or since the beginning.
    """
    if slots > bounds.least and (why := _too_many(slots, bounds, reading, short_of_memory, since)):
        return Step(slots - 1, why)
    if slots < bounds.most and (why := _too_few(slots, bounds, reading, short_of_memory, since, wanted=wanted)):
        return Step(slots + 1, why)
    return None


def _too_many(slots: int, bounds: Bounds, reading: Reading, short: Hold | None, since: float) -> str:
    """Why a slot should go; empty when none should."""
    if since < BEFORE_LESS:
        return ""
    if short is not None:
        return short.words()
    if not bounds.auto:
        return ""
    if (reading.memory_pressure or 0.0) >= BUSY_MEMORY:
        return f"memory is short: tasks waited for it in {_percent(reading.memory_pressure)} of the time"
    if slots > bounds.usual and (reading.disk_pressure or 0.0) >= BUSY_DISK:
        return f"the disk is slow: all waited for it in {_percent(reading.disk_pressure)} of the time"
    return _overloaded(reading, since)


def _overloaded(reading: Reading, since: float) -> str:
    if reading.load is not None and reading.load < BUSY_LOAD * reading.cpus:
        return ""
    if reading.cpu_pressure is None:
        return _load(reading) if reading.load is not None and since >= BEFORE_LESS_BY_LOAD else ""
    if reading.cpu_pressure < BUSY_CPU:
        return ""
    return f"{_load(reading)}, somebody waited for one in {_percent(reading.cpu_pressure)} of the time"


def _too_few(slots: int, bounds: Bounds, reading: Reading, short: Hold | None, since: float, *, wanted: bool) -> str:
    """Why there should be one more; empty when there should not."""
    if short is not None or since < (BEFORE_MORE if bounds.auto else BEFORE_LESS):
        return ""
    if not bounds.auto:
        return f"there is memory again: {format_size(reading.memory_available or 0)} left"
    if not wanted or not _calm(slots, bounds, reading):
        return ""
    return f"all {slots} busy and more to do; {_load(reading)}" if slots > 1 else f"more to do; {_load(reading)}"


def _calm(slots: int, bounds: Bounds, reading: Reading) -> bool:
    """Whether the machine has room for one more; never beyond the usual number where it does not tell."""
    told = reading.load is not None or reading.cpu_pressure is not None
    return (
        (told or slots < bounds.usual)
        and (reading.memory_pressure or 0.0) < BUSY_MEMORY / 2
        and (slots < bounds.usual or (reading.disk_pressure or 0.0) < CALM_DISK)
        and (reading.cpu_pressure or 0.0) < CALM_CPU
        and (reading.load or 0.0) < CALM_LOAD * reading.cpus
    )


def _load(reading: Reading) -> str:
    cpus = "1 CPU" if reading.cpus == 1 else f"{reading.cpus} CPUs"
    return cpus if reading.load is None else f"load {reading.load:.1f} on {cpus}"


def _percent(share: float | None) -> str:
    return f"{share or 0.0:.0%}"
