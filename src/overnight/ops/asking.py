"""Asking another program for a check: whoever does not answer in time is ended, and not left behind."""

from __future__ import annotations

import subprocess
from collections.abc import Mapping, Sequence
from pathlib import Path

#: Seconds that are left of a check's time for saying that its program took too long.
SLACK = 0.5


def answer_of(
    argv: Sequence[str], *, cwd: Path, seconds: float, env: Mapping[str, str] | None = None
) -> tuple[int, str] | None:
    """The exit status of a program and what it has printed; None when that takes longer than the check may.

    Args:
        argv: What is run, without input.
        cwd: Where.
        seconds: That the check may take.
        env: Its environment; None: ours.

    Raises:
        OSError: It cannot be started.
    """
    try:
        done = subprocess.run(
            argv,
            cwd=cwd,
            env=env,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            timeout=seconds - SLACK,
            check=False,
        )
    except subprocess.TimeoutExpired:
        return None
    return done.returncode, done.stdout.decode("utf-8", "backslashreplace")
