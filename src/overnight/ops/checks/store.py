"""Whether the store can be read by a SQLite that is safe, and whether its write-ahead log is kept short."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing

import apsw

from overnight.core.durations import format_count, format_size
from overnight.core.errors import OvernightError
from overnight.core.findings import Finding
from overnight.host.home import elsewhere, has_tasks
from overnight.ops.checks.contract import Check, Scene, by_hand, fail, ok, warn

_ID = "store"
#: A log of this size is not being written back: some reader holds it for hours.
LONG_LOG = 256_000_000
#: Before that, resetting the log could lose pages. Source: sqlite.org/releaselog/3_51_3.html
SAFE = (3, 51, 3)


def _run(scene: Scene) -> Iterator[Finding]:
    home = scene.home
    if home is None or not has_tasks(home):
        return
    try:
        with closing(scene.open_store()) as store:
            total = store.counts().total
    except OvernightError as error:
        yield fail(_ID, error.message, by_hand("store", "Mend the store", error.hint))
        return
    if place := elsewhere(home):
        yield ok(_ID, f"{total:,} tasks at {place}; backups and checks of its pages are its server's")
        return
    version = apsw.sqlite_lib_version()
    if tuple(map(int, version.split("."))) < SAFE:
        newer = by_hand("sqlite", "Install a newer one", "pip install --upgrade apsw; then overnight restart")
        yield warn(_ID, f"SQLite {version} may damage a store whose log is reset by two at the same time", newer)
    log = home.store.with_name(home.store.name + "-wal")
    size = log.stat().st_size if log.exists() else 0
    if size > LONG_LOG:
        held = by_hand(
            "log", "Find who holds it", f"lsof {home.store}: end readers that stay; the engine does the rest"
        )
        yield warn(_ID, f"the store's log has grown to {format_size(size)}", held, value=size, unit="bytes")
    else:
        words = f"{format_count(total, 'task')} in {format_size(home.store.stat().st_size)}, checksums on its pages"
        yield ok(_ID, f"{words}, SQLite {version}", value=size, unit="bytes")


CHECK = Check(_ID, "store", _run)
