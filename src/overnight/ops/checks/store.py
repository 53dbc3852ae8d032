"""Whether the store can be read, and whether its write-ahead log is kept short."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing

from overnight.core.durations import format_size
from overnight.core.errors import OvernightError
from overnight.core.findings import Finding
from overnight.ops.checks.contract import Check, Scene, by_hand, fail, ok, warn

_ID = "store"
#: A log of this size is not being written back: some reader holds it for hours.
LONG_LOG = 256_000_000


def _run(scene: Scene) -> Iterator[Finding]:
    home = scene.home
    if home is None or not home.store.exists():
        return
    try:
        with closing(scene.open_store()) as store:
            total = store.counts().total
    except OvernightError as error:
        yield fail(_ID, error.message, by_hand("store", "Mend the store", error.hint))
        return
    log = home.store.with_name(home.store.name + "-wal")
    size = log.stat().st_size if log.exists() else 0
    if size > LONG_LOG:
        held = by_hand(
            "log", "Find who holds it", f"lsof {home.store}: end readers that stay; the engine does the rest"
        )
        yield warn(_ID, f"the store's log has grown to {format_size(size)}", held, value=size, unit="bytes")
    else:
        yield ok(_ID, f"{total:,} tasks in {format_size(home.store.stat().st_size)}", value=size, unit="bytes")


CHECK = Check(_ID, "store", _run)
