"""What the history has of the machine: the last figures, and how they were in the last hour."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import closing
from pathlib import Path

import apsw
import msgspec

from overnight.core.gauges import GAUGES
from overnight.monitor.history.asking import Past, Point

#: How far back, seconds.
HOUR = 3600.0
#: Those that tell of the machine and not of the work, in the order in which they are shown.
OF_THE_MACHINE = tuple(gauge.name for gauge in GAUGES[:12])


class MachineView(msgspec.Struct, frozen=True):
    """Figures by the names and in the units of `core.gauges`; nothing where nobody watches."""

    #: When they were looked at, POSIX seconds; None: never.
    at: float | None = None
    figures: Mapping[str, float] = {}
    #: Of the last hour, the oldest first.
    hour: Mapping[str, Sequence[Point]] = {}


def machine_view(home: Path, *, now: float, names: Sequence[str] = OF_THE_MACHINE) -> MachineView:
    """Look into the history of a home; an empty view when there is none that can be read.

    Args:
        home: Where ``history.db`` lies.
        now: POSIX seconds.
        names: Which figures are wanted over the hour.
    """
    try:
        with closing(Past(home / "history.db")) as past:
            latest = past.latest()
            if latest is None:
                return MachineView()
            at, figures = latest
            hour = {name: past.series(name, since=now - HOUR, until=now, now=now) for name in names if name in figures}
    except apsw.Error:
        return MachineView()
    return MachineView(float(at), {name: figures[name] for name in OF_THE_MACHINE if name in figures}, hour)


def mean_attempt_seconds(home: Path) -> float | None:
    """What an attempt has taken so far, by the history; None when that knows of none."""
    try:
        with closing(Past(home / "history.db")) as past:
            return past.mean_seconds()
    except apsw.Error:
        return None
