"""A main process behind a warden, as the keeper has it: the command is a grandchild, its warden the child.

See `warden` for what that is good for. It costs a process, so only commands that may leave something have one.
"""

from __future__ import annotations

import contextlib
import os
import select
import signal
import socket

import msgspec

from overnight.core.states import ErrorClass
from overnight.executors.contract import Spec
from overnight.executors.local.command import RefusedError, spawn_with
from overnight.executors.local.main_process import MainEnd
from overnight.executors.local.pipes import Pipes
from overnight.executors.local.place import Place, warden_argv
from overnight.executors.local.warden import Began, Errand, Failed, Over, Said, Wish
from overnight.host.processes import LINUX

#: Seconds for a warden to start and to say so, and to let go. It is a matter of milliseconds. The keeper waits for it
#: and answers nobody meanwhile, so together they are less than what an engine waits for an answer (see `slot`).
START_WITHIN, LET_GO_WITHIN = 15.0, 5.0


class BehindWarden:
    """A command that has been started by a warden.

    Args:
        program: What to run.
        words: Its arguments, its name first.
        environ: Its environment.
        null: A descriptor of nothing, to be its stdin.
        pipes: Into which it prints; its own, and read by the warden later on.
        place: Of the keeper.
        spec: The attempt.
        open_files: How many files it may have open.

    Raises:
        OSError: It cannot be started.
        RefusedError: Not here, or not now.
    """

    def __init__(
        self,
        program: bytes,
        words: list[bytes],
        environ: dict[bytes, bytes],
        *,
        null: int,
        pipes: Pipes,
        place: Place,
        spec: Spec,
        open_files: int | None,
    ) -> None:
        need_wardens(place)
        self._line, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        errand = Errand(program, words, environ, open_files, theirs.fileno(), pipes.stdout, pipes.stderr)
        paper = os.memfd_create("errand")
        try:
            with open(os.dup(paper), "wb") as file:  # noqa: PTH123 - a descriptor
                file.write(msgspec.msgpack.encode(errand))
            os.lseek(paper, 0, os.SEEK_SET)
            argv = warden_argv(place, paper)
            passed = (paper, theirs.fileno(), pipes.stdout, pipes.stderr)
            stdio = (null, pipes.stdout_writer, pipes.stderr_writer)
            self.pid = spawn_with(passed, argv[0], argv, _environ(spec, place), stdio)
        except BaseException:
            self._line.close()
            raise
        finally:
            os.close(paper)
            theirs.close()
        self._await_begin()

    def _await_begin(self) -> None:
        said = self._hear(START_WITHIN)
        if isinstance(said, Began):
            return
        with contextlib.suppress(ProcessLookupError):
            os.kill(self.pid, signal.SIGKILL)
        os.waitpid(self.pid, 0)
        self._line.close()
        if isinstance(said, Failed) and said.number:
            raise OSError(said.number, os.strerror(said.number))
        words = said.words if isinstance(said, Failed) else "its warden could not be started now"
        raise RefusedError(words, ErrorClass.PERMANENT if isinstance(said, Failed) else ErrorClass.RESOURCE)

    def _hear(self, seconds: float) -> Said | None:
        """What the warden says; None when it says nothing in time, or never will."""
        if not self._is_ready(seconds):
            return None
        with contextlib.suppress(ConnectionError):
            words = self._line.recv(4096)
            return msgspec.json.decode(words, type=Said) if words else None
        return None

    def _is_ready(self, seconds: float) -> bool:
        poll = select.poll()
        poll.register(self._line, select.POLLIN)
        return bool(poll.poll(seconds * 1000))

    def fileno(self) -> int:
        return self._line.fileno()

    def has_ended(self) -> bool:
        return self._is_ready(0)

    def signal(self, number: int) -> None:
        if number == signal.SIGKILL:
            with contextlib.suppress(ProcessLookupError):
                os.kill(self.pid, number)  # what is below it comes to the keeper, which purges
            return
        self._ask(number)

    def _ask(self, wish: int) -> None:
        with contextlib.suppress(OSError):  # it has ended, or does not read: then it will be killed
            self._line.send(bytes([wish]), socket.MSG_DONTWAIT)

    def take(self) -> MainEnd:
        said = self._hear(0)
        if isinstance(said, Over):
            return MainEnd(said.code, said.cpu_seconds, said.maxrss)
        # The warden was killed, by us or by somebody.
        _, status, _ = os.wait4(self.pid, 0)
        return MainEnd(os.waitstatus_to_exitcode(status) or -signal.SIGKILL, 0.0, 0)

    def let_go(self) -> bool:
        """The answer is the end of the line."""
        self._ask(Wish.LET_GO)
        return self._is_ready(LET_GO_WITHIN)

    def close(self) -> None:
        self._line.close()


def need_wardens(place: Place) -> None:
    """Make sure that what a command leaves can go on here.

    Raises:
        RefusedError: It cannot.
    """
    if not LINUX:
        raise RefusedError("keep_children is asked for, and only Linux can tell what a command has left on purpose")
    if place.first_of_namespace:
        raise RefusedError("keep_children is asked for, and with isolation = 'pidns' nothing outlives its worker")


def _environ(spec: Spec, place: Place) -> dict[bytes, bytes]:
    """The keeper's own, and whose it is; for `show`, and for whoever sweeps."""
    environ = dict(os.environb)
    environ[b"OVERNIGHT_ROLE"] = b"warden"
    environ[b"OVERNIGHT_COOKIE"] = place.cookie.encode()
    environ[b"OVERNIGHT_TASK_ID"] = b"%d" % spec.task_id
    environ[b"OVERNIGHT_ATTEMPT"] = b"%d" % (spec.begun + 1)
    environ[b"OVERNIGHT_ATTEMPT_ID"] = b"%d" % spec.attempt
    environ[b"OVERNIGHT_SLOT"] = b"%d" % (place.slot + 1)
    return environ
