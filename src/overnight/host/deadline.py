"""Ends this process when it has not said for too long that it may go on: also when it is stopped, or hangs.

What has to end by an instant cannot leave that to itself: a process that is stopped (SIGSTOP, Ctrl-Z, a debugger) does
nothing, and what it has started goes on. So another one stands beside it, which does nothing else: it is told until
when, and kills when that is over. When it dies itself, the next word finds its ear gone.
"""

from __future__ import annotations

import contextlib
import os
import select
import signal
import struct
import subprocess
import sys

from overnight.host.clock import asleep_or_awake
from overnight.host.interpreter import python_for
from overnight.host.purge import forget, spare

_WORD = struct.Struct("d")
#: Seconds between two looks: the time in which the machine sleeps ends no wait.
_LOOK_EVERY = 1.0
#: Seconds for it to end when it is not needed any more.
_PATIENCE = 5.0


class Deadline:
    """The process that ends this one. For one thread at a time."""

    def __init__(self) -> None:
        self._child = self._start()

    @staticmethod
    def _start() -> subprocess.Popen[bytes]:
        # A session of its own: what stops or ends us from the terminal is not for it.
        child = subprocess.Popen(
            [*python_for(__name__), str(os.getpid())],
            stdin=subprocess.PIPE,
            stdout=subprocess.DEVNULL,
            bufsize=0,
            start_new_session=True,
        )
        spare(child.pid)
        return child

    def put_off(self, until: float) -> None:
        """Go on until then, on the clock of `asleep_or_awake`; the first word begins it.

        Raises:
            OSError: There is no second one to be had.
        """
        try:
            self._say(until)
        except BrokenPipeError:  # somebody has killed it
            self.close()
            self._child = self._start()
            self._say(until)

    def _say(self, until: float) -> None:
        assert self._child.stdin is not None  # noqa: S101 - it was asked for
        self._child.stdin.write(_WORD.pack(until))

    def close(self) -> None:
        """There is no end any more."""
        assert self._child.stdin is not None  # noqa: S101 - it was asked for
        self._child.stdin.close()
        try:
            self._child.wait(_PATIENCE)
        except subprocess.TimeoutExpired:  # stopped, it would wake up to a line that has ended; so it need not
            self._child.kill()
            self._child.wait()
        forget(self._child.pid)


def main() -> None:
    """Stand beside the process whose number is given, our parent."""
    whom, until = int(sys.argv[1]), None
    while True:
        left = _LOOK_EVERY if until is None else until - asleep_or_awake()
        if left <= 0:
            break
        if select.select([0], [], [], min(left, _LOOK_EVERY))[0]:
            told = os.read(0, 4096)
            if not told:
                return
            until = _WORD.unpack(told[-_WORD.size :])[0]
    if os.getppid() == whom:  # else it is dead, and its number may be another one's
        with contextlib.suppress(ProcessLookupError):
            os.kill(whom, signal.SIGKILL)
        os.write(2, b"overnight: process %d was stopped or hung while its lease ran out, and was ended\n" % whom)
