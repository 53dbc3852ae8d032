"""What the engine has handed to one worker: on its way, unread, begun, or ended and not yet told."""

from __future__ import annotations

import selectors
import socket
from collections import deque
from collections.abc import Callable
from pathlib import Path

import msgspec

from overnight.core.endings import Ended, Ending, Evidence, Lost
from overnight.executors.contract import Event, Spec
from overnight.executors.local.marks import PLACES, START, Ring, SlotMarks, State
from overnight.executors.local.spool import read
from overnight.executors.local.wire import SEQPACKET, Line, Message, Report, Run, encode, unpack

Key = tuple[int, int]


class Sender:
    """Sends over a line that may be full, in order.

    Args:
        line: Our end; does not block.
        selector: Tells when there is room again.
        reading: Called when there is something to read; None for a line that only goes down.
    """

    def __init__(self, line: Line, selector: selectors.BaseSelector, reading: Callable[[], None] | None) -> None:
        self.line = line
        self.outgoing: deque[bytes] = deque()
        self._selector = selector
        self._reading = reading
        self._events = 0
        self._closed = False
        self._watch()

    def send(self, message: Message) -> None:
        """Send now or later."""
        self.outgoing.append(encode(message))
        self._push()

    def _push(self) -> None:
        try:
            while self.outgoing and self.line.send(self.outgoing[0]):
                self.outgoing.popleft()
        except ConnectionError:
            self.outgoing.clear()  # whoever was there is dead, and its death is told elsewhere
        self._watch()

    def _watch(self) -> None:
        events = (selectors.EVENT_READ if self._reading and not self._closed else 0) | (
            selectors.EVENT_WRITE if self.outgoing else 0
        )
        if events == self._events:
            return
        if not self._events:
            self._selector.register(self.line, events, self._on_ready)
        elif not events:
            self._selector.unregister(self.line)
        else:
            self._selector.modify(self.line, events, self._on_ready)
        self._events = events

    def _on_ready(self) -> None:
        if self._closed:
            return  # by what became ready at the same moment
        if self.outgoing:
            self._push()
        if self._reading:
            self._reading()

    def rest(self) -> None:
        """Nobody is at the other end any more: a line that has ended would be ready for ever."""
        self._closed = True
        self.outgoing.clear()
        self._watch()

    def close(self) -> None:
        """Let go."""
        self.rest()
        self.line.close()


