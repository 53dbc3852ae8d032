"""Workflows: many files through a few steps, and long chains, wide fans and diamonds; whole processes, FULL sync.

Steps are no-op functions, so that what is measured is what Overnight adds. How soon a step starts after the
last one that it waited for is read from the books.
"""

from __future__ import annotations

import contextlib
import statistics
from collections.abc import Sequence
from pathlib import Path

import functions
import psutil
from graph import measure as measure_graph
from measuring import OVERNIGHT, Row, counts, directory, pairs, percentile, seconds, spread, write_list

from overnight import wiring
from overnight.core.task import Action, ActionKind, Attempt, NewTask
from overnight.core.workflow.model import Step, Workflow
from overnight.store.contract import Query, Store

FILES = 10_000
STEPS = 4
SLOTS = 2
CHAIN = 10_000
FAN = 10_000
DIAMOND = 5_000
CHECKED = 1_000
NOOP = "def noop(name, context=None):\n    return None\n"


def pipeline(files: int = FILES) -> float:
    """Steps a second: every file through four steps, one after the other."""
    with directory() as cwd:
        (cwd / "job.py").write_text(NOOP)
        (cwd / "overnight.toml").write_text(toml("flow", _chain(STEPS)))
        listed = write_list(cwd / "list", files)
        seconds([*OVERNIGHT, "add", "-w", "flow", "-a", str(listed)], cwd)
        took = seconds([*OVERNIGHT, "run", "--quiet", "-j", str(SLOTS)], cwd)
        _want(cwd, files)
        return files * STEPS / took


def _want(cwd: Path, tasks: int) -> None:
    if counts(cwd)["completed"] != tasks:
        raise SystemExit(f"not every task was completed: {counts(cwd)}")


def _chain(count: int) -> list[Step]:
    return [Step(id=f"s{n}", call="job:noop", needs=(f"s{n - 1}",) if n else ()) for n in range(count)]


def _fan(count: int) -> list[Step]:
    leaves = [Step(id=f"s{n}", call="job:noop") for n in range(count)]
    # By a command: a function would be given ten thousand outputs.
    return [*leaves, Step(id="all", run=("true",), needs=tuple(step.id for step in leaves))]


def _diamond(count: int) -> list[Step]:
    middle = [Step(id=f"s{n}", call="job:noop", needs=("first",)) for n in range(count)]
    last = Step(id="last", run=("true",), needs=tuple(step.id for step in middle))
    return [Step(id="first", call="job:noop"), *middle, last]


def toml(name: str, steps: Sequence[Step]) -> str:
    """A workflow as a file."""
    lines = []
    for step in steps:
        doing = f'call = "{step.call}"' if step.call else f"run = {list(step.run)}"
        lines += [f"[[workflow.{name}.step]]", f'id = "{step.id}"', doing, f"needs = {list(step.needs)}", ""]
    return "\n".join(lines)


def one_task(steps: Sequence[Step]) -> tuple[float, list[float]]:
    """Seconds of a run of one task with these steps, and how long after its last need each of them began."""
    with directory() as cwd:
        (cwd / "job.py").write_text(NOOP)
        with contextlib.chdir(cwd):
            home = wiring.make_home()
            with contextlib.closing(wiring.open_store(home, create=True)) as store:
                store.define([Workflow(name="flow", steps=tuple(steps))], source="bench", now=1.0, by="bench")
                action = Action(kind=ActionKind.WORKFLOW, call="flow", cwd=str(cwd).encode())
                store.add([NewTask(action=action, input=b"x")], now=1.0, by="bench")
        took = seconds([*OVERNIGHT, "run", "--quiet", "-j", str(SLOTS)], cwd)
        _want(cwd, 1)
        with contextlib.closing(wiring.open_store(home, readonly=True)) as store:
            return took, _gaps(store, steps)


def _gaps(store: Store, steps: Sequence[Step]) -> list[float]:
    tasks = {one.step: one for one in store.tasks(Query(parent=1, limit=100_000))}
    spans = {name: _span(store.attempts(one.id)[-1]) for name, one in tasks.items() if one.attempt}
    return [max(0.0, spans[step.id][0] - max(spans[name][1] for name in step.needs)) for step in steps if step.needs]


def _span(attempt: Attempt) -> tuple[float, float]:
    """When it began and when it ended, POSIX seconds."""
    assert attempt.started_at is not None, attempt
    assert attempt.seconds is not None, attempt
    return attempt.started_at, attempt.started_at + attempt.seconds


