"""Charts as SVG that stands in a page: no script, no file beside it, colours by the classes of the page.

Every chart has a text for those who cannot see it. Numbers are written with one decimal, which is finer
than a pixel and keeps a page small.
"""

from __future__ import annotations

import math
import time
from collections.abc import Sequence
from typing import NamedTuple

from overnight.core.incidents import Incident
from overnight.core.timeline import Strip
from overnight.ui.report.labels import placed
from overnight.ui.report.markup import text

#: Seconds between two marks of a time axis.
_STEPS = (1, 5, 10, 30, 60, 120, 300, 600, 900, 1800, 3600, 7200, 10800, 21600, 43200, 86400, 604800)
#: Marks of a time axis at most.
_MARKS = 9
_ROW, _LABEL, _LEFT, _LABEL_ROWS = 16.0, 14.0, 64.0, 6


class Dot(NamedTuple):
    """A value at a time: its mean, its least and its most. `at` is a fraction of the window, 0 to 1."""

    at: float
    mean: float
    least: float
    most: float


def area(dots: Sequence[Dot], *, called: str, kind: str, width: int = 300, height: int = 56) -> str:
    """A filled line from zero up, with the span between least and most behind it.

    Args:
        dots: From left to right.
        called: What it shows, in words.
        kind: The class of its colour.
        width: Units; it is stretched to where it stands.
        height: The same.
    """
    top = max((dot.most for dot in dots), default=0.0) or 1.0
    across = [(dot.at * width, *(height - 2 - (height - 4) * one / top for one in dot[1:])) for dot in dots]
    line = " ".join(f"{x:.1f},{mean:.1f}" for x, mean, _, _ in across)
    span = [f"{x:.1f},{most:.1f}" for x, _, _, most in across] + [f"{x:.1f},{low:.1f}" for x, _, low, _ in across[::-1]]
    ends = f"{across[0][0]:.1f},{height} {line} {across[-1][0]:.1f},{height}" if across else ""
    return (
        f'<svg class="chart {kind}" viewBox="0 0 {width} {height}" preserveAspectRatio="none" role="img"'
        f' aria-label="{text(called)}"><polygon class="fill" points="{ends}"/>'
        f'<polygon class="span" points="{" ".join(span)}"/><polyline class="line" points="{line}"/></svg>'
    )


def columns(counts: Sequence[int], *, called: str, kind: str, width: int = 120, height: int = 20) -> str:
    """A column for each number, one path for all."""
    top = max(counts, default=0) or 1
    each = width / max(1, len(counts))
    wide = max(1.0, each - 0.6)
    path = "".join(
        f"M{number * each:.1f} {height}v-{max(1.5, (height - 1) * count / top):.1f}h{wide:.1f}V{height}z"
        for number, count in enumerate(counts)
        if count
    )
    return (
        f'<svg class="columns {kind}" viewBox="0 0 {width} {height}" preserveAspectRatio="none" role="img"'
        f' aria-label="{text(called)}"><path d="{path}"/></svg>'
    )


def timeline(
    strips: Sequence[Strip], incidents: Sequence[Incident], *, since: float, until: float, width: int = 1100
) -> str:
    """A row for each worker, with what happened marked across all of them and told below.

    Args:
        strips: The workers.
        incidents: What happened.
        since: The left end, POSIX seconds.
        until: The right end.
        width: Units.
    """
    room = width - _LEFT
    rows = max(1, len(strips)) * _ROW
    marks = [(_across(one.began_at, since, until) * room, f"{_clock(one.began_at)} {one.label}") for one in incidents]
    places = placed(marks, width=room, rows=_LABEL_ROWS)
    used = 1 + max((place.row for place in places if place), default=-1)
    height = rows + 18 + used * _LABEL + 4
    parts = [
        f'<svg class="timeline" viewBox="0 0 {width} {height:.0f}" role="img" aria-label="workers over time">',
        *(_strip(strip, number * _ROW, room) for number, strip in enumerate(strips)),
        *_axis(since, until, room, rows),
    ]
    for one, (x, _), place in zip(incidents, marks, places, strict=True):
        end = _across(until if one.ended_at is None else one.ended_at, since, until) * room
        parts.append(f'<g class="mark {one.kind}"><title>{text(one.words)}</title>')
        parts.append(f'<rect class="while" x="{_LEFT + x:.1f}" y="0" width="{max(0.0, end - x):.1f}" height="{rows}"/>')
        bottom = rows if place is None else rows + 20 + (place.row + 1) * _LABEL - 3
        parts.append(f'<path class="when" d="M{_LEFT + x:.1f} 0V{bottom:.1f}"/>')
        if place is not None:
            parts.append(f'<text x="{_LEFT + place.left:.1f}" y="{bottom:.1f}">{text(place.shown)}</text>')
        parts.append("</g>")
    return "".join([*parts, "</svg>"])


def _across(at: float, since: float, until: float) -> float:
    return min(1.0, max(0.0, (at - since) / (until - since)))


def _strip(strip: Strip, y: float, room: float) -> str:
    """A bar as high as the worker was busy, its lower part as high as that came to no good."""
    each, high = room / len(strip.busy), _ROW - 4
    good, bad = [], []
    for number, (busy, troubled) in enumerate(zip(strip.busy, strip.troubled, strict=True)):
        if busy <= 0:
            continue
        x, bar = _LEFT + number * each, max(2.0, high * busy)
        low = bar * troubled
        good += [_bar(x, y + high - bar, each, bar - low)] if bar - low > 0 else []
        bad += [_bar(x, y + high - low, each, low)] if low > 0 else []
    return (
        f'<text class="name" x="0" y="{y + high - 1:.0f}">worker {strip.slot + 1}</text>'
        f'<path class="good" d="{"".join(good)}"/><path class="bad" d="{"".join(bad)}"/>'
    )


def _bar(x: float, y: float, width: float, height: float) -> str:
    return f"M{x:.1f} {y:.1f}h{width:.1f}v{height:.1f}h-{width:.1f}z"


def _axis(since: float, until: float, room: float, y: float) -> list[str]:
    """Marks at whole minutes, hours or days of local time, far enough from each other."""
    step = next((one for one in _STEPS if (until - since) / one <= _MARKS), _STEPS[-1])
    shift = time.localtime(since).tm_gmtoff
    first = math.ceil((since + shift) / step) * step - shift
    parts = [f'<path class="axis" d="M{_LEFT} {y + 1:.0f}h{room:.0f}"/>']
    for number in range(int(max(0.0, until - first) // step) + 1):
        at = first + number * step
        x = _LEFT + _across(at, since, until) * room
        parts.append(f'<path class="axis" d="M{x:.1f} {y + 1:.0f}v4"/>')
        if x <= _LEFT + room - 40:
            parts.append(f'<text class="tick" x="{x + 2:.1f}" y="{y + 13:.0f}">{_clock(at, step=step)}</text>')
    return parts


def _clock(at: float, *, step: float = 60) -> str:
    form = "%a %d" if step >= 86400 else "%H:%M:%S" if step < 60 else "%H:%M"  # noqa: PLR2004 - a day, a minute
    return time.strftime(form, time.localtime(at))
