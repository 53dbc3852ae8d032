"""What the verbs of ``migrate`` share: finding the database of this call, and saying how it is with migrations."""

from __future__ import annotations

import os
import platform
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from overnight import wiring
from overnight.core.migrations.schemas import Change
from overnight.core.migrations.standing import STOPPING, WAITING, Condition, Record, Standing
from overnight.ops.migrations.own_store import OwnStore
from overnight.ops.migrations.project import Looked, folder_of, looked, project_of
from overnight.ops.migrations.rehearsing import Rehearsal, Step
from overnight.ops.migrations.running import Runner
from overnight.ui.cli import printing, shapes
from overnight.ui.cli.settings import home_in_use, in_use

#: Lines of SQL that are shown of one migration; --json has all.
_LINES = 40


def root() -> Path:
    """The directory of the project."""
    return home_in_use().config.parent


def folder() -> Path:
    """Where migrations lie."""
    settings, _ = in_use()
    return folder_of(settings, root())


@contextmanager
def opened() -> Iterator[Looked]:
    """The database of this project with its migrations.

    Raises:
        ConfigurationError: None is named, or something about it makes no sense.
        DatabaseUnavailableError: It is locked or away.
    """
    settings, _ = in_use()
    with looked(project_of(settings, root(), os.environ)) as found:
        for name in found.folder.unnumbered:
            printing.note(f"overnight: {printing.clean(name)} has no number before its name, and is never run")
        if not found.database.is_there:
            _say_missing(found)
        yield found


def _say_missing(found: Looked) -> None:
    """That there is no database, before anybody takes a new one for what was there."""
    shown = printing.clean(found.database.shown)
    printing.note(f"overnight: {shown} is not there; 'overnight migrate apply' makes it, with nothing in it before")
    printing.note("  try: if it should be there, bring it back, or mend [migrations] database in overnight.toml")


def runner(found: Looked) -> Runner:
    """Who runs migrations, as this call."""
    return Runner(found.database, wiring.clock, f"{wiring.who().partition('/')[0]}@{platform.node()}")


# -- for people --------------------------------------------------------------------------------


def say_own(own: OwnStore) -> None:
    """How it is with our own store, and what brings it up to date."""
    where, schema = printing.place(os.fspath(own.path)), f"schema {own.schema}"
    if own.schema == own.wanted:
        printing.say(f"own store {where}: {schema}, up to date")
    elif own.schema < own.wanted:
        printing.say(f"own store {where}: {schema}, this program wants {own.wanted}")
        printing.note("  try: 'overnight restart' brings it up to date, and keeps a copy of it as it is")
    else:
        printing.say(f"own store {where}: {schema}, this program knows {own.wanted} and changes nothing")
        printing.note(f"  try: pip install {own.install}")


def say_counts(found: Looked) -> None:
    """How many there are, and what is wrong, by name."""
    counts = dict.fromkeys(Condition, 0)
    for one in found.standings:
        counts[one.condition] += 1
    words = ", ".join(f"{number} {condition}" for condition, number in counts.items() if number)
    total = printing.count(len(found.standings), "migration")
    printing.say(f"{printing.clean(found.database.shown)}: {total}{': ' if words else ''}{words}")
    for one in found.standings:
        if one.condition not in (Condition.APPLIED, Condition.PENDING):
            printing.say(f"  {one.condition}: {printing.clean(one.filename)}")
        if one.trouble:
            printing.say(f"  cannot be applied: {printing.clean(one.filename)}: {printing.clean(one.trouble)}")


def row(one: Standing) -> tuple[str, ...]:
    """One migration on a line."""
    record, migration = one.record, one.migration
    when = "" if one.condition in WAITING else "by another program"
    if record is not None and one.condition not in WAITING:
        when = f"{printing.clock(record.at)} by {printing.clean(record.by)}"
    about = printing.clean(migration.description) if migration else ""
    way_back = "" if migration is None or migration.down else "no way down"
    return one.version, one.condition, when, way_back, about


