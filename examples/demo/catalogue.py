"""The same files for a Python function: ``overnight run --call catalogue:entry``.

A function returns what should be kept (anything that JSON can hold) or raises. `Permanent` says
never again, `Retry` says at another time and costs no failure, any other exception is tried again.
"""

from __future__ import annotations

import hashlib
import os
from pathlib import Path

import overnight

FOLDER = Path("files")


def entry(name: str) -> dict[str, object]:
    """Checksum and size of one file, by its bare name: it may begin with a dash."""
    if os.environ["OVERNIGHT_ATTEMPT"] == "1" and name == "flaky.txt":
        raise overnight.Retry("the server that this file needs is busy", after=0.2)
    data = (FOLDER / name).read_bytes()
    if not data:
        raise overnight.Permanent("the file is empty")
    return {"sha256": hashlib.sha256(data).hexdigest(), "size_bytes": len(data)}
