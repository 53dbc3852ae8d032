"""The two pipes into which an attempt prints, and reading them without ever waiting."""

from __future__ import annotations

import contextlib
import os
import select
from collections.abc import Callable

#: Bytes taken at once: what a pipe holds.
PIECE = 64 * 1024
#: All that can be in a pipe when nobody is left to write; more may only come from beyond our reach, without an
#: end perhaps. Source: fs.pipe-max-size, to which a task may have enlarged it.
HELD = 1024 * 1024


class Pipes:
    """A pair of pipes for stdout and stderr; reading ends do not block, no end goes to a child by itself.

    The writing ends stay open here, too: a pipe that everybody else has let go of would be ready for ever.

    Raises:
        OSError: There is no room for both; then there is none.
    """

    def __init__(self) -> None:
        self.stdout, self.stdout_writer = os.pipe()
        try:
            self.stderr, self.stderr_writer = os.pipe()
        except OSError:
            os.close(self.stdout)
            os.close(self.stdout_writer)
            raise
        os.set_blocking(self.stdout, False)
        os.set_blocking(self.stderr, False)
        self._poll = select.poll()
        self._poll.register(self.stdout, select.POLLIN)
        self._poll.register(self.stderr, select.POLLIN)

    def close(self) -> None:
        """Close all ends."""
        for end in (self.stdout, self.stderr, self.stdout_writer, self.stderr_writer):
            os.close(end)

    def drain(self, take: Callable[[int, bytes], None], *, most: int = HELD) -> None:
        """Read what is there, at most about so many bytes of each, and give it to `take` with its stream."""
        if not self._poll.poll(0):  # most commands print nothing, and asking once is cheaper than failing twice
            return
        for stream, descriptor in ((1, self.stdout), (2, self.stderr)):
            left = most
            while left > 0:
                data = read_now(descriptor)
                if not data:
                    break
                left -= len(data)
                take(stream, data)


def read_now(descriptor: int) -> bytes:
    """What there is to read, at most a piece; empty when there is nothing, or never will be."""
    with contextlib.suppress(BlockingIOError):
        return os.read(descriptor, PIECE)
    return b""
