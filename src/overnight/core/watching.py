"""Which files of a watched folder are ready: whole as far as anybody can tell, and not taken yet.

Nobody says when a file has been written to its end. One that has kept its size and time for a while counts as
whole. Its own time says nothing about that: who copies a file often gives it the time of the original.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from fnmatch import fnmatchcase
from typing import NamedTuple

#: Seconds between two looks, and at most.
LOOK_EVERY = 1.0
LOOK_AT_LEAST_EVERY = 60.0
#: Looking takes up to one part in so many of the time.
_SHARE = 20
#: Endings of files that are still being written; they get their name when they are whole.
UNFINISHED = (".part", ".partial", ".crdownload", ".download", ".tmp", ".swp", "~")


class Look(NamedTuple):
    """A file as it is found: size in bytes, and time of its last change in nanoseconds."""

    size_bytes: int
    mtime_ns: int


class Seen(NamedTuple):
    """A file as it was found, since when (monotonic seconds), and whether it was taken like this."""

    look: Look
    since: float
    taken: bool = False


class Judged(NamedTuple):
    """What is known of a folder now, and which files are to be taken."""

    seen: dict[bytes, Seen]
    ready: list[bytes]

    @property
    def unsettled(self) -> bool:
        """Whether a file may become ready without anybody touching it."""
        return any(not one.taken for one in self.seen.values())


def judge(before: Mapping[bytes, Seen], found: Mapping[bytes, Look], *, moment: float, settle: float) -> Judged:
    """Look at a folder once more. A file is taken once for each content that it has had.

    Args:
        before: What was known after the last look.
        found: The files that are there now.
        moment: Now, monotonic seconds.
        settle: Seconds for which a file must have been the same.
    """
    seen: dict[bytes, Seen] = {}
    ready = []
    for name, look in found.items():
        known = before.get(name)
        if known is None or known.look != look:
            known = Seen(look, moment)
        if not known.taken and moment - known.since >= settle:
            known = known._replace(taken=True)
            ready.append(name)
        seen[name] = known
    return Judged(seen, sorted(ready))


def is_wanted(name: str, patterns: Sequence[str]) -> bool:
    """Whether a file is looked at: it matches a pattern, is not hidden, and is not still being written.

    A pattern that begins with a dot, or ends like an unfinished file, is meant so.
    """
    for pattern in patterns or ("*",):
        if fnmatchcase(name, pattern):
            hidden = name.startswith(".") and not pattern.startswith(".")
            unfinished = name.endswith(UNFINISHED) and not pattern.endswith(UNFINISHED)
            if not hidden and not unfinished:
                return True
    return False


def wait_after(seconds: float) -> float:
    """Seconds until the next look, when this one took so many: a large folder is looked at less often."""
    return min(max(LOOK_EVERY, seconds * _SHARE), LOOK_AT_LEAST_EVERY)
