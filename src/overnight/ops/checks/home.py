"""Whether the home can be used by us and by nobody else."""

from __future__ import annotations

import os
import stat
from collections.abc import Iterator
from contextlib import closing

from overnight.core.findings import Finding, Fix
from overnight.host.home import Home, has_tasks
from overnight.monitor import health
from overnight.monitor.elsewhere import elsewhere, relocating
from overnight.monitor.history import database
from overnight.monitor.history.database import is_newer
from overnight.ops.checks.contract import Check, Scene, by_hand, fail, ok, warn
from overnight.ops.dormant import keeping as dormant
from overnight.ops.logs import keeping as logs
from overnight.ops.suites import keeping as suites

_ID = "home"
_OTHERS = stat.S_IRWXG | stat.S_IRWXO


def _run(scene: Scene) -> Iterator[Finding]:
    if scene.home is None:
        return
    path = scene.home.path
    seen = path.stat()
    if seen.st_uid != os.getuid():
        yield fail(
            _ID, f"{path} belongs to user {seen.st_uid}", by_hand("owner", "Work as its owner", f"ls -ld {path}")
        )
    elif seen.st_mode & _OTHERS:
        close = Fix("home-mode", "Close the home to others", ("chmod", "go-rwx", os.fspath(path)))
        yield warn(_ID, f"{path} is open to other users (mode {seen.st_mode & 0o777:o})", close)
    elif not os.access(path, os.W_OK | os.X_OK):
        yield fail(
            _ID, f"{path} cannot be written to", by_hand("writable", "Make it writable", f"ls -ld {path}; mount")
        )
    else:
        yield ok(_ID, f"{path} is ours alone")
    yield from _newer(scene.home)
    if has_tasks(scene.home):
        with closing(scene.open_store()) as store:
            moved = elsewhere(store, scene.home)
        if moved:
            yield warn(
                _ID,
                moved.words(),
                by_hand("moved", "Have them run here, or cancel them", relocating(moved.was, moved.here)),
            )


def _newer(home: Home) -> Iterator[Finding]:
    """Files that a later version has written: they are left alone, so nothing of now is kept in them."""
    files = (
        (home.history, database),
        (home.health, health),
        (home.tests, suites),
        (home.logs, logs),
        (home.dormant, dormant),
    )
    found = [file.name for file, room in files if is_newer(file, application=room.APPLICATION, version=room.VERSION)]
    if found:
        words = f"a newer version of overnight has written {', '.join(found)}, and nothing of now is kept in it"
        yield warn(_ID, words, by_hand("newer", "Install that version again", "pip install --upgrade overnight"))


CHECK = Check(_ID, "home", _run)
