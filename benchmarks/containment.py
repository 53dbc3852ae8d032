"""What containment costs a command: as it comes, and with every purge, sweep and group taken out.

Both sides are the same program on the same list; the other one is patched as it starts, in the engine
and in its keepers, and leaves behind whatever its tasks leave.
"""

from __future__ import annotations

import json
import os
import statistics
import subprocess
import sys
from collections.abc import Sequence
from datetime import datetime

from measuring import OVERNIGHT, Row, directory, pairs, seconds, spread, write_list

COMMANDS = 10_000
SLOTS = 2
#: The hard limit of a task that ignores TERM, its grace, and what is allowed to be seen dead, in seconds.
LIMIT, GRACE, SLACK = 3.0, 5.0, 1.0

_WITHOUT = """
import sys
from overnight.executors.local import executor, keeper_process, place, slot
words_of = place.keeper_argv
def without(where):
    *words, boot, last = words_of(where)
    patch = "from overnight.executors.local import keeper as a, running_command as b; "
    patch += "a.purge = b.purge = lambda *_, **__: set(); "
    return [*words, boot.replace("from overnight.executors", patch + "from overnight.executors", 1), last]
keeper_process.keeper_argv = without
executor.purge = slot.purge = lambda *_, **__: set()
executor.sweep = lambda *_, **__: []
from overnight.ui.cli import main
main()
"""
_PATCHED = (sys.executable, "-c", _WITHOUT)
#: A tree in which everybody ignores TERM: a shell, its child, and a daemon of a session of its own.
_STUBBORN = "trap '' TERM; setsid sh -c 'trap \"\" TERM; sleep 60' & sh -c 'trap \"\" TERM; sleep 60' & wait; sleep 60"


def rate(program: Sequence[str], isolation: str) -> float:
    """Commands a second of a whole process."""
    os.environ["OVERNIGHT_ISOLATION"] = isolation
    try:
        with directory() as cwd:
            listed = write_list(cwd / "list", COMMANDS)
            words = ["run", "--quiet", "-j", str(SLOTS), "-a", str(listed), "--", "/bin/true"]
            return COMMANDS / seconds([*program, *words], cwd)
    finally:
        del os.environ["OVERNIGHT_ISOLATION"]


def seconds_to_be_dead() -> float:
    """From the start of a tree that ignores TERM until all of it was seen dead, as the books have it."""
    with directory() as cwd:
        words = ["run", "--quiet", "--retries", "0", "--timeout", f"{LIMIT}s", "--", "sh", "-c", _STUBBORN]
        seconds([*OVERNIGHT, *words], cwd, expect=1)
        shown = subprocess.run([*OVERNIGHT, "show", "1", "--json"], cwd=cwd, capture_output=True, check=True)
        (attempt,) = json.loads(shown.stdout)["attempts"]
        ended, began = (datetime.fromisoformat(attempt[name]) for name in ("finished_at", "started_at"))
        return (ended - began).total_seconds()


def measure(repeats: int = 3) -> list[Row]:
    """The rows of the table."""
    held, loose = pairs(lambda: rate(OVERNIGHT, "auto"), lambda: rate(_PATCHED, "none"), repeats)
    cost = 1 - statistics.median(a / b for a, b in zip(held, loose, strict=True))
    dead = [seconds_to_be_dead() for _ in range(repeats)]
    return [
        Row(
            f"/bin/true a second, {COMMANDS:,} of them, contained as this machine allows",
            spread(held),
            f"without any containment {spread(loose)}: costs {cost:.1%} pair by pair",
            "< 10 %",
            cost < 0.1,
        ),
        Row(
            f"a tree that ignores TERM, with a limit of {LIMIT:.0f} s: until all of it was seen dead",
            f"{spread(dead, '{:.1f}')} s",
            "",
            f"< {LIMIT + GRACE + SLACK:.0f} s",
            max(dead) < LIMIT + GRACE + SLACK,
        ),
    ]


if __name__ == "__main__":
    print(*measure(), sep="\n")
