"""Whether there is memory for as many tasks at once as there are slots."""

from __future__ import annotations

from collections.abc import Iterator

from overnight.core.durations import format_size
from overnight.core.findings import Finding
from overnight.core.gates import Thresholds, memory_threshold
from overnight.host.resources import Machine
from overnight.ops.checks.contract import Check, Scene, by_hand, ok, warn

_ID = "memory"


def _run(scene: Scene) -> Iterator[Finding]:
    reading = Machine(scene.project).look()
    available = reading.memory_available
    if available is None:
        return
    gate = memory_threshold(reading, Thresholds(memory=scene.settings.gate_memory))
    words = f"{format_size(available)} of memory available"
    if available < gate:
        who = by_hand("memory", "See who has it", "ps axo rss,pid,args --sort -rss | head")
        yield warn(_ID, f"{words}; below {format_size(gate)} slots are taken away", who, value=available, unit="bytes")
    else:
        yield ok(_ID, words, value=available, unit="bytes")


CHECK = Check(_ID, "memory", _run, more_is_better=True)
