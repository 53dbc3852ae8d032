"""Values on their way to PostgreSQL and back, as text; bytes and arrays go in the server's own form.

A parameter says nothing about its type: the server finds that from the statement. So a statement is prepared once,
whatever it is called with.

Source: PostgreSQL, `array_recv` (dimensions, whether there are nulls, type; size and lower bound; then each element
behind its length), and the same of its types.
"""

from __future__ import annotations

from binascii import unhexlify
from collections.abc import Callable, Iterable, Sequence
from struct import pack
from typing import Any, Protocol

from psycopg.pq.abc import PGresult

from overnight.store.sql.statements import Row

#: What a value becomes, and 1 when these are its very bytes.
_Packed = tuple[bytes | None, int]


def _text(value: str) -> tuple[bytes, int]:
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


#: Numbers of types: what an array of them is called, and of those of one length how an element is packed.
_BYTES, _WHOLE, _TEXT, _FLOAT = 17, 20, 25, 701
ARRAYS = {_BYTES: "bytea", _WHOLE: "bigint", _TEXT: "text", _FLOAT: "float8"}
_FIXED = {_WHOLE: "q", _FLOAT: "d"}
_LENGTH = 8
_NULL = pack(">i", -1)


def array(ids: Iterable[int]) -> bytes:
    """Ids as one parameter."""
    return column(_WHOLE, tuple(ids))


def column(kind: int, values: Sequence[Any]) -> bytes:
    """Many values as one parameter. `kind`: one of `ARRAYS`."""
    count = len(values)
    if not count:
        return pack(">3i", 0, 0, kind)
    if kind not in _FIXED or None in values:
        return pack(">5i", 1, None in values, kind, count, 1) + b"".join(_elements(kind, values))
    flat = [_LENGTH] * (2 * count)
    flat[1::2] = values
    return pack(f">5i{('i' + _FIXED[kind]) * count}", 1, 0, kind, count, 1, *flat)


def _elements(kind: int, values: Sequence[Any]) -> Iterable[bytes]:
    for value in values:
        if value is None:
            yield _NULL
        elif kind in _FIXED:
            yield pack(f">i{_FIXED[kind]}", _LENGTH, value)
        else:
            plain = value if kind == _BYTES else _text(value)[0]
            yield pack(">i", len(plain)) + plain


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


#: Types that psycopg reads as we do, in C.
_ALIKE = frozenset((16, 17, 20, 21, 23, 25, 26, 700, 701))


def loaders(kinds: Sequence[int]) -> list[Callable[[bytes], Any]]:
    """How columns of these types are read; nothing when psycopg does it as we do."""
    return [] if _ALIKE.issuperset(kinds) else [_LOAD.get(kind, _words) for kind in kinds]


class Reader(Protocol):
    """What psycopg reads rows with. It holds the answer that it reads, so each connection needs one of its own."""

    def set_pgresult(self, result: PGresult | None) -> None:
        """Read this."""

    def load_rows(self, row0: int, row1: int, make_row: Callable[..., Row], /) -> list[Row]:
        """The rows from one to another."""


def rows(result: PGresult, load: list[Callable[[bytes], Any]], reader: Reader) -> list[Row]:
    """The rows of an answer. `reader`: the connection's own."""
    if not load:
        reader.set_pgresult(result)
        return reader.load_rows(0, result.ntuples, tuple)
    places = list(enumerate(load))
    value = result.get_value
    return [
        tuple([None if (cell := value(row, column)) is None else read(cell) for column, read in places])
        for row in range(result.ntuples)
    ]
