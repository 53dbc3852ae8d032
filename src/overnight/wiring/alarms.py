"""Who is told of a storm: whoever reads what the engine says, and a command of the user's."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
from collections.abc import Sequence
from pathlib import Path

from overnight.host.clock import Clock
from overnight.host.purge import forget, spare
from overnight.wiring.telling import Told

#: Seconds that all commands together have when the engine ends before they do. Whoever ends it waits for 15 s.
PATIENCE = 10.0
#: Seconds after which one is ended when the next is due: they must not pile up in a night.
LONGEST = 60.0


class Alarms:
    """Tells, and never waits; a command that cannot be started is told of and changes nothing.

    Args:
        home: The directory of the home, for the command.
        told: Told of everything first.
        command: A program and its arguments; empty for none.
        clock: Monotonic.
    """

    def __init__(self, home: Path, told: Told, command: Sequence[str], clock: Clock) -> None:
        self._home = home
        self._told = told
        self._command = list(command)
        self._clock = clock
        #: What runs, and when it began, monotonic.
        self._running: dict[subprocess.Popen[bytes], float] = {}

    def tell(self, words: str, hint: str) -> None:
        """Say what has happened, and what to type."""
        self._told(words, hint)
        self._reap(0.0)
        moment = self._clock.monotonic()
        self._end([process for process, began in self._running.items() if moment - began > LONGEST])
        if self._command:
            self._run(f"{words}; {hint}" if hint else words)

    def close(self) -> None:
        """Wait a while for commands that run, and end those that do not end."""
        self._reap(PATIENCE)
        self._end(list(self._running))

    def _end(self, processes: list[subprocess.Popen[bytes]]) -> None:
        for process in processes:
            with contextlib.suppress(ProcessLookupError, PermissionError):
                os.killpg(process.pid, signal.SIGKILL)  # not reaped yet, so the session is its own
            process.kill()
            process.wait()
            forget(process.pid)
            del self._running[process]

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
        self._running[process] = self._clock.monotonic()

    def _reap(self, patience: float) -> None:
        deadline = self._clock.monotonic() + patience
        for process in list(self._running):
            try:
                process.wait(max(0.0, deadline - self._clock.monotonic()))
            except subprocess.TimeoutExpired:
                continue
            forget(process.pid)
            del self._running[process]
