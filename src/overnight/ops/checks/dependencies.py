"""Whether the Python packages around us fit together. What workflows name is a check of its own."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator

from overnight.core.findings import Finding
from overnight.ops.checks.contract import Check, Cost, Scene, by_hand, ok, warn

_ID = "dependencies"
_NAMED = 3


def _run(scene: Scene) -> Iterator[Finding]:
    done = subprocess.run(
        [sys.executable, "-m", "pip", "--disable-pip-version-check", "check"],
        cwd=scene.project,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        timeout=CHECK.timeout,
        check=False,
    )
    complaints = [line for line in done.stdout.decode("utf-8", "backslashreplace").splitlines() if " has " in line]
    if complaints:
        more = f" and {len(complaints) - _NAMED} more" if len(complaints) > _NAMED else ""
        mend = by_hand("packages", "Mend the environment", f"{sys.executable} -m pip check; install what it names")
        yield warn(_ID, "; ".join(complaints[:_NAMED]) + more, mend, value=len(complaints), unit="count")
    elif done.returncode == 0:
        yield ok(_ID, "the Python packages fit together", value=0, unit="count")


CHECK = Check(_ID, "dependencies", _run, cost=Cost.SLOW, timeout=4.0, every=3600.0)
