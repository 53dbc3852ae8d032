"""Where asks to stop come from: signals, and the STOP file that anyone can touch."""

from __future__ import annotations

import signal

from overnight.core.stopping import Ask
from overnight.host.signals import SignalWatch
from overnight.host.stop_file import NOW, StopFile

ASKS = {signal.SIGINT: Ask.SIGINT, signal.SIGTERM: Ask.SIGTERM, signal.SIGHUP: Ask.SIGHUP}


class Stops:
    """Signals of this process, and one file.

    Args:
        signals: Watches SIGINT, SIGTERM and SIGHUP.
        file: The STOP file. Removed once it was obeyed, so that the next start is not stopped by it.
    """

    def __init__(self, signals: SignalWatch, file: StopFile) -> None:
        self._signals = signals
        self._file = file
        self._seen: str | None = None

    def fileno(self) -> int:
        return self._signals.fileno()

    def take(self) -> list[Ask]:
        return [ASKS[number] for number in self._signals.take() if number in ASKS]

    def look(self) -> list[Ask]:
        wish = self._file.wish()
        if wish is None or wish == self._seen:
            return []
        self._seen = wish
        return [Ask.STOP_NOW if wish == NOW else Ask.STOP]

    def obeyed(self) -> None:
        self._file.remove()
