"""SQL cut into its statements, so that each can be run, timed and named when it fails.

A semicolon ends a statement unless it stands in a text, a comment, a name in quotes, or the body of a
trigger or a function. The two dialects differ in all of these. What is inside of a statement is the
database's business; a test compares the cuts with those that SQLite's own parser makes.

Sources: sqlite3_complete() for triggers; psql's lexer (psqlscan.l) for bodies between BEGIN ATOMIC and END.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from enum import StrEnum
from typing import NamedTuple


class Dialect(StrEnum):
    """Whose SQL it is."""

    SQLITE = "sqlite"
    POSTGRES = "postgres"


class Statement(NamedTuple):
    """One statement, without its semicolon and without what comes before its first word."""

    text: str
    #: Where it begins, in characters.
    offset: int
    #: Its first words, in capitals.
    words: tuple[str, ...]


class UnfinishedError(Exception):
    """A text, comment or name in quotes begins at `offset` and never ends."""

    def __init__(self, offset: int, what: str) -> None:
        super().__init__(what)
        self.offset = offset
        self.what = what


class _Token(NamedTuple):
    begin: int
    end: int
    #: A word in capitals, a sign, or empty for a text, a number or a name in quotes.
    word: str


_SHARED = r"(?P<blank>\s+|--[^\n]*)|'(?:[^']|'')*'|\"(?:[^\"]|\"\")*\""
_REST = r"|(?P<word>[^\W\d][\w$]*)|\d[\w.]*"
_TOKENS = {
    Dialect.SQLITE: re.compile(_SHARED + r"|`(?:[^`]|``)*`|\[[^\]]*\]" + _REST),
    Dialect.POSTGRES: re.compile(
        r"[eE]'(?:[^'\\]|''|\\.)*'|(?P<dollar>\$(?:[^\W\d]\w*)?\$).*?(?P=dollar)|" + _SHARED + _REST, re.DOTALL
    ),
}
_COMMENT_BOUND = re.compile(r"/\*|\*/")
_DOLLAR = re.compile(r"\$(?:[^\W\d]\w*)?\$")
#: What a sign opens that was not closed: otherwise the patterns above would have taken all of it.
_OPENING = {"'": "text", '"': "name in quotes", "`": "name in quotes", "[": "name in brackets"}
_FEW = 4


def split(sql: str, dialect: Dialect) -> list[Statement]:
    """All statements, in their order; comments alone are none.

    Raises:
        UnfinishedError: Something in quotes, or a comment, never ends.
    """
    return list(_statements(sql, dialect))


def _statements(sql: str, dialect: Dialect) -> Iterator[Statement]:
    found: list[_Token] = []
    body = _Body(dialect)
    for token in _tokens(sql, dialect):
        if token.word == ";" and not body.holds(found):
            if found:
                yield _statement(sql, found)
            found, body = [], _Body(dialect)
        elif token.word != ";" or found:
            found.append(token)
            body.take(found)
    if found:
        yield _statement(sql, found)


def _statement(sql: str, tokens: list[_Token]) -> Statement:
    begin = tokens[0].begin
    return Statement(sql[begin : tokens[-1].end], begin, tuple(token.word for token in tokens[:_FEW]))


class _Body:
    """Whether a semicolon belongs to a body inside of the statement that is being read."""

    def __init__(self, dialect: Dialect) -> None:
        self._dialect = dialect
        self._depth = 0
        self._brackets = 0

    def take(self, tokens: list[_Token]) -> None:
        """Look at the last token. SQLite's bodies need no counting, see `holds`."""
        word = tokens[-1].word
        if self._dialect is Dialect.SQLITE:
            return
        self._brackets += (word == "(") - (word == ")")
        if word == "BEGIN" or (word == "CASE" and self._depth):
            self._depth += _makes(tokens, {"FUNCTION", "PROCEDURE"})
        elif word == "END" and self._depth:
            self._depth -= 1

    def holds(self, tokens: list[_Token]) -> bool:
        """Whether a semicolon after these ends nothing."""
        if self._dialect is Dialect.POSTGRES:
            return self._depth > 0 or self._brackets > 0
        ended = [token.word for token in tokens[-2:]] == [";", "END"]
        return _makes(tokens, {"TRIGGER"}) and not ended


def _makes(tokens: list[_Token], what: set[str]) -> bool:
    """Whether these begin a CREATE of such a thing."""
    words = [token.word for token in tokens[:_FEW]]
    between = {"OR", "REPLACE", "TEMP", "TEMPORARY"}
    return words[:1] == ["CREATE"] and next((word for word in words[1:] if word not in between), "") in what


def _tokens(sql: str, dialect: Dialect) -> Iterator[_Token]:
    at, pattern = 0, _TOKENS[dialect]
    while at < len(sql):
        if sql.startswith("/*", at):
            at = _comment_end(sql, at, nested=dialect is Dialect.POSTGRES)
        elif found := pattern.match(sql, at):
            if found["blank"] is None:
                yield _Token(at, found.end(), (found["word"] or "").upper())
            at = found.end()
        else:
            _refuse_open(sql, at, dialect)
            yield _Token(at, at + 1, sql[at])
            at += 1


def _comment_end(sql: str, begin: int, *, nested: bool) -> int:
    depth = 0
    for bound in _COMMENT_BOUND.finditer(sql, begin):
        depth = (depth + 1 if nested or not depth else depth) if bound[0] == "/*" else depth - 1
        if not depth:
            return bound.end()
    raise UnfinishedError(begin, "a comment begins here that never ends; close it with */")


def _refuse_open(sql: str, at: int, dialect: Dialect) -> None:
    sign = sql[at]
    if dialect is Dialect.POSTGRES:
        what = "body" if _DOLLAR.match(sql, at) else _OPENING.get(sign) if sign in "'\"" else None
    else:
        what = _OPENING.get(sign)
    if what is not None:
        raise UnfinishedError(at, f"a {what} begins here that never ends")
