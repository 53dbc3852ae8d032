"""``import overnight``: what it adds to a bare Python, which every worker and every script pays.

Whole processes are timed, bare and importing in turn, so that whatever slows the machine slows both.
"""

from __future__ import annotations

import statistics
import sys

from measuring import Row, directory, seconds

ROUNDS = 60
#: Milliseconds over a bare interpreter.
GOAL_MS = 20.0


def measure() -> list[Row]:
    """The cost of the import, and of the first name that is taken from it."""
    bare, imported, used = [], [], []
    with directory() as cwd:
        for _ in range(ROUNDS):
            bare.append(seconds([sys.executable, "-c", "pass"], cwd))
            imported.append(seconds([sys.executable, "-c", "import overnight"], cwd))
            used.append(seconds([sys.executable, "-c", "from overnight import FileQueue"], cwd))
    base, small, whole = (1000 * statistics.median(times) for times in (bare, imported, used))
    return [
        Row(
            "`import overnight`, over a bare Python",
            f"{small - base:.1f} ms",
            f"bare Python {base:.0f} ms",
            f"< {GOAL_MS:.0f} ms",
            small - base < GOAL_MS,
        ),
        Row("`from overnight import FileQueue`, over a bare Python", f"{whole - base:.0f} ms", "", "", None),
    ]


if __name__ == "__main__":
    print(*measure(), sep="\n")
