"""What one file of a migration says: its number, its name, the way up and the way down.

Two layouts are read. That of dbmate, ``-- migrate:up`` and ``-- migrate:down`` with ``transaction:false``
behind either, and plain SQL, all of which is the way up, with ``-- Description:`` above it if you like.
What is wrong with a file is kept with it: nobody is held up by a mistake in a migration that is
applied already.

Source: the README of dbmate, "Creating Migrations" and "Migration options".
"""

from __future__ import annotations

import hashlib
import re
from typing import NamedTuple

import msgspec

from overnight.core.migrations.statements import Dialect, Statement, UnfinishedError, split
from overnight.core.problems import Problem

_NAME = re.compile(r"(?P<version>[0-9]{1,18})(?P<rest>.*)\.sql", re.DOTALL)
_MARK = re.compile(r"^--[ \t]*migrate:(?P<way>up|down)\b(?P<options>[^\n]*)$", re.MULTILINE)
_NEAR_MARK = re.compile(r"^[ \t]*--[ \t]*migrate[ \t]*:[^\n]*$", re.MULTILINE | re.IGNORECASE)
_DESCRIPTION = re.compile(r"^--[ \t]*Description:[ \t]*(?P<words>[^\n]*\S)", re.MULTILINE | re.IGNORECASE)
_OPTIONS = {"transaction:true": True, "transaction:false": False}
#: Statements that would end the transaction around a migration, or begin another one in it.
_CONTROL = frozenset({"BEGIN", "COMMIT", "END", "ROLLBACK", "ABORT", "START"})
_FROM_STDIN = re.compile(r"COPY\b.*\bFROM\s+STDIN\b", re.IGNORECASE | re.DOTALL)


class Part(msgspec.Struct, frozen=True):
    """One way, up or down."""

    #: Where its SQL begins and ends in the file, in characters.
    begin: int
    end: int
    statements: tuple[Statement, ...] = ()
    #: Whether all of it is done or nothing.
    in_transaction: bool = True
    problems: tuple[Problem, ...] = ()

    @property
    def last(self) -> int:
        """Where its last statement begins in the file."""
        return self.statements[-1].offset if self.statements else self.begin


class Migration(msgspec.Struct, frozen=True):
    """One file."""

    #: As it stands in the name, with its zeros: so it is recorded.
    version: str
    #: Of the file, without its folder.
    filename: str
    text: str
    up: Part
    #: None: it cannot be undone.
    down: Part | None = None
    description: str = ""
    #: How the file is called in messages.
    place: str = ""

    @property
    def number(self) -> int:
        """What orders migrations, and what two must not share."""
        return int(self.version)

    @property
    def checksum(self) -> str:
        """SHA-256 of the text. Line ends and blank lines at the end do not count: editors and git change them."""
        lines = "\n".join(self.text.splitlines()).rstrip()
        return hashlib.sha256(lines.encode("utf-8", "surrogateescape")).hexdigest()


class _Mark(NamedTuple):
    way: str
    begin: int
    end: int
    options: str


def version_of(filename: str) -> str | None:
    """The number at the beginning of the name of a migration; None when it is no name of one."""
    found = _NAME.fullmatch(filename)
    return found["version"] if found else None


def parse(filename: str, text: str, dialect: Dialect, place: str = "") -> Migration:
    """Read one file. The name must be one of a migration; `place` is how the file is called in messages."""
    found = _NAME.fullmatch(filename)
    assert found is not None  # noqa: S101 - the caller has chosen it by its name
    described = _DESCRIPTION.search(text)
    words = described["words"].strip() if described else found["rest"].strip("_- .").replace("_", " ")
    marks = [_Mark(mark["way"], mark.start(), mark.end(), mark["options"]) for mark in _MARK.finditer(text)]
    parts = [
        _part(text, mark, marks[number + 1].begin if number + 1 < len(marks) else len(text), dialect)
        for number, mark in enumerate(marks or [_Mark("up", 0, 0, "")])
    ]
    wrong = _misplaced(text, marks, dialect)
    up = msgspec.structs.replace(parts[0], problems=(*wrong, *parts[0].problems)) if wrong else parts[0]
    both = [mark.way for mark in marks] == ["up", "down"]
    down = parts[1] if both and (parts[1].statements or parts[1].problems) else None
    return Migration(found["version"], filename, text, up, down, words, place or filename)


