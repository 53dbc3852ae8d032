"""A real disk that is really full: a small file system of its own, where one may be mounted."""

from __future__ import annotations

import contextlib
import errno
import os
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest


@contextmanager
def small_disk(directory: Path, *, size_bytes: int) -> Iterator[Path]:
    """Mount a file system of this size at `directory`; the test is skipped where that is not allowed."""
    directory.mkdir(parents=True, exist_ok=True)
    options = f"size={size_bytes},mode=0700"
    mount = ["mount", "-t", "tmpfs", "-o", options, "overnight-test", str(directory)]
    if os.geteuid() or subprocess.run(mount, check=False, capture_output=True).returncode:
        pytest.skip("only root may mount a small file system")
    try:
        yield directory
    finally:
        subprocess.run(["umount", "--lazy", str(directory)], check=True)


def fill(directory: Path, *, leave_bytes: int = 0) -> Path:
    """Leave no more room than this on the disk of a directory; removing the file that is returned gives it back."""
    path = directory / "filler"
    with path.open("wb", buffering=0) as file:
        try:
            while file.write(bytes(4096)):
                pass
        except OSError as error:
            if error.errno != errno.ENOSPC:
                raise
        with contextlib.suppress(OSError):
            file.truncate(max(0, path.stat().st_size - leave_bytes))
    return path
