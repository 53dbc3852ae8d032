"""Whether what workflows and schedules name is there: programs on PATH, functions that can be imported."""

from __future__ import annotations

import os
import shutil
import sys
from collections.abc import Iterator

from overnight.core.durations import format_count
from overnight.core.findings import Finding
from overnight.ops.checks.contract import Check, Cost, Scene, by_hand, ok, warn
from overnight.ops.functions import Functions
from overnight.ops.workflow_checks import Machine

_ID = "workflows"
_NAMED = 3


def _run(scene: Scene) -> Iterator[Finding]:
    configured = scene.configured
    if not configured.workflows and not configured.schedules:
        return
    missing = list(_missing(scene))
    if missing:
        more = f" and {len(missing) - _NAMED} more" if len(missing) > _NAMED else ""
        see = by_hand("workflows", "Install it, or write another name", "overnight workflow check")
        yield warn(_ID, "; ".join(missing[:_NAMED]) + more, see, value=len(missing), unit="count")
    else:
        parts = len(configured.workflows) + len(configured.schedules)
        named = format_count(parts, "workflow or schedule names", "workflows and schedules name")
        yield ok(_ID, f"all that {named} is there", value=0, unit="count")


def _missing(scene: Scene) -> Iterator[str]:
    directory = scene.home.config.parent if scene.home is not None else scene.project
    machine = Machine(directory, os.environ, sys.path)
    for workflow in scene.configured.workflows.values():
        yield from (f"workflow {workflow.name}: {fault.what}" for fault in machine.check(workflow))
    functions = Functions([str(directory), *sys.path])
    for one in scene.configured.schedules.values():
        if one.run and shutil.which(directory / one.cwd / one.run[0] if "/" in one.run[0] else one.run[0]) is None:
            yield f"schedule {one.name}: there is no {one.run[0]!r}"
        if one.call and (wrong := functions.wrong_with(one.call)):
            yield f"schedule {one.name}: {wrong}"


CHECK = Check(_ID, "workflows and schedules", _run, cost=Cost.SLOW, every=3600.0)
