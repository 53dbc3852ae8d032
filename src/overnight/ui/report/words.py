"""What every form of the report says in the same words."""

from __future__ import annotations

import time
from collections.abc import Sequence

from overnight.core.durations import format_duration
from overnight.core.scores import Share
from overnight.core.states import TaskState
from overnight.core.trends import Direction
from overnight.monitor.report.gathering import Cause, MorningReport
from overnight.monitor.snapshot import EngineState
from overnight.ui.cli import printing

_DAY = 86400.0


def moment(at: float, report: MorningReport) -> str:
    """An instant in local time: the minute, and the day where it may be another one than that of the window's end."""
    form = "%H:%M" if report.until - min(at, report.since) < _DAY else "%a %H:%M"
    return time.strftime(form, time.localtime(at))


def window(report: MorningReport) -> str:
    """From when to when: ``Sat 22:14 to Sun 08:16 (10 h 2 min), the last run``."""
    begin, end = time.localtime(report.since), time.localtime(report.until)
    days = begin[:3] != end[:3]
    words = f"{time.strftime('%a %Y-%m-%d %H:%M', begin)} to {time.strftime('%a %H:%M' if days else '%H:%M', end)}"
    words += f" ({format_duration(report.until - report.since)})"
    return words + (", the last run" if report.is_last_run else "")


def trend(cause: Cause, report: MorningReport) -> str:
    """How a cause came and goes: ``new since 02:40, rising``, ``stopped 05:22``."""
    words = []
    if cause.is_new:
        words.append(f"new since {moment(cause.alike.first_at, report)}")
    if cause.direction is Direction.STOPPED:
        words.append(f"stopped {moment(cause.alike.last_at, report)}")
    elif cause.direction is not Direction.STEADY or not words:
        words.append(cause.direction.value)
    return ", ".join(words)


def causes_left(report: MorningReport) -> str:
    """How many causes are not told here; empty when all are."""
    left = report.night.causes - len(report.failed) - len(report.held)
    return f"and {left:,} more causes" if left > 0 else ""


def title(cause: Cause) -> str:
    """What failed tasks say, or why they are held; safe to print."""
    words = cause.alike.error or str(cause.alike.reason or "no words")
    return printing.clean(words)


def where(cause: Cause) -> str:
    """The workflow, or the queue."""
    return printing.clean(cause.alike.workflow or cause.alike.queue)


def share(one: Share) -> str:
    """``0.985 (985 of 1,000)``; a dash where there is nothing to be a share of."""
    return "–" if one.value is None else f"{one.value:.3f} ({one.part:,.0f} of {one.whole:,.0f})"


def counted(report: MorningReport) -> list[tuple[str, int]]:
    """How many tasks there are in each state, the empty ones left out."""
    counts, idle = report.picture.counts, report.picture.interrupted
    numbers = {state.value: getattr(counts, state) for state in TaskState}
    numbers |= {TaskState.RUNNING.value: counts.running - idle, "interrupted": idle}
    return [(name, number) for name, number in numbers.items() if number]


def to_go_on(report: MorningReport) -> str:
    """What to type where work is left and nobody is at it; else empty."""
    if report.picture.engine.state is not EngineState.STOPPED or not report.picture.counts.unfinished:
        return ""
    unpause = "'overnight unpause', then " if report.picture.paused else ""
    return f"{unpause}'overnight start' works on what is left, in the background"


def happened(report: MorningReport) -> list[tuple[str, str]]:
    """What ended in the window, and how well it went without anybody: names and values."""
    night, told = report.night, report.scores
    completed = night.finished.get(TaskState.COMPLETED, 0)
    lines = [
        ("completed", f"{completed:,}" + (f" ({night.recovered:,} after a retry)" if night.recovered else "")),
        ("failed", f"{night.finished.get(TaskState.FAILED, 0):,}"),
        ("crashes survived", f"{report.crashes:,}"),
        ("autonomy", share(told.autonomy)),
        ("recovery", share(told.recovery)),
    ]
    if told.efficiency.value is not None:
        lines.append(("efficiency", f"{told.efficiency.value:.3f} of the seconds led to a completion"))
    if report.checkpoints and report.last_checkpoint_at is not None:
        lines.append(("checkpoints", f"{report.checkpoints:,}, the last {moment(report.last_checkpoint_at, report)}"))
    return lines


def books(report: MorningReport) -> str:
    """Whether every task is accounted for."""
    if report.troubles:
        return f"the books do not balance in {printing.count(len(report.troubles), 'place')}: 'overnight verify'"
    return f"{printing.count(report.picture.counts.total, 'task')}, each accounted for"


def sums(values: Sequence[int], pieces: int) -> list[int]:
    """Neighbours added up, so that so many are left at most."""
    size = max(1, -(-len(values) // pieces))
    return [sum(values[at : at + size]) for at in range(0, len(values), size)]
