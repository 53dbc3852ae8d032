"""The report as Markdown, for messages and notes: what a chat or a mail shows well. No charts."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence

from overnight.core.durations import format_duration
from overnight.monitor.report.gathering import Cause, MorningReport
from overnight.ui.cli import printing, shapes
from overnight.ui.report import words

#: Causes and incidents that are told.
_MOST = 10
#: What could begin a mark, a link or markup.
_MARKS = re.compile(r"([\\`*_\[\]<>#|~&])")


def as_markdown(report: MorningReport) -> list[str]:
    """The lines of the report."""
    states = ", ".join(f"{number:,} {state}" for state, number in words.counted(report))
    lines = [f"# {plain(report.sentence.words)}", "", plain(words.window(report)), ""]
    lines.append(plain(words.books(report) + (f": {states}" if states else "")))
    lines += ["", *(f"- {name}: {plain(value)}" for name, value in words.happened(report))]
    lines += [*_causes("Failed, by cause", report.failed, report), *_causes("Held for you", report.held, report)]
    if report.slowest:
        lines += ["", "## Slowest", ""]
    for one in report.slowest[:5]:
        name = shapes.title(one.task, one.action) if one.task else "no longer there"
        lines.append(f"- {format_duration(one.lasting.seconds)}: task {one.lasting.task_id}, {plain(name)}")
    if report.incidents:
        lines += ["", "## What happened", ""]
    lines += [f"- {words.moment(one.began_at, report)} {plain(one.words)}" for one in report.incidents[-_MOST:]]
    return lines


def plain(said: str) -> str:
    """Text that stays text: no mark of it means anything."""
    return _MARKS.sub(r"\\\1", printing.clean(said))


def _causes(heading: str, causes: Sequence[Cause], report: MorningReport) -> Iterator[str]:
    if causes:
        yield from ("", f"## {heading}", "")
    for cause in causes[:_MOST]:
        yield f"- **{cause.alike.tasks:,}** {plain(words.title(cause))} ({plain(words.where(cause))},"
        yield f"  {plain(words.trend(cause, report))}). {plain(cause.step.words)}:"
        yield from (f"  `{printing.clean(command)}`" for command in cause.step.commands)
    if len(causes) > _MOST:
        yield f"- and {len(causes) - _MOST} more causes"
