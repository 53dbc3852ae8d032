"""Whether the Python packages around us fit together. What workflows name is a check of its own."""

from __future__ import annotations

import sys
from collections.abc import Iterator

from overnight.core.durations import format_duration
from overnight.core.findings import Finding
from overnight.ops.asking import answer_of
from overnight.ops.checks.contract import Check, Cost, Scene, by_hand, ok, unknown, warn

_ID = "dependencies"
_NAMED = 3


def _run(scene: Scene) -> Iterator[Finding]:
    argv = [sys.executable, "-m", "pip", "--disable-pip-version-check", "check"]
    answer = answer_of(argv, cwd=scene.project, seconds=CHECK.timeout)
    if answer is None:
        yield unknown(
            _ID, f"pip does not say within {format_duration(CHECK.timeout)} whether the packages fit together"
        )
        return
    exit_code, said = answer
    complaints = [line for line in said.splitlines() if " has " in line]
    if complaints:
        more = f" and {len(complaints) - _NAMED} more" if len(complaints) > _NAMED else ""
        mend = by_hand("packages", "Mend the environment", f"{sys.executable} -m pip check; install what it names")
        yield warn(_ID, "; ".join(complaints[:_NAMED]) + more, mend, value=len(complaints), unit="count")
    elif exit_code == 0:
        yield ok(_ID, "the Python packages fit together", value=0, unit="count")


CHECK = Check(_ID, "dependencies", _run, cost=Cost.SLOW, timeout=4.0, every=3600.0)
