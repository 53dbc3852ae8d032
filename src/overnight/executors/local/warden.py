"""The warden of one command that may leave something running: stands between it and the keeper.

It is a subreaper, so whatever the command starts stays below it, however it daemonises itself, and nothing
of it can be taken for what a later attempt in the same slot has left. While the attempt runs the warden is
nothing special: limits, stops, purge and sweep end it with everything below it, and when the keeper dies it
ends its family itself. Only when the keeper lets it go, after the command has ended well, does it take the
name that makes it and its family nobody's to end (see `host.kept`). It then swallows what they print, so that none
of them dies of a pipe that nobody reads, and ends with the last of them.
"""

# ruff: noqa: FBT003 - the flags of sockets and descriptors go by position

from __future__ import annotations

import contextlib
import os
import select
import signal
import socket
import sys
from enum import IntEnum

import msgspec

from overnight.executors.local.command import RefusedError, spawn
from overnight.executors.local.pipes import read_now
from overnight.host.cgroups import leave_worker
from overnight.host.kept import become_kept
from overnight.host.processes import set_subreaper
from overnight.host.purge import purge


class Errand(msgspec.Struct, frozen=True):
    """What a warden is to start, and its descriptors."""

    program: bytes
    words: list[bytes]
    environ: dict[bytes, bytes]
    open_files: int | None
    #: The line to its keeper, and the reading ends of its stdout and stderr.
    line: int
    stdout: int
    stderr: int


class Began(msgspec.Struct, frozen=True, tag="began"):
    """The command runs."""


class Failed(msgspec.Struct, frozen=True, tag="failed"):
    """It could not be started: the number of the system's error, or words."""

    number: int = 0
    words: str = ""


class Over(msgspec.Struct, frozen=True, tag="over"):
    """Its main process has ended; see `main_process.MainEnd`."""

    code: int
    cpu_seconds: float
    maxrss: int


Said = Began | Failed | Over


class Wish(IntEnum):
    """What a keeper asks for, in one byte; every other one is the number of a signal for the command's group."""

    LET_GO = 0


class Warden:
    """The warden itself. The only thread of its process, whose children are all its own.

    Args:
        errand: What to start.
    """

    def __init__(self, errand: Errand) -> None:
        self._errand = errand
        self._line = socket.socket(fileno=errand.line)
        os.set_inheritable(errand.line, False)
        for end in (errand.stdout, errand.stderr):
            os.set_inheritable(end, False)
        self._woken, waker = socket.socketpair()
        self._woken.setblocking(False)
        waker.setblocking(False)
        self._waker = waker
        signal.signal(signal.SIGCHLD, lambda *_: None)
        signal.set_wakeup_fd(waker.fileno(), warn_on_full_buffer=False)
        self._poll = select.poll()
        for source in (self._line, self._woken):
            self._poll.register(source, select.POLLIN)
        self._main: int | None = None
        self._free = False

    def serve(self) -> None:
        """Start the command, and stay until nothing of it is left."""
        if not self._begin():
            return
        while self._reap():
            ready = {number for number, _ in self._poll.poll()}
            with contextlib.suppress(BlockingIOError):
                self._woken.recv(4096)
            if not self._free and self._line.fileno() in ready:
                self._obey()
            for end in ready & {self._errand.stdout, self._errand.stderr}:
                if not read_now(end):
                    self._poll.unregister(end)  # nobody is left to write

    def _begin(self) -> bool:
        errand = self._errand
        stdio: list[tuple[int, ...]] = [(os.POSIX_SPAWN_DUP2, number, number) for number in range(3)]
        try:
            self._main = spawn(errand.program, errand.words, errand.environ, stdio, open_files=errand.open_files)
        except OSError as error:
            self._say(Failed(error.errno or 0))
        except RefusedError as error:
            self._say(Failed(words=error.words))
        except ValueError as error:
            self._say(Failed(words=f"the command cannot be run: {error}"))
        else:
            self._say(Began())
        # Else we would keep its pipes open, and its directory.
        null = os.open(os.devnull, os.O_RDWR)
        for number in range(3):
            os.dup2(null, number, inheritable=False)
        os.close(null)
        os.chdir("/")
        return self._main is not None

    def _say(self, said: Said) -> None:
        with contextlib.suppress(OSError):  # a keeper that has gone is noticed by the end of the line
            self._line.send(msgspec.json.encode(said))

    def _reap(self) -> bool:
        """Wait for whoever has ended; whether anybody is left."""
        with contextlib.suppress(ChildProcessError):
            while True:
                pid, status, usage = os.wait4(-1, os.WNOHANG)
                if not pid:
                    return True
                if pid == self._main:
                    self._main = None
                    cpu_seconds = usage.ru_utime + usage.ru_stime
                    self._say(Over(os.waitstatus_to_exitcode(status), cpu_seconds, usage.ru_maxrss))
        return False

    def _obey(self) -> None:
        try:
            asked = self._line.recv(64)
        except ConnectionResetError:  # the same, and it had not read all that we have said
            asked = b""
        if not asked:  # the keeper is dead, and what it did not let go must not outlive it
            while purge(seconds=10.0):
                pass
        elif asked[0] == Wish.LET_GO:
            self._let_go()
        elif self._main is not None:  # not reaped, so the number is its own, and so is the group
            with contextlib.suppress(ProcessLookupError, PermissionError):
                os.killpg(self._main, asked[0])

    def _let_go(self) -> None:
        with contextlib.suppress(OSError):  # then they go on until the group of the worker is ended
            leave_worker()
        self._free = become_kept()
        for end in (self._errand.stdout, self._errand.stderr):
            self._poll.register(end, select.POLLIN)
        # Its end is the answer.
        self._poll.unregister(self._line)
        self._line.close()


def main() -> None:
    """Be the warden whose errand lies in the open file that the last argument names."""
    with open(int(sys.argv[-1]), "rb") as file:  # noqa: PTH123 - a descriptor
        errand = msgspec.msgpack.decode(file.read(), type=Errand)
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, signal.SIG_IGN)
    set_subreaper()
    Warden(errand).serve()
