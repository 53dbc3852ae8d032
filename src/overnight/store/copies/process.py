"""The engine's side of a copier: started without waiting, listened to, and never left behind."""

from __future__ import annotations

import contextlib
import os
import subprocess
from collections.abc import Mapping

import msgspec

from overnight.host.purge import forget, spare
from overnight.store.copies.copier import Answer, Failed, argv
from overnight.store.copies.making import Order

#: Seconds for which one that was killed is waited for.
STUCK = 5.0


class CopierProcess:
    """At most one copier at a time, a child of this process.

    It is spared by purges while it lives. When this process dies its end of the copier's input is
    closed, and the copier ends; should both be killed at once, the cookie in its environment tells
    the next engine what it is.

    Args:
        environment: What it gets besides the environment of this process: the home's cookie.
    """

    def __init__(self, environment: Mapping[str, str]) -> None:
        self._environment = {**os.environ, **environment}
        self._child: subprocess.Popen[bytes] | None = None
        self._words = b""

    @property
    def busy(self) -> bool:
        """Whether one is at work."""
        return self._child is not None

    def begin(self, order: Order) -> None:
        """Start a copier.

        Raises:
            OSError: No process could be started.
        """
        child = subprocess.Popen(
            argv(order),
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            start_new_session=True,
            cwd="/",
            env=self._environment,
        )
        spare(child.pid)
        assert child.stdout is not None  # noqa: S101 - a pipe was asked for
        os.set_blocking(child.stdout.fileno(), False)
        self._child, self._words = child, b""

    def answer(self) -> Answer | None:
        """What became of it, once; None while it is at work or when there is none. Never waits."""
        child = self._child
        if child is None or child.poll() is None:
            self._listen()
            return None
        self._listen()
        words = self._words
        self._let_go(child)
        with contextlib.suppress(msgspec.DecodeError):
            told: Answer = msgspec.json.decode(words, type=Answer)
            return told
        how = f"signal {-child.returncode}" if child.returncode < 0 else f"exit status {child.returncode}"
        return Failed("", f"the copier ended without a word ({how})")

    def _listen(self) -> None:
        if self._child is None or self._child.stdout is None:
            return
        with contextlib.suppress(BlockingIOError):
            while words := os.read(self._child.stdout.fileno(), 65536):
                self._words += words

    def end(self) -> None:
        """Kill it. Never waits: one that is stuck in the kernel is busy until it is let go."""
        if self._child is not None:
            self._child.kill()

    def close(self, *, patience: float) -> Answer | None:
        """Let it finish for so many seconds, then end it. Returns its answer if it gave one."""
        child = self._child
        if child is None:
            return None
        try:
            child.wait(patience)
        except subprocess.TimeoutExpired:
            child.kill()
            with contextlib.suppress(subprocess.TimeoutExpired):  # stuck in the kernel: it must hold nobody up
                child.wait(STUCK)
            self._let_go(child)
            return None
        return self.answer()

    def _let_go(self, child: subprocess.Popen[bytes]) -> None:
        forget(child.pid)
        for pipe in (child.stdin, child.stdout):
            if pipe is not None:
                with contextlib.suppress(OSError):
                    pipe.close()
        self._child = None
