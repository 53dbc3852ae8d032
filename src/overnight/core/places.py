"""Where each key of a TOML text stands, since the parser of the standard library does not say.

This reads just enough of TOML to walk over it: it knows where strings, arrays and tables begin and
end, and leaves the meaning to the parser. Of a text that is no TOML it finds the places up to where
it loses the way. It also measures depth, before the parser, which would take minutes for a dotted
key of a hundred thousand parts, and runs out of stack in brackets.

Source: https://toml.io/en/v1.0.0
"""

from __future__ import annotations

import contextlib
import re
from typing import NamedTuple

#: Keys of tables and numbers of array elements, from the outside in.
Path = tuple[str | int, ...]

_FILLER = re.compile(r"(?:[ \t\r\n]++|#[^\n]*+)*+")
_BLANK = re.compile(r"[ \t]*+")
_STRING = re.compile(
    r'"""(?:[^"\\]|\\.|"{1,2}(?!"))*+"{3,5}'
    r"|'''(?:[^']|'{1,2}(?!'))*+'{3,5}"
    r'|"(?:[^"\\\n]|\\.)*+"'
    r"|'[^'\n]*+'",
    re.DOTALL,
)
_BARE_KEY = re.compile(r"[A-Za-z0-9_-]++")
#: Numbers, dates (which may hold a blank) and words.
_SCALAR = re.compile(r"[^,\]}\n#]++")
#: What nearly all headers and pairs look like, at one stroke: the walk by parts costs three times as much.
_PLAIN_HEADER = re.compile(r"\[(\[)?([A-Za-z0-9_-]++(?:\.[A-Za-z0-9_-]++)*+)\](?(1)\])(?=[ \t]*+[\r\n])")
_PLAIN_PAIR = re.compile(r'([A-Za-z0-9_-]++)[ \t]*+=[ \t]*+("(?!"")(?:[^"\\\n]|\\.)*+"(?=[ \t]*+[\r\n]))?+')


class Place(NamedTuple):
    """Where a key and its value begin: offsets into the text. Of a table, both are its header's or its key's."""

    key: int
    value: int


class TooDeepError(Exception):
    """The text is nested deeper than allowed, first at `offset`."""

    def __init__(self, offset: int) -> None:
        super().__init__(offset)
        self.offset = offset


class _LostError(Exception):
    """This is no TOML; the parser will say so better."""


def locate(text: str, *, deepest: int) -> dict[Path, Place]:
    """The places of all keys and array elements.

    Raises:
        TooDeepError: A path has more than `deepest` parts.
    """
    walk = _Walk(text, deepest)
    with contextlib.suppress(_LostError):
        walk.document()
    return walk.places


class _Walk:
    def __init__(self, text: str, deepest: int) -> None:
        self._text = text
        self._at = 0
        self._deepest = deepest
        self.places: dict[Path, Place] = {}
        #: How many elements each array of tables has so far.
        self._elements: dict[Path, int] = {}

    def document(self) -> None:
        table: Path = ()
        while True:
            self._match(_FILLER)
            if self._at == len(self._text):
                return
            if self._text[self._at] == "[":
                table = self._header()
            else:
                self._pair(table)

    def _header(self) -> Path:
        """``[a.b]`` or ``[[a.b]]``; the path of the table that it opens."""
        is_element = self._text.startswith("[[", self._at)
        keys = self._header_keys("[[" if is_element else "[", "]]" if is_element else "]")
        path: Path = ()
        for number, (key, offset) in enumerate(keys):
            path = (*path, key)
            self._remember(path, Place(offset, offset))
            if is_element and number == len(keys) - 1:
                self._elements[path] = self._elements.get(path, 0) + 1
            if path in self._elements:
                path = (*path, self._elements[path] - 1)
                self._remember(path, Place(offset, offset))
        return path

    def _header_keys(self, opening: str, closing: str) -> list[tuple[str, int]]:
        keys: list[tuple[str, int]] = []
        if plain := _PLAIN_HEADER.match(self._text, self._at):
            self._at, offset = plain.end(), plain.start(2)
            for key in plain[2].split("."):
                keys.append((key, offset))
                offset += len(key) + 1
            return keys
        self._expect(opening)
        keys = self._keys()
        self._expect(closing)
        return keys

    def _pair(self, table: Path) -> None:
        """``a.b = value``."""
        if plain := _PLAIN_PAIR.match(self._text, self._at):
            path, self._at = (*table, plain[1]), plain.end()
            self._remember(path, Place(plain.start(), plain.end() if plain[2] is None else plain.start(2)))
            if plain[2] is None:
                self._value(path)
            return
        keys = self._keys()
        self._expect("=")
        self._match(_BLANK)
        path = table
        for key, offset in keys:
            path = (*path, key)
            self._remember(path, Place(offset, self._at))
        self._value(path)

    def _keys(self) -> list[tuple[str, int]]:
        """The parts of a dotted key and their offsets."""
        keys = []
        while True:
            self._match(_BLANK)
            start = self._at
            keys.append((self._key(), start))
            self._match(_BLANK)
            if not self._text.startswith(".", self._at):
                return keys
            self._at += 1

    def _key(self) -> str:
        if self._text[self._at : self._at + 1] in ('"', "'"):
            import tomllib  # who calls us has it; and a home without a file needs neither

            quoted = self._match(_STRING)
            try:
                key: str = tomllib.loads(f"key = {quoted}")["key"]
            except tomllib.TOMLDecodeError:
                raise _LostError from None
            return key
        return self._match(_BARE_KEY)

    def _value(self, path: Path) -> None:
        first = self._text[self._at : self._at + 1]
        if first == "[":
            self._array(path)
        elif first == "{":
            self._inline_table(path)
        else:
            self._match(_STRING if first in ('"', "'") else _SCALAR)

    def _array(self, path: Path) -> None:
        self._expect("[")
        number = 0
        while self._more("]"):
            element = (*path, number)
            self._remember(element, Place(self._at, self._at))
            self._value(element)
            self._comma("]")
            number += 1

    def _inline_table(self, path: Path) -> None:
        self._expect("{")
        while self._more("}"):
            self._pair(path)
            self._comma("}")

    def _more(self, closing: str) -> bool:
        """Whether another element comes; steps over the closing bracket if not."""
        self._match(_FILLER)
        if not self._text.startswith(closing, self._at):
            return True
        self._at += 1
        return False

    def _comma(self, closing: str) -> None:
        self._match(_FILLER)
        if not self._text.startswith(closing, self._at):
            self._expect(",")

    def _remember(self, path: Path, place: Place) -> None:
        if len(path) > self._deepest:
            raise TooDeepError(place.key)
        self.places.setdefault(path, place)

    def _match(self, pattern: re.Pattern[str]) -> str:
        found = pattern.match(self._text, self._at)
        if found is None:
            raise _LostError
        self._at = found.end()
        return found[0]

    def _expect(self, sign: str) -> None:
        if not self._text.startswith(sign, self._at):
            raise _LostError
        self._at += len(sign)
