"""When each slot was busy, and how well that went: shares of equal spans of time.

What is on record of an attempt is when it ended and how long it took. Short ones count in the span in
which they ended; one that took longer than a span is laid over all the spans that it went through.
"""

from __future__ import annotations

from collections.abc import Sequence

import msgspec

from overnight.core.night import Night
from overnight.core.states import Outcome

#: Slots that are shown by themselves.
MOST_SLOTS = 16


class Strip(msgspec.Struct, frozen=True):
    """One slot. Shares of each span, 0 to 1: how long it was busy, and of that with attempts that did not complete."""

    slot: int
    busy: tuple[float, ...]
    troubled: tuple[float, ...]


class Pace(msgspec.Struct, frozen=True):
    """Attempts that ended in each span: that completed, and that did not."""

    completed: tuple[int, ...]
    others: tuple[int, ...]


def strips(night: Night) -> list[Strip]:
    """The busiest slots in the order of their numbers."""
    rows: dict[int, _Rows] = {}
    for one in night.stretches:
        if one.slot is not None:
            row = _row(rows, one.slot, one.outcome, night.spans)
            row[min(one.span, night.spans - 1)] += one.seconds
    for long in night.longest:
        if long.slot is not None and long.seconds >= night.span_seconds:
            row = _row(rows, long.slot, long.outcome, night.spans)
            _spread(row, night, long.started_at, long.finished_at, long.seconds)
    busiest = sorted(rows, key=lambda slot: -sum(map(sum, rows[slot])))[:MOST_SLOTS]
    return [_strip(slot, *rows[slot], night.span_seconds) for slot in sorted(busiest)]


def pace(night: Night) -> Pace:
    """How many attempts ended in each span."""
    good, others = [0] * night.spans, [0] * night.spans
    for one in night.stretches:
        (good if one.outcome is Outcome.COMPLETED else others)[min(one.span, night.spans - 1)] += one.attempts
    return Pace(tuple(good), tuple(others))


#: Seconds of each span with attempts that completed, and with others.
_Rows = tuple[list[float], list[float]]


def _row(rows: dict[int, _Rows], slot: int, outcome: Outcome, spans: int) -> list[float]:
    good, bad = rows.setdefault(slot, ([0.0] * spans, [0.0] * spans))
    return good if outcome is Outcome.COMPLETED else bad


def _spread(row: list[float], night: Night, began: float, ended: float, seconds: float) -> None:
    """Take a long attempt out of the span in which it ended, and lay it over those that it went through."""
    length = night.span_seconds
    last = max(0, min(int((ended - night.since) / length), night.spans - 1))
    row[last] = max(0.0, row[last] - seconds)
    for span in range(max(0, int((began - night.since) / length)), last + 1):
        start = night.since + span * length
        row[span] += max(0.0, min(ended, start + length) - max(began, start))


def _strip(slot: int, good: Sequence[float], bad: Sequence[float], length: float) -> Strip:
    busy = [one + other for one, other in zip(good, bad, strict=True)]
    return Strip(
        slot,
        tuple(round(min(1.0, one / length), 4) for one in busy),
        tuple(round(other / one, 4) if one > 0 else 0.0 for one, other in zip(busy, bad, strict=True)),
    )
