"""Whole messages over a stream for which nobody waits: what does not fit into the socket stays here until it does."""

from __future__ import annotations

import contextlib
import socket
from collections import deque

#: Bytes before each message, which say how long it is.
_HEAD = 4
#: Bytes read at a time.
_CHUNK = 256 * 1024


class Stream:
    """One end of a stream socket, with whole messages.

    Args:
        end: Connected; it is made non-blocking.
    """

    def __init__(self, end: socket.socket) -> None:
        end.settimeout(0.0)
        self.socket = end
        self._out: deque[memoryview] = deque()
        self._in = bytearray()
        self._over = False

    def fileno(self) -> int:
        """The descriptor to watch."""
        return self.socket.fileno()

    @property
    def full(self) -> bool:
        """Whether something waits for room in the socket: watch for that, and `flush`."""
        return bool(self._out)

    def send(self, message: bytes) -> None:
        """Send now or later. Nobody at the other end is noticed by `receive`."""
        self._out.append(memoryview(len(message).to_bytes(_HEAD, "little") + message))
        self.flush()

    def flush(self) -> None:
        """Send what there is room for."""
        try:
            while self._out:
                sent = self.socket.send(self._out[0])
                if sent == len(self._out[0]):
                    self._out.popleft()
                else:
                    self._out[0] = self._out[0][sent:]
        except BlockingIOError:
            pass
        except OSError:  # whoever was there has gone
            self._out.clear()

    def receive(self) -> list[bytes]:
        """The messages that have come whole since the last call.

        Raises:
            EOFError: Nobody is at the other end any more, and nothing is left to read.
        """
        self._read()
        messages: list[bytes] = []
        at = 0
        while len(self._in) - at >= _HEAD:
            end = at + _HEAD + int.from_bytes(self._in[at : at + _HEAD], "little")
            if end > len(self._in):
                break
            messages.append(bytes(self._in[at + _HEAD : end]))
            at = end
        del self._in[:at]
        if self._over and not messages:
            raise EOFError
        return messages

    def _read(self) -> None:
        try:
            while not self._over:
                words = self.socket.recv(_CHUNK)
                self._in += words
                self._over = not words
        except BlockingIOError:
            pass
        except OSError:
            self._over = True

    def close(self) -> None:
        """Let go of it; what still waits is sent if there is room."""
        self.flush()
        with contextlib.suppress(OSError):
            self.socket.shutdown(socket.SHUT_WR)
        self.socket.close()
