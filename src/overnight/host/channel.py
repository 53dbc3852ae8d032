"""A line from one process to another: one message each way at a time, and an end that is noticed.

For the few words between a supervisor, its engine and the person who started both. Whoever speaks
never waits and never fails: a listener that is stopped or gone must not stop the speaker. What does
not fit is lost, which these words can bear: a pulse is followed by the next.
"""

from __future__ import annotations

import os
import socket
from typing import Self

#: Bytes read at once; what is sent in a minute is far less.
_AT_ONCE = 65536


class Channel:
    """One end of the line. Messages are bytes without a line feed.

    Args:
        end: A connected stream socket, which belongs to the channel from here on.
    """

    def __init__(self, end: socket.socket) -> None:
        self._socket = end
        self._socket.setblocking(False)  # noqa: FBT003 - its only argument
        self._rest = self._unsent = b""
        #: Whether the other side is gone. Noticed by `send` and `receive`.
        self.ended = False

    @classmethod
    def pair(cls) -> tuple[Self, Self]:
        """Both ends. No program that is started inherits either, unless it is told to."""
        first, second = socket.socketpair()
        return cls(first), cls(second)

    @classmethod
    def inherited(cls, descriptor: int) -> Self:
        """The end that our parent has handed down; our own children do not get it."""
        os.set_inheritable(descriptor, False)  # noqa: FBT003 - its only argument
        return cls(socket.socket(fileno=descriptor))

    def fileno(self) -> int:
        """Readable when there is something to `receive`, or the other side is gone."""
        return self._socket.fileno()

    def send(self, message: bytes) -> None:
        """Say something. Lost when the other side has not read for long, or is gone."""
        line = message + b"\n"
        if self._unsent and not self._push():
            return
        self._unsent = line
        if not self._push() and self._unsent == line:  # nothing of it has gone
            self._unsent = b""

    def _push(self) -> bool:
        """Send what is left of a message, for half of one would spoil the next. Whether all has gone."""
        try:
            while self._unsent:
                self._unsent = self._unsent[self._socket.send(self._unsent) :]
        except BlockingIOError:
            return False
        except OSError:
            self.ended = True
        return True

    def receive(self) -> list[bytes]:
        """What has been said since the last call. Never waits."""
        while not self.ended:
            try:
                piece = self._socket.recv(_AT_ONCE)
            except BlockingIOError:
                break
            except OSError:
                piece = b""
            self.ended = not piece
            self._rest += piece
        *lines, self._rest = self._rest.split(b"\n")
        return lines

    def close(self) -> None:
        """Hang up. May be called twice."""
        self._socket.close()
