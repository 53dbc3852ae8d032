"""``migrate``: the schema of your own database, by numbered files of SQL: what waits, rehearsed, applied, undone."""

from __future__ import annotations

import os
import sys
from contextlib import nullcontext
from datetime import UTC, datetime

import click

from overnight import wiring
from overnight.core.migrations.choosing import named, to_accept, to_apply, to_forget, to_undo
from overnight.core.migrations.files import Migration
from overnight.core.migrations.standing import STOPPING, WAITING, Deed, Record
from overnight.ops.migrations import folder as folders
from overnight.ops.migrations.others import Other, others
from overnight.ops.migrations.own_store import look
from overnight.ops.migrations.project import Looked
from overnight.ops.migrations.rehearsing import rehearse
from overnight.ui.cli import migrations, printing, shapes
from overnight.ui.cli.group import SETTINGS, Verb, global_options
from overnight.ui.cli.settings import home_in_use, in_use

_as_json = click.option("--json", "as_json", is_flag=True, help="Print one JSON object.")
_each_as_json = click.option("--json", "as_json", is_flag=True, help="Print one JSON object a line.")
_upto = click.argument("version", default="", metavar="[VERSION]")
_out_of_order = click.option("--out-of-order", is_flag=True, help="Also those that are older than what is applied.")
_again = click.option(
    "--again", default="", metavar="VERSION", help="Also one that was left half done, all of it anew."
)


_TAKEN = {Deed.ACCEPTED: "counts as applied", Deed.ACCEPTED_UNDONE: "counts as not applied"}


@click.group(context_settings=SETTINGS, params=global_options(hidden=True))
def migrate() -> None:
    """Bring the schema of your database up to date, by numbered files of SQL.

    [migrations] in overnight.toml names the database (SQLite or PostgreSQL) and the folder. Files and table are
    those of dbmate; plain SQL is taken as well. Our own store needs none of this: it is migrated by itself.
    """


@migrate.command(cls=Verb)
@click.option("--exit-code", is_flag=True, help="Exit with 1 when something waits or has to be looked at.")
@_as_json
def status(*, exit_code: bool, as_json: bool) -> None:
    """Say what is applied and what waits.

    Also what is wrong, and which schema our own store has.
    """
    own = look(home_in_use())
    elsewhere = others(migrations.root())
    settings, _ = in_use()
    with migrations.opened() if settings.migrations_database else nullcontext() as found:
        well = found is None or migrations.is_well(found.standings)
        if as_json:
            shape = migrations.status_shape(own, found, well=well)
            printing.say(shapes.line({**shape, "others": [one._asdict() for one in elsewhere]}))
        else:
            if own is not None:
                migrations.say_own(own)
            _say_yours(found)
            _say_others(elsewhere)
    sys.exit(1 if exit_code and not well else 0)


def _say_yours(found: Looked | None) -> None:
    if found is not None:
        migrations.say_counts(found)
        _say_next(found)
        return
    printing.say("no database of yours is named")
    printing.note('  try: in overnight.toml [migrations], and below it database = "sqlite:app.db"')


def _say_others(elsewhere: list[Other]) -> None:
    for one in elsewhere:
        printing.say(f"{one.program} ({one.file}) has migrations of its own, which are its own business")
        printing.note(f"  try: '{one.look}', '{one.apply}'")


def _say_next(found: Looked) -> None:
    """What to type about it."""
    if any(one.condition in STOPPING for one in found.standings):
        printing.note("  try: 'overnight migrate apply' says what to do about each, and applies nothing before that")
    elif any(one.trouble for one in found.standings):
        printing.note(
            "  try: 'overnight migrate plan' says what is wrong with it; mend that, then the same with 'apply'"
        )
    elif any(one.condition in WAITING for one in found.standings):
        printing.note("  try: 'overnight migrate plan' rehearses what waits, 'overnight migrate apply' applies it")


@migrate.command("list", cls=Verb)
@_each_as_json
def list_(*, as_json: bool) -> None:
    """List all migrations and how it is with each."""
    with migrations.opened() as found:
        if as_json:
            for one in found.standings:
                printing.say(shapes.line(migrations.standing_shape(one)))
            return
        for line in printing.table([migrations.row(one) for one in found.standings]):
            printing.say(line)
    if not found.standings:
        printing.note("overnight: there are none yet\n  try: 'overnight migrate new NAME'")


@migrate.command(cls=Verb)
@_upto
@_out_of_order
@_again
@_as_json
def plan(*, version: str, out_of_order: bool, again: str, as_json: bool) -> None:
    """Rehearse what waits, and show it.

    Its SQL, what it makes of the schema, and how long it takes; up to VERSION, if one is named. On a copy
    (SQLite), or in a transaction that is rolled back (PostgreSQL, whose locks it takes meanwhile).
    Exits 1 when one fails.
    """
    with migrations.opened() as found:
        wanted = to_apply(found.standings, upto=version, out_of_order=out_of_order, again=again)
        _rehearse(found, wanted, down=False, again=_left(found, again), as_json=as_json)
        if wanted and not as_json:
            printing.note("  try: the same with 'apply' in the place of 'plan'")


def _left(found: Looked, again: str) -> Record | None:
    """What is on record of the one that was left in the middle; None: none is named."""
    return named(found.standings, again).record if again else None


