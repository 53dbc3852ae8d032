"""One keeper, seen from the engine: its three lines, its life, and its end."""

from __future__ import annotations

import errno
import os
import signal
import socket
import subprocess

import msgspec

from overnight.executors.local.place import Place, keeper_argv
from overnight.executors.local.wire import pair
from overnight.host.cgroups import Group
from overnight.host.processes import Exit
from overnight.host.purge import forget, spare

#: What says that there is no room for a process at the moment: it is waited for.
NOT_NOW = frozenset({errno.EAGAIN, errno.ENOMEM, errno.EMFILE, errno.ENFILE})


class KeeperProcess:
    """A keeper that has been started.

    Args:
        place: Where it stands; the numbers of its lines are filled in here.
        group: In which it is to live with all that it starts.

    Raises:
        OSError: It could not be started; `NOT_NOW` says when to try again.
    """

    def __init__(self, place: Place, group: Group | None = None) -> None:
        ours: list[socket.socket] = []
        theirs: list[socket.socket] = []
        try:
            for _ in range(3):
                for ends, end in zip((ours, theirs), pair(), strict=True):
                    ends.append(end)
            self._process = _spawn(place, [end.fileno() for end in theirs])
            self.exit = self._watched(group)
        except BaseException:
            for end in (*ours, *theirs):
                end.close()
            raise
        theirs[0].close()
        #: Our ends, and duplicates of its ends of the two lines from which attempts can be taken back.
        self.control, self.commands, self.calls = ours
        self.their_commands, self.their_calls = theirs[1:]

    def _watched(self, group: Group | None) -> Exit:
        spare(self._process.pid)
        try:
            if group is not None:
                group.enter(self._process.pid)  # it has only begun: nothing of it can be outside
            return Exit(self._process.pid)
        except OSError:  # then it must not live unwatched
            self.kill()
            self.reap()
            raise

    @property
    def pid(self) -> int:
        """Its number, which is nobody else's until it is reaped."""
        return self._process.pid

    @property
    def status(self) -> int | None:
        """Exit status, or minus the number of the signal that ended it; None before it was reaped."""
        return self._process.returncode

    def kill(self) -> None:
        """SIGKILL to it alone."""
        self._process.kill()

    def disown(self) -> None:
        """It will be dead some time, and nobody will have waited for it."""
        self._process.returncode = -signal.SIGKILL

    def reap(self) -> None:
        """Wait for its end. What was below it is a stray of ours from then on."""
        self._process.wait()
        forget(self._process.pid)


def _spawn(place: Place, lines: list[int]) -> subprocess.Popen[bytes]:
    control, commands, calls = lines
    place = msgspec.structs.replace(place, control=control, commands=commands, calls=calls)
    return subprocess.Popen(
        keeper_argv(place),
        pass_fds=(*lines, place.marks),
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        start_new_session=True,
        cwd="/",
        env={**os.environ, "OVERNIGHT_COOKIE": place.cookie, "OVERNIGHT_ROLE": "keeper"},
    )
