"""Records that know whether they are as they were written: sealed by a hash of themselves, and read as bytes."""

from __future__ import annotations

import hashlib
from typing import TypeVar

import msgspec

_Record = TypeVar("_Record", bound=msgspec.Struct)


class _Sealed(msgspec.Struct, frozen=True):
    sha256: str
    manifest: msgspec.Raw


def seal(record: msgspec.Struct) -> bytes:
    """A record as its file holds it."""
    content = msgspec.json.encode(record)
    sealed = _Sealed(hashlib.sha256(content).hexdigest(), msgspec.Raw(content))
    return msgspec.json.format(msgspec.json.encode(sealed)) + b"\n"


def unseal(content: bytes, kind: type[_Record]) -> _Record:
    """The record in the bytes of a file. Whether it is as it was written is `is_sealed`.

    Raises:
        ValueError: There is none in it.
    """
    try:
        return msgspec.json.decode(msgspec.json.decode(content, type=_Sealed).manifest, type=kind)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        raise ValueError("its manifest is damaged") from None


def is_sealed(record: msgspec.Struct, content: bytes) -> bool:
    """Whether these are the bytes that `seal` has written, each of them."""
    return seal(record) == content
