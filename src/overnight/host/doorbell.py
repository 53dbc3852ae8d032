"""A bell at the home: whoever has added or asked something rings it, and the engine looks at once.

A datagram socket with a name. Ringing costs a few microseconds and needs nobody on the other side:
without an engine the ring is lost, which does no harm, for the store has the truth and the engine
looks there once a second anyway.
"""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

#: Look into the store.
RING = b"r"
#: A producer waits for the store; leave a gap.
WAITING = b"w"
#: It does not wait any more.
DONE = b"d"

#: Bytes of a socket's path, its NUL included: 108 on Linux, 104 on macOS and BSD.
_LONGEST = 103
#: Rings read in one go; the rest stays readable, so that a flood cannot hold the engine.
_AT_ONCE = 1024
_LONGEST_WORD = 16
_DESCRIPTORS = Path("/proc/self/fd")


class Doorbell:
    """The engine's side. Only the holder of the lock makes one: it replaces what an earlier engine left.

    Where the path is too long for a socket and the system has no way around it (macOS, above 103
    bytes), the bell stays mute: work begins within the engine's second instead of at once.

    Args:
        path: Name of the socket, in the home.
    """

    def __init__(self, path: Path) -> None:
        import socket  # here and below: it takes 2 ms to load, and whoever only looks at a home rings nobody

        self._path = path
        self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self._socket.settimeout(0)
        self._named: os.stat_result | None = None
        try:
            self._take_name()
        except BaseException:
            self._socket.close()
            raise

    def _take_name(self) -> None:
        self._path.unlink(missing_ok=True)
        with _reachable(self._path) as name:
            if name is not None:
                self._socket.bind(name)
                self._path.chmod(0o600)
                self._named = self._path.stat()

    def fileno(self) -> int:
        """Readable when somebody rang."""
        return self._socket.fileno()

    def drain(self) -> set[bytes]:
        """The distinct words rung since the last call. Never waits."""
        words = set()
        for _ in range(_AT_ONCE):
            try:
                words.add(self._socket.recv(_LONGEST_WORD))
            except BlockingIOError:
                break
        return words

    def close(self) -> None:
        """Take the bell away, unless a later engine has put its own there. May be called twice."""
        with contextlib.suppress(FileNotFoundError):
            if self._named is not None and os.path.samestat(self._path.lstat(), self._named):
                self._path.unlink()
        self._named = None
        self._socket.close()


def ring(path: Path, word: bytes = RING) -> bool:
    """Ring. Never waits and never raises.

    Returns:
        Whether somebody is there to hear it. A bell that is being rung by so many that this ring
        did not fit any more has been heard, but `word` is lost then: nobody may rely on a word.
    """
    import socket

    try:
        with _reachable(path) as name, socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as caller:
            if name is None:
                return False
            caller.settimeout(0)
            caller.sendto(word, name)
    except BlockingIOError:
        return True
    except (OSError, ValueError):  # nobody there; no such path; a path with a NUL
        return False
    return True


@contextmanager
def _reachable(path: Path) -> Iterator[bytes | None]:
    """A name for the socket that is short enough for the kernel: a long path goes through an open directory.

    None: there is no such name.
    """
    name = os.fsencode(path)
    if len(name) <= _LONGEST:
        yield name
    elif not _DESCRIPTORS.is_dir():
        yield None
    else:
        directory = os.open(path.parent, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        try:
            yield os.fsencode(_DESCRIPTORS / str(directory) / path.name)
        finally:
            os.close(directory)