def by_hand(count: int) -> float:
    """Seconds of a run of a chain of tasks, each added after the one before."""
    with directory() as cwd:
        (cwd / "job.py").write_text(NOOP)
        with contextlib.chdir(cwd):
            home = wiring.make_home()
            with contextlib.closing(wiring.open_store(home, create=True)) as store:
                action = Action(kind=ActionKind.CALL, call="job:noop", cwd=str(cwd).encode())
                tasks = [
                    NewTask(action=action, input=b"%d" % n, after_here=(n - 1,) if n else ()) for n in range(count)
                ]
                store.add(tasks, now=1.0, by="bench")
        took = seconds([*OVERNIGHT, "run", "--quiet", "-j", str(SLOTS)], cwd)
        _want(cwd, count)
        return took


def memory(files: int = 100_000) -> tuple[float, float]:
    """Peak memory of an engine (bytes) after a tenth of the files, and after all of them."""
    import subprocess
    import time

    with directory() as cwd:
        (cwd / "job.py").write_text(NOOP)
        (cwd / "overnight.toml").write_text(toml("flow", _chain(STEPS)))
        listed = write_list(cwd / "list", files)
        seconds([*OVERNIGHT, "add", "-w", "flow", "-a", str(listed)], cwd)
        engine = subprocess.Popen([*OVERNIGHT, "run", "--quiet", "-j", str(SLOTS)], cwd=cwd)
        seen: list[float] = []
        process = psutil.Process(engine.pid)
        while engine.poll() is None:
            with contextlib.suppress(psutil.Error):
                seen.append(float(process.memory_info().rss))
            time.sleep(0.2)
        _want(cwd, files)
        return max(seen[: len(seen) // 10] or seen), max(seen)


def check(steps: int = CHECKED) -> float:
    """Seconds of `workflow check` of so many steps, the whole process."""
    with directory() as cwd:
        (cwd / "job.py").write_text(NOOP)
        (cwd / "overnight.toml").write_text(toml("flow", _chain(steps)))
        return statistics.median(seconds([*OVERNIGHT, "workflow", "check"], cwd) for _ in range(5))


def measure(repeats: int = 3) -> list[Row]:
    """The rows of the table."""
    rates, plain = pairs(pipeline, lambda: functions.ours(FILES * STEPS), repeats)
    share = statistics.median(one / other for one, other in zip(rates, plain, strict=True))
    early, peak = memory()
    half, _ = one_task(_chain(CHAIN // 2))
    whole, gaps = one_task(_chain(CHAIN))
    by_half, by_whole = by_hand(CHAIN // 2), by_hand(CHAIN)
    fan_half, _ = one_task(_fan(FAN // 2))
    fan, fan_gaps = one_task(_fan(FAN))
    diamond_half, _ = one_task(_diamond(DIAMOND // 2))
    diamond, diamond_gaps = one_task(_diamond(DIAMOND))
    middle, late = statistics.median(gaps) * 1000, percentile(gaps, 0.99) * 1000
    after_fan, after_diamond = fan_gaps[-1] * 1000, diamond_gaps[-1] * 1000
    checked = check()
    return [
        Row(
            f"steps a second, {FILES:,} files × {STEPS} no-op function steps, {SLOTS} slots, whole process",
            spread(rates),
            f"as many plain functions {spread(plain)}: {share:.0%} pair by pair",
            "≥ 8,000",
            statistics.median(rates) >= 8_000,
        ),
        Row(
            "memory of the engine, a tenth into 100,000 files, and at most",
            f"{early / 2**20:.0f} / {peak / 2**20:.0f} MiB",
            f"{peak / early:.2f}×",
            "flat",
            peak / early < 1.2,
        ),
        Row(f"a chain of {CHAIN:,} steps", _linear(half, whole), "", "linear", whole / half < 2.5),
        Row(f"a chain of {CHAIN:,} tasks (`--after`)", _linear(by_half, by_whole), "", "linear",
            by_whole / by_half < 2.5),
        Row(f"{FAN:,} steps before one", _linear(fan_half, fan), "", "linear", fan / fan_half < 2.5),
        Row(f"one step, {DIAMOND:,} beside each other, one", _linear(diamond_half, diamond), "", "linear",
            diamond / diamond_half < 2.5),
        Row("from the end of a step to the start of the next, in that chain", f"{middle:.1f} ms, p99 {late:.1f} ms", "",
            "< 5 ms", middle < 5),
        Row(f"from the last end of {FAN:,} steps, and of {DIAMOND:,}, to the start of what waits for all of them",
            f"{after_fan:.0f} ms, {after_diamond:.0f} ms", "", "< 5 ms", max(after_fan, after_diamond) < 5),
        Row(f"`workflow check` of {CHECKED:,} steps, whole process", f"{checked * 1000:.0f} ms", "", "< 300 ms",
            checked < 0.3),
        *measure_graph(),
    ]  # fmt: skip


def _linear(half: float, whole: float) -> str:
    return f"{whole:.1f} s; half of it {half:.1f} s"


if __name__ == "__main__":
    print(*measure(1), sep="\n")
