"""Who is told of a storm: whoever reads what the engine says, and a command of the user's."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Sequence
from pathlib import Path

from overnight.host.purge import forget, spare
from overnight.wiring.telling import Told

#: Seconds that the command has when the engine ends before it does.
PATIENCE = 10.0


class Alarms:
    """Tells, and never waits; a command that cannot be started is told of and changes nothing.

    Args:
        home: The directory of the home, for the command.
        told: Told of everything first.
        command: A program and its arguments; empty for none.
    """

    def __init__(self, home: Path, told: Told, command: Sequence[str]) -> None:
        self._home = home
        self._told = told
        self._command = list(command)
        self._running: list[subprocess.Popen[bytes]] = []

    def tell(self, words: str, hint: str) -> None:
        """Say what has happened, and what to type."""
        self._told(words, hint)
        self._reap(0.0)
        if self._command:
            self._run(f"{words}; {hint}" if hint else words)

    def close(self) -> None:
        """Wait a while for commands that run, and end those that do not end."""
        self._reap(PATIENCE)
        for process in self._running:
            process.kill()
            process.wait()
            forget(process.pid)

    def _run(self, why: str) -> None:
        environ = {**os.environ, "OVERNIGHT_HOME": os.fspath(self._home), "OVERNIGHT_WHY": why}
        try:
            process = subprocess.Popen(
                self._command, env=environ, stdin=subprocess.DEVNULL, stdout=2, start_new_session=True
            )
        except (OSError, ValueError) as error:
            self._told(f"{self._command[0]} was to be told of it, and could not be: {error}", "mend [storms] on_storm")
            return
        spare(process.pid)
        self._running.append(process)

    def _reap(self, patience: float) -> None:
        left = []
        for process in self._running:
            try:
                process.wait(patience)
            except subprocess.TimeoutExpired:
                left.append(process)
            else:
                forget(process.pid)
        self._running = left