class Track:
    """One ring of one slot, seen from the engine.

    Args:
        ring: Which.
        marks: The slot's.
        spool: Directory of the spools.
    """

    def __init__(self, ring: Ring, marks: SlotMarks, spool: Path) -> None:
        self.ring = ring
        self._marks = marks
        self._spool = spool
        #: Place, specification and action of each attempt that was handed out and has not been told of, by place.
        self.outstanding: dict[Key, tuple[int, Spec, int]] = {}
        self.cancelled: set[Key] = set()
        self._next = 0
        self._seen = 0
        #: Places below this have been committed and may be given again.
        self._floor = 0
        self._returned = (0, 0)
        self._received = 0
        self.committed = 0
        self._sender: Sender | None = None
        self._theirs: Line | None = None
        self._pattern = self._own = ""

    # -- lines -------------------------------------------------------------------------------

    def connect(self, sender: Sender, theirs: socket.socket, spill: str, patterns: tuple[str, str]) -> None:
        """A new worker listens. `theirs` is a duplicate of its end.

        `patterns` match the spool files in which its outcomes may be, and those which are its own.
        """
        self._sender = sender
        self._theirs = Line(theirs, spill)
        self._pattern, self._own = patterns
        self.restart()

    def restart(self) -> None:
        """A new process counts its outcomes from the beginning."""
        self._received = self.committed = 0
        self._returned = (self._returned[0], 0)

    def rest(self) -> None:
        """The worker is dead; what it has said is still to be read."""
        if self._sender is not None:
            self._sender.rest()

    def disconnect(self) -> None:
        """The worker is gone."""
        if self._sender is not None and self._theirs is not None:
            self._sender.close()
            self._theirs.close()
        self._sender = self._theirs = None

    @property
    def blocked(self) -> bool:
        """Whether something waits for room in the socket."""
        return self._sender is None or bool(self._sender.outgoing)

    @property
    def settled(self) -> bool:
        """Whether all that was ever handed out has been committed."""
        return self._floor == self._next

    def room(self) -> int:
        """How many places may be given."""
        return PLACES - (self._next - self._floor)

    def send(self, specs: list[Spec], action_id: int, action: msgspec.Raw) -> None:
        """Hand out one frame."""
        assert self._sender is not None  # noqa: S101 - nothing is handed out while nobody is there
        first = self._next
        self._next += len(specs)
        self._marks.clear(self.ring, first, len(specs))
        for step, spec in enumerate(specs):
            self.outstanding[spec.task_id, spec.attempt] = (first + step, spec, action_id)
        self._sender.send(Run(first, self.committed, action_id, action, specs))

    def take_back(self) -> list[Spec]:
        """What the worker has not read, in order; forgotten here."""
        assert self._sender is not None  # noqa: S101 - see `send`
        unread: list[bytes] = []
        # Over a stream half a frame could be read away from under the worker.
        while SEQPACKET is not None and (packed := self._packed_back()) is not None:
            unread.append(packed)
        unread += self._sender.outgoing
        self._sender.outgoing.clear()
        specs = [spec for packed in unread for spec in _specs(unpack(packed))]
        for spec in specs:
            self.outstanding.pop((spec.task_id, spec.attempt), None)
        return specs

    def _packed_back(self) -> bytes | None:
        assert self._theirs is not None  # noqa: S101 - see `send`
        try:
            return self._theirs.receive_packed()
        except EOFError:  # a function has ended the line that is not its own
            return None

    # -- what happened -----------------------------------------------------------------------

    def told(self, report: Report) -> list[Event]:
        """Take in a report."""
        self._received += len(report.ended)
        events: list[Event] = [ended for ended in report.ended if self._settle((ended.task_id, ended.attempt))]
        memory, offset, ring = self._marks.memory, self._marks.offset, self.ring
        for position in range(self._seen, report.upto):
            task_id, attempt, _, wall, start, _, _, end, state = START.unpack_from(memory, offset(ring, position))
            if state == State.TRIVIAL and self.outstanding.pop((task_id, attempt), None):
                events.append(Ended(task_id, attempt, Ending.RETURNED, wall, end - start))
        self._seen = max(self._seen, report.upto)
        if self.cancelled:
            self.cancelled &= self.outstanding.keys()
        return events

    def told_by_keeper(self, ended: list[Ended]) -> list[Event]:
        """The keeper speaks for its runner."""
        return [outcome for outcome in ended if self._settle((outcome.task_id, outcome.attempt))]

    def _settle(self, key: Key) -> bool:
        self.cancelled.discard(key)
        return self.outstanding.pop(key, None) is not None

    def harvest(self) -> list[Event]:
        """What marks and spool say has ended, though nobody has told."""
        spooled: dict[Key, Ended] | None = None
        events: list[Event] = []
        for key, (position, _, _) in list(self.outstanding.items()):
            mark = self._marks.read(self.ring, position)
            if mark.key != key or mark.state == State.EMPTY:
                continue
            if mark.state == State.TRIVIAL:
                self._settle(key)
                events.append(Ended(*key, Ending.RETURNED, mark.wall, mark.end - mark.start))
                continue
            # An outcome may be in the spool before the end is marked.
            spooled = outcomes(self._spool, self._pattern) if spooled is None else spooled
            if key in spooled:
                self._settle(key)
                events.append(spooled[key])
        return events

    def bury(self, how: str, *, worker_died: bool, stuck: bool = False) -> tuple[list[Event], list[Spec]]:
        """The worker is dead, and all below it: what became of each attempt, and what had never begun, in order.

        `stuck`: not all below it, for some of them cannot be ended.
        """
        events = self.harvest()
        evidence = Evidence.STUCK if stuck else Evidence.STARTED
        fresh: list[Spec] = []
        for key, (position, spec, _) in self.outstanding.items():
            mark = self._marks.read(self.ring, position)
            if mark.key == key and mark.state != State.EMPTY:
                events.append(Lost(*key, evidence, worker_died=worker_died, started_at=mark.wall, error=how))
            elif key in self.cancelled:
                events.append(Lost(*key, Evidence.NEVER_STARTED))
            else:
                fresh.append(spec)
        self.outstanding.clear()
        self.cancelled.clear()
        self._seen = self._next
        return events, fresh

    def files(self) -> list[Path]:
        """The spool files of the worker as it was until now."""
        return list(self._spool.glob(self._own))

    def started(self, key: Key) -> float | None:
        """When it began, POSIX seconds."""
        if key not in self.outstanding:
            return None
        mark = self._marks.read(self.ring, self.outstanding[key][0])
        return mark.wall if mark.key == key and mark.state != State.EMPTY else None

    # -- committing --------------------------------------------------------------------------

    def returned(self) -> None:
        """All events so far have been given to the engine."""
        oldest = next(iter(self.outstanding.values()), None)
        self._returned = (oldest[0] if oldest else self._next, self._received)

    def commit(self) -> None:
        """All that had been given to the engine is committed."""
        self._floor, self.committed = self._returned


def outcomes(spool: Path, pattern: str) -> dict[Key, Ended]:
    """The outcomes in spool files, by attempt."""
    found = (msgspec.msgpack.decode(words, type=Ended) for words in read(spool, pattern))
    return {(ended.task_id, ended.attempt): ended for ended in found}


def _specs(message: Message) -> list[Spec]:
    return message.specs if isinstance(message, Run) else []
