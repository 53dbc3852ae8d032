"""`/bin/true`, once an input, beside `xargs -P2 -n1`. Whole processes; ours adds the tasks, too."""

from __future__ import annotations

import statistics

from measuring import Row, pairs, spread
from peers.contract import SLOTS
from peers.figures import time_line
from peers.ours import Run
from peers.xargs import Xargs

#: So many that what is fixed (starting, adding) is a small part, as in a night.
COMMANDS = 20_000


def measure(repeats: int = 3) -> list[Row]:
    """The rows of the table."""
    mine, theirs = pairs(lambda: time_line(Run, COMMANDS), lambda: time_line(Xargs, COMMANDS), repeats)
    share = statistics.median(a / b for a, b in zip(mine, theirs, strict=True))
    return [
        Row(
            f"/bin/true a second, {COMMANDS:,} of them, {SLOTS} slots, whole process with its adds",
            spread(mine),
            f"xargs -P{SLOTS} {spread(theirs)}: {share:.0%} pair by pair",
            "≥ 90 % (then 100 %)",
            share >= 0.9,
        )
    ]


if __name__ == "__main__":
    print(*measure(3), sep="\n")