def say_step(step: Step) -> None:
    """One migration as it was rehearsed: its SQL, what it makes of the schema, how long it took."""
    one, part = step.migration, step.part
    what = printing.count(len(part.statements), "statement")
    printing.say(f"{printing.clean(one.filename)}  {what}, {printing.spent(step.seconds)}")
    lines = one.text[part.begin : part.end].strip("\n").rstrip().split("\n")
    for line in lines[:_LINES]:
        printing.say(f"    {printing.clean(line)}".rstrip())
    if len(lines) > _LINES:
        printing.say(f"    ... and {len(lines) - _LINES:,} more lines")
    for change in step.changes:
        printing.say(f"  {change.sign} {printing.clean(change.name)}")
        for line in change.lines:
            printing.say(f"      {printing.clean(line)}")
    if not step.changes:
        printing.say("  the schema stays as it is")
    printing.say()


def say_rehearsal(found: Looked, done: Rehearsal) -> None:
    """All steps, and what could not be rehearsed."""
    for step in done.steps:
        say_step(step)
    if done.rest:
        first = printing.clean(done.rest[0].filename)
        more = f" and {printing.count(len(done.rest) - 1, 'later one')}" if len(done.rest) > 1 else ""
        printing.say(f"not rehearsed: {first}{more}: {done.why}")
    how = "on a copy" if found.database.rehearses_all else "in a transaction that was rolled back"
    steps = printing.count(len(done.steps), "migration")
    seconds = printing.spent(sum(step.seconds for step in done.steps))
    printing.note(f"overnight: {steps} rehearsed {how} in {seconds}; nothing was changed")


# -- for programs ------------------------------------------------------------------------------


def status_shape(own: OwnStore | None, found: Looked | None, *, well: bool) -> dict[str, Any]:
    """How it is; None: there is no store, and no database is named."""
    ours = own and {"path": shapes.safe(str(own.path)), "schema": own.schema, "wanted": own.wanted}
    return {
        "own_store": ours,
        "database": found and shapes.safe(found.database.shown),
        "well": well,
        "migrations": [standing_shape(one) for one in found.standings] if found else [],
    }


def standing_shape(one: Standing) -> dict[str, Any]:
    """One migration."""
    migration = one.migration
    return {
        "version": one.version,
        "file": shapes.safe(one.filename),
        "description": shapes.safe(migration.description) if migration else None,
        "condition": one.condition,
        "trouble": shapes.safe(one.trouble) or None,
        "has_down": migration is not None and migration.down is not None,
        "applied_at": printing.iso(one.record.at) if one.record and one.condition not in WAITING else None,
    }


def record_shape(record: Record) -> dict[str, Any]:
    """One line of the log."""
    return {
        "version": record.version,
        "file": shapes.safe(record.filename),
        "deed": record.deed,
        "at": printing.iso(record.at),
        "by": shapes.safe(record.by),
        "seconds": record.seconds,
        "sha256": record.checksum,
    }


def step_shape(step: Step) -> dict[str, Any]:
    """One migration as it was rehearsed."""
    return {
        "version": step.migration.version,
        "file": shapes.safe(step.migration.filename),
        "sql": [shapes.safe(one.text) for one in step.part.statements],
        "seconds": round(step.seconds, 6),
        "changes": [_change(one) for one in step.changes],
    }


def _change(one: Change) -> dict[str, Any]:
    return {"sign": one.sign, "name": shapes.safe(one.name), "lines": [shapes.safe(line) for line in one.lines]}


def rehearsal_shape(found: Looked, done: Rehearsal) -> dict[str, Any]:
    """All of it."""
    return {
        "database": shapes.safe(found.database.shown),
        "steps": [step_shape(step) for step in done.steps],
        "not_rehearsed": [shapes.safe(one.filename) for one in done.rest],
        "why": done.why or None,
        "error": shapes.safe(done.error.message) if done.error else None,
    }


def is_well(standings: Sequence[Standing]) -> bool:
    """Whether nothing waits and nothing has to be looked at."""
    return not any(one.condition in WAITING | STOPPING for one in standings)
