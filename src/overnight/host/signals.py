"""Signals as something to read, so that a loop handles them between two turns and never inside of one.

The kernel may deliver a signal between any two instructions. Here the handler does nothing; the
interpreter writes the number of each signal into a pipe, and the loop reads it when it is ready to.
"""

from __future__ import annotations

import os
import signal
import threading
from collections.abc import Sequence
from types import FrameType
from typing import Self

#: The signals that ask a process to stop.
STOPPING = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
#: Whoever started us may have had them ignored on purpose: ``nohup``, or ``&`` in a script. It stays so.
_MAY_BE_IGNORED = frozenset({signal.SIGINT, signal.SIGHUP})
#: Far more than can be pending between two turns; when it is full, what is in there stops us as well.
_AT_ONCE = 4096


class SignalWatch:
    """Collects signals from construction on, until it is closed or left; then the old handlers are back.

    One per process at a time, since there is one wakeup descriptor. Programs started by exec do not
    inherit the handlers. A signal that arrives twice before the kernel delivers it is one signal.

    Source: ``signal.set_wakeup_fd``.

    Args:
        watched: Which signals.

    Raises:
        RuntimeError: Not in the main thread, the only one for which Python handles signals.
    """

    def __init__(self, watched: Sequence[signal.Signals] = STOPPING) -> None:
        if threading.current_thread() is not threading.main_thread():
            raise RuntimeError("signals can be watched in the main thread only")
        self._reader, self._writer = os.pipe()
        os.set_blocking(self._reader, False)
        os.set_blocking(self._writer, False)
        self._watched = frozenset(number for number in watched if not _is_ignored(number))
        # The pipe first: a signal between the two steps is then merely handled as before.
        self._wakeup_before = signal.set_wakeup_fd(self._writer, warn_on_full_buffer=False)
        self._before = {number: signal.signal(number, _nothing) for number in self._watched}

    def fileno(self) -> int:
        """Readable when `take` has something. May be readable for a signal that is not watched, too."""
        return self._reader

    def take(self) -> list[signal.Signals]:
        """The watched signals since the last call, in order of arrival. Never waits."""
        try:
            numbers = os.read(self._reader, _AT_ONCE)
        except BlockingIOError:
            return []
        return [signal.Signals(number) for number in numbers if number in self._watched]

    def close(self) -> None:
        """Put the old handlers back. May be called twice."""
        if not self._before and self._reader < 0:
            return
        for number, handler in self._before.items():
            # None: a handler that was not set from Python and cannot be put back from there.
            signal.signal(number, signal.SIG_DFL if handler is None else handler)
        self._before = {}
        signal.set_wakeup_fd(self._wakeup_before)
        os.close(self._reader)
        os.close(self._writer)
        self._reader = self._writer = -1

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


def _is_ignored(number: signal.Signals) -> bool:
    return number in _MAY_BE_IGNORED and signal.getsignal(number) is signal.SIG_IGN


def _nothing(number: int, frame: FrameType | None) -> None:
    """Python tells the pipe before it calls this."""
