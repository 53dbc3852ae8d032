"""How it goes at this moment, as a page that stands alone: to look at once, to mail, to keep."""

from __future__ import annotations

import time

from overnight.core.durations import format_duration
from overnight.core.states import TaskState
from overnight.monitor.machine import HOUR, MachineView
from overnight.monitor.snapshot import RunningView, Snapshot
from overnight.monitor.standing import sentence_of
from overnight.ui.cli import shapes
from overnight.ui.cli.glance import Answer, Glance, advice, failing
from overnight.ui.cli.resources import GAUGES
from overnight.ui.report.as_html import banner, card, counts, share
from overnight.ui.report.charts import Dot, area
from overnight.ui.report.markup import page, text


def status_page(picture: Snapshot, machine: MachineView, found: Glance | None = None) -> str:
    """The whole page. `found`: what the checks say, where that is wanted."""
    told = sentence_of(picture)
    when = time.strftime("%a %Y-%m-%d %H:%M:%S", time.localtime(picture.at))
    states = [(state.value, number) for state in TaskState if (number := getattr(picture.counts, state))]
    parts = [
        banner(told, f"{when}, engine {_engine(picture)}"),
        _failing(found) if found is not None else "",
        share(picture),
        counts(states),
        _cards(picture, machine),
        _running(picture),
        _health(found) if found is not None else "",
    ]
    return page(f"overnight: {told.words}", "\n".join(part for part in parts if part))


def _engine(picture: Snapshot) -> str:
    engine = picture.engine
    words = [str(engine.state)]
    words += [f"pid {engine.pid}"] if engine.pid is not None else []
    words += [f"for {format_duration(engine.uptime_seconds)}"] if engine.uptime_seconds is not None else []
    words += [f"{engine.active or 0} of {engine.slots} workers active"] if engine.slots is not None else []
    nodes = "" if picture.nodes is None or engine.pid is None else f"; {picture.nodes.words(picture.at)}"
    return ", ".join(words) + (f": {engine.why}" if engine.why else "") + nodes


def _cards(picture: Snapshot, machine: MachineView) -> str:
    parts = []
    if picture.rate_per_second:
        left = "" if picture.seconds_left is None else f", about {format_duration(picture.seconds_left)} left"
        parts.append(card("Pace", f"{60 * picture.rate_per_second:,.1f} a minute{left}"))
    for name, value in machine.figures.items():
        called, form = GAUGES[name]
        points = machine.hour.get(name, ())
        first = picture.at - HOUR
        dots = [Dot(min(1.0, max(0.0, (one.at - first) / HOUR)), one.mean, one.least, one.most) for one in points]
        chart = area(dots, called=f"{called} in the last hour", kind="plain") if len(dots) > 1 else ""
        parts.append(card(called, form(value), chart))
    return f'<div class="cards">{"".join(parts)}</div>' if parts else ""


def _running(picture: Snapshot) -> str:
    rows = "".join(map(_row, picture.running))
    head = '<thead><tr><th class="n">task</th><th class="n">since</th><th class="n">done</th><th>what</th></tr></thead>'
    return f"<h2>Running</h2><table>{head}<tbody>{rows}</tbody></table>" if rows else ""


def _failing(found: Glance) -> str:
    return "".join(f'<div class="banner stalled"><p>{text(line)}</p></div>' for line in failing(found))


def _health(found: Glance) -> str:
    rows = "".join(map(_finding, found.checks))
    trouble = f"<p>{text(found.trouble)}</p>" if found.trouble else ""
    head = "<thead><tr><th></th><th>check</th><th>what is so</th><th>what mends it</th></tr></thead>"
    return f"<h2>Health: {text(found.overall)}</h2>{trouble}<table>{head}<tbody>{rows}</tbody></table>"


def _finding(one: Answer) -> str:
    mends = "<br>".join(f"<code>{text(words)}</code>" for words in advice(one))
    status = f'<span class="tag">{text(one.status)}</span>'
    return f"<tr><td>{status}</td><td>{text(one.id)}</td><td>{text(one.summary)}</td><td>{mends}</td></tr>"


def _row(view: RunningView) -> str:
    since = "interrupted" if view.interrupted else "" if view.seconds is None else format_duration(view.seconds)
    report = view.report
    done = "" if report is None or report.progress is None else f"{report.progress:.0%}"
    words = shapes.title(view.task, view.action)
    said = f"<br>{text(report.message)}" if report is not None and report.message else ""
    steps = f' <span class="tag">{text(", ".join(view.steps))}</span>' if view.steps else ""
    return (
        f'<tr><td class="n">{view.task.id}</td><td class="n">{text(since)}</td><td class="n">{done}</td>'
        f"<td><code>{text(words)}</code>{steps}{said}</td></tr>"
    )
