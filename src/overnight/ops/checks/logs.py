"""Whether logs tell of errors that nobody has looked at yet, where somebody has named logs or looked before."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing, nullcontext

import apsw

from overnight.core.findings import Finding, Fix
from overnight.host.clock import LocalZone
from overnight.ops.asking import SLACK
from overnight.ops.checks.contract import Check, Cost, Scene, by_hand, ok, warn
from overnight.ops.logs.keeping import LogStore
from overnight.ops.logs.scanning import Scan, Scanned

_ID = "logs"
_LOOK = Fix("logs-errors", "Look at them", ("overnight", "logs", "errors"))
_NAMED = 80


def _run(scene: Scene) -> Iterator[Finding]:
    home, patterns, units = scene.home, scene.settings.log_files, scene.settings.log_units
    if home is None or not (home.logs.exists() or patterns or units):
        return
    try:
        store = LogStore(home.logs, readonly=True) if home.logs.exists() else None
    except apsw.Error as error:
        yield warn(_ID, f"what was found before cannot be read ({error})", _LOOK)
        return
    with closing(store) if store else nullcontext():
        scan = Scan(store, zone=LocalZone(), now=scene.clock.now(), seconds=CHECK.timeout - SLACK)
        scanned = scan.run(home, patterns, units)
    yield _judge(scanned)
    if scanned.troubles:
        path, why = scanned.troubles[0]
        more = f" and {len(scanned.troubles) - 1} more" if len(scanned.troubles) > 1 else ""
        mend = by_hand("logs-files", "Mend what [logs] files names", f"ls -l {path}; or leave it out of overnight.toml")
        yield warn(_ID, f"{path}: {why}{more}", mend, value=len(scanned.troubles), unit="count")


def _judge(scanned: Scanned) -> Finding:
    new = len(scanned.new)
    if not new:
        return ok(_ID, "no new kinds of errors since the last look", value=0, unit="count")
    words = f"{new} new kinds of errors" if new > 1 else "a new kind of error"
    return warn(_ID, f"{words}: {scanned.new[0].sample[:_NAMED]}", _LOOK, value=new, unit="count")


CHECK = Check(_ID, "errors in logs", _run, cost=Cost.SLOW)
