"""Values on their way to PostgreSQL and back, as text; bytes alone go as they are.

A parameter says nothing about its type: the server finds that from the statement. So a statement is prepared once,
whatever it is called with.
"""

from __future__ import annotations

from binascii import unhexlify
from collections.abc import Callable, Iterable
from typing import Any

from overnight.store.sql.statements import Row

#: What a value becomes, and 1 when these are its very bytes.
_Packed = tuple[bytes | None, int]


def _text(value: str) -> _Packed:
    # The one character that no text of PostgreSQL can have.
    return (value.replace("\0", "\\x00") if "\0" in value else value).encode(), 0


_PACK: dict[type, Callable[[Any], _Packed]] = {
    bool: lambda value: (b"1" if value else b"0", 0),  # in the tables a truth is a number
    int: lambda value: (b"%d" % value, 0),
    float: lambda value: (repr(value).encode(), 0),
    str: _text,
    bytes: lambda value: (value, 1),
    type(None): lambda _: (None, 0),
}


def packed(values: Iterable[Any]) -> tuple[list[bytes | None], list[int]]:
    """Parameters, and which of them are bytes as they are. Raises TypeError for what no column can have."""
    told: list[bytes | None] = []
    formats: list[int] = []
    for value in values:
        pack = _PACK.get(type(value)) or _pack_of(type(value))
        one, raw = pack(value)
        told.append(one)
        formats.append(raw)
    return told, formats


def _pack_of(kind: type) -> Callable[[Any], _Packed]:
    """For a kind of these, such as an enum of words."""
    for base in kind.__mro__:
        if base in _PACK:
            found = _PACK[kind] = _PACK[base]
            return found
    raise TypeError(f"{kind.__name__} is no value of a column")


def array(ids: Iterable[int]) -> str:
    """Ids as one parameter."""
    return f"{{{','.join(map(str, ids))}}}"


def _whole_or_not(value: bytes) -> int | float:
    return float(value) if b"." in value or b"N" in value else int(value)


def _words(value: bytes) -> str:
    return value.decode()


#: By the number of a type: truths, bytes, whole numbers, floats, sums of whole numbers; all else is text.
_LOAD: dict[int, Callable[[bytes], Any]] = {
    16: lambda value: value == b"t",
    17: lambda value: unhexlify(value[2:]),
    20: int,
    21: int,
    23: int,
    26: int,
    700: float,
    701: float,
    1700: _whole_or_not,
}


def loaders(kinds: Iterable[int]) -> list[Callable[[bytes], Any]]:
    """How columns of these types are read."""
    return [_LOAD.get(kind, _words) for kind in kinds]


def rows(count: int, load: list[Callable[[bytes], Any]], value: Callable[[int, int], bytes | None]) -> list[Row]:
    """The rows of an answer."""
    places = list(enumerate(load))
    return [
        tuple([None if (cell := value(row, column)) is None else read(cell) for column, read in places])
        for row in range(count)
    ]
