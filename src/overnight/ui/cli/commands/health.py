"""``health``: the checks again and again, how each stands, and how it has been."""

from __future__ import annotations

import select
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import closing, contextmanager
from typing import Any

import apsw
import click
import msgspec

from overnight import wiring
from overnight.core.errors import NotFoundError, StoreUnavailableError, UsageError
from overnight.core.findings import Finding, Status, by_urgency, overall
from overnight.core.health import LATEST, Record, Standing, recorded, share_well
from overnight.host.home import Home
from overnight.host.lock import read_owner
from overnight.host.signals import SignalWatch
from overnight.monitor.health import HealthBook
from overnight.ops.examination import Answer
from overnight.ui.cli import printing
from overnight.ui.cli.group import SETTINGS, Verb, global_options
from overnight.ui.cli.session import made, opened
from overnight.ui.cli.settings import in_use
from overnight.ui.cli.values import Duration
from overnight.wiring import health as wired

#: Seconds between two rounds at the least.
_LEAST = 1.0


@click.group(context_settings=SETTINGS, params=global_options(hidden=True))
def health() -> None:
    """Examine again and again, and keep what was found.

    The checks are those of 'overnight doctor'. What takes long is asked each 15 minutes, all else in each round.
    """


@health.command(cls=Verb)
@click.argument("every", type=Duration(), default="60", metavar="[EVERY]")
@click.option("--foreground", is_flag=True, help="Do it here, even if an engine could.")
def start(*, every: float, foreground: bool) -> None:
    """Begin, with a round each EVERY (60 seconds).

    Where an engine works it is told to do it, and so is every later one. Otherwise it is done here, until a
    signal (Ctrl-C, TERM) ends it after the round that is on; what changes is printed.
    """
    if every < _LEAST:
        raise UsageError(
            f"{every:g} s are too little; nothing was begun", hint="write a second or more, as in 60 or 5m"
        )
    in_use()  # a mistake in the configuration is told before anything begins
    with made() as session:
        home = session.home
        if not foreground and read_owner(home.lock) is not None:
            wired.lay_down(session.store, home, every)
            session.ring()
            printing.say(f"the engine examines everything each {printing.spent(every)}")
            return
    sys.exit(_go_on(home, every))


def _go_on(home: Home, every: float) -> int:
    """Round after round, here; the exit status."""
    number = 0
    with SignalWatch() as signals:

        def wait(seconds: float) -> bool:
            nonlocal number
            select.select([signals], [], [], seconds)
            taken = signals.take()
            number = taken[0] if taken else 0
            return bool(taken)

        watch = wired.Watch(home, every, tell=_Changes(), told=lambda words: printing.note(f"overnight: {words}"))
        rounds = watch.go_on(wait)
    printing.note(f"overnight: {printing.count(rounds, 'round')} written down; 'overnight health report' shows them")
    return 128 + number


class _Changes:
    """Says what has changed since the round before."""

    def __init__(self) -> None:
        self._before: dict[str, Status] = {}

    def __call__(self, answers: list[Answer]) -> None:
        found = by_urgency(finding for answer in answers for finding in answer.findings)
        worst: dict[str, Finding] = {}
        for finding in found:
            worst.setdefault(finding.check, finding)
        for name, finding in worst.items():
            if self._before.get(name, Status.OK) is not finding.status:
                when = printing.clock(wiring.clock.now())
                printing.say(f"{when}  {finding.status.name:<7} {name:<13} {printing.clean(finding.summary)}")
        if not self._before:
            printing.say(f"{overall(found)}: {printing.count(len(worst), 'check')}")
        self._before |= {name: finding.status for name, finding in worst.items()}
        printing.flush()


@health.command(cls=Verb)
def stop() -> None:
    """End what 'health start' has begun with the engine. What was found is kept."""
    with opened() as session:
        gone = wired.take_away(session.store, session.home)
        session.ring()
    printing.say("nothing is examined by the engine any more" if gone else "the engine examined nothing")


@health.command(cls=Verb)
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object.")
def status(*, as_json: bool) -> None:
    """Say how each check stands, the worst first, and since when."""
    with opened(readonly=True) as session, _book(session.home) as book:
        standings, scheduled, past = _urgent(book.standings()), wired.found(session.store), book.known()
        runs = read_owner(session.home.lock) is not None
    every, now = scheduled.schedule.when.every if scheduled else None, wiring.clock.now()
    known = any(one.is_known(now) for one in standings)
    word = overall(Finding(one.check, one.status, one.summary) for one in standings if known)
    if as_json:
        checks = [_standing_shape(one, now) for one in standings]
        words = {"overall": str(word), "every_seconds": every, "engine": runs, "checks": checks}
        printing.say(msgspec.json.encode(words).decode())
        return
    for line in printing.table([_standing_row(one, now) for one in standings]):
        printing.say(line)
    by = "nobody examines by a schedule" if every is None else f"the engine examines each {printing.spent(every)}"
    idle = "" if every is None or runs else ", and no engine works"
    printing.say(f"{word}: {printing.count(len(standings), 'check')}; {by}{idle}")
    if not known:
        _say_unknown(past, now)


