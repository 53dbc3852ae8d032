"""The report as a page: the sentence, what became of the tasks, the night as charts, causes and what to type."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from overnight.core.durations import format_duration
from overnight.core.sentence import Sentence
from overnight.core.version import VERSION
from overnight.monitor.history.asking import Point
from overnight.monitor.report.gathering import Cause, MorningReport
from overnight.monitor.snapshot import Snapshot
from overnight.ui.cli import shapes
from overnight.ui.cli.resources import GAUGES, SCARCE
from overnight.ui.report import words
from overnight.ui.report.charts import Dot, area, columns, timeline
from overnight.ui.report.markup import page, text

#: Points of a small chart, and columns of a trend.
_POINTS, _COLUMNS = 120, 40


def as_html(report: MorningReport) -> str:
    """The whole page."""
    parts = [
        banner(report.sentence, words.window(report)),
        share(report.picture),
        counts(words.counted(report)),
        _cards(report),
        _timeline(report),
        _causes("Failed, by cause", report.failed, report),
        _causes("Held for you", report.held, report),
        f'<p class="soft">{words.causes_left(report)}</p>' if words.causes_left(report) else "",
        _incidents(report),
        _slowest(report),
        _figures(report),
        f"<footer>overnight {text(VERSION)}; {text(words.books(report))}.</footer>",
    ]
    return page(f"overnight: {report.sentence.words}", "\n".join(part for part in parts if part))


def banner(sentence: Sentence, below: str) -> str:
    """The sentence that is read first, with its colour at the side."""
    return (
        f'<div class="banner {sentence.level}"><h1>{text(sentence.words)}</h1><p class="soft">{text(below)}</p></div>'
    )


def share(picture: Snapshot) -> str:
    """What became of all tasks, as one bar."""
    names = ("completed", "failed", "held", "cancelled", "running", "waiting", "pending")
    total = picture.counts.total or 1
    pieces = [(name, getattr(picture.counts, name)) for name in names]
    bars = (f'<i class="{name}" style="width:{100 * number / total:.2f}%"></i>' for name, number in pieces if number)
    return f'<div class="share" aria-hidden="true">{"".join(bars)}</div>'


def counts(states: Sequence[tuple[str, int]]) -> str:
    """How many tasks are in each state."""
    total = sum(number for _, number in states)
    told = [*states, ("in all", total)]
    return (
        '<ul class="counts">'
        + "".join(f'<li><b>{number:,}</b> <span class="soft">{text(name)}</span></li>' for name, number in told)
        + "</ul>"
    )


def card(name: str, value: str, chart: str = "") -> str:
    """A figure with its course; `chart` is markup."""
    return f'<div class="card"><div class="name">{text(name)}</div><div class="value">{text(value)}</div>{chart}</div>'


# -- charts ----------------------------------------------------------------------------------


def _cards(report: MorningReport) -> str:
    parts = [*_paces(report), *(_gauge(name, points, report) for name, points in report.machine.items())]
    return f'<div class="cards">{"".join(parts)}</div>' if parts else ""


def _paces(report: MorningReport) -> Iterator[str]:
    minutes = (report.until - report.since) / 60
    for name, counts, kind in (
        ("Attempts completed", report.pace.completed, "good"),
        ("Attempts that did not complete", report.pace.others, "bad"),
    ):
        if any(counts):
            total = sum(counts)
            rate = f"{total:,} · {total / minutes:,.1f} a minute"
            yield card(name, rate, area(_dots(counts), called=f"{name} over the night", kind=kind))


def _dots(counts: Sequence[int]) -> list[Dot]:
    pieces = words.sums(counts, _POINTS)
    return [Dot((number + 0.5) / len(pieces), one, one, one) for number, one in enumerate(pieces)]


def _gauge(name: str, points: Sequence[Point], report: MorningReport) -> str:
    called, form = GAUGES[name]
    mean = sum(one.mean for one in points) / len(points)
    scarce = name in SCARCE
    end = min(one.least for one in points) if scarce else max(one.most for one in points)
    length = report.until - report.since
    dots = [Dot((one.at - report.since) / length, one.mean, one.least, one.most) for one in points]
    dots = [dot._replace(at=min(1.0, max(0.0, dot.at))) for dot in dots]
    value = f"{form(mean)} · {'least' if scarce else 'most'} {form(end)}"
    return card(called, value, area(dots, called=f"{called} over the night", kind="plain"))


def _timeline(report: MorningReport) -> str:
    if not report.strips and not report.incidents:
        return ""
    drawn = timeline(report.strips, report.incidents, since=report.since, until=report.until)
    return f'<h2>What happened when</h2><div class="scroll">{drawn}</div>'


# -- tables ----------------------------------------------------------------------------------


def _causes(heading: str, causes: Sequence[Cause], report: MorningReport) -> str:
    if not causes:
        return ""
    rows = "".join(_cause(cause, report) for cause in causes)
    return (
        f'<h2>{text(heading)}</h2><table class="causes"><thead><tr><th class="n">tasks</th><th>cause</th><th>where</th>'
        f'<th class="wide">when</th><th>what to do</th></tr></thead><tbody>{rows}</tbody></table>'
    )


def _cause(cause: Cause, report: MorningReport) -> str:
    alike = cause.alike
    told = words.trend(cause, report)
    commands = "".join(f'<code class="line">{text(command)}</code>' for command in cause.step.commands)
    return (
        f'<tr><td class="n"><b>{alike.tasks:,}</b></td><td><code>{text(words.title(cause))}</code>'
        f'<br><span class="tag">{text(str(alike.reason or "failed"))}</span> <span class="tag">'
        f"{text(alike.fingerprint or f'task {alike.newest_id}')}</span></td><td>{text(words.where(cause))}</td>"
        f'<td class="wide when">{columns(words.sums(alike.spans, _COLUMNS), called=told, kind="bad")}{text(told)}</td>'
        f"<td>{text(cause.step.words)}:{commands}</td></tr>"
    )


def _incidents(report: MorningReport) -> str:
    rows = "".join(
        f'<tr><td class="n">{text(words.moment(one.began_at, report))}</td><td>{text(one.words)}</td></tr>'
        for one in report.incidents
    )
    return f"<h2>Incidents</h2><table><tbody>{rows}</tbody></table>" if rows else ""


def _slowest(report: MorningReport) -> str:
    rows = []
    for one in report.slowest:
        name = shapes.title(one.task, one.action) if one.task else "no longer there"
        rows.append(
            f'<tr><td class="n">{text(format_duration(one.lasting.seconds))}</td>'
            f'<td class="n">{one.lasting.task_id}</td><td>{text(one.lasting.outcome)}</td>'
            f"<td><code>{text(name)}</code></td></tr>"
        )
    head = '<thead><tr><th class="n">took</th><th class="n">task</th><th>outcome</th><th>what</th></tr></thead>'
    return f"<h2>Slowest</h2><table>{head}<tbody>{''.join(rows)}</tbody></table>" if rows else ""


def _figures(report: MorningReport) -> str:
    rows = "".join(f"<tr><td>{text(name)}</td><td>{text(value)}</td></tr>" for name, value in words.happened(report))
    return f"<h2>In this time</h2><table><tbody>{rows}</tbody></table>"
