"""What every peer that runs functions is given to do."""

from __future__ import annotations

import subprocess
import time
from pathlib import Path


def noop(value: str) -> None:
    """Do nothing."""


def stamp(path: str) -> None:
    """Write down when this began."""
    now = time.time()
    with Path(path).open("a") as file:
        file.write(f"{now}\n")


def shell(line: str) -> None:
    """Run a line of shell, and wait for it."""
    subprocess.run(["/bin/sh", "-c", line], check=True)


FUNCTIONS = {"noop": noop, "stamp": stamp, "shell": shell}

#: The same for those that run commands; the value comes last.
COMMANDS = {
    "noop": ("/bin/true",),
    "stamp": ("/bin/sh", "-c", 'date +%s.%N >>"$0"'),
    "shell": ("/bin/sh", "-c"),
}
