"""What is measured of a machine and its work, again and again: the columns of the history."""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple


class Gauge(NamedTuple):
    """One figure that goes up and down."""

    name: str
    unit: str
    help: str


GAUGES = (
    Gauge("cpu", "ratio", "Share of all CPUs that was busy, 0 to 1."),
    Gauge("load", "count", "Load average of one minute."),
    Gauge("memory_available", "bytes", "Memory that can be had without swapping."),
    Gauge("disk_free", "bytes", "Room on the disk of the home."),
    Gauge("disk_read", "bytes/s", "Read from all disks."),
    Gauge("disk_written", "bytes/s", "Written to all disks."),
    Gauge("network_received", "bytes/s", "Received by all interfaces but the loopback."),
    Gauge("network_sent", "bytes/s", "Sent by them."),
    Gauge("network_up", "bool", "1 when there is a way out of this machine, 0 when there is none."),
    Gauge("cpu_pressure", "ratio", "Share of time in which something waited for a CPU."),
    Gauge("memory_pressure", "ratio", "Share of time in which something waited for memory."),
    Gauge("disk_pressure", "ratio", "Share of time in which everything waited for the disk."),
    Gauge("waiting", "count", "Tasks that wait for their time or for others."),
    Gauge("pending", "count", "Tasks that could start."),
    Gauge("running", "count", "Tasks that run."),
    Gauge("completed", "count", "Tasks that are done."),
    Gauge("failed", "count", "Tasks that were given up."),
    Gauge("held", "count", "Tasks that wait for a person."),
    Gauge("slots", "count", "Attempts that may run at the same time."),
    Gauge("active", "count", "Workers that have something to do."),
    Gauge("engine_memory", "bytes", "Resident memory of the engine."),
    Gauge("monitor_memory", "bytes", "Resident memory of the process that watches."),
    Gauge("rate", "1/s", "Tasks finished a second, as the engine expects it to go on."),
)

NAMES = tuple(gauge.name for gauge in GAUGES)

#: One look at all of them; what is not known is left out.
Figures = Mapping[str, float]


class Resolution(NamedTuple):
    """How finely something is kept, and for how long; both in seconds."""

    span: int
    kept: float


_DAY = 86400.0
#: From fine to coarse; each is made from the one before.
RESOLUTIONS = (Resolution(1, _DAY), Resolution(10, 3 * _DAY), Resolution(60, 40 * _DAY), Resolution(3600, 800 * _DAY))

#: Seconds between two looks while nothing runs.
IDLE_EVERY = 60.0
#: The span of which means are made, as long as it is kept; of a time that is so long, an hour does.
_MEANS, _LONG = 60, 7 * _DAY
#: Points that a chart is drawn with at most.
MOST_POINTS = 2000


def span_for(seconds: float, age: float) -> int:
    """The span in which a chart over so many seconds is read, when its beginning lies `age` seconds back."""
    kept = [one for one in RESOLUTIONS if one.kept >= age] or [RESOLUTIONS[-1]]
    return next((one.span for one in kept if seconds / one.span <= MOST_POINTS), kept[-1].span)


def mean_spans(seconds: float, age: float) -> list[int]:
    """The spans in which a mean is read, the best one first: of so many seconds that began `age` seconds back.

    Looks are as many a minute as there was to do, so minutes come first: each weighs the same. What has not lasted
    for a minute is in the finer ones alone.
    """
    kept = [one.span for one in RESOLUTIONS if one.kept >= age] or [RESOLUTIONS[-1].span]
    return sorted((span for span in kept if span <= _MEANS or seconds >= _LONG), reverse=True) or kept[:1]
