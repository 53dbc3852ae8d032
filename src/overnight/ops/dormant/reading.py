"""What the files of a project say, read once: what has not changed since is known from the last time.

A file is the same when its size, its times and its number are. One that was changed within the last two seconds
before it was read could change again without any of them moving, so its content is compared as well.
"""

from __future__ import annotations

import hashlib
import warnings
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

from overnight.core.source_facts import Facts, facts_of
from overnight.host.files import open_regular
from overnight.ops.dormant.keeping import Known
from overnight.ops.dormant.tree import MOST_BYTES, File

#: Seconds within which the times of a file may not tell two changes apart. Source: git, "racy git".
RACY = 2.0


class Look(NamedTuple):
    """What was read. `fresh` is what is to be kept; `left` are files that were not read, since enough were."""

    facts: dict[str, Facts]
    fresh: dict[str, Known]
    left: int


def read_all(
    project: Path, files: Sequence[File], known: Mapping[str, Known], *, now: float, most: int | None = None
) -> Look:
    """Read the files that are not known as they are.

    Args:
        project: Where they lie.
        files: Which.
        known: What was read the last time.
        now: POSIX seconds.
        most: Files that are read at the most; None: all of them.
    """
    look = Look({}, {}, 0)
    left = 0
    for file in files:
        before = known.get(file.path)
        stamp = _stamp(file)
        is_same = before is not None and before.stamp == stamp
        if before is not None and is_same and before.digest is None:
            look.facts[file.path] = before.facts
        elif most is not None and len(look.fresh) >= most:
            left += 1
        else:
            fresh = _read(project, file, before if is_same else None, stamp, now)
            look.facts[file.path] = fresh.facts
            if fresh is not before:
                look.fresh[file.path] = fresh
    return look._replace(left=left)


#: By which files are read; what was read by others is read again.
_RULES = "rules-2"


def _stamp(file: File) -> str:
    """All by which a change is seen. How a file is asked about belongs to it, since more is read then."""
    stat = file.stat
    return f"{_RULES} {stat.st_size} {stat.st_mtime_ns} {stat.st_ctime_ns} {stat.st_ino} {int(file.is_asked)}"


def _read(project: Path, file: File, before: Known | None, stamp: str, now: float) -> Known:
    if file.stat.st_size > MOST_BYTES:
        return Known(stamp, None, Facts())
    try:
        with open_regular(project / file.path) as opened:
            content = opened.read(MOST_BYTES)
    except OSError as error:
        return Known(stamp, b"", Facts(wrong=error.strerror or str(error)))
    is_young = now - max(file.stat.st_mtime, file.stat.st_ctime) < RACY
    digest = hashlib.blake2b(content, digest_size=16).digest()
    if before is not None and before.digest == digest:
        return before if is_young else Known(stamp, None, before.facts)
    return Known(stamp, digest if is_young else None, _facts(content, file))


def _facts(content: bytes, file: File) -> Facts:
    if b"\0" in content:
        return Facts()
    with warnings.catch_warnings():  # of a source that is somebody else's
        warnings.simplefilter("ignore")
        return facts_of(content.decode("utf-8", "replace").removeprefix("\ufeff"), file.path, parse=file.is_asked)
