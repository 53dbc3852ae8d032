"""Whether the home can be used by us and by nobody else."""

from __future__ import annotations

import os
import stat
from collections.abc import Iterator
from contextlib import closing

from overnight.core.findings import Finding, Fix
from overnight.host.home import has_tasks
from overnight.monitor.elsewhere import elsewhere, relocating
from overnight.ops.checks.contract import Check, Scene, by_hand, fail, ok, warn

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
    if has_tasks(scene.home):
        with closing(scene.open_store()) as store:
            moved = elsewhere(store, scene.home)
        if moved:
            yield warn(
                _ID,
                moved.words(),
                by_hand("moved", "Have them run here, or cancel them", relocating(moved.was, moved.here)),
            )


CHECK = Check(_ID, "home", _run)
