"""Carrying out fixes: only those that are a command, exactly as they were shown."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Sequence
from pathlib import Path

from overnight.core.findings import Fix

#: What is printed beside the results.
_STDERR = 2


def mend(fix: Fix, *, project: Path, home: Path | None, program: Sequence[str]) -> int:
    """Run the command of a fix, with what it prints going to stderr.

    Args:
        fix: What to do.
        project: Where the person stands.
        home: The home that was examined.
        program: What ``overnight`` means: this one, whatever else of that name is on PATH.

    Returns:
        Its exit status.

    Raises:
        ValueError: It has no command.
        OSError: The program cannot be started.
    """
    if not fix.argv:
        raise ValueError(f"{fix.id} is for a person to do")
    environ = dict(os.environ)
    if home is not None:
        environ["OVERNIGHT_HOME"] = os.fspath(home)
    argv = [*program, *fix.argv[1:]] if fix.argv[0] == "overnight" else fix.argv
    done = subprocess.run(argv, cwd=project, env=environ, stdin=subprocess.DEVNULL, stdout=_STDERR, check=False)
    return done.returncode
