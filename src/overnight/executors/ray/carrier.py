"""The engine's end of the bridge to Ray."""

from __future__ import annotations

import os
import select
import socket
import subprocess
import sys
from pathlib import Path

import msgspec

from overnight.executors.nodes.carrier import Gone, Said, Trouble
from overnight.executors.nodes.stream import Stream
from overnight.executors.ray.words import Broken, Ended, Regain, Release, Say, Table, Task, ToBridge, encode, to_engine
from overnight.host.clock import Clock
from overnight.host.purge import forget, spare

#: Seconds until a bridge that has ended is made again: the first time, and at most.
AGAIN, LONGEST = 2.0, 60.0
#: Seconds for a bridge to end.
LEAVE = 2.0


class RayCarrier:
    """Reaches the nodes of a cluster of Ray. See `nodes.carrier.Carrier`.

    Args:
        task: What its bridges are told; the line is filled in.
        clock: Monotonic.
        log: File for what a bridge, and Ray in it, says on stderr; begun anew by each.
    """

    def __init__(self, task: Task, clock: Clock, log: Path) -> None:
        self._task = task
        self._log = log
        self._clock = clock
        self._poll = select.epoll()
        self._bridge: subprocess.Popen[bytes] | None = None
        self._stream: Stream | None = None
        self._start_at, self._pause = 0.0, AGAIN
        self._linked: set[str] = set()
        self._released: set[str] = set()
        self._expected: frozenset[str] = frozenset()
        self.trouble: Trouble | None = None

    def open(self) -> None:
        self._start()

    def _start(self) -> None:
        """Start a bridge; later, where there is no room for a process, a file or a socket now."""
        try:
            self._launch()
        except OSError as error:
            self.trouble = Trouble(f"the bridge to Ray cannot be started ({error})", "make room; it is tried again")
            self._start_later()

    def _start_later(self) -> None:
        self._start_at = self._clock.monotonic() + self._pause
        self._pause = min(self._pause * 2, LONGEST)

    def _launch(self) -> None:
        ours, theirs = socket.socketpair()
        try:
            with theirs:
                self._bridge = self._begin(theirs)
        except OSError:
            ours.close()
            raise
        spare(self._bridge.pid)
        self._stream = Stream(ours)
        self._poll.register(ours, select.EPOLLIN)
        for node in self._released:
            self._say(Release(node))

    def _begin(self, theirs: socket.socket) -> subprocess.Popen[bytes]:
        task = msgspec.structs.replace(self._task, line=theirs.fileno())
        boot = f"import sys; sys.path[:] = {[path for path in sys.path if path]!r}"
        argv = [sys.executable, "-c", f"{boot}; from overnight.executors.ray.bridge import main; main()"]
        with self._log.open("wb") as log:
            return subprocess.Popen(
                [*argv, msgspec.json.encode(task).decode()],
                pass_fds=(theirs.fileno(),),
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                stderr=log,
                start_new_session=True,
                cwd="/",
                env={**os.environ, "OVERNIGHT_ROLE": "bridge"},
            )

    def fileno(self) -> int:
        return self._poll.fileno()

    def send(self, node: str, packed: bytes) -> None:
        self._say(Say(node, packed))

    def _say(self, message: ToBridge) -> None:
        if self._stream is not None:
            self._stream.send(encode(message))
            self._watch(self._stream)

    def _watch(self, stream: Stream) -> None:
        self._poll.modify(stream, select.EPOLLIN | (select.EPOLLOUT if stream.full else 0))

    def receive(self) -> list[Said | Gone]:
        if self._stream is None:
            if self._clock.monotonic() >= self._start_at:
                self._start()
            return []
        self._stream.flush()
        try:
            messages = self._stream.receive()
        except EOFError:
            return self._lose_bridge()
        self._watch(self._stream)
        return [told for packed in messages if (told := self._told(packed)) is not None]

    def _told(self, packed: bytes) -> Said | Gone | None:
        message = to_engine.decode(packed)
        if isinstance(message, Say):
            self._linked.add(message.node)
            self._pause, self.trouble = AGAIN, None
            return Said(message.node, message.packed)
        if isinstance(message, Ended):
            self._linked.discard(message.node)
            return Gone(message.node, message.why)
        if isinstance(message, Broken):
            self.trouble = Trouble(message.why, message.hint)
        elif isinstance(message, Table):
            self._expected = frozenset(message.names)
        return None

    def _lose_bridge(self) -> list[Said | Gone]:
        self._end()
        self._start_later()
        gone: list[Said | Gone] = [Gone(node, "the bridge to Ray has ended") for node in sorted(self._linked)]
        self._linked.clear()
        return gone

    def wait(self, seconds: float) -> None:
        self._poll.poll(seconds)

    def expected(self) -> frozenset[str]:
        return self._expected - self._released

    def release(self, node: str) -> None:
        self._released.add(node)
        self._say(Release(node))

    def regain(self, node: str) -> None:
        self._released.discard(node)
        self._say(Regain(node))

    def _end(self) -> None:
        if self._stream is not None:
            self._poll.unregister(self._stream)
            self._stream.close()
            self._stream = None
        if self._bridge is not None:
            try:
                self._bridge.wait(LEAVE)
            except subprocess.TimeoutExpired:
                self._bridge.kill()
                self._bridge.wait()
            forget(self._bridge.pid)
            self._bridge = None

    def close(self) -> None:
        self._end()
        self._poll.close()
