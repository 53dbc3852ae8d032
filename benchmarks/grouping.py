"""How well lines of logs are put together: grouping accuracy on LogHub-2k, which is not part of this repository.

    git clone https://github.com/logpai/loghub
    python benchmarks/grouping.py loghub

Each of its sixteen logs has 2,000 lines with the event that each belongs to, found by people. A line counts when its
group here is exactly the one it has there (Zhu et al., "Tools and Benchmarks for Automated Log Parsing", ICSE 2019).
Nothing here was tuned on them.
"""

from __future__ import annotations

import csv
import sys
from collections import Counter
from collections.abc import Sequence
from pathlib import Path

from overnight.core.templates import Templates

#: What all logs together must reach.
GOAL = 0.75


def accuracy(lines: Sequence[str], events: Sequence[str]) -> float:
    """Share of the lines whose group has the same lines as their event."""
    templates = Templates()
    mine = [templates.add(line) for line in lines]
    sizes, true = Counter(mine), Counter(events)
    both = Counter(zip(mine, events, strict=True))
    return sum(n for (group, event), n in both.items() if n == sizes[group] == true[event]) / len(lines)


def main(words: Sequence[str]) -> int:
    """Print a row for each log, and the mean; 1 when that is below the goal."""
    if len(words) != 1 or not (logs := sorted(Path(words[0]).glob("*/*_2k.log_structured.csv"))):
        print(__doc__, file=sys.stderr)
        print("nothing was measured: name the directory in which LogHub lies", file=sys.stderr)
        return 2
    found = {}
    for path in logs:
        with path.open(encoding="utf-8", errors="replace", newline="") as file:
            rows = list(csv.DictReader(file))
        found[path.parent.name] = accuracy([row["Content"] for row in rows], [row["EventId"] for row in rows])
    mean = sum(found.values()) / len(found)
    print("\n".join(f"| {name} | {share:.3f} |" for name, share in found.items()))
    print(f"| mean of {len(found)} | {mean:.3f} |")
    return int(mean < GOAL)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
