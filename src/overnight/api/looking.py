"""What can be said of any file at a glance: the first step of the built-in workflows.

Imported by workers, so it takes in nothing of the house but what says that no retry will help.
"""

from __future__ import annotations

import mimetypes
import os
import stat
from pathlib import Path

from overnight.core.asks import Permanent

#: Bytes at the beginning that decide whether it is text.
_LOOK = 8192


def look(file_path: str) -> dict[str, object]:
    """See that it is a file that can be read, and say its size, time and type.

    Raises:
        OSError: It is not there or cannot be read; a retry may find it.
        Permanent: It is something else than a file.
    """
    path = Path(file_path)
    with open(path, "rb", buffering=0, opener=_without_waiting) as file:
        found = os.fstat(file.fileno())
        if not stat.S_ISREG(found.st_mode):
            raise Permanent(f"{file_path!r} is no regular file")
        return _about(path, found, file.read(_LOOK))


def _without_waiting(path: str, flags: int) -> int:
    """Open it; a pipe without a writer would otherwise wait for one."""
    return os.open(path, flags | os.O_NONBLOCK)


def _about(path: Path, found: os.stat_result, head: bytes) -> dict[str, object]:
    is_text = b"\0" not in head and _is_utf8(head)
    guess = mimetypes.guess_type(path.name)[0] or ("text/plain" if is_text else "application/octet-stream")
    return {"size_bytes": found.st_size, "modified_at": found.st_mtime, "type": guess, "text": is_text}


def _is_utf8(head: bytes) -> bool:
    """Whether it begins like UTF-8 text; a character cut at the end of the look does not count against it."""
    try:
        head.decode()
    except UnicodeDecodeError as error:
        return error.end == len(head) and len(head) - error.start < 4  # noqa: PLR2004 - the longest character
    return True
