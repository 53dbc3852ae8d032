"""Whether there is room for what the night will write."""

from __future__ import annotations

from collections.abc import Iterator

from overnight.core.durations import format_size
from overnight.core.findings import Finding
from overnight.host.filesystem import free_bytes
from overnight.ops.checks.contract import Check, Scene, by_hand, fail, ok, warn

_ID = "disk"
#: Less than so many times what closes the gate is too little to sleep on.
AHEAD = 3
_ROOM = (
    "overnight prune shows what may go, and --yes lets it; overnight clean forgets finished tasks and their output;"
    " du -xh --max-depth 2 finds what else is large"
)


def _run(scene: Scene) -> Iterator[Finding]:
    place = scene.home.path if scene.home else scene.project
    free, gate = free_bytes(place), scene.settings.gate_disk
    words = f"{format_size(free)} free at {place}"
    room = by_hand("room", "Make room", _ROOM)
    if free < gate:
        yield fail(_ID, f"{words}; below {format_size(gate)} nothing is started", room, value=free, unit="bytes")
    elif free < AHEAD * gate:
        yield warn(_ID, f"{words}; at {format_size(gate)} nothing more is started", room, value=free, unit="bytes")
    else:
        yield ok(_ID, words, value=free, unit="bytes")


CHECK = Check(_ID, "room on the disk", _run, more_is_better=True)
