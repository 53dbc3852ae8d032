"""Whether any task needs a person."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing

from overnight.core.durations import format_count
from overnight.core.findings import Finding
from overnight.host.home import has_tasks
from overnight.ops.checks.contract import Check, Scene, by_hand, ok, warn

_ID = "tasks"
_LOOK_AT_FAILED = by_hand(
    "failed",
    "Look at what failed",
    "overnight list --state failed; mend the cause, then overnight retry ID, or retry-failed for all of them; what"
    " should not run again: overnight clean ID forgets it",
)
_LOOK_AT_HELD = by_hand(
    "held", "Decide about what is held", "overnight list --state held; then overnight release ID or overnight cancel ID"
)


def _run(scene: Scene) -> Iterator[Finding]:
    if scene.home is None or not has_tasks(scene.home):
        return
    with closing(scene.open_store()) as store:
        counts = store.counts()
    if counts.failed:
        failed = format_count(counts.failed, "task has", "tasks have")
        yield warn(_ID, f"{failed} failed", _LOOK_AT_FAILED, value=counts.failed, unit="count")
    if counts.held:
        held = format_count(counts.held, "task is", "tasks are")
        yield warn(_ID, f"{held} held for a person", _LOOK_AT_HELD, value=counts.held, unit="count")
    if not counts.failed and not counts.held:
        yield ok(_ID, f"of {format_count(counts.total, 'task')} none has failed or is held", value=0, unit="count")


CHECK = Check(_ID, "tasks that need a person", _run)
