"""What was measured, as tables for people and as JSON for programs. Names of workflows and steps are cleaned here."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from overnight.core.gauges import GAUGES, Gauge
from overnight.core.monitor.comparison import Change, Period
from overnight.core.monitor.outages import Outage
from overnight.core.monitor.sums import By, Group
from overnight.monitor.history.asking import Figure
from overnight.ui.cli import printing

#: What tasks without a workflow are called.
PLAIN = "(plain tasks)"
#: A figure that has changed by less says nothing.
_A_TENTH = 0.1


def group_shape(group: Group, period: Period) -> dict[str, Any]:
    """One group as ``metrics attempts --json`` shows it. Seconds; instants in UTC."""
    return {
        "workflow": group.workflow,
        "step": group.step,
        "fingerprint": group.fingerprint,
        "error_class": group.error_class or None,
        "attempts": group.n,
        "failed": group.failed,
        "failure_ratio": group.failure_ratio,
        "others": group.others,
        "mean_seconds": group.mean,
        "longest_seconds": group.longest,
        "per_hour": group.n / period.hours if period.hours else None,
        "first": printing.iso(group.first),
        "last": printing.iso(group.last),
    }


def group_lines(groups: Sequence[Group], by: By, period: Period) -> Iterator[str]:
    """A table of groups, and the time that it is about."""
    yield _told(period)
    if not groups:
        yield "no attempt failed" if by is By.CAUSE else "no attempt ended"
        return
    heads = ("attempts", "failed", "mean", "longest", "an hour", "last")
    rows = [(*_heads(by), *heads), *((*_names(group, by), *_cells(group, period)) for group in groups)]
    names = len(_heads(by))
    yield from printing.table(rows, right=tuple(range(names, names + 5)))


def _cells(group: Group, period: Period) -> tuple[str, ...]:
    others = f" (+{group.others:,})" if group.others else ""
    failed = "-" if group.failure_ratio is None else f"{group.failed:,} ({group.failure_ratio:.1%})"
    mean = "-" if group.mean is None else printing.spent(group.mean)
    pace = f"{group.n / period.hours:,.1f}" if period.hours else "-"
    longest = printing.spent(group.longest) if group.n else "-"
    return f"{group.n:,}{others}", failed, mean, longest, pace, printing.clock(group.last)


def _heads(by: By) -> tuple[str, ...]:
    return {By.WORKFLOW: ("workflow",), By.STEP: ("workflow", "step"), By.CAUSE: ("cause", "workflow", "step")}[by]


def _names(group: Group | Change, by: By) -> tuple[str, ...]:
    flow, step = printing.clean(group.workflow) or PLAIN, printing.clean(group.step)
    cause = printing.clean(group.fingerprint) or "(unknown)"
    return {By.WORKFLOW: (flow,), By.STEP: (flow, step), By.CAUSE: (cause, flow, step)}[by]


def _told(period: Period) -> str:
    return f"{printing.clock(period.since)} to {printing.clock(period.until)}"


def figure_lines(figures: Sequence[tuple[Gauge, Figure]], gone: Sequence[Outage]) -> Iterator[str]:
    """A table of figures, and when there was no network."""
    if not figures:
        yield "nothing was measured"
    rows = [(one.name, *(_amount(value, one.unit) for value in figure), one.help) for one, figure in figures]
    yield from printing.table([("figure", "mean", "least", "most", ""), *rows] if rows else [], right=(1, 2, 3))
    for outage in gone:
        yield f"no network: {_told(Period(outage.since, outage.until))}"


def _amount(value: float, unit: str) -> str:
    if unit == "bytes":
        return printing.size(value)
    if unit == "bytes/s":
        return f"{printing.size(value)}/s"
    return f"{value:.1%}" if unit == "ratio" else f"{value:,.4g}"


def change_shape(change: Change, periods: tuple[Period, Period]) -> dict[str, Any]:
    """One group of both periods as ``metrics compare --json`` shows it."""
    was, now = change.before, change.after
    return {
        "workflow": change.workflow,
        "step": change.step,
        "fingerprint": change.fingerprint,
        "before": None if was is None else group_shape(was, periods[0]),
        "after": None if now is None else group_shape(now, periods[1]),
        "times_as_long": change.times_as_long,
        "changes": list(change.words),
    }


def change_lines(changes: Sequence[Change], by: By, periods: tuple[Period, Period]) -> Iterator[str]:
    """A table of groups in both periods."""
    yield f"before: {_told(periods[0])}"
    yield f"after:  {_told(periods[1])}"
    if not changes:
        yield "no attempt ended in either"
        return
    heads = (*_heads(by), "attempts", "an hour", "mean", "failed", "")
    rows = [heads, *((*_names(change, by), *_both(change)) for change in changes)]
    names = len(_heads(by))
    yield from printing.table(rows, right=tuple(range(names, names + 4)))


def _both(change: Change) -> tuple[str, ...]:
    groups = change.before, change.after
    counts = [str(group.n) if group else "0" for group in groups]
    rates = ["-" if rate is None else f"{rate:,.1f}" for rate in (change.rate_before, change.rate_after)]
    means = ["-" if group is None or group.mean is None else printing.spent(group.mean) for group in groups]
    shares = ["-" if group is None or group.failure_ratio is None else f"{group.failure_ratio:.1%}" for group in groups]
    words = ", ".join(change.words)
    return (*(" → ".join(cells) for cells in (counts, rates, means, shares)), words)


def figure_changes(before: Mapping[str, Figure], after: Mapping[str, Figure]) -> Iterator[dict[str, Any]]:
    """The means of figures that are known of both periods, as JSON."""
    for gauge in GAUGES:
        if gauge.name in before and gauge.name in after:
            was, now = before[gauge.name].mean, after[gauge.name].mean
            yield {"figure": gauge.name, "unit": gauge.unit, "before": was, "after": now}


def figure_change_lines(before: Mapping[str, Figure], after: Mapping[str, Figure]) -> Iterator[str]:
    """A table of the figures whose means have changed by a tenth at least."""
    rows = [
        (one["figure"], f"{_amount(one['before'], one['unit'])} → {_amount(one['after'], one['unit'])}")
        for one in figure_changes(before, after)
        if abs(one["after"] - one["before"]) > _A_TENTH * abs(one["before"])
    ]
    if rows:
        yield ""
        yield from printing.table([("mean of", "before → after"), *rows])
