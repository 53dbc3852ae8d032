"""Whether what watches beside the engine is at work, where somebody wants it."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from overnight.core.durations import format_duration
from overnight.core.findings import Finding
from overnight.host.lock import read_owner
from overnight.ops.checks.contract import Check, Scene, by_hand, ok, warn

_ID = "monitor"
#: Seconds: it writes each minute while nothing changes.
_LATE = 180.0


def _run(scene: Scene) -> Iterator[Finding]:
    home = scene.home
    owner = None if home is None else read_owner(home.lock)
    if home is None or owner is None or not scene.settings.monitor:
        return
    written = _written(home.monitor_json)
    # A new engine has some time to begin with, whatever was written before it.
    age = max(0.0, scene.clock.now() - max(written, owner.started_at or 0.0))
    if age < _LATE:
        yield ok(_ID, f"monitor.json was written {format_duration(age)} ago", value=age, unit="seconds")
        return
    words = f"monitor.json was not written for {format_duration(age)}; the work goes on, and nothing is drawn"
    log = by_hand("monitor-log", "See what it says", f"tail {home.log}")
    yield warn(_ID, words, log, value=age, unit="seconds")


def _written(path: Path) -> float:
    """POSIX seconds; 0 when it never was."""
    try:
        return path.stat().st_mtime
    except OSError:
        return 0.0


CHECK = Check(_ID, "what watches", _run)
