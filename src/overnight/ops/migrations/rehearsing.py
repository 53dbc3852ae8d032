"""A rehearsal: what would be run is run, where nothing remains of it, and what it makes of the schema is seen."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial

import msgspec

from overnight.core.errors import OvernightError
from overnight.core.migrations.files import Migration, Part
from overnight.core.migrations.schemas import Change, difference
from overnight.core.migrations.standing import Record
from overnight.host.clock import Clock
from overnight.ops.migrations.databases.contract import CannotRehearseError, Database
from overnight.ops.migrations.running import Runner


class Step(msgspec.Struct, frozen=True):
    """One migration, rehearsed."""

    migration: Migration
    part: Part
    seconds: float
    changes: list[Change]


class Rehearsal(msgspec.Struct):
    """How far it came."""

    steps: list[Step] = []
    #: What was not rehearsed, and why.
    rest: list[Migration] = []
    why: str = ""
    #: What failed; the steps before it went well.
    error: OvernightError | None = None


def rehearse(
    database: Database, wanted: Sequence[Migration], *, clock: Clock, down: bool = False, again: Record | None = None
) -> Rehearsal:
    """Run migrations where nothing remains of it.

    Args:
        database: Is as before afterwards.
        wanted: In the order of their run; nothing is wrong with their files.
        clock: For how long each takes.
        down: Undo them.
        again: What is on record of one that was left in the middle and is run from its beginning.

    Raises:
        NotNowError, DatabaseUnavailableError: It could not begin.
    """
    with database.rehearsal() as stage:
        runner = Runner(stage, clock, "", rehearses=True)
        return _run(stage, wanted, partial(runner.down if down else runner.up, again=again), down=down)


def _run(
    stage: Database, wanted: Sequence[Migration], run: Callable[[Migration], float | None], *, down: bool
) -> Rehearsal:
    found = Rehearsal()
    before = stage.schema()
    for number, migration in enumerate(wanted):
        part = (migration.down if down else None) or migration.up
        if not part.in_transaction and not stage.rehearses_all:
            found.why = "it runs outside of a transaction, and so cannot be taken back"
        else:
            try:
                seconds = run(migration) or 0.0
            except CannotRehearseError as error:
                found.why = str(error)
            except OvernightError as error:
                found.error = error
                return found
        if found.why:
            found.rest = list(wanted[number:])
            return found
        after = stage.schema()
        found.steps.append(Step(migration, part, seconds, difference(before, after)))
        before = after
    return found
