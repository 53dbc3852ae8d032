"""Running one migration: all of it or nothing, and on record in the same transaction.

What says ``transaction:false`` cannot be undone by anybody. So that it began is on record before its
first statement; one that was killed on the way is found as half done, and nobody runs it again unasked.
"""

from __future__ import annotations

from contextlib import suppress
from typing import NamedTuple

import msgspec

from overnight.core.errors import OvernightError
from overnight.core.migrations.choosing import MigrationError, after_half_done, after_half_undone
from overnight.core.migrations.files import Migration, Part
from overnight.core.migrations.standing import Deed, Record
from overnight.core.problems import Problem, told
from overnight.host.clock import Clock
from overnight.ops.migrations.databases.contract import Database, DatabaseUnavailableError, StatementError


class _Remains(NamedTuple):
    """What a failure leaves, and what to type."""

    means: str
    hint: str


_REHEARSED = "this was a rehearsal, and nothing was changed"
#: What is on record before the first statement of what runs outside of a transaction.
_BEFORE = {Deed.APPLIED: Deed.BEGUN, Deed.UNDONE: Deed.BEGUN_UNDOING}


class _FailedError(MigrationError):
    """A statement of it has failed."""


class Runner(msgspec.Struct, frozen=True):
    """Runs migrations of one database. `by`: who does it, for the records; `rehearses`: nothing of it remains."""

    database: Database
    clock: Clock
    by: str
    rehearses: bool = False

    def up(self, migration: Migration, *, again: Record | None = None) -> float | None:
        """Apply one. Returns seconds; None: somebody else has applied it meanwhile.

        Args:
            migration: Nothing is wrong with its way up.
            again: What is on record of one that was left half done and is to be run from its beginning, this
                one or another.

        Raises:
            MigrationError: A statement failed; the error says which, and what remains of it.
            DatabaseUnavailableError: The database is locked or away; nothing was changed.
        """
        return self._run(migration, migration.up, Deed.APPLIED, again=again)

    def down(self, migration: Migration, *, again: Record | None = None) -> float | None:
        """Undo one, which must have a way down. See `up`; None: somebody else has undone it meanwhile."""
        assert migration.down is not None  # noqa: S101 - `to_undo` has looked
        return self._run(migration, migration.down, Deed.UNDONE, again=again)

    def accept(self, migration: Migration, deed: Deed = Deed.ACCEPTED) -> None:
        """Take one as applied (`ACCEPTED`) or undone (`ACCEPTED_UNDONE`), as its file is now, without running it."""
        with self.database.transaction():
            self.database.record(self._record(migration, deed, 0.0))

    def _run(self, migration: Migration, part: Part, deed: Deed, *, again: Record | None) -> float | None:
        if not part.in_transaction:
            return self._run_outside(migration, part, deed, again=again)
        remains = _unchanged(migration, deed)
        try:
            with self.database.transaction():
                if not self._is_due(migration, deed, again=again):
                    return None
                began = self.clock.monotonic()
                self._statements(migration, part, remains)
                self.database.settle()
                self.database.record(self._record(migration, deed, self.clock.monotonic() - began))
        except StatementError as error:
            self._note_failure(migration)
            raise _failed(migration, error, part.last, "in the end", remains) from None
        except _FailedError:
            self._note_failure(migration)
            raise
        return self.clock.monotonic() - began

    def _note_failure(self, migration: Migration) -> None:
        """Put on record that it failed, so that nobody is told to apply it as it is."""
        with suppress(StatementError, OvernightError), self.database.transaction():
            self.database.record(self._record(migration, Deed.FAILED, 0.0))

    def _run_outside(self, migration: Migration, part: Part, deed: Deed, *, again: Record | None) -> float | None:
        with self.database.transaction():
            if not self._is_due(migration, deed, again=again):
                return None
            self.database.record(self._record(migration, _BEFORE[deed], 0.0))
        began, remains = self.clock.monotonic(), self._left_in_the_middle(migration, deed, again=again)
        try:
            self._statements(migration, part, remains)
            self.database.settle()
        except StatementError as error:
            raise _failed(migration, error, part.begin, "in the end", remains) from None
        except BaseException:
            with suppress(StatementError, DatabaseUnavailableError):
                self.database.settle()
            raise
        seconds = self.clock.monotonic() - began
        with self.database.transaction():
            self.database.record(self._record(migration, deed, seconds))
        return seconds

    def _is_due(self, migration: Migration, deed: Deed, *, again: Record | None) -> bool:
        """Whether it is still to be done, now that nobody else can."""
        records = self.database.records()
        last = records.last(migration.version)
        is_begun = last is not None and last.deed in _BEFORE.values()
        if is_begun and last != again:
            raise MigrationError(
                f"somebody has begun {migration.filename} outside of a transaction meanwhile; nothing more was run",
                hint="'overnight migrate status' says when it has ended",
            )
        return is_begun or (migration.version in records.applied) == (deed is Deed.UNDONE)

    def _statements(self, migration: Migration, part: Part, remains: _Remains) -> None:
        for number, statement in enumerate(part.statements, 1):
            which = f"statement {number} of {len(part.statements)}"
            try:
                self.database.execute(statement.text)
            except StatementError as error:
                place = statement.offset + (error.offset or 0)
                raise _failed(migration, error, place, which, remains) from None
            except DatabaseUnavailableError as error:
                words = f"{migration.place}, {which}: {error.message}"
                if part.in_transaction:
                    raise DatabaseUnavailableError(words, hint=error.hint) from None
                raise DatabaseUnavailableError(f"{words}; {remains.means}", hint=remains.hint) from None

    def _left_in_the_middle(self, migration: Migration, deed: Deed, *, again: Record | None) -> _Remains:
        """What a failure outside of a transaction leaves."""
        if self.rehearses and again is not None:
            way = "plan" if deed is Deed.APPLIED else "rollback"
            hint = (
                "mend the file, or put the database right by hand, where some of it is done already;"
                f" 'overnight migrate {way} --again {migration.version}' rehearses it anew"
            )
            return _Remains(_REHEARSED, hint)
        if self.rehearses:
            return _Remains(_REHEARSED, _unchanged(migration, deed).hint)
        after = after_half_done if deed is Deed.APPLIED else after_half_undone
        return _Remains(
            "what was done before that stays, for it runs outside of a transaction",
            f"put the database right by hand; then {after(migration.version)}",
        )

    def _record(self, migration: Migration, deed: Deed, seconds: float) -> Record:
        now = self.clock.now()
        return Record(migration.version, deed, migration.filename, migration.checksum, now, self.by, round(seconds, 6))


def _unchanged(migration: Migration, deed: Deed) -> _Remains:
    """What a failure leaves that was undone."""
    if deed is Deed.APPLIED:
        hint = "mend the file; 'overnight migrate plan' rehearses it and changes nothing"
    else:
        hint = (
            f"mend its way back, then 'overnight migrate apply --accept {migration.version}' takes the file as it is;"
            " 'overnight migrate rollback' rehearses it and changes nothing"
        )
    return _Remains("nothing of it was done", hint)


def _failed(migration: Migration, error: StatementError, offset: int, which: str, remains: _Remains) -> MigrationError:
    problem = Problem(offset, f"{which}: {error.what}")
    return _FailedError(told(migration.text, migration.place, [problem], remains.means), hint=remains.hint)
