"""The two pipes into which an attempt prints, and reading them without ever waiting."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Callable

#: Bytes taken at once: what a pipe holds.
PIECE = 64 * 1024


class Pipes:
    """A pair of pipes for stdout and stderr; reading ends do not block, no end goes to a child by itself."""

    def __init__(self) -> None:
        self.stdout, self.stdout_writer = os.pipe()
        self.stderr, self.stderr_writer = os.pipe()
        os.set_blocking(self.stdout, False)
        os.set_blocking(self.stderr, False)
        self._writers = [self.stdout_writer, self.stderr_writer]

    def let_go_of_writers(self) -> None:
        """From now on the reading ends come to an end when all children have let go."""
        for writer in self._writers:
            os.close(writer)
        self._writers = []

    def close(self) -> None:
        """Close all ends."""
        self.let_go_of_writers()
        os.close(self.stdout)
        os.close(self.stderr)

    def drain(self, take: Callable[[int, bytes], None], *, most: int = 1 << 62) -> None:
        """Read what is there, at most about so many bytes of each, and give it to `take` with its stream."""
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
