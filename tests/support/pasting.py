"""Blocks of the documentation, run as somebody would who pastes them."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path


def pasted(directory: Path, *argv: str) -> list[str]:
    """What a program prints in this directory, by lines; `overnight` and `python` are those of this environment."""
    environment = {name: value for name, value in os.environ.items() if not name.startswith(("OVERNIGHT_", "PYTHON"))}
    environment["PATH"] = f"{Path(sys.executable).parent}{os.pathsep}{environment['PATH']}"
    done = subprocess.run(
        argv, cwd=directory, env=environment, capture_output=True, text=True, timeout=100, check=False
    )
    assert done.returncode == 0, done.stderr
    assert "Traceback" not in done.stderr
    return [*done.stdout.splitlines(), *done.stderr.splitlines()]
