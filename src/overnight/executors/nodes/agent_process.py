"""The process of an agent: one thread, its executor, its guard, and a line to whoever asks.

It is found by the path of a socket, where one caller at a time has it and the last one wins; or it has its line from
its parent, and ends when that ends.
"""

from __future__ import annotations

import contextlib
import fcntl
import math
import os
import random
import select
import shutil
import signal
import socket
import sys
import time
from pathlib import Path

import msgspec
import psutil

from overnight.core.placing import GPU
from overnight.core.version import VERSION
from overnight.executors.local.containment import RECORD
from overnight.executors.local.executor import LocalExecutor
from overnight.executors.nodes.agent import Agent
from overnight.executors.nodes.files import Luggage, lacks
from overnight.executors.nodes.guard import Guard
from overnight.executors.nodes.live import Prints
from overnight.executors.nodes.messages import Facts
from overnight.executors.nodes.parcels import Parcels
from overnight.executors.nodes.stream import Stream
from overnight.host.clock import LeaseClock, SystemClock
from overnight.host.files import is_at
from overnight.host.layout import Layout

LOCK = "agent.lock"
#: Directory of files that come along.
PARCELS = "parcels"
#: Seconds for an agent of the same node that is about to end.
ANOTHER = 15.0
#: Seconds between two looks at files that the engine has long had; and how old they are.
TIDY, OLD = 300.0, 600.0


class Errand(msgspec.Struct, frozen=True):
    """What an agent is told at its start."""

    #: Its name, which no other node has.
    name: str
    #: Directory for what it keeps; nobody else's.
    directory: str
    #: What its processes carry in their environment.
    cookie: str
    #: At most so many attempts at a time; 0: one a CPU.
    slots: int = 0
    gpus: int = 0
    labels: dict[str, str] = {}
    #: What the node has besides of named resources.
    resources: dict[str, float] = {}
    #: Where to listen; empty: the line is descriptor `line`.
    path: str = ""
    line: int = -1
    #: The working directories of tasks; empty: below its own.
    work: str = ""
    isolation: str = "none"
    #: Seconds without an engine after which it ends.
    linger: float = 300.0


def agent_argv(errand: Errand) -> list[str]:
    """The command that becomes an agent, from where this process imports."""
    boot = f"import sys; sys.path[:] = {[path for path in sys.path if path]!r}"
    words = msgspec.json.encode(errand).decode()
    return [sys.executable, "-I", "-S", "-c", f"{boot}; from {__name__} import main; main()", words]


