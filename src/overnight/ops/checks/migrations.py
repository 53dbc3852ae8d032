"""Whether the database of the project has what its migrations say, and our own store what this program wants."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import suppress

import msgspec

from overnight.core.errors import OvernightError, StoreDamagedError
from overnight.core.findings import Finding
from overnight.core.migrations.standing import STOPPING, WAITING, Condition, Standing
from overnight.ops.checks.contract import Check, Cost, Scene, by_hand, fail, ok, warn
from overnight.ops.migrations.own_store import look
from overnight.ops.migrations.project import Looked, looked, project_of

_ID = "migrations"
#: Seconds that a lock or a server is waited for: an answer that is late is none.
_WAIT = 2.0
_APPLY = by_hand("migrate-apply", "Apply what waits", "overnight migrate plan, then overnight migrate apply")
_MEND = by_hand(
    "migrate-mend", "Mend it", "overnight migrate plan says what is wrong; mend that, then overnight migrate apply"
)
_LOOK = by_hand("migrate-status", "Look at each", "overnight migrate apply says what to do, and runs nothing before")
_MISSING = by_hand(
    "migrate-missing", "If it should be there", "bring it back, or mend [migrations] database in overnight.toml"
)
_ENGINE = by_hand("migrate-own", "Have the store brought up to date", "overnight run, start or restart does it")


def _run(scene: Scene) -> Iterator[Finding]:
    if scene.home is not None:
        with suppress(StoreDamagedError):  # which is told by the check of the store
            own = look(scene.home)
            if own is not None and own.schema < own.wanted:
                yield warn(_ID, f"our own store has schema {own.schema}, this program wants {own.wanted}", _ENGINE)
    if not scene.settings.migrations_database:
        return
    root = scene.home.config.parent if scene.home else scene.project
    try:
        project = project_of(scene.settings, root, os.environ)
        with looked(msgspec.structs.replace(project, wait=min(_WAIT, project.wait))) as found:
            yield _judge(found)
    except OvernightError as error:
        yield fail(_ID, error.message, by_hand("migrate-reach", "Mend that", error.hint))


def _judge(found: Looked) -> Finding:
    standings = found.standings
    stopping = [one for one in standings if one.condition in STOPPING]
    waiting = [one for one in standings if one.condition in WAITING]
    if stopping:
        words = f"{stopping[0].filename}: {stopping[0].condition}"
        return fail(_ID, words, _LOOK, value=len(stopping), unit="count")
    if broken := next((one for one in waiting if one.trouble), None):
        words = f"{broken.filename} cannot be applied: {broken.trouble}"
        return fail(_ID, f"{words}; {len(waiting)} of {len(standings)} wait", _MEND, value=len(waiting), unit="count")
    if waiting:
        words = f"{len(waiting)} of {len(standings)} wait{_order(waiting)}, the first is {waiting[0].filename}"
        if not found.database.is_there:
            words = f"{found.database.shown} is not there, and apply would make it; {words}"
            return warn(_ID, words, _MISSING, _APPLY, value=len(waiting), unit="count")
        return warn(_ID, words, _APPLY, value=len(waiting), unit="count")
    counted = "none is there" if not standings else "the only one is applied" if len(standings) == 1 else ""
    return ok(_ID, counted or f"all {len(standings)} are applied", value=0, unit="count")


def _order(waiting: list[Standing]) -> str:
    late = sum(one.condition is Condition.OUT_OF_ORDER for one in waiting)
    return f", {late} of them out of order" if late else ""


CHECK = Check(_ID, "migrations", _run, cost=Cost.SLOW, timeout=4.0)
