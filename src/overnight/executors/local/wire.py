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

A message too large for a socket goes into a file, and its name over the line.
"""

# ruff: noqa: PTH108, PTH118, PTH123 - paths of users are bytes, which pathlib does not take
# ruff: noqa: FBT003 - the flags of sockets and descriptors go by position

from __future__ import annotations

import contextlib
import os
import socket
from collections.abc import Sequence

import msgspec

from overnight.core.endings import Ended
from overnight.executors.contract import Spec

SEQPACKET = getattr(socket, "SOCK_SEQPACKET", None) if os.uname().sysname == "Linux" else None
#: Larger messages are spilled. Below the default of net.core.wmem_default, less what the kernel adds.
LARGEST = 144 * 1024
#: Never the first byte of msgpack.
_SPILLED = b"\xc1"
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


Message = Run | Cancel | Close | Resume | Report | RunnerReport | RunnerGone | Lag
_decoder: msgspec.msgpack.Decoder[Message] = msgspec.msgpack.Decoder(Message)
encode = msgspec.msgpack.Encoder().encode


class Line:
    """One end of a pair of sockets, with whole messages.

    Args:
        end: The socket.
        spill: Directory for messages that are too large for a socket.
        wait: Whether to wait for messages and for room. Said with each call (MSG_DONTWAIT), because
            O_NONBLOCK belongs to the socket, and duplicates of it are in three processes.
    """

    def __init__(self, end: socket.socket, spill: str, *, wait: bool = False) -> None:
        self.socket = end
        self._flags = 0 if wait else socket.MSG_DONTWAIT
        self._spill = spill
        self._buffer = bytearray(LARGEST + 4096)
        self._view = memoryview(self._buffer)

    def fileno(self) -> int:
        """The descriptor to watch."""
        return self.socket.fileno()

    def pack(self, message: Message) -> bytes:
        """A message as it goes over the line; a large one is put into a file here."""
        words = encode(message)
        if len(words) <= LARGEST:
            return words
        path = os.path.join(self._spill, f"spill-{os.urandom(8).hex()}")
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
        with open(descriptor, "wb") as file:
            file.write(words)
        return _SPILLED + os.fsencode(path)

    def send(self, packed: bytes) -> bool:
        """Send what `pack` made; False when there is no room in the socket now.

        Raises:
            ConnectionError: Nobody is at the other end.
        """
        try:
            if SEQPACKET is None:
                return self._send_stream(packed)
            self.socket.send(packed, self._flags)
        except BlockingIOError:
            return False
        return True

    def receive(self) -> Message | None:
        """The next message; None when there is none now.

        Raises:
            EOFError: Nobody is at the other end any more, and nothing is left to read.
        """
        packed = self.receive_packed()
        return None if packed is None else unpack(packed)

    def receive_packed(self) -> bytes | None:
        """The next message as it came."""
        if SEQPACKET is None:
            return self._receive_stream()
        try:
            size = self.socket.recv_into(self._buffer, 0, self._flags)
        except BlockingIOError:
            return None
        except ConnectionResetError:
            size = 0
        if not size:
            raise EOFError
        return bytes(self._view[:size])

    def close(self) -> None:
        """Let go of it."""
        self.socket.close()

    def _send_stream(self, packed: bytes) -> bool:
        packet = len(packed).to_bytes(_HEAD, "little") + packed
        sent = self.socket.send(packet, self._flags)
        self.socket.sendall(packet[sent:])  # half a frame must be followed by the other half
        return True

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
        return self.socket.recv(int.from_bytes(head, "little"), socket.MSG_WAITALL)


def unpack(packed: bytes) -> Message:
    """The message that came; a spilled one is read and its file removed."""
    if packed[:1] != _SPILLED:
        return _decoder.decode(packed)
    path = packed[1:]
    with open(path, "rb") as file:
        words = file.read()
    with contextlib.suppress(FileNotFoundError):
        os.unlink(path)
    return _decoder.decode(words)


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
