"""Which migrations are applied, which wait, and what does not fit: the files beside what the database has on record.

The table ``schema_migrations`` (that of dbmate) says what is applied; our own log beside it says by
whom, when, how long, and what the file was like then. What another program has applied is in the first
and not in the second: it counts, and nothing is known of its file.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from enum import StrEnum
from itertools import pairwise

import msgspec

from overnight.core.migrations.files import Migration
from overnight.core.problems import told_shortly


class Deed(StrEnum):
    """What was done to a migration. The values are in users' databases: renaming one is a migration."""

    APPLIED = "applied"
    UNDONE = "undone"
    #: Taken as applied, as its file is, without running it: a person has said so.
    ACCEPTED = "accepted"
    #: Begun outside of a transaction; what follows in the log says how it ended.
    BEGUN = "begun"
    #: The same, on the way back.
    BEGUN_UNDOING = "begun undoing"
    #: Taken as undone, without running its way back: a person has said so.
    ACCEPTED_UNDONE = "accepted as undone"
    #: It was tried, and nothing of it remained.
    FAILED = "failed"


#: After which a migration counts as applied, and after which it does not.
COUNTS, COUNTS_NOT = frozenset({Deed.APPLIED, Deed.ACCEPTED}), frozenset({Deed.UNDONE, Deed.ACCEPTED_UNDONE})


class Record(msgspec.Struct, frozen=True):
    """One line of the log. `at`: POSIX seconds; `seconds`: how long it took."""

    version: str
    deed: Deed
    filename: str
    checksum: str
    at: float
    by: str
    seconds: float


class Records(msgspec.Struct, frozen=True):
    """What a database says of itself."""

    #: What counts as applied, whoever did it.
    applied: frozenset[str] = frozenset()
    #: Oldest first.
    log: tuple[Record, ...] = ()

    def last(self, version: str) -> Record | None:
        """What was done to a migration last; None: nothing, or not by us. What failed has done nothing."""
        return next((one for one in reversed(self.log) if one.version == version and one.deed is not Deed.FAILED), None)

    def failure(self, migration: Migration) -> Record | None:
        """That it was tried last of all that was done to it, failed, and its file is the same since; else None."""
        newest = next((one for one in reversed(self.log) if one.version == migration.version), None)
        failed = newest is not None and newest.deed is Deed.FAILED and newest.checksum == migration.checksum
        return newest if failed else None


class Condition(StrEnum):
    """How it is with one migration."""

    APPLIED = "applied"
    PENDING = "pending"
    #: The file is another one than when it was applied.
    EDITED = "edited"
    #: It waits, and a later one is applied.
    OUT_OF_ORDER = "out of order"
    #: Begun outside of a transaction and not ended: nobody knows how far it came.
    HALF_DONE = "half done"
    #: The same of its way back.
    HALF_UNDONE = "half undone"
    #: Applied, and its file is not there.
    GONE = "file gone"


#: What still has to be run.
WAITING = frozenset({Condition.PENDING, Condition.OUT_OF_ORDER})
#: What a person has to look at before anything more is run.
STOPPING = frozenset({Condition.EDITED, Condition.HALF_DONE, Condition.HALF_UNDONE})
_HALF = {Deed.BEGUN: Condition.HALF_DONE, Deed.BEGUN_UNDOING: Condition.HALF_UNDONE}


class Standing(msgspec.Struct, frozen=True):
    """One migration and how it is with it."""

    version: str
    condition: Condition
    #: None: its file is gone.
    migration: Migration | None
    #: What was done to it last, by us.
    record: Record | None = None
    #: When it was tried last and failed, as its file is now.
    failure: Record | None = None

    @property
    def trouble(self) -> str:
        """Why it cannot be applied as it is, where it waits and that is known; else nothing."""
        if self.migration is None or self.condition not in WAITING:
            return ""
        if self.migration.up.problems:
            return f"it has a mistake: {told_shortly(self.migration.text, self.migration.up.problems[0])}"
        return "it failed when it was applied last" if self.failure is not None else ""

    @property
    def filename(self) -> str:
        """What it is called, or was."""
        if self.migration is not None:
            return self.migration.filename
        return self.record.filename if self.record else self.version


def ordered(migrations: Iterable[Migration]) -> list[Migration]:
    """By their numbers, and not as text: 9 comes before 10."""
    return sorted(migrations, key=lambda one: (one.number, one.filename))


def doubles(migrations: Sequence[Migration]) -> list[tuple[Migration, Migration]]:
    """Pairs with the same number. `migrations`: ordered."""
    return [(one, two) for one, two in pairwise(migrations) if one.number == two.number]


def standings(migrations: Sequence[Migration], records: Records) -> list[Standing]:
    """All that have a file or are on record, by their numbers. `migrations`: ordered, each number once."""
    newest = max((int(version) for version in records.applied if version.isdecimal()), default=-1)
    found = [_standing(one, records, newest) for one in migrations]
    known = {one.version for one in migrations}
    gone = [Standing(one, Condition.GONE, None, records.last(one)) for one in records.applied - known]
    return sorted(found + gone, key=lambda one: (int(one.version) if one.version.isdecimal() else -1, one.version))


def _standing(migration: Migration, records: Records, newest: int) -> Standing:
    record = records.last(migration.version)
    condition = _condition(migration, record, records, newest)
    return Standing(migration.version, condition, migration, record, records.failure(migration))


def _condition(migration: Migration, record: Record | None, records: Records, newest: int) -> Condition:
    if record is not None and record.deed in _HALF:
        return _HALF[record.deed]
    if migration.version not in records.applied:
        return Condition.OUT_OF_ORDER if migration.number < newest else Condition.PENDING
    # Undone by us and applied by another program since: of that one nothing is known.
    if record is None or record.deed in COUNTS_NOT or record.checksum == migration.checksum:
        return Condition.APPLIED
    return Condition.EDITED


def next_version(versions: Sequence[str], now: str) -> str:
    """The number of a new migration: as those that are there are made; else `now`, which two branches do not share.

    Args:
        versions: Those that are there, in any order.
        now: The present as YYYYMMDDhhmmss, in UTC.
    """
    newest = max(versions, key=int, default="")
    if len(newest) < len(now) and newest:
        return following(newest)
    return now if not newest or int(now) > int(newest) else following(newest)


def following(version: str) -> str:
    """The next number, with as many zeros."""
    return str(int(version) + 1).zfill(len(version))
