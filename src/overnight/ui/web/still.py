"""The first page as one file: no script, nothing from elsewhere, for a mail, a share, or a machine without a server."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Sequence
from html import escape
from pathlib import Path

import msgspec

from overnight import wiring
from overnight.core.durations import format_duration
from overnight.core.errors import OvernightError
from overnight.core.scores import WINDOW, scores
from overnight.core.spells import Lane
from overnight.host.home import Home
from overnight.monitor.history.asking import Point
from overnight.monitor.history.rhythm import Beat
from overnight.store.contract import Store
from overnight.ui.cli.printing import clock
from overnight.ui.web.answers import CauseView, Checkpoint, IncidentView, Overview, Series, Since, Timeline
from overnight.ui.web.desk import Desk
from overnight.ui.web.drawing import COLOURS as _COLOURS
from overnight.ui.web.drawing import drawing
from overnight.ui.web.graphs import newest_graphs
from overnight.ui.web.past import PastTimes
from overnight.ui.web.pictures import causes, overview
from overnight.ui.web.records import newest_checkpoint
from overnight.ui.web.task_answers import GraphView
from overnight.ui.web.tasks import going_on

#: Of a chart and of a lane, in the unit of the drawing; columns of a night.
_WIDE, _HIGH, _LANE, _BINS = 1000.0, 60.0, 16.0, 400
#: The share of a column's work whose colour it has.
_MOSTLY = 0.5
_STATES = ("completed", "failed", "running", "interrupted", "held", "pending", "waiting", "cancelled")
_LEVELS = {"fine": "completed", "working": "running", "attention": "held", "trouble": "failed"}
_STYLE = """
:root { color-scheme: light dark; font: 15px/1.45 system-ui, sans-serif; }
body { max-width: 1100px; margin: 0 auto; padding: 14px; }
body { background: light-dark(#fff, #14171c); color: light-dark(#1a1d23, #e8eaee); }
section { background: light-dark(#f5f6f8, #1d2229); border-radius: 6px; padding: 10px 14px; margin: 10px 0; }
h1 { font-size: 21px; margin: 0; } h2 { font-size: 15px; margin: 0 0 6px; } p { margin: 4px 0; }
.soft { color: light-dark(#5a6272, #a2aab8); font-size: 13px; } svg { display: block; width: 100%; }
table { border-collapse: collapse; width: 100%; font-size: 14px; }
td, th { text-align: left; padding: 4px 8px; vertical-align: top; }
td { border-top: 1px solid light-dark(#dcdfe5, #343b46); overflow-wrap: anywhere; }
td:nth-child(3) { overflow-wrap: normal; } .n { text-align: right; font-variant-numeric: tabular-nums; }
"""


class Still(msgspec.Struct, frozen=True):
    """Everything that a page is made of."""

    first: Overview
    since: Since
    series: Series
    night: Timeline
    graphs: list[GraphView] = []


@contextlib.contextmanager
def looking(home: Home) -> Iterator[Desk]:
    """Whom to ask for pages of a home."""
    desk = Desk(home)
    try:
        yield desk
    finally:
        desk.close()


def look(desk: Desk, past: PastTimes, *, graphs: bool = False) -> Still:
    """Take everything in once. `graphs`: those of workflows as well, each with its newest task."""
    now = wiring.clock.now()
    newest = newest_checkpoint(desk.home)
    first = desk.read_now(lambda store: _first(store, desk.home, newest, now))
    while past.catch_up():
        pass
    since = past.since(None, first.pulse.engine.started_at, now)
    series = past.series(["cpu"], 0.0, 0.0, now)
    running = desk.read_now(lambda store: going_on(store, desk.home, now=now))
    night = past.timeline(0.0, 0.0, _BINS, running, now)
    return Still(first, since, series, night, desk.read_now(newest_graphs) if graphs else [])


def _first(store: Store, home: Home, newest: Checkpoint | None, now: float) -> Overview:
    return overview(
        store, home, seq=0, now=now, causes=causes(store), scores=scores(store.scored(WINDOW)), checkpoint=newest
    )


def page(still: Still, *, every: float | None) -> str:
    """The file. `every`: seconds after which a browser looks at it again; None for never."""
    pulse = still.first.pulse
    refresh = f'<meta http-equiv="refresh" content="{max(1, round(every))}">' if every is not None else ""
    parts = [
        _sentence(still),
        _counts(pulse.counts, pulse.total),
        _charts(still.series),
        _night(still.night),
        *map(drawing, still.graphs),
        _causes(still.first.causes),
        _incidents(still.since.incidents),
    ]
    policy = "default-src 'none'; style-src 'unsafe-inline'"
    return (
        '<!doctype html>\n<html lang="en"><head><meta charset="utf-8">'
        f'<meta http-equiv="Content-Security-Policy" content="{policy}">{refresh}'
        '<meta name="viewport" content="width=device-width, initial-scale=1">'
        f"<title>overnight: {escape(pulse.sentence.words)}</title><style>{_STYLE}</style></head><body>\n"
        + "\n".join(parts)
        + f'\n<p class="soft">{escape(still.first.home)} on {escape(still.first.host)}, version'
        f" {escape(still.first.version)}, seen at {clock(pulse.at)}</p>\n</body></html>\n"
    )


def _sentence(still: Still) -> str:
    pulse = still.first.pulse
    colour = _COLOURS[_LEVELS[pulse.sentence.level]]
    left = f"; about {format_duration(pulse.seconds_left)} left" if pulse.seconds_left is not None else ""
    commands = " ".join(f"<code>{escape(one)}</code>" for one in pulse.sentence.commands)
    since = f"Since {clock(still.since.since)}: {escape(still.since.words)}{left}."
    return (
        f'<section><svg viewBox="0 0 1000 6" aria-hidden="true"><rect width="1000" height="6" fill="{colour}"/></svg>'
        f"<h1>{escape(pulse.sentence.words)}</h1><p>{since}"
        f' {commands}</p><p class="soft">engine {escape(pulse.engine.state)} {escape(pulse.engine.why)}</p></section>'
    )


def _counts(counts: dict[str, int], total: int) -> str:
    shown = [(state, counts[state]) for state in _STATES if counts[state]]
    at, bars = 0.0, []
    for state, n in shown:
        wide = _WIDE * n / total
        bars.append(f'<rect x="{at:.2f}" width="{wide:.2f}" height="20" fill="{_COLOURS[state]}"/>')
        at += wide
    words = ", ".join(f"<b>{n:,}</b> {state}" for state, n in shown)
    told = escape(", ".join(f"{n} {state}" for state, n in shown))
    return (
        f'<section><svg viewBox="0 0 {_WIDE:.0f} 20" role="img" aria-label="{told}">{"".join(bars)}</svg>'
        f"<p>{words or 'nothing'}; <b>{total:,}</b> tasks</p></section>"
    )


def _charts(series: Series) -> str:
    if not series.counted:
        return '<section><p class="soft">How many attempts ended when was not counted here.</p></section>'
    done = _columns(series.beats, series, "completed")
    failed = _columns(series.beats, series, "failed")
    cpu = _line(series.series.get("cpu", []), series)
    return (
        f"<section><h2>Attempts that completed</h2>{done}<h2>Attempts that failed</h2>{failed}<h2>CPU</h2>{cpu}"
        f'<p class="soft">from {clock(series.since)} to {clock(series.until)}</p></section>'
    )


def _columns(beats: Sequence[Beat], series: Series, kind: str) -> str:
    length = max(series.until - series.since, 1.0)
    most = max([getattr(one, kind) for one in beats], default=0) or 1
    wide = max(1.5, _WIDE * series.span / length)
    bars = "".join(
        f'<rect x="{_WIDE * (one.at - series.since) / length:.1f}" y="{_HIGH * (1 - n / most):.1f}" width="{wide:.1f}"'
        f' height="{_HIGH * n / most:.1f}"/>'
        for one in beats
        if (n := getattr(one, kind))
    )
    label = f"{kind}, at most {most:,} in {format_duration(series.span)}"
    return f'{_drawing(_HIGH, label)}<g fill="{_COLOURS[kind]}">{bars}</g></svg><p class="soft">{label}</p>'


def _line(points: Sequence[Point], series: Series) -> str:
    length = max(series.until - series.since, 1.0)
    places = " ".join(f"{_WIDE * (one.at - series.since) / length:.1f},{_HIGH * (1 - one.mean):.1f}" for one in points)
    line = f'<polyline points="{places}" fill="none" stroke="{_COLOURS["running"]}" stroke-width="1.5"/>'
    return f"{_drawing(_HIGH, 'share of all CPUs that was busy')}{line}</svg>"


def _drawing(high: float, label: str) -> str:
    return (
        f'<svg viewBox="0 0 {_WIDE:.0f} {high:.0f}" height="{high:.0f}" preserveAspectRatio="none" role="img"'
        f' aria-label="{escape(label)}">'
    )


def _night(night: Timeline) -> str:
    rows = [_row(lane, number, night.bins) for number, lane in enumerate(night.lanes)]
    high = max(1, len(rows)) * _LANE
    return f"<section><h2>Who worked when</h2>{_drawing(high, f'{len(rows)} workers')}{''.join(rows)}</svg></section>"


def _row(lane: Lane, number: int, bins: int) -> str:
    wide, top, tall = _WIDE / bins, number * _LANE, _LANE - 3
    parts = [f'<rect y="{top}" width="{_WIDE}" height="{tall}" fill="#88888833"/>']
    for one in lane.blocks:
        x, shade = one.bin * wide, 0.3 + 0.7 * one.busy
        fill = _COLOURS["interrupted" if one.cut > _MOSTLY else "running" if one.running > _MOSTLY else "completed"]
        parts.append(
            f'<rect x="{x:.1f}" y="{top}" width="{wide:.1f}" height="{tall}" fill="{fill}" opacity="{shade:.2f}"/>'
        )
        if one.failed or one.troubled:  # never so small that it cannot be seen
            high = tall * max(0.35, one.troubled)
            y = top + tall - high
            parts.append(
                f'<rect x="{x:.1f}" y="{y:.1f}" width="{wide:.1f}" height="{high:.1f}" fill="{_COLOURS["failed"]}"/>'
            )
    return "".join(parts)


def _causes(causes: Sequence[CauseView]) -> str:
    if not causes:
        return "<section><h2>Failures by cause</h2><p>Nothing has failed.</p></section>"
    rows = "".join(
        f'<tr><td class="n"><b>{one.tasks:,}</b></td><td>{escape(one.error or one.reason)}</td>'
        f"<td>{escape(one.workflow or one.queue)}</td><td>{escape(one.advice)}</td>"
        f"<td>{' '.join(f'<code>{escape(word)}</code>' for word in one.commands)}</td></tr>"
        for one in causes
    )
    head = '<tr><th class="n">tasks</th><th>error</th><th>of</th><th>what may help</th><th></th></tr>'
    return f"<section><h2>Failures by cause</h2><table>{head}{rows}</table></section>"


def _incidents(incidents: Sequence[IncidentView]) -> str:
    rows = "".join(f"<tr><td>{clock(one.at)}</td><td>{escape(one.words)}</td></tr>" for one in incidents[::-1][:50])
    return f"<section><h2>What happened</h2><table>{rows}</table></section>" if rows else ""


def put(path: Path, words: str, *, done: str, command: str) -> None:
    """`write` for a person who has typed `command`; `done`: what it means when that fails.

    Raises:
        OvernightError: It could not be written; what was there still is.
    """
    try:
        write(path, words)
    except OSError as error:
        raise OvernightError(
            f"{path} could not be written ({error.strerror}); {done}",
            hint=f"overnight {command} FILE, in a directory that is there and yours",
        ) from error


def write(path: Path, words: str) -> None:
    """Replace the file as a whole.

    Raises:
        OSError: It could not be written; what was there still is.
    """
    from overnight.host.files import write_atomically

    write_atomically(path, words.encode("utf-8", "replace"), durable=False)


__all__ = ["PastTimes", "Still", "look", "looking", "page", "put", "write"]
