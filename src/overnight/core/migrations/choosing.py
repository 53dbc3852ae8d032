"""Which migrations are run, and when nothing is: what a person has to look at comes first."""

from __future__ import annotations

from collections.abc import Sequence

from overnight.core.errors import NotFoundError, OvernightError
from overnight.core.migrations.files import Migration, Part
from overnight.core.migrations.standing import WAITING, Condition, Standing
from overnight.core.problems import told

_NOTHING = "nothing was applied"


class MigrationError(OvernightError):
    """A migration cannot be run as it is, or has failed."""


def to_apply(
    standings: Sequence[Standing], *, upto: str = "", out_of_order: bool = False, again: str = ""
) -> list[Migration]:
    """What is run upwards, in its order; nothing when all is applied.

    Args:
        standings: All of them.
        upto: Run none behind this one; empty for all.
        out_of_order: Run what is older than what is applied, too.
        again: One that was begun and not ended, to be run anew from its beginning.

    Raises:
        NotFoundError: There is no such migration.
        MigrationError: Something must be looked at first.
    """
    last = number_of(named(standings, upto)) if upto else None
    anew = named(standings, again) if again else None
    if anew is not None and anew.condition is not Condition.HALF_DONE:
        raise MigrationError(f"{anew.filename} was not left half done; {_NOTHING}", hint="'overnight migrate status'")
    for one in standings:
        if one is not anew:
            _refuse(one)
    due = [one for one in standings if one is anew or one.condition in WAITING]
    wanted = [one for one in due if last is None or number_of(one) <= last]
    late = [one for one in wanted if one.condition is Condition.OUT_OF_ORDER]
    if late and not out_of_order:
        raise MigrationError(
            f"{late[0].filename} is older than what is applied, and was perhaps written for another state; {_NOTHING}",
            hint="give it a newer number, or look with 'overnight migrate plan --out-of-order', and apply it so",
        )
    return [sound(one.migration, one.migration.up) for one in wanted if one.migration is not None]


def to_accept(standings: Sequence[Standing], words: str) -> Migration:
    """The one that is taken as applied, as its file is.

    Raises:
        NotFoundError: There is no such migration.
        MigrationError: Its file is gone.
    """
    found = named(standings, words)
    if found.migration is None:
        raise MigrationError(
            f"the file of {found.filename} is gone; nothing was changed", hint="'overnight migrate list'"
        )
    return found.migration


def to_undo(standings: Sequence[Standing], count: int) -> list[Migration]:
    """What is run downwards: the newest that are applied, newest first.

    Raises:
        MigrationError: One of them has no way down, or is not what was applied.
    """
    applied = [one for one in reversed(standings) if one.condition not in WAITING]
    found = []
    for one in applied[:count]:
        if one.migration is None:
            raise MigrationError(
                f"the file of {one.filename} is gone, and with it the way back; nothing was undone",
                hint="bring it back, as with 'git log --diff-filter=D -- FOLDER'",
            )
        _refuse(one)
        if one.migration.down is None:
            raise MigrationError(
                f"{one.filename} has no part '-- migrate:down'; nothing was undone",
                hint="write one below its part '-- migrate:up', then 'overnight migrate apply --accept"
                f" {one.version}'; or a new migration that takes it back: 'overnight migrate new NAME'",
            )
        sound(one.migration, one.migration.down)
        found.append(one.migration)
    return found


def named(standings: Sequence[Standing], words: str) -> Standing:
    """The migration that somebody names, by its number, with or without zeros, or by its file.

    Raises:
        NotFoundError: There is none.
    """
    for one in standings:
        if words in (one.version, one.filename) or (words.isdecimal() and int(words) == number_of(one)):
            return one
    raise NotFoundError(f"there is no migration {words!r}; nothing was done", hint="'overnight migrate list'")


def number_of(standing: Standing) -> int:
    """What orders it."""
    return int(standing.version) if standing.version.isdecimal() else -1


def sound(migration: Migration, part: Part) -> Migration:
    """The migration, if nothing is wrong with this part of its file.

    Raises:
        MigrationError: With every mistake, at its place.
    """
    if part.problems:
        raise MigrationError(
            told(migration.text, migration.place, part.problems, "nothing was run"),
            hint="mend the file, then 'overnight migrate plan'",
        )
    return migration


def _refuse(one: Standing) -> None:
    if one.condition is Condition.EDITED:
        raise MigrationError(
            f"{one.filename} was edited after it was applied, and the database may lack what it says; nothing was run",
            hint="bring the old file back (git checkout) and put the change into a new one; if the database has it"
            f" already, or it does not matter: 'overnight migrate apply --accept {one.version}'",
        )
    if one.condition is Condition.HALF_DONE:
        raise MigrationError(
            f"{one.filename} was begun outside of a transaction and has not ended; nothing more was run",
            hint="if nobody is at it now, look what of it is in the database; then"
            f" 'overnight migrate apply --again {one.version}' runs all of it anew,"
            f" 'overnight migrate apply --accept {one.version}' takes it as applied",
        )