def _rehearse(
    found: Looked, wanted: list[Migration], *, down: bool, again: Record | None = None, as_json: bool
) -> None:
    if not wanted and not as_json:
        printing.say("nothing waits" if not down else "nothing is applied")
        return
    done = rehearse(found.database, wanted, clock=wiring.clock, down=down, again=again)
    if as_json:
        printing.say(shapes.line(migrations.rehearsal_shape(found, done)))
        sys.exit(done.error.exit_code if done.error else 0)
    migrations.say_rehearsal(found, done)
    if done.error is not None:
        raise done.error


@migrate.command(cls=Verb)
@_upto
@_out_of_order
@_again
@click.option("--accept", default="", metavar="VERSION", help="Take one as applied, as its file is now; run nothing.")
@_each_as_json
def apply(*, version: str, out_of_order: bool, again: str, accept: str, as_json: bool) -> None:
    """Apply what waits.

    Each in a transaction of its own, in the order of their numbers, up to VERSION, if one is named. One that
    fails leaves the database as it was before it, and is the last that is tried.
    """
    with migrations.opened() as found:
        runner = migrations.runner(found)
        if accept:
            one = to_accept(found.standings, accept)
            runner.accept(one)
            _say_done(one, 0.0, Deed.ACCEPTED, as_json=as_json)
            return
        wanted = to_apply(found.standings, upto=version, out_of_order=out_of_order, again=again)
        anew = _left(found, again)
        for one in wanted:
            _say_done(one, runner.up(one, again=anew), Deed.APPLIED, as_json=as_json)
        if not wanted and not as_json:
            printing.say("nothing waits")


def _say_done(one: Migration, seconds: float | None, deed: Deed, *, as_json: bool) -> None:
    if as_json:
        words = {"version": one.version, "file": shapes.safe(one.filename), "deed": deed, "seconds": seconds}
        printing.say(shapes.line(words))
    elif deed in _TAKEN:
        printing.say(f"{printing.clean(one.filename)}: {_TAKEN[deed]}; nothing was run")
    elif seconds is None:
        printing.say(f"{printing.clean(one.filename)}: somebody else was faster")
    else:
        printing.say(f"{printing.clean(one.filename)}: {deed} in {printing.spent(seconds)}")
    printing.flush()


@migrate.command(cls=Verb)
@click.option("-n", "--count", type=click.IntRange(min=1), default=1, show_default=True, help="How many.")
@click.option("--yes", is_flag=True, help="Do it, and do not only rehearse it.")
@click.option(
    "--again", default="", metavar="VERSION", help="That one, whose way back was left half done, all of it anew."
)
@click.option("--accept", default="", metavar="VERSION", help="Take one as undone; run nothing.")
@_each_as_json
def rollback(*, count: int, yes: bool, again: str, accept: str, as_json: bool) -> None:
    """Undo the last one, or several.

    That is the one with the highest number that is applied. Without --yes it is only rehearsed.
    """
    with migrations.opened() as found:
        if accept:
            one = to_forget(found.standings, accept)
            migrations.runner(found).accept(one, Deed.ACCEPTED_UNDONE)
            _say_done(one, 0.0, Deed.ACCEPTED_UNDONE, as_json=as_json)
            return
        wanted, anew = to_undo(found.standings, count, again=again), _left(found, again)
        if not yes:
            _rehearse(found, wanted, down=True, again=anew, as_json=as_json)
            if wanted and not as_json:
                printing.note("  try: the same with --yes")
            return
        runner = migrations.runner(found)
        for one in wanted:
            _say_done(one, runner.down(one, again=anew), Deed.UNDONE, as_json=as_json)
        if not wanted and not as_json:
            printing.say("nothing is applied")


@migrate.command(cls=Verb)
@click.argument("name", nargs=-1, required=True)
def new(*, name: tuple[str, ...]) -> None:
    """Make the file of a new migration.

    It is numbered as those that are there, and its path is printed. The first gets its number from the clock
    (UTC), so that two branches do not take the same one.
    """
    moment = datetime.fromtimestamp(wiring.clock.now(), UTC)
    file = folders.new(migrations.folder(), " ".join(name), f"{moment:%Y%m%d%H%M%S}")
    printing.say(printing.clean(os.path.relpath(file)))
    printing.note("  try: write its SQL below '-- migrate:up', what takes it back below '-- migrate:down'")


@migrate.command(cls=Verb)
@_each_as_json
def report(*, as_json: bool) -> None:
    """Say what was done when, by whom, how long.

    Everything that was applied and undone, the oldest first.
    """
    with migrations.opened() as found:
        records = found.database.records()
        if as_json:
            for record in records.log:
                printing.say(shapes.line(migrations.record_shape(record)))
            return
        rows = [
            (
                printing.clock(one.at),
                one.deed,
                printing.clean(one.filename),
                printing.spent(one.seconds) if one.seconds else "",
                printing.clean(one.by),
            )
            for one in records.log
        ]
        for line in printing.table(rows, right=(3,)):
            printing.say(line)
        unknown = sorted(records.applied - {one.version for one in records.log})
        if unknown:
            words = printing.clean(", ".join(unknown))
            printing.note(f"overnight: applied by another program, nobody knows when: {words}")
        elif not rows:
            printing.note("overnight: nothing was applied yet")
