"""Large results: what stands in a task's record in place of a result that lies in a file of its own.

A result is JSON text. One that is larger than its action allows (`Action.inline_result`) goes into a
file, and its place in the store, in the journal and on the wire is taken by a reference: a line that
names the file, its size and its digest. No JSON begins with an at sign, so the two cannot be mixed up.
"""

from __future__ import annotations

import re
from typing import NamedTuple

from overnight.core import digests

#: Among the outputs that a step is given: those that lie in files, by the names of their steps. No step has this name.
IN_FILES = "@"
_REFERENCE = re.compile(rb"@([0-9]+-[0-9]+\.json) ([0-9]+) ([0-9a-f]{32})")
#: The name of a result's file, or of one that was not finished when its writer was killed.
_NAME = re.compile(r"\.?([0-9]+)-[0-9]+\.json(\..*)?")


class Spilled(NamedTuple):
    """A result in a file of its own."""

    #: Of the file, inside the directory of results.
    name: str
    size_bytes: int
    #: See `digest`.
    digest: str


def file_name(task_id: int, attempt: int) -> str:
    """The name of an attempt's file."""
    return f"{task_id}-{attempt}.json"


def task_of(name: str) -> int | None:
    """Whose file has this name; None for somebody else's."""
    found = _NAME.fullmatch(name)
    return int(found[1]) if found and len(found[1]) < 19 else None  # noqa: PLR2004 - digits that fit into 63 bits


def digest(result: bytes) -> str:
    """32 hexadecimal digits by which damage is found."""
    return digests.digest(result, 16).hex()


def reference(spilled: Spilled) -> bytes:
    """What stands in the place of the result."""
    return f"@{spilled.name} {spilled.size_bytes} {spilled.digest}".encode()


def spilled(result: bytes) -> Spilled | None:
    """The file that a result's place refers to; None when the result itself stands there."""
    found = _REFERENCE.fullmatch(result) if result[:1] == b"@" else None
    return Spilled(found[1].decode(), int(found[2]), found[3].decode()) if found else None
