"""``metrics``: what was measured: for Prometheus, over a time, and of two times beside each other."""

from __future__ import annotations

from typing import NamedTuple

import click

from overnight import wiring
from overnight.core.errors import UsageError
from overnight.core.gauges import GAUGES
from overnight.core.monitor.comparison import Period, compared
from overnight.core.monitor.sums import By, Group, Name, grouped
from overnight.core.tallies import beginning, tally_span
from overnight.ui.cli import measured, printing, shapes
from overnight.ui.cli.group import SETTINGS, global_options, home_option
from overnight.ui.cli.group import Verb as Command
from overnight.ui.cli.values import Duration, Past
from overnight.wiring.measuring import exposed, past_of

_DAY = 86400.0
_BY = click.option(
    "--by",
    type=click.Choice([by.value for by in By]),
    default=By.STEP.value,
    show_default=True,
    help="What is told apart: workflows, their steps, or causes of failures.",
)
_JSON = click.option("--json", "as_json", is_flag=True, help="Print one JSON object a line.")


class _Period(NamedTuple):
    """What was said of a period."""

    since: float | None
    until: float | None

    def from_now(self, now: float) -> Period:
        """As a period that ends now, and lasts a day, where nothing was said."""
        until = now if self.until is None else self.until
        return _whole(until - _DAY if self.since is None else self.since, until, now)


@click.group(context_settings=SETTINGS, params=global_options(hidden=True), invoke_without_command=True)
@click.pass_context
def metrics(ctx: click.Context) -> None:
    """Print everything that is measured as Prometheus reads it; or look at what was.

    The same stands in metrics.prom while an engine works. What the numbers mean: docs/monitoring.md.
    """
    if ctx.invoked_subcommand is None:
        printing.pour(exposed(wiring.find_home(home_option())))


@metrics.command(cls=Command)
@click.option("--since", type=Past(), metavar="TIME", help="Where it begins: 2h (ago), 06:00, a date. [default: 1d]")
@click.option("--until", type=Past(), metavar="TIME", help="Where it ends. [default: now]")
@_BY
@_JSON
def attempts(*, since: float | None, until: float | None, by: str, as_json: bool) -> None:
    """Say how many attempts ended, how long they took, and how many failed."""
    period, groups = _groups(_Period(since, until), By(by))
    if as_json:
        for group in groups.values():
            printing.say(shapes.line(measured.group_shape(group, period)))
        return
    for line in measured.group_lines(list(groups.values()), By(by), period):
        printing.say(line)


@metrics.command(cls=Command)
@click.option("--since", type=Past(), metavar="TIME", help="Where it begins: 2h (ago), 06:00, a date. [default: 1d]")
@click.option("--until", type=Past(), metavar="TIME", help="Where it ends. [default: now]")
@_JSON
def figures(*, since: float | None, until: float | None, as_json: bool) -> None:
    """Say how the machine and the queue were: mean, least and most of each figure, and when there was no network."""
    now = wiring.clock.now()
    period = _Period(since, until).from_now(now)
    with past_of(wiring.find_home(home_option())) as past:
        found, gone = past.figures(period, now=now), past.network_outages(period, now=now)
    known = [(gauge, found[gauge.name]) for gauge in GAUGES if gauge.name in found]
    if as_json:
        for gauge, figure in known:
            printing.say(shapes.line({"figure": gauge.name, "unit": gauge.unit, **figure._asdict()}))
        for outage in gone:
            words = {"since": printing.iso(outage.since), "until": printing.iso(outage.until)}
            printing.say(shapes.line({"outage": "network", **words}))
        return
    for line in measured.figure_lines(known, gone):
        printing.say(line)


@metrics.command(cls=Command)
@click.option("--at", type=Past(), metavar="TIME", help="Where one ends, the other begins. [default: a span ago]")
@click.option("--span", type=Duration(), default=_DAY, metavar="DURATION", help="How long each is. [default: 1d]")
@click.option("--before", type=Past(), nargs=2, metavar="SINCE UNTIL", help="The first one, instead of --at.")
@click.option("--after", type=Past(), nargs=2, metavar="SINCE UNTIL", help="The second one, instead of --at.")
@_BY
@_JSON
def compare(
    *,
    at: float | None,
    span: float,
    before: tuple[float, float] | None,
    after: tuple[float, float] | None,
    by: str,
    as_json: bool,
) -> None:
    """Lay the time before a change beside the time after it: durations, failures, and the machine.

    Without anything said, the last day is laid beside the one before it.
    """
    now = wiring.clock.now()
    periods = _periods(at, span, before, after, now)
    with past_of(wiring.find_home(home_option())) as past:
        was, is_now = (grouped(past.sums(period, now=now), By(by)) for period in periods)
        figures = [past.figures(period, now=now) for period in periods]
    changes = compared(was, is_now, periods)
    if as_json:
        for change in changes:
            printing.say(shapes.line(measured.change_shape(change, periods)))
        for shape in measured.figure_changes(figures[0], figures[1]):
            printing.say(shapes.line(shape))
        return
    for line in measured.change_lines(changes, By(by), periods):
        printing.say(line)
    for line in measured.figure_change_lines(figures[0], figures[1]):
        printing.say(line)


def _groups(said: _Period, by: By) -> tuple[Period, dict[Name, Group]]:
    now = wiring.clock.now()
    period = said.from_now(now)
    with past_of(wiring.find_home(home_option())) as past:
        return period, grouped(past.sums(period, now=now), by)


def _periods(
    at: float | None,
    span: float,
    before: tuple[float, float] | None,
    after: tuple[float, float] | None,
    now: float,
) -> tuple[Period, Period]:
    if (before is None) != (after is None):
        raise UsageError("one period alone cannot be compared; nothing was read", hint="--before and --after, or --at")
    if before is not None and after is not None:
        return _whole(*before, now), _whole(*after, now)
    between = now - span if at is None else at
    return _whole(between - span, between, now), _whole(between, min(between + span, now), now)


def _whole(since: float, until: float, now: float) -> Period:
    """In whole minutes or hours, as they are counted, so that none is in two periods; but for one that ends now.

    Raises:
        UsageError: It ends before it begins.
    """
    if until <= since:
        raise UsageError("a period ends after it has begun; nothing was read", hint="--since 2h --until 1h")
    span = tally_span(until - since, now - since)
    return Period(beginning(since, span), beginning(until, span) if until < now else until)
