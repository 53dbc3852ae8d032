"""A process of ours that runs beside the work: started again when it ends, and never waited for while work goes on.

It lets a byte be heard every few seconds; one that is silent for too long is frozen, and is killed:
stopped in the middle of a look at the store it would keep the log of that from being cleared.
"""

from __future__ import annotations

import contextlib
import os
import select
import subprocess
import time
from collections.abc import Sequence

from overnight.host.clock import Clock
from overnight.host.purge import forget, spare

#: Seconds until one that has ended is started again: the first time, and at most.
FIRST_DELAY, LONGEST_DELAY = 1.0, 60.0
#: Seconds between two of its bytes, and of silence after which it is killed.
HEARD_EVERY, FROZEN_AFTER = 5.0, 60.0
#: Seconds that it has for its last word, when it is told to end.
LAST_WORD = 2.0
#: Seconds that a killed one has to be seen dead; one that is stuck in the kernel is not waited for.
_STUCK = 1.0


class Beside:
    """Keeps one process going. Whatever becomes of it, or of the attempt to start it, is no trouble to the caller.

    It knows that we have gone when its standard input ends.

    Args:
        argv: The program.
        clock: Monotonic.
        after: Seconds until it is started at all: what is over sooner does not need it.
    """

    def __init__(self, argv: Sequence[str | bytes], clock: Clock, *, after: float = 0.0) -> None:
        self._argv = list(argv)
        self._clock = clock
        self._child: subprocess.Popen[bytes] | None = None
        self._delay = FIRST_DELAY
        self._due = clock.monotonic() + after
        self._began = self._heard = clock.monotonic()

    @property
    def pid(self) -> int | None:
        """Its number; None while there is none."""
        return None if self._child is None else self._child.pid

    def tend(self) -> None:
        """Start it if it does not run and its time has come. Cheap: to be called at every occasion."""
        if self._child is not None:
            self._look_after(self._child)
        if self._child is None and self._clock.monotonic() >= self._due:
            self._start()

    def _start(self) -> None:
        try:
            # A session of its own: a Ctrl-C at the terminal is not for it. And none of our pipes: who reads
            # what we print waits until the last one who could has gone.
            self._child = subprocess.Popen(
                self._argv,
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=subprocess.DEVNULL,
                start_new_session=True,
            )
        except OSError:
            self._put_off()
            return
        spare(self._child.pid)
        self._began = self._heard = self._clock.monotonic()

    def _look_after(self, child: subprocess.Popen[bytes]) -> None:
        if _has_said_something(child):
            self._heard = self._clock.monotonic()
        elif self._clock.monotonic() - self._heard > FROZEN_AFTER:
            child.kill()  # and looked for later: one that is stuck in the kernel dies when it can
        if child.poll() is not None:
            self._bury()

    def _bury(self) -> None:
        if self._clock.monotonic() - self._began > LONGEST_DELAY:
            self._delay = FIRST_DELAY  # that was no failure to start
        if self._child is not None:
            forget(self._child.pid)
            for pipe in (self._child.stdin, self._child.stdout):
                if pipe is not None:
                    pipe.close()
        self._child = None
        self._put_off()

    def _put_off(self) -> None:
        self._due = self._clock.monotonic() + self._delay
        self._delay = min(self._delay * 2, LONGEST_DELAY)

    def end(self, seconds: float) -> bool:
        """Let it finish what it has to, and see it dead.

        Args:
            seconds: How long it has; then it is killed.

        Returns:
            Whether it came to its end by itself.
        """
        child = self._child
        if child is None:
            return False
        if child.stdin is not None:
            child.stdin.close()
        by_itself = _ended(child, seconds) == 0
        if child.returncode is None:
            child.kill()
            _ended(child, _STUCK)
        self._bury()
        return by_itself

    def once(self, seconds: float) -> bool:
        """Start it for its last word alone: whether it said it in time."""
        self._start()
        return self.end(seconds)


def _ended(child: subprocess.Popen[bytes], seconds: float) -> int | None:
    """Its exit status, or None when it goes on."""
    try:
        return child.wait(seconds)
    except subprocess.TimeoutExpired:
        return None


def _has_said_something(child: subprocess.Popen[bytes]) -> bool:
    if child.stdout is None:
        return False
    os.set_blocking(child.stdout.fileno(), False)
    with contextlib.suppress(BlockingIOError):
        return bool(os.read(child.stdout.fileno(), 65536))
    return False


class Parent:
    """Whoever has started us, as the process beside: gone when our standard input has no other end."""

    def __init__(self) -> None:
        self.gone = False

    def wait(self, seconds: float) -> bool:
        """Let time pass, no longer than until it goes; whether it is gone."""
        if self.gone:
            time.sleep(seconds)
        elif select.select([0], [], [], seconds)[0]:
            self.gone = not os.read(0, 1)
        return self.gone


def say_something() -> None:
    """Be heard, as the process beside: by whoever has started us, if that one is still there and listens."""
    os.set_blocking(1, False)
    with contextlib.suppress(BlockingIOError, BrokenPipeError):
        os.write(1, b".")
