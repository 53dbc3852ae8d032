"""The report on a terminal: 80 columns, the worst first, and what to type under each cause."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from textwrap import wrap

from overnight.core.durations import format_duration
from overnight.monitor.report.gathering import Cause, MorningReport
from overnight.ui.cli import printing, shapes
from overnight.ui.cli.resources import GAUGES, SCARCE
from overnight.ui.cli.sparks import pieces, spark
from overnight.ui.report import words

#: Causes of each kind, and lines of what happened, that are told.
_MOST, _MOST_INCIDENTS = 8, 12
#: Characters of what failed tasks say.
_MOST_TITLE = 300


def as_text(report: MorningReport, *, columns: int = 80) -> list[str]:
    """The lines of the report, safe to print."""
    columns = max(columns, 40)
    lines = [printing.clean(line) for line in _wrapped(report.sentence.words, columns)]
    lines += [*_wrapped(words.window(report), columns), ""]
    states = ", ".join(f"{number:,} {state}" for state, number in words.counted(report))
    lines += _wrapped(f"{words.books(report)}" + (f": {states}" if states else ""), columns)
    lines += _wrapped(words.to_go_on(report), columns, "  ")
    for line in printing.table([(f"  {name}", value) for name, value in words.happened(report)]):
        lines += printing.wrapped(line, columns)
    lines += _causes("FAILED, BY CAUSE", report.failed, report, columns)
    lines += _causes("HELD FOR YOU", report.held, report, columns)
    lines += _wrapped(words.causes_left(report), columns, "  ")
    lines += [*_slowest(report, columns), *_incidents(report, columns), *_bars(report, columns)]
    return lines


def _wrapped(sentence: str, columns: int, indent: str = "") -> list[str]:
    return wrap(sentence, columns, initial_indent=indent, subsequent_indent=indent, break_on_hyphens=False)


def _causes(heading: str, causes: Sequence[Cause], report: MorningReport, columns: int) -> Iterator[str]:
    if causes:
        yield from ("", heading)
    for cause in causes[:_MOST]:
        title = printing.fit(words.title(cause), _MOST_TITLE)
        first, *rest = wrap(f"{title}  {words.where(cause)}  {words.trend(cause, report)}", columns - 9)
        yield f"{cause.alike.tasks:>7,}  {first}"
        yield from (f"{'':9}{line}" for line in rest)
        yield from _wrapped(f"{cause.step.words}:", columns, " " * 9)
        yield from (f"{'':9}$ {printing.clean(command)}" for command in cause.step.commands)
    if len(causes) > _MOST:
        yield from _wrapped(
            f"and {len(causes) - _MOST} more causes; 'overnight report --html FILE' has them", columns, " " * 9
        )


def _slowest(report: MorningReport, columns: int) -> Iterator[str]:
    if report.slowest:
        yield from ("", "SLOWEST")
    for one in report.slowest[:5]:
        name = shapes.title(one.task, one.action) if one.task else "no longer there"
        took = format_duration(one.lasting.seconds)
        yield printing.fit(f"{took:>12}  task {one.lasting.task_id} ({one.lasting.outcome}): {name}", columns)


def _incidents(report: MorningReport, columns: int) -> Iterator[str]:
    if report.incidents:
        yield from ("", "WHAT HAPPENED")
    for one in report.incidents[-_MOST_INCIDENTS:]:
        first, *rest = _wrapped(printing.clean(one.words), columns - 11) or [""]
        yield f"{words.moment(one.began_at, report):>9}  {first}"
        yield from (f"{'':11}{line}" for line in rest)
    if len(report.incidents) > _MOST_INCIDENTS:
        yield f"{'':11}and {len(report.incidents) - _MOST_INCIDENTS} before that"


def _bars(report: MorningReport, columns: int) -> Iterator[str]:
    """Attempts, workers and the machine over the window, a column for each piece of time."""
    width = min(60, columns - 20)
    rows = []
    if any(report.pace.completed) or any(report.pace.others):
        rows.append(("completed", spark(words.sums(report.pace.completed, width))))
        rows.append(("not completed", spark(words.sums(report.pace.others, width))))
    rows += [(f"worker {strip.slot + 1}", spark(pieces(strip.busy, width), most=1.0)) for strip in report.strips]
    if rows:
        yield from ("", "OVER THE NIGHT")
        yield from printing.table(rows)
    for name, points in report.machine.items():
        called, form = GAUGES[name]
        mean = sum(one.mean for one in points) / len(points)
        end = f"least {form(min(one.least for one in points))}"
        if name not in SCARCE:
            end = f"most {form(max(one.most for one in points))}"
        yield from _wrapped(f"{called}: {form(mean)} on average, {end}", columns)
