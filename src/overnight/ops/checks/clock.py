"""Whether the wall clock can be believed: not before what the home has already seen."""

from __future__ import annotations

from collections.abc import Iterator

from overnight.core.durations import format_duration, iso
from overnight.core.findings import Finding
from overnight.ops.checks.contract import Check, Scene, by_hand, fail, ok

_ID = "clock"
#: Seconds by which files may lie ahead: a network's clock, rounding.
SLACK = 60.0


def _run(scene: Scene) -> Iterator[Finding]:
    if scene.home is None:
        return
    seen = [path for path in (scene.home.store, scene.home.journal, scene.home.engine_info) if path.exists()]
    newest = max((path.stat().st_mtime for path in seen), default=0.0)
    now = scene.clock.now()
    if newest > now + SLACK:
        behind = format_duration(newest - now)
        right = by_hand("clock", "Set the clock", "timedatectl status; tasks that wait for a time wait by this clock")
        yield fail(
            _ID,
            f"the clock says {iso(now)}, {behind} before what it said last",
            right,
            value=now - newest,
            unit="seconds",
        )
    else:
        yield ok(_ID, f"{iso(now)}, and nothing here is from later")


CHECK = Check(_ID, "wall clock", _run)
