"""Where asks to stop come from: signals, and the STOP file that anyone can touch."""

from __future__ import annotations

import signal
from pathlib import Path

from overnight.core.stopping import Ask
from overnight.host.signals import SignalWatch

_ASKS = {signal.SIGINT: Ask.SIGINT, signal.SIGTERM: Ask.SIGTERM, signal.SIGHUP: Ask.SIGHUP}


class Stops:
    """Signals of this process, and one file.

    Args:
        signals: Watches SIGINT, SIGTERM and SIGHUP.
        path: The STOP file. Removed once it was obeyed, so that the next start is not stopped by it.
    """

    def __init__(self, signals: SignalWatch, path: Path) -> None:
        self._signals = signals
        self._path = path
        self._seen = False

    def fileno(self) -> int:
        return self._signals.fileno()

    def take(self) -> list[Ask]:
        return [_ASKS[number] for number in self._signals.take() if number in _ASKS]

    def look(self) -> list[Ask]:
        if self._seen or not self._path.exists():
            return []
        self._seen = True
        return [Ask.STOP]

    def obeyed(self) -> None:
        self._path.unlink(missing_ok=True)
