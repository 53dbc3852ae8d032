"""`progress`: how far a running task is. In a file of its own, because it is workers that import it."""

from __future__ import annotations

import json
import os

#: Bytes of a file of reports, above which it begins anew: nobody reads old ones, but when to try again.
_MOST_BYTES = 256 * 1024


def progress(fraction: float | None = None, message: str = "") -> None:
    """Say how far this task is. It counts as a sign of life for the limit ``stall``.

    Outside of a task it does nothing, so that a function can be called anywhere. It never raises because
    of the disk: that a report is lost is no reason for a task to fail.

    Args:
        fraction: What is done, from 0 to 1; None when that is not known.
        message: One line for people: "page 4 of 10".

    Raises:
        TypeError: The fraction is no number.
        ValueError: It is not between 0 and 1.
    """
    # As JSON has them, and outside of a task as well: a slip must not show in the night only.
    fraction, message = None if fraction is None else float(fraction), str(message)
    if fraction is not None and not 0 <= fraction <= 1:
        raise ValueError(f"progress({fraction}): a fraction from 0 to 1 is wanted")
    path = os.environb.get(b"OVERNIGHT_CONTROL")
    if path is None:
        return
    report: dict[str, object] = {"progress": fraction, "message": message}
    report |= {"task": os.environ.get("OVERNIGHT_TASK_ID", ""), "attempt": os.environ.get("OVERNIGHT_ATTEMPT_ID", "")}
    _append(path, json.dumps(report).encode() + b"\n")


def _append(path: bytes, line: bytes) -> None:
    flags = os.O_RDWR | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC
    try:
        file = os.open(path, flags, 0o600)
    except OSError:
        return
    try:
        if os.fstat(file).st_size > _MOST_BYTES:
            line = _last_wish(file) + line
            os.ftruncate(file, 0)
        os.write(file, line)
    except OSError:
        pass
    finally:
        os.close(file)


def _last_wish(file: int) -> bytes:
    """The last line with ``retry_at``, as `executors.local.control_file` understands it; empty when there is none."""
    words = os.pread(file, os.fstat(file).st_size, 0)
    return next((line + b"\n" for line in reversed(words.splitlines()) if b'"retry_at"' in line), b"")
