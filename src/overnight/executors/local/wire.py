"""What engine, keeper and runner say to each other, and the sockets over which they do.

Each slot has three pairs of sockets. *Control* joins engine and keeper: questions down, answers up.
*Commands* and *calls* carry frames of attempts down to the keeper and to the runner; answers of the
runner come up on *calls*. Attempts have lines of their own because a keeper that is busy leaves them
unread, where the engine can take them back, and must still hear that one is to be cancelled.

A line keeps the borders of messages (SOCK_SEQPACKET). Whoever reads takes a whole frame or none, so
the engine recalls by reading from a duplicate of the worker's own end, and there is no race: a frame
went to one of the two. Where the system has no such sockets (macOS) borders are kept by hand over a
stream; then frames cannot be taken back once they are in it, and a recall returns only what had not
been sent.

A message too large for a socket goes into memory of its own, and the descriptor of that over the line: a
full disk must not keep a result from being told. Where there is no such memory (macOS) it is a file.
"""

# ruff: noqa: PTH108, PTH118, PTH123 - paths of users are bytes, which pathlib does not take
# ruff: noqa: FBT003 - the flags of sockets and descriptors go by position

from __future__ import annotations

import contextlib
import errno
import os
import socket
import sys
from collections.abc import Sequence
from typing import BinaryIO

import msgspec

from overnight.core.endings import Ended
from overnight.executors.contract import Spec

SEQPACKET = getattr(socket, "SOCK_SEQPACKET", None) if os.uname().sysname == "Linux" else None
#: Larger messages go aside. Below the default of net.core.wmem_default, less what the kernel adds.
LARGEST = 144 * 1024
#: Never the first byte of msgpack: the message is elsewhere.
_ASIDE = b"\xc1"
_ONE_DESCRIPTOR = socket.CMSG_SPACE(4)
#: As a plain number: with the flag itself the comparison costs as much as the call.
_CUT_SHORT = int(socket.MSG_CTRUNC)
#: Bytes before each message of a stream, which say how long it is.
_HEAD = 4


class Run(msgspec.Struct, array_like=True, tag=1):
    """Run these attempts of one action, in order."""

    #: Place of the first one in the ring of marks.
    first: int
    #: So many outcomes of this worker have been committed.
    committed: int
    action_id: int
    #: An encoded `Action`; decoded only by who has not seen its id yet.
    action: msgspec.Raw
    specs: list[Spec]


class Cancel(msgspec.Struct, array_like=True, tag=2):
    """End this attempt as soon as it has begun. `grace` in seconds; None: as its action says."""

    task_id: int
    attempt: int
    ring: int
    position: int
    grace: float | None


class Close(msgspec.Struct, array_like=True, tag=3):
    """End everything, and then yourself."""


class Resume(msgspec.Struct, array_like=True, tag=4):
    """The loss of the runner is in the books: after `pause` seconds, start another one when there is work for it."""

    pause: float


class Report(msgspec.Struct, array_like=True, tag=5):
    """The attempts in all places before `upto` have ended; those not in `ended` had nothing to tell."""

    upto: int
    ended: list[Ended]


class RunnerReport(msgspec.Struct, array_like=True, tag=6):
    """What the keeper says about attempts of its runner: it ended them, or could not start them."""

    ended: list[Ended]


class RunnerGone(msgspec.Struct, array_like=True, tag=7):
    """The runner has ended and everything below it is dead. The keeper waits for `Resume`."""

    how: str
    #: The keeper ended it, because of a limit or a cancel.
    ours: bool


class Lag(msgspec.Struct, array_like=True, tag=8):
    """The runner is busy with a long attempt; what ended before it can be read from the marks."""


class Ping(msgspec.Struct, array_like=True, tag=9):
    """Do you live? The engine asks, and the keeper gives it back."""


class GoOn(msgspec.Struct, array_like=True, tag=10):
    """What a command asked for by its exit status has been heeded: whatever is left for the keeper may begin."""


class Freeze(msgspec.Struct, array_like=True, tag=11):
    """Let this attempt stand still, or go on."""

    task_id: int
    attempt: int
    ring: int
    position: int
    frozen: bool


class HasFrozen(msgspec.Struct, array_like=True, tag=12):
    """It does."""

    task_id: int
    attempt: int
    frozen: bool


Message = Run | Cancel | Close | Resume | Report | RunnerReport | RunnerGone | Lag | Ping | GoOn | Freeze | HasFrozen
_decoder: msgspec.msgpack.Decoder[Message] = msgspec.msgpack.Decoder(Message)
encode = msgspec.msgpack.Encoder().encode


