"""Agents that listen on sockets of this machine: two nodes, or twenty, on one box."""

from __future__ import annotations

import contextlib
import select
import socket
from collections.abc import Mapping
from pathlib import Path

from overnight.executors.nodes.carrier import Gone, Said, Trouble
from overnight.executors.nodes.stream import Stream
from overnight.host.clock import Clock

#: Seconds between two tries to reach an agent.
AGAIN = 0.5


class SocketCarrier:
    """Reaches agents by the paths of their sockets. See `carrier.Carrier`.

    Args:
        paths: By the names of the nodes.
        clock: Monotonic.
    """

    def __init__(self, paths: Mapping[str, Path], clock: Clock) -> None:
        self.trouble: Trouble | None = None
        self._paths = dict(paths)
        self._clock = clock
        self._streams: dict[str, Stream] = {}
        self._try_at = dict.fromkeys(paths, 0.0)
        self._released: set[str] = set()
        self._poll = select.epoll()

    def open(self) -> None:
        self._reach()

    def fileno(self) -> int:
        return self._poll.fileno()

    def _reach(self) -> None:
        moment = self._clock.monotonic()
        for node, path in self._paths.items():
            if node in self._streams or node in self._released or moment < self._try_at[node]:
                continue
            self._try_at[node] = moment + AGAIN
            end = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
            try:
                end.connect(str(path))
            except OSError:
                end.close()
                continue
            self._streams[node] = Stream(end)
            self._poll.register(end, select.EPOLLIN)

    def send(self, node: str, packed: bytes) -> None:
        if (stream := self._streams.get(node)) is not None:
            stream.send(packed)
            self._watch(stream)

    def _watch(self, stream: Stream) -> None:
        self._poll.modify(stream, select.EPOLLIN | (select.EPOLLOUT if stream.full else 0))

    def receive(self) -> list[Said | Gone]:
        self._reach()
        heard: list[Said | Gone] = []
        for node, stream in list(self._streams.items()):
            stream.flush()
            try:
                heard += [Said(node, message) for message in stream.receive()]
                self._watch(stream)
            except EOFError:
                heard.append(self._lose(node, "the line to its agent has ended"))
        return heard

    def _lose(self, node: str, why: str) -> Gone:
        stream = self._streams.pop(node)
        with contextlib.suppress(OSError):
            self._poll.unregister(stream)
        stream.close()
        return Gone(node, why)

    def wait(self, seconds: float) -> None:
        self._poll.poll(min(seconds, AGAIN))

    def expected(self) -> frozenset[str]:
        return frozenset(self._paths) - self._released

    def release(self, node: str) -> None:
        self._released.add(node)

    def regain(self, node: str) -> None:
        self._released.discard(node)

    def close(self) -> None:
        for node in list(self._streams):
            self._lose(node, "")
        self._poll.close()
