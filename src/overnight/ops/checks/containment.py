"""What holds the processes of tasks together on this machine, and whether that is what the settings ask for."""

from __future__ import annotations

from collections.abc import Iterator

from overnight.core.findings import Finding
from overnight.executors.local.containment import IsolationError, in_short, need_isolation
from overnight.ops.checks.contract import Check, Scene, by_hand, fail, ok

_ID = "containment"


def _run(scene: Scene) -> Iterator[Finding]:
    if scene.home is None:
        return
    try:
        need_isolation(scene.settings.isolation)
    except IsolationError as error:
        yield fail(_ID, error.message, by_hand("isolation", "Ask for what there is", error.hint))
    else:
        yield ok(_ID, in_short(scene.settings.isolation))


CHECK = Check(_ID, "containment", _run)
