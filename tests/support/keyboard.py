"""A person at a terminal: the real program on a pseudo-terminal, with keys that are really pressed."""

from __future__ import annotations

import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import psutil

#: What Ctrl-C and Ctrl-D send.
CTRL_C, CTRL_D = b"\x03", b"\x04"
#: Runs its words on a pseudo-terminal between its own pipes, and ends as they end; by itself after two minutes.
_TERMINAL = (
    "import os, pty, signal, sys; signal.alarm(120); sys.exit(os.waitstatus_to_exitcode(pty.spawn(sys.argv[1:])))"
)


class Keyboard:
    """What is typed and what is seen."""

    def __init__(self, process: subprocess.Popen[bytes]) -> None:
        self._process = process
        self.seen = b""

    def press(self, keys: bytes) -> None:
        """Press keys."""
        assert self._process.stdin is not None
        self._process.stdin.write(keys)
        self._process.stdin.flush()

    def see(self, words: bytes) -> None:
        """Read until this stands on the screen."""
        while words not in self.seen:
            self.seen += self._read() or _missing(words, self.seen)

    def wait_until_it_reads(self) -> None:
        """Wait until the program waits for a key: a signal just before that would be noticed only with the next one."""
        deadline = time.monotonic() + 60
        while not all(_waits_for_a_key(child) for child in self._children()):
            assert time.monotonic() < deadline, "it never rests"
            time.sleep(0.005)

    def _children(self) -> list[psutil.Process]:
        return psutil.Process(self._process.pid).children() or [psutil.Process(self._process.pid)]

    def end(self) -> int:
        """Read to the end; the exit status."""
        while more := self._read():
            self.seen += more
        return self._process.wait(60)

    def _read(self) -> bytes:
        assert self._process.stdout is not None
        return self._process.stdout.read1(65536)  # type: ignore[attr-defined, no-any-return]  # a buffered reader


def _waits_for_a_key(process: psutil.Process) -> bool:
    """Whether it sleeps in the read of a terminal, where the kernel says that; else whether it sleeps."""
    try:
        where = Path(f"/proc/{process.pid}/wchan").read_text("ascii")
    except OSError:
        where = "0"
    return where == "wait_woken" if where not in ("", "0") else process.status() == psutil.STATUS_SLEEPING


def _missing(words: bytes, seen: bytes) -> bytes:
    raise AssertionError(f"{words!r} never came: {seen!r}")


@contextmanager
def typing(cwd: Path, *words: str | bytes) -> Iterator[Keyboard]:
    """Run a program (its words) at a terminal in a directory."""
    with subprocess.Popen(
        [sys.executable, "-c", _TERMINAL, *words], cwd=cwd, stdin=subprocess.PIPE, stdout=subprocess.PIPE
    ) as process:
        yield Keyboard(process)