class Line:
    """One end of a pair of sockets, with whole messages.

    Args:
        end: The socket.
        spill: Directory for messages that are too large for a socket, where they cannot stay in memory.
        wait: Whether to wait for messages and for room. Said with each call (MSG_DONTWAIT), because
            O_NONBLOCK belongs to the socket, and duplicates of it are in three processes.
    """

    def __init__(self, end: socket.socket, spill: str, *, wait: bool = False) -> None:
        self.socket = end
        self._flags = 0 if wait else socket.MSG_DONTWAIT
        self._spill = spill
        self._buffer = bytearray(LARGEST + 4096)
        self._buffers = [self._buffer]
        self._view = memoryview(self._buffer)

    def fileno(self) -> int:
        """The descriptor to watch."""
        return self.socket.fileno()

    def send(self, packed: bytes) -> bool:
        """Send a message as `encode` made it; False when there is no room in the socket now.

        Raises:
            ConnectionError: Nobody is at the other end.
        """
        try:
            if SEQPACKET is None:
                return self._send_stream(packed)
            if len(packed) <= LARGEST:
                self.socket.send(packed, self._flags)
            else:
                self._send_aside(packed)
        except BlockingIOError:
            return False
        return True

    def _send_aside(self, packed: bytes) -> None:
        with _memory() as file:
            file.write(packed)
            file.flush()
            socket.send_fds(self.socket, [_ASIDE], [file.fileno()], self._flags)

    def receive(self) -> Message | None:
        """The next message; None when there is none now.

        Raises:
            EOFError: Nobody is at the other end any more, and nothing is left to read.
        """
        packed = self.receive_packed()
        return None if packed is None else _decoder.decode(packed)

    def receive_packed(self) -> bytes | None:
        """The next message as it was sent."""
        if SEQPACKET is None:
            return self._receive_stream()
        try:
            size, aside, flags, _ = self.socket.recvmsg_into(self._buffers, _ONE_DESCRIPTOR, self._flags)
        except BlockingIOError:
            return None
        except ConnectionResetError:  # told once, and before what had been said until then
            return self.receive_packed()
        if not size:
            raise EOFError
        if flags & _CUT_SHORT:
            raise OSError(errno.EMFILE, "a large message came and there is no descriptor left to read it")
        return _content(int.from_bytes(aside[0][2], sys.byteorder)) if aside else bytes(self._view[:size])

    def close(self) -> None:
        """Let go of it."""
        self.socket.close()

    def _send_stream(self, packed: bytes) -> bool:
        aside = self._put_aside(packed) if len(packed) > LARGEST else b""
        words = _ASIDE + aside if aside else packed
        packet = len(words).to_bytes(_HEAD, "little") + words
        try:
            sent = self.socket.send(packet, self._flags)
        except OSError:
            if aside:
                os.unlink(aside)
            raise
        self.socket.sendall(packet[sent:])  # half a frame must be followed by the other half
        return True

    def _put_aside(self, packed: bytes) -> bytes:
        path = os.fsencode(os.path.join(self._spill, f"spill-{os.urandom(8).hex()}"))
        with open(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600), "wb") as file:
            file.write(packed)
        return path

    def _receive_stream(self) -> bytes | None:
        """Exactly one message: what follows may be for another process that holds the same end."""
        try:
            head = self.socket.recv(_HEAD, self._flags | socket.MSG_PEEK)
        except BlockingIOError:
            return None
        except ConnectionResetError:
            head = b""
        if not head:
            raise EOFError
        # The rest of it is on its way, so waiting for it is short.
        head = self.socket.recv(_HEAD, socket.MSG_WAITALL)
        packed = self.socket.recv(int.from_bytes(head, "little"), socket.MSG_WAITALL)
        if packed[:1] != _ASIDE:
            return packed
        words = _content(os.open(packed[1:], os.O_RDONLY | os.O_CLOEXEC))
        with contextlib.suppress(FileNotFoundError):
            os.unlink(packed[1:])
        return words


def unpack(packed: bytes) -> Message:
    """The message behind `Line.receive_packed`."""
    return _decoder.decode(packed)


def _memory() -> BinaryIO:
    """A file that is nowhere, and gone when nobody holds it."""
    assert sys.platform == "linux"  # noqa: S101 - nowhere else are there lines that pass one on
    return open(os.memfd_create("overnight-message"), "w+b")


def _content(descriptor: int) -> bytes:
    with open(descriptor, "rb") as file:
        file.seek(0)
        return file.read()


def pair() -> tuple[socket.socket, socket.socket]:
    """Two sockets that are joined; neither goes to a child unless it is passed on."""
    return socket.socketpair(socket.AF_UNIX, SEQPACKET or socket.SOCK_STREAM)


def adopt(descriptor: int) -> socket.socket:
    """A socket that came from our parent. It goes no further."""
    os.set_inheritable(descriptor, False)
    return socket.socket(fileno=descriptor)


def frames(specs: Sequence[Spec], most: int) -> list[list[Spec]]:
    """Cut a batch into frames of at most `most` attempts that fit into a socket."""
    cut: list[list[Spec]] = []
    room = 0
    for spec in specs:
        size = len(spec.input) + 200
        if not cut or len(cut[-1]) >= most or size > room:
            cut.append([])
            room = LARGEST // 2
        cut[-1].append(spec)
        room -= size
    return cut
