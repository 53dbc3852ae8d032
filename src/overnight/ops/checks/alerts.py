"""Whether an alert fires that nobody has silenced, where there are alerts."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from overnight.core.durations import format_count
from overnight.core.findings import Finding, Fix
from overnight.monitor.history.standing import standing
from overnight.ops.checks.contract import Check, Scene, ok, warn

_ID = "alerts"
_LOOK = Fix("alerts-list", "Look at them", ("overnight", "alerts", "list"))
_NAMED = 3


def _run(scene: Scene) -> Iterator[Finding]:
    if scene.home is None:
        return
    found = standing(scene.home.history, now=scene.clock.now(), messages=0)
    alerts = found.book.alerts
    if not alerts:
        return
    firing = [name for name, one in alerts.items() if one.is_active and not _is_silenced(name, found.silences)]
    if not firing:
        yield ok(_ID, f"of {format_count(len(alerts), 'alert')} none fires", value=0, unit="count")
        return
    words = "; ".join(f"{name}: {alerts[name].words}" for name in firing[:_NAMED])
    more = f" and {len(firing) - _NAMED} more" if len(firing) > _NAMED else ""
    yield warn(_ID, f"{len(firing)} of {len(alerts)} fire: {words}{more}", _LOOK, value=len(firing), unit="count")


def _is_silenced(name: str, silences: Iterable[str]) -> bool:
    """Of an alert on several things, each has its name after that of the alert."""
    return any(name == one or name.startswith(f"{one}.") for one in silences)


CHECK = Check(_ID, "alerts that fire", _run)
