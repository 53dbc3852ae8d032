"""What the report of a large night takes, how large its page is, and what one look at `status` takes."""

from __future__ import annotations

import statistics
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any

from measuring import OVERNIGHT, Row, cpu_of_children, directory, seconds, spread

from overnight.core.gauges import NAMES
from overnight.core.states import ErrorClass, Outcome, Reason, TaskState
from overnight.core.task import Action, ActionKind, NewTask
from overnight.core.verdict import Settlement
from overnight.engine.journal import Journal
from overnight.host.clock import SystemClock
from overnight.monitor.history.keeping import History
from overnight.store.contract import Claim, Claimed
from overnight.store.sqlite import SqliteStore

TASKS, SLOTS, HOURS, CHUNK = 100_000, 8, 10, 1000
#: One task in so many fails, each time for another of these.
FAILS = 25
ERRORS = (
    "over its time limit after 300.0 s",
    "ValueError: bad header in block 7",
    "Connection refused",
    "exit status 3",
)
REPEATS = 7


def settled(one: Claimed, at: float) -> Settlement:
    """How the attempt of a task ended: most are well, some fail for one of a few causes."""
    took = 1.0 + one.id % 37 / 10
    plain: dict[str, Any] = {"state": TaskState.COMPLETED, "outcome": Outcome.COMPLETED, "failures": 0}
    if one.id % FAILS == 0:
        number = one.id // FAILS % len(ERRORS)
        plain = {
            "state": TaskState.FAILED,
            "outcome": Outcome.FAILED,
            "failures": 1,
            "reason": Reason.TIMEOUT if number == 0 else Reason.ERROR,
            "error_class": ErrorClass.UNKNOWN,
            "error": ERRORS[number],
            "fingerprint": f"{number:012x}",
        }
    return Settlement(
        task_id=one.id,
        attempt=one.attempt,
        deaths=0,
        started_at=at - took,
        seconds=took,
        slot=one.id % SLOTS,
        **plain,
    )


def fill(home: Path, now: float) -> None:
    """A night of so many tasks that ended a moment ago: store, journal, and the history of the machine."""
    begun, each = now - HOURS * 3600, HOURS * 3600 / TASKS
    with closing(SqliteStore.open(home / "queue.db", create=True)) as store:
        action = Action(ActionKind.COMMAND, b"/data", argv=(b"convert", b"{}"), timeout=300.0)
        journal = Journal(home / "events.jsonl", store)
        fence = store.take_fence(now=begun, by="bench")
        for first in range(0, TASKS, CHUNK):
            at = begun + (first + CHUNK) * each
            store.add([NewTask(action, b"scans/%08d.tif" % number) for number in range(first, first + CHUNK)], now=at)
            lanes: dict[int, dict[str, float]] = {lane.id: {} for lane in store.orders().lanes}
            claimed = store.turn(fence=fence, now=at, claim=Claim(count=CHUNK, lanes=lanes, pools={})).claimed
            for number in range(0, len(claimed), 50):
                some = claimed[number : number + 50]
                when = begun + (first + number) * each
                store.turn(fence=fence, now=when, settlements=[settled(one, when) for one in some])
                store.tidy()  # as the engine does after each turn
            journal.pump()
        store.stand_down(fence=fence, now=now, why="done")
        journal.pump()
        journal.close()
    with closing(History(home / "history.db")) as history:
        for second in range(0, HOURS * 3600, 10):
            history.sample(dict.fromkeys(NAMES, second % 97 / 97), now=begun + second)


@contextmanager
def night() -> Iterator[Path]:
    """A directory with the home of such a night."""
    with directory() as cwd:
        seconds([*OVERNIGHT, "add", "--", "true"], cwd)
        for path in (cwd / ".overnight").glob("queue.db*"):
            path.unlink()
        fill(cwd / ".overnight", SystemClock().now())
        yield cwd


def taken(words: list[str], cwd: Path) -> tuple[list[float], float]:
    """Milliseconds of each run of a command, and the CPU time of the median one: others use the machine, too."""
    walls, cpus = [], []
    for _ in range(REPEATS):
        before = cpu_of_children()
        walls.append(1000 * seconds([*OVERNIGHT, *words], cwd))
        cpus.append(1000 * (cpu_of_children() - before))
    return walls, statistics.median(cpus)


def measure() -> list[Row]:
    """The rows of the table."""
    with night() as cwd:
        page = cwd / "night.html"
        words, of_words = taken(["report"], cwd)
        pages, of_pages = taken(["report", "--html", str(page)], cwd)
        looks, of_looks = taken(["status"], cwd)
        size = page.stat().st_size / 1000
    return [
        Row(
            f"`report` over {TASKS:,} tasks, the whole program",
            f"{spread(words)} ms, {of_words:.0f} ms of CPU",
            f"with a page {spread(pages)} ms, {of_pages:.0f} ms of CPU",
            "< 1 s",
            statistics.median(words) < 1000,
        ),
        Row("the page of that night", f"{size:.0f} kB", "", "< 300 kB", size < 300),
        Row(
            f"`status` over {TASKS:,} tasks, the whole program",
            f"{spread(looks)} ms, {of_looks:.0f} ms of CPU",
            "",
            "< 150 ms",
            statistics.median(looks) < 150,
        ),
    ]


if __name__ == "__main__":
    print(*measure(), sep="\n")
