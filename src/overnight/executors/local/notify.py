"""A socket on which tasks may say that they live, as daemons say it to systemd.

Who can notify a service manager (sd_notify) needs nothing new: ``STATUS=`` and ``WATCHDOG=1`` count as signs
of life. One socket for the slot: whoever speaks belongs to the attempt that runs. Source: sd_notify(3).
"""

from __future__ import annotations

import contextlib
import os
import socket
import sys

#: A path of a socket must be shorter. Source: unix(7), sys/un.h of macOS.
_LONGEST_PATH = 104
#: More than one of these is never waiting for long.
_LARGEST = 4096


class Notifications:
    """The socket of one slot.

    Args:
        path: Where it lies; another place is found where that is too long.
    """

    def __init__(self, path: bytes) -> None:
        self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self._socket.setblocking(False)  # noqa: FBT003 - by position
        #: What NOTIFY_SOCKET is to say; empty when there is none.
        self.address = self._bind(path)
        #: Signs of life so far.
        self.count = 0

    def _bind(self, path: bytes) -> bytes:
        with contextlib.suppress(OSError):
            if len(path) < _LONGEST_PATH:
                with contextlib.suppress(FileNotFoundError):
                    os.unlink(path)  # noqa: PTH108 - bytes
                self._socket.bind(path)
                return path
            if sys.platform == "linux":  # a name that is nowhere on the disk
                self._socket.bind("")
                name: bytes = self._socket.getsockname()
                return b"@" + name[1:]
        return b""

    def fileno(self) -> int:
        """Readable when somebody has said something."""
        return self._socket.fileno()

    def close(self) -> None:
        """Let go of it."""
        self._socket.close()

    def take(self) -> None:
        """Count what has been said."""
        with contextlib.suppress(BlockingIOError):
            while True:
                lines = self._socket.recv(_LARGEST).split(b"\n")
                self.count += any(line.startswith(b"STATUS=") or line == b"WATCHDOG=1" for line in lines)
