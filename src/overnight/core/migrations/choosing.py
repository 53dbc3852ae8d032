"""Which migrations are run, and when nothing is: what a person has to look at comes first."""

from __future__ import annotations

from collections.abc import Sequence

from overnight.core.errors import NotFoundError, OvernightError
from overnight.core.migrations.files import Migration, Part, lacking
from overnight.core.migrations.standing import WAITING, Condition, Standing
from overnight.core.problems import told

_NOTHING = "nothing was applied"


def after_half_done(version: str) -> str:
    """What can be typed when a way up was left in the middle."""
    apply = "'overnight migrate apply --{} {}'".format
    return f"{apply('again', version)} runs all of it anew, {apply('accept', version)} takes it as applied"


def after_half_undone(version: str) -> str:
    """What can be typed when a way back was left in the middle."""
    back, up = "'overnight migrate rollback --{} {}'".format, "'overnight migrate apply --{} {}'".format
    return (
        f"{back('again', f'{version} --yes')} runs all of its way back anew, {back('accept', version)} takes it as"
        f" undone, {up('accept', version)} takes it as applied"
    )


#: What was left in the middle, for people, and what to type.
_HALF = {
    Condition.HALF_DONE: ("", after_half_done),
    Condition.HALF_UNDONE: (" to be undone", after_half_undone),
}


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
    anew = begun(standings, again, Condition.HALF_DONE) if again else None
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
        MigrationError: Its file is gone, or cannot be read as a migration.
    """
    migration = _with_file(named(standings, words))
    again = "mend the file, then the same again"
    for part in filter(None, (migration.up, migration.down)):
        sound(migration, part, hint=again)
    return migration


def to_forget(standings: Sequence[Standing], words: str) -> Migration:
    """The one that is taken as undone, without running its way back.

    Raises:
        NotFoundError: There is no such migration.
        MigrationError: Its file is gone, or it does not count as applied.
    """
    found = named(standings, words)
    if found.condition in WAITING:
        raise MigrationError(f"{found.filename} is not applied; nothing was changed", hint="'overnight migrate list'")
    return _with_file(found)


def _with_file(found: Standing) -> Migration:
    if found.migration is None:
        raise MigrationError(
            f"the file of {found.filename} is gone; nothing was changed", hint="'overnight migrate list'"
        )
    return found.migration


def begun(standings: Sequence[Standing], words: str, condition: Condition) -> Standing:
    """The migration that somebody names, which was left on the way up or on the way back.

    Raises:
        NotFoundError: There is no such migration.
        MigrationError: It was not left so.
    """
    found = named(standings, words)
    if found.condition in _HALF and found.condition is not condition:
        _refuse(found)
    if found.condition is not condition:
        raise MigrationError(
            f"{found.filename} was not left {condition}; nothing was run", hint="'overnight migrate status'"
        )
    return found


def to_undo(standings: Sequence[Standing], count: int, *, again: str = "") -> list[Migration]:
    """What is run downwards: the newest that are applied, newest first.

    Args:
        standings: All of them.
        count: So many.
        again: One whose way back was begun and not ended: that alone, from the beginning of its way back.

    Raises:
        NotFoundError: There is no such migration.
        MigrationError: One of them has no way down, or is not what was applied.
    """
    if again:
        return [_undoable(_with_file(begun(standings, again, Condition.HALF_UNDONE)))]
    applied = [one for one in reversed(standings) if one.condition not in WAITING]
    found = []
    for one in applied[:count]:
        if one.migration is None:
            raise MigrationError(
                f"the file of {one.filename} is gone, and with it the way back; nothing was undone",
                hint="bring it back, as with 'git log --diff-filter=D -- FOLDER'",
            )
        _refuse(one)
        found.append(_undoable(one.migration))
    return found


def _undoable(migration: Migration) -> Migration:
    """The migration, if it has a way back with which nothing is wrong."""
    accept = f"'overnight migrate apply --accept {migration.version}'"
    if migration.down is None:
        lacks, advice = lacking(migration)
        raise MigrationError(
            f"{migration.filename} {lacks}; nothing was undone",
            hint=f"{advice}, then {accept}; or a new migration that takes it back: 'overnight migrate new NAME'",
        )
    return sound(migration, migration.down, hint=f"mend the file, then {accept}, then the same again")


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


def sound(migration: Migration, part: Part, *, hint: str = "mend the file, then 'overnight migrate plan'") -> Migration:
    """The migration, if nothing is wrong with this part of its file.

    Raises:
        MigrationError: With every mistake, at its place.
    """
    if part.problems:
        raise MigrationError(
            told(migration.text, migration.place, part.problems, "nothing was run"),
            hint=hint,
        )
    return migration


def _refuse(one: Standing) -> None:
    if one.condition is Condition.EDITED:
        raise MigrationError(
            f"{one.filename} was edited after it was applied, and the database may lack what it says; nothing was run",
            hint="bring the old file back (git checkout) and put the change into a new one; if the database has it"
            f" already, or it does not matter: 'overnight migrate apply --accept {one.version}'",
        )
    if one.condition in _HALF:
        what, ways = _HALF[one.condition]
        raise MigrationError(
            f"{one.filename} was begun{what} outside of a transaction and has not ended; nothing more was run",
            hint=f"if nobody is at it now, look what of it is in the database; then {ways(one.version)}",
        )