def lacking(migration: Migration) -> tuple[str, str]:
    """What a file without a way back lacks, and what to write: behind its name, and as advice."""
    ways = [mark["way"] for mark in _MARK.finditer(migration.text)]
    if "down" in ways:
        return "has no statement in its part '-- migrate:down'", "write what takes it back there"
    if "up" in ways:
        return "has no part '-- migrate:down'", "write that line below its SQL and what takes it back below that"
    return (
        "is plain SQL without a way back",
        "write '-- migrate:up' on a line above its SQL, '-- migrate:down' on one below, and what takes it back behind",
    )


def _misplaced(text: str, marks: list[_Mark], dialect: Dialect) -> list[Problem]:
    """What is wrong with the marks themselves, and with what stands outside of them."""
    known = {mark.begin for mark in marks}
    wrong = [
        Problem(near.start(), "this is no mark that is known", "write '-- migrate:up' or '-- migrate:down'")
        for near in _NEAR_MARK.finditer(text)
        if near.start() not in known
    ]
    for number, mark in enumerate(marks):
        if mark.way != ("up", "down")[min(number, 1)] or number > 1:
            advice = "write '-- migrate:up' first, then '-- migrate:down', each once"
            wrong.append(Problem(mark.begin, f"'migrate:{mark.way}' does not belong here", advice))
    if marks:
        wrong += [
            Problem(one.offset, "this stands before '-- migrate:up' and would never be run", "move it below")
            for one in _cut(text, 0, marks[0].begin, dialect)[0][:1]
        ]
    return wrong


def _part(text: str, mark: _Mark, end: int, dialect: Dialect) -> Part:
    statements, problems = _cut(text, mark.end, end, dialect)
    in_transaction = True
    for option in mark.options.split():
        if option not in _OPTIONS:
            place = text.index(option, mark.begin)
            problems.append(Problem(place, f"{option!r} is no option", f"known here: {', '.join(_OPTIONS)}"))
        in_transaction = _OPTIONS.get(option, in_transaction)
    if mark.way == "up" and not statements and not problems:
        problems.append(Problem(mark.begin, "there is no statement in it", "write the SQL below"))
    problems += [wrong for one in statements if (wrong := _refused(one, dialect, in_transaction=in_transaction))]
    return Part(mark.end, end, tuple(statements), in_transaction, tuple(problems))


def _cut(text: str, begin: int, end: int, dialect: Dialect) -> tuple[list[Statement], list[Problem]]:
    """The statements between two places of a text, with their places in all of it."""
    try:
        found = split(text[begin:end], dialect)
    except UnfinishedError as error:
        return [], [Problem(begin + error.offset, error.what)]
    return [one._replace(offset=begin + one.offset) for one in found], []


def _refused(statement: Statement, dialect: Dialect, *, in_transaction: bool) -> Problem | None:
    """What a runner of migrations cannot do, or must not."""
    first, second = (*statement.words, "", "")[:2]
    if in_transaction and first in _CONTROL and "TO" not in statement.words[:3]:
        return Problem(
            statement.offset,
            f"{first} would end the transaction around the migration, and a later failure could not be undone",
            "leave it out: all of the file is one transaction; or say 'transaction:false' behind the mark",
        )
    if in_transaction and dialect is Dialect.SQLITE and (first, second) == ("PRAGMA", "FOREIGN_KEYS"):
        return Problem(
            statement.offset,
            "SQLite ignores this inside of a transaction",
            "use PRAGMA defer_foreign_keys, or say 'transaction:false' behind the mark",
        )
    if dialect is Dialect.POSTGRES and (first == "\\" or _FROM_STDIN.match(statement.text)):
        return Problem(statement.offset, "this is for psql alone", "write SQL that a server understands")
    return None
