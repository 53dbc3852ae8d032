"""What judging alerts costs whoever watches, and how soon a message arrives."""

from __future__ import annotations

import statistics
import time
from contextlib import closing
from pathlib import Path

from measuring import Row, directory, percentile
from monitoring import run, switched

from overnight.core.alert_conditions import FIGURES
from overnight.core.configuration import parse
from overnight.host.clock import SystemClock
from overnight.monitor.history.keeping import History
from overnight.monitor.judging import Judge, Wanted
from overnight.monitor.snapshot import take
from overnight.store.sqlite import SqliteStore

ROUNDS, LINES, EVENTS = 300, 200_000, 15
TARGET = '[targets.me]\ncommand = ["touch", "{place}/told"]\ngroup = "0s"\nhourly = "none"\n'


def many() -> str:
    """An alert about each of ten figures, and two about what happens."""
    figures = "".join(f'[alerts.f{n}]\nwhen = "{name} > 0"\ntargets = "me"\n' for n, name in enumerate([*FIGURES][:10]))
    return figures + '[alerts.held]\non = ["task_failed", "task_held"]\ntargets = "me"\n'


def judged() -> tuple[float, float]:
    """Milliseconds of a round in which nothing is new, and lines of the journal that are read a second."""
    clock = SystemClock()
    with directory() as place, closing(SqliteStore.open(place / "queue.db", create=True, migrate=True)) as store:
        found = parse(many() + TARGET.format(place=place))
        judge = Judge(
            place,
            store,
            look=lambda: take(store, place, now=clock.now()),
            wanted=lambda: Wanted(found.alerts, found.targets),
            hand_on=lambda _: {},
            clock=clock,
        )
        with closing(History(place / "history.db")) as history:
            judge.round(history, {})
            began = time.perf_counter()
            for _ in range(ROUNDS):
                judge.round(history, {})
            idle = (time.perf_counter() - began) / ROUNDS
            _write(place / "events.jsonl")
            began = time.perf_counter()
            while judge.round(history, {}):
                pass
            return 1000 * idle, LINES / (time.perf_counter() - began)


def _write(journal: Path) -> None:
    line = '"event":"file_completed","at":"2026-01-01T00:00:00.000Z","id":7,"attempt":1,"outcome":"completed"}\n'
    journal.write_text("".join(f'{{"seq":{seq},{line}' for seq in range(1, LINES + 1)))


def arrived() -> list[float]:
    """Seconds from the end of `add` of a command that fails to the message, of a home in the background."""
    failed = '[alerts.failed]\non = "task_failed"\ntargets = "me"\n'
    with directory() as cwd, switched("true"):
        (cwd / "overnight.toml").write_text(failed + TARGET.format(place=cwd))
        run(cwd, "add", "--", "true")
        run(cwd, "start")
        try:
            found = [_told_of(cwd, number) for number in range(EVENTS + 1)]
        finally:
            run(cwd, "stop")
        return found[1:]  # the first one waits for the start of everything


def _told_of(cwd: Path, number: int) -> float:
    run(cwd, "add", "--retries", "0", "--", "false", str(number))
    return _until_told(cwd / "told")


def _until_told(path: Path) -> float:
    began = time.perf_counter()
    while not path.exists() and time.perf_counter() - began < 30:
        time.sleep(0.002)
    path.unlink(missing_ok=True)
    return time.perf_counter() - began


def measure() -> list[Row]:
    """The rows of the table."""
    idle, lines = judged()
    soon = arrived()
    p50, p99 = statistics.median(soon), percentile(soon, 0.99)
    return [
        Row("a round of 12 alerts in which nothing is new", f"{idle:.1f} ms", "each second, or each five", "", None),
        Row("lines of the journal read for it", f"{lines:,.0f} a second", "", "", None),
        Row(
            f"from `add` of what fails to the message, p50 and p99 of {len(soon)}",
            f"{p50:.1f} s, {p99:.1f} s",
            "",
            "",
            None,
        ),
    ]


if __name__ == "__main__":
    print(*measure(), sep="\n")