def _say_unknown(past: Mapping[str, Standing], now: float) -> None:
    """That nothing is known now, and where to look."""
    last = max((one.at for one in past.values()), default=None)
    ago = "" if last is None else f"; the last answer is {printing.spent(max(0.0, now - last))} old"
    printing.note(f"overnight: nothing is known of how it is now{ago}")
    printing.note("  try: 'overnight doctor' examines now, 'overnight health start' from now on; what was found")
    printing.note("       before: 'overnight health report'")


def _urgent(standings: Mapping[str, Standing]) -> list[Standing]:
    order = by_urgency(Finding(one.check, one.status, "") for one in standings.values())
    return [standings[finding.check] for finding in order]


def _standing_row(one: Standing, now: float) -> tuple[str, ...]:
    since = f"for {printing.spent(max(0.0, now - one.since))}"
    late = "" if one.is_known(now) else f" (asked {printing.spent(abs(now - one.at))} ago)"
    return one.status.name, one.check, since, printing.clean(one.summary) + late


def _standing_shape(one: Standing, now: float) -> dict[str, Any]:
    return {
        "id": one.check,
        "status": one.status.name.lower(),
        "summary": one.summary,
        "since": printing.iso(one.since),
        "at": printing.iso(one.at),
        "current": one.is_known(now),
        "value": one.value,
        "unit": one.unit or None,
    }


@health.command(cls=Verb)
@click.argument("checks", nargs=-1, metavar="[CHECK]...")
@click.option("--since", type=Duration(), help="How far back, 7d at most; else the last 100 answers of each check.")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object.")
def report(*, checks: tuple[str, ...], since: float | None, as_json: bool) -> None:
    """Say how each check has been: how often it was well, its figure (mean, p95), and where that goes.

    It is worsening or improving only where that is more than the noise of its figures.
    """
    with opened(readonly=True) as session, _book(session.home) as book:
        wanted = _wanted(book.known(), checks)
        start = None if since is None else wiring.clock.now() - since
        found = [
            (one, book.latest(one.check, LATEST) if start is None else book.since(one.check, start)) for one in wanted
        ]
    rows = [(one, recorded(replies, more_is_better=one.more_is_better)) for one, replies in found if replies]
    began = min((replies[0].at for _, replies in found if replies), default=None)
    up = share_well(reply.status for _, replies in found for reply in replies)
    if as_json:
        words = {"since": printing.iso(began), "uptime": up, "checks": [_record_shape(*row) for row in rows]}
        printing.say(msgspec.json.encode(words).decode())
        return
    head = ("check", "uptime", "asked", "mean", "p95", "trend")
    for line in printing.table([head, *(_record_row(*row) for row in rows)], right=(1, 2, 3, 4)):
        printing.say(line)
    if began is not None and up is not None:
        printing.say(f"{up:.2%} of all answers since {printing.clock(began)} were no failures")
    if not rows:
        printing.note("overnight: nothing is on record of that time\n  try: 'overnight health start'")


def _wanted(standings: Mapping[str, Standing], names: Sequence[str]) -> list[Standing]:
    """How these checks stand, or all of them."""
    if unknown := next((name for name in names if name not in standings), None):
        raise NotFoundError(f"nothing is on record of a check {unknown!r}", hint=f"there is {', '.join(standings)}")
    return [one for name, one in standings.items() if name in names or not names]


def _record_row(one: Standing, record: Record) -> tuple[str, ...]:
    up = "unknown" if record.uptime is None else f"{record.uptime:.2%}"
    figures = _figure(record.mean, one.unit), _figure(record.p95, one.unit)
    return one.check, up, f"{record.asked:,}", *figures, record.course


def _figure(value: float | None, unit: str) -> str:
    if value is None:
        return ""
    if unit == "seconds":
        return printing.spent(value)
    if unit == "bytes":
        return printing.size(value)
    return f"{value:.1%}" if unit == "ratio" else f"{value:,.6g}"


def _record_shape(one: Standing, record: Record) -> dict[str, Any]:
    return {"id": one.check, "unit": one.unit or None, **msgspec.to_builtins(record)}


@contextmanager
def _book(home: Home) -> Iterator[HealthBook]:
    if not home.health.exists():
        raise NotFoundError("nothing was examined here yet", hint="'overnight health start' begins")
    try:
        with closing(HealthBook(home.health, readonly=True)) as book:
            yield book
    except apsw.Error as error:
        raise StoreUnavailableError(
            f"{home.health} cannot be read ({error}); no task is concerned",
            hint="once more in a moment; the next round begins it anew where it is damaged",
        ) from None
