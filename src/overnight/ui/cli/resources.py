"""The figures of the machine for people and for programs."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

from overnight.core.durations import format_size
from overnight.core.monitor.memory import memory_bound
from overnight.monitor.machine import MachineView
from overnight.monitor.snapshot import Snapshot
from overnight.ui.cli import printing
from overnight.ui.cli.sparks import pieces, spark

#: Columns of a row of bars.
_WIDE = 30


def _share(value: float) -> str:
    return f"{value:.0%}"


def _number(value: float) -> str:
    return f"{value:.1f}"


def _flow(value: float) -> str:
    return f"{format_size(value)}/s"


def _yes(value: float) -> str:
    return "yes" if value else "no"


#: How each gauge is called, and how its figures are written.
GAUGES: Mapping[str, tuple[str, Callable[[float], str]]] = {
    "cpu": ("CPU", _share),
    "load": ("Load", _number),
    "memory_available": ("Memory available", format_size),
    "disk_free": ("Disk free", format_size),
    "disk_read": ("Disk read", _flow),
    "disk_written": ("Disk written", _flow),
    "network_received": ("Network received", _flow),
    "network_sent": ("Network sent", _flow),
    "network_up": ("Network up", _yes),
    "cpu_pressure": ("Waiting for CPU", _share),
    "memory_pressure": ("Waiting for memory", _share),
    "disk_pressure": ("Waiting for disk", _share),
}
#: Of these the smallest is what matters; of the others the largest.
SCARCE = frozenset({"memory_available", "disk_free", "network_up"})
#: What the highest bar of a gauge stands for; the largest figure for the others.
FULL: Mapping[str, float] = {
    "cpu": 1.0,
    "network_up": 1.0,
    "cpu_pressure": 1.0,
    "memory_pressure": 1.0,
    "disk_pressure": 1.0,
}


def resource_lines(view: MachineView, *, now: float) -> list[str]:
    """One line for each figure, with its last hour as bars."""
    if view.at is None:
        return ["no figures of the machine: nothing watches here, or not yet"]
    rows = []
    for name, value in view.figures.items():
        called, form = GAUGES[name]
        means = [point.mean for point in view.hour.get(name, ())]
        rows.append((called, form(value), spark(pieces(means, _WIDE), most=FULL.get(name, 0.0))))
    ago = printing.duration(max(0.0, now - view.at))
    return [f"the machine {ago} ago, and its last hour", *printing.table(rows, right=(1,))]


class EngineMemory(NamedTuple):
    """Resident memory of the engine, and what it may have with so many unfinished tasks, bytes."""

    used: float
    bound: int
    tasks: int


def engine_memory(picture: Snapshot) -> EngineMemory | None:
    """How much the engine has at this moment; None when there is none to be asked."""
    from overnight.host.gauges import resident

    engine, tasks = picture.engine, picture.counts.unfinished
    used = None if engine.pid is None else resident(engine.pid)
    return None if used is None else EngineMemory(used, memory_bound(tasks), tasks)


def memory_lines(memory: EngineMemory | None) -> list[str]:
    """Its memory as a share of what it may have."""
    if memory is None:
        return []
    share, bound = memory.used / memory.bound, format_size(memory.bound)
    of = f"{share:.0%} of the {bound} that it may have with {memory.tasks:,} unfinished"
    return [f"the engine takes {format_size(memory.used)} of memory, {of}"]


def memory_shape(memory: EngineMemory | None) -> dict[str, Any]:
    """The same for programs."""
    if memory is None:
        return {}
    percent = round(100 * memory.used / memory.bound, 1)
    return {"engine_memory": memory.used, "engine_memory_bound": memory.bound, "memory_bound_percent": percent}


def resources_shape(view: MachineView) -> dict[str, Any]:
    """The last figures, as JSON shows them: by the names and in the units of the history."""
    return {"at": printing.iso(view.at), **view.figures}
