"""What to type when the machine refuses: by what the system says, so that it is the same for every command."""

from __future__ import annotations

import errno
import os

_READ_ONLY = "have the file system of {place} mounted for writing, or name a home elsewhere with --home DIR"
_ROOM = "df -h {place}: make room there, and type the same again"
_OWNER = "ls -ld {place}: have it belong to you, or type the same as its owner"
_HINTS = {
    errno.EROFS: _READ_ONLY,
    errno.ENOSPC: _ROOM,
    errno.EDQUOT: _ROOM,
    errno.EACCES: _OWNER,
    errno.EPERM: _OWNER,
}


def hint(error: OSError, *, other: str) -> str:
    """What mends it; `other` where the system says nothing of which the cause would be known."""
    from overnight.ui.cli.printing import shell_word

    where = error.filename
    if error.errno not in _HINTS or not isinstance(where, str | bytes):
        return other
    return _HINTS[error.errno].format(place=shell_word(os.path.dirname(os.fsdecode(where)) or "."))  # noqa: PTH120 - text