class Process:
    """One agent.

    Args:
        errand: What it is told.
    """

    def __init__(self, errand: Errand) -> None:
        self._errand = errand
        self._clock = SystemClock()
        self._place = Layout(Path(errand.directory))
        self._lock = _alone(self._place.path / LOCK, self._clock)
        guard = Guard()
        self._executor = self._make_executor()
        parcels = Parcels(self._place.path / PARCELS)
        luggage = Luggage(self._place.output, self._place.results, parcels)
        self.agent = Agent(
            self._executor,
            LeaseClock(),
            facts_of(errand),
            pieces=luggage.pieces,
            lacks=lacks,
            parcels=parcels,
            prints=Prints(self._place.output, LeaseClock()),
            guard=guard.tell,
            dice=random.random,
        )
        self._listener = _listen(errand.path) if errand.path else None
        self._stream: Stream | None = None
        if errand.line >= 0:
            self._stream = Stream(socket.socket(fileno=errand.line))
        self._alone_since = self._clock.monotonic()
        self._tidy_at = self._alone_since + TIDY

    def _make_executor(self) -> LocalExecutor:
        return LocalExecutor(
            marks=self._place.marks,
            spool=self._place.spool,
            output=self._place.output,
            work=Path(self._errand.work) if self._errand.work else self._place.work,
            cookie=self._errand.cookie,
            home=self._place.path,
            slots=0,
            clock=self._clock,
            isolation=self._errand.isolation,
        )

    def serve(self) -> None:
        """Work until it is told to end, or nobody wants it any more."""
        signal.signal(signal.SIGTERM, lambda *_: self.agent.close())
        while not self.agent.closed:
            self._wait()
            if self._stream is not None:
                self._hear(self._stream)
            self.agent.look()
            self._say()
            self._look_after_itself()
        if self._stream is not None:
            self._stream.close()
        if self._listener is not None:
            Path(self._errand.path).unlink(missing_ok=True)
        if self.agent.done:
            self._clear_away()

    def _clear_away(self) -> None:
        """Leave nothing but the directories of tasks, if these are here."""
        for directory in (
            self._place.spool,
            self._place.output,
            self._place.results,
            self._place.path / PARCELS,
        ):
            shutil.rmtree(directory, ignore_errors=True)
        for path in (self._place.marks, self._place.path / RECORD, self._place.path / LOCK):
            path.unlink(missing_ok=True)
        for directory in (self._place.work, self._place.path, self._place.path.parent):
            with contextlib.suppress(OSError):  # something is left in it
                directory.rmdir()

    def _wait(self) -> None:
        poll = select.poll()
        if self._stream is not None:
            poll.register(self._stream, select.POLLIN | (select.POLLOUT if self._stream.full else 0))
        if self._listener is not None:
            poll.register(self._listener, select.POLLIN)
        if self.agent.listens:
            poll.register(self._executor.fileno(), select.POLLIN)
        patience = min(self.agent.due(), 1.0)
        ready = {number for number, _ in poll.poll(math.ceil(patience * 1000))}
        if self._listener is not None and self._listener.fileno() in ready:
            self._connect(self._listener.accept()[0])

    def _connect(self, end: socket.socket) -> None:
        if self._stream is not None:
            self._stream.close()
        self._stream = Stream(end)
        self.agent.connected()

    def _hear(self, stream: Stream) -> None:
        try:
            for message in stream.receive():
                if message:
                    self.agent.hear(message)
                else:  # our parent: somebody else speaks over it from now on
                    self.agent.connected()
        except EOFError:
            stream.close()
            self._stream = None
            if self._listener is None:
                self.agent.close()

    def _say(self) -> None:
        if self._stream is None:
            self.agent.out.clear()  # whoever comes asks anew
            return
        while self.agent.out:
            self._stream.send(self.agent.out.popleft())
        self._stream.flush()

    def _look_after_itself(self) -> None:
        moment = self._clock.monotonic()
        if not self.agent.lapsed:
            self._alone_since = moment
        elif moment - self._alone_since > self._errand.linger:
            self.agent.close()
        if moment >= self._tidy_at and self.agent.may_tidy:
            self._tidy_at = moment + TIDY
            self._tidy(self._clock.now() - OLD)

    def _tidy(self, before: float) -> None:
        """Let go of files that the engine has."""
        self._executor.drop_outputs(self._executor.old_outputs(before=before))
        with contextlib.suppress(OSError):
            for path in self._place.results.iterdir():
                if path.stat().st_mtime < before:
                    path.unlink()


def facts_of(errand: Errand) -> Facts:
    """What this machine is like."""
    cpus = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    return Facts(
        errand.name,
        slots=errand.slots or cpus,
        version=VERSION,
        python=".".join(map(str, sys.version_info[:3])),
        cpus=cpus,
        memory_bytes=psutil.virtual_memory().total,
        gpus=errand.gpus,
        pid=os.getpid(),
        labels=errand.labels,
        resources=errand.resources,
        ids={GPU: card_ids(errand.gpus, os.environ.get("CUDA_VISIBLE_DEVICES", ""))} if errand.gpus else {},
    )


def card_ids(count: int, visible: str) -> tuple[str, ...]:
    """The ids of so many graphics cards: those that we were given ourselves, else their numbers.

    Args:
        count: How many there are.
        visible: What stands in ``CUDA_VISIBLE_DEVICES``: of an actor, what Ray has given it.
    """
    listed = tuple(one.strip() for one in visible.split(",") if one.strip())
    return listed if len(set(listed)) == count else tuple(map(str, range(count)))


def _alone(path: Path, clock: SystemClock) -> int:
    """Be the only agent of this directory; one that is about to end is waited for.

    Raises:
        BlockingIOError: Another one stays.
    """
    until = clock.monotonic() + ANOTHER
    while True:
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            if is_at(path, descriptor):
                return descriptor
        except BlockingIOError:
            if clock.monotonic() > until:
                raise
            time.sleep(0.05)
        os.close(descriptor)  # held, or its holder has cleared it away at the end


def _listen(path: str) -> socket.socket:
    listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    with contextlib.suppress(FileNotFoundError):
        Path(path).unlink()  # of one that was killed: we are alone
    listener.bind(path)
    listener.listen(8)
    return listener


def main() -> None:
    """Be the agent whose errand stands in the last argument."""
    for number in (signal.SIGINT, signal.SIGHUP):
        signal.signal(number, signal.SIG_IGN)
    Process(msgspec.json.decode(sys.argv[-1], type=Errand)).serve()
