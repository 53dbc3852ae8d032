"""The engine's side of the local executor: slots, one selector, and events out of what workers say."""

# ruff: noqa: FBT003 - the flags of sockets and descriptors go by position

from __future__ import annotations

import contextlib
import errno
import os
import selectors
import signal
import socket
from collections.abc import Collection, Iterable, Mapping, Sequence
from pathlib import Path

import msgspec

from overnight.core.errors import DiskFullError
from overnight.core.task import Action
from overnight.executors.contract import AttemptKey, Event, Offer, Onward, Over, Spec
from overnight.executors.local import output as stored_output
from overnight.executors.local import recovery
from overnight.executors.local.containment import RECORD, Containment, Isolation
from overnight.executors.local.marks import MarksFile
from overnight.executors.local.place import CLOSE_GRACE, Place, import_paths
from overnight.executors.local.slot import Slot
from overnight.executors.local.stuck import identify
from overnight.host.clock import Clock
from overnight.host.kept import honour
from overnight.host.processes import set_subreaper
from overnight.host.purge import purge, spare_strangers
from overnight.host.sweep import sweep

#: Seconds for what an earlier engine left: its keepers may clean up for so long, and all must be dead after so long.
PATIENCE = 6.0
SWEEP = 10.0


class LocalExecutor:
    """Runs attempts in processes of this machine. See `overnight.executors.contract.Executor`.

    Only under the lock of the home. Makes its process a subreaper: a child of the process that is
    neither there before nor announced with `purge.spare` may be killed when a keeper has died.

    Args:
        marks: The file of marks.
        spool: Directory for outcomes on their way.
        output: Directory for what tasks print.
        work: Directory in which tasks have directories of their own.
        cookie: What every process of this home carries in its environment.
        home: What tasks see as OVERNIGHT_HOME.
        slots: How many attempts run at a time.
        clock: For pauses and recovered outcomes.
        isolation: "none", "cgroup", "pidns" or "auto"; see `containment`.
    """

    def __init__(
        self,
        *,
        marks: Path,
        spool: Path,
        output: Path,
        work: Path,
        cookie: str,
        home: Path,
        slots: int,
        clock: Clock,
        isolation: str = Isolation.NONE,
    ) -> None:
        self._marks = marks
        self._marks_file: MarksFile | None = None
        self._containment = Containment(isolation, cookie, home / RECORD)
        self._spool = spool
        self._output = output
        self._directories = (spool, output, work)
        self._clock = clock
        self._wanted = slots
        self._aside: int | None = None
        self._slots: dict[int, Slot] = {}
        self._leaving: dict[int, Slot] = {}
        self._ready: list[Event] = []
        self._recovered = False
        self._place = Place(
            slot=0,
            serial=0,
            control=-1,
            commands=-1,
            calls=-1,
            marks=-1,
            spool=bytes(spool.absolute()),
            output=bytes(output.absolute()),
            work=bytes(work.absolute()),
            home=bytes(home.absolute()),
            cookie=cookie,
            paths=import_paths(),
        )
        self._selector = selectors.DefaultSelector()
        self._bell, self._ringer = socket.socketpair()
        self._bell.setblocking(False)
        self._ringer.setblocking(False)
        self._selector.register(self._bell, selectors.EVENT_READ, self._on_bell)

    def open(self, *, fence: int, left_open: Sequence[AttemptKey]) -> list[Over]:  # noqa: ARG002 - marks carry the attempt, which is a fence
        try:
            return self._open(left_open)
        except OSError as error:
            if error.errno not in (errno.ENOSPC, errno.EDQUOT):
                raise
            where = os.fsdecode(self._place.home)
            raise DiskFullError(
                f"no room is left on the disk of {where} for what the workers need; nothing was started",
                hint="make room and try again; what was recorded before is safe",
            ) from error

    def _open(self, left_open: Sequence[AttemptKey]) -> list[Over]:
        for directory in self._directories:
            directory.mkdir(mode=0o700, parents=True, exist_ok=True)
        # Whoever started us may have it ignored; then the kernel would keep no exit status for us.
        if signal.getsignal(signal.SIGCHLD) is signal.SIG_IGN:
            signal.signal(signal.SIGCHLD, signal.SIG_DFL)
        spare_strangers()  # a shell that became us may have started something, and so may whoever imports us
        honour(self._place.cookie)
        set_subreaper()
        events = self._recover(left_open)
        self._containment.open()
        self._marks_file = MarksFile(self._marks)
        self._marks_file.grow(self._wanted)
        self._marks_file.wipe()
        self.resize(self._wanted)
        return events

    def _recover(self, left_open: Sequence[AttemptKey]) -> list[Over]:
        """See everything of an earlier engine dead, and what became of its attempts."""
        cookie = f"OVERNIGHT_COOKIE={self._place.cookie}".encode()
        stuck = sweep(cookie, seconds=SWEEP, patience=PATIENCE, patient_with=b"OVERNIGHT_ROLE=keeper")
        stuck += [pid for pid in self._containment.end_left() if pid not in stuck]
        events = recovery.resolve(self._marks, self._spool, left_open)
        events = recovery.hold_the_stuck(self._marks, events, identify(stuck))
        recovery.remember(self._spool, events)
        self._recovered = bool(events)
        return events

    def onward(self) -> list[Onward]:
        return []  # what outlives us was seen dead

    def fileno(self) -> int:
        return self._selector.fileno()

    def offers(self) -> list[Offer]:
        return [
            Offer(number, len(slot))
            for number, slot in self._slots.items()
            if number != self._aside and (slot.ready or len(slot))
        ]

    def submit(self, slot: int, batch: Sequence[Spec], actions: Mapping[int, Action]) -> None:
        self._slot(slot).submit((spec, actions[spec.action_id]) for spec in batch)

    def recall(self, slot: int | None = None) -> list[AttemptKey]:
        slots = [*self._slots.values(), *self._leaving.values()] if slot is None else [self._slot(slot)]
        return [key for each in slots for key in each.recall()]

    def cancel(self, keys: Sequence[AttemptKey], *, grace: float | None = None) -> None:
        for slot in [*self._slots.values(), *self._leaving.values()]:
            for key in keys:
                slot.cancel(key, grace)

    def freeze(self, key: AttemptKey, *, frozen: bool) -> None:
        for slot in [*self._slots.values(), *self._leaving.values()]:
            slot.freeze(key, frozen=frozen)

    def started(self, key: AttemptKey) -> float | None:
        for slot in [*self._slots.values(), *self._leaving.values()]:
            wall = slot.started(key)
            if wall is not None:
                return wall
        return None

    def events(self) -> list[Event]:
        for key, _ in self._selector.select(0):
            key.data()
        moment = self._clock.monotonic()
        for slot in [*self._slots.values(), *self._leaving.values()]:
            slot.look(moment)
            slot.feed()
        self._let_go()
        events, self._ready = self._ready, []
        for slot in [*self._slots.values(), *self._leaving.values()]:
            slot.returned()
        return events

    def ack(self) -> None:
        if self._recovered:
            recovery.committed(self._spool)
            self._recovered = False
        for slot in [*self._slots.values(), *self._leaving.values()]:
            slot.commit()
            slot.feed()  # places are free again
        self._let_go()

    def old_outputs(self, *, before: float) -> list[str]:
        return stored_output.old_segments(self._output, before=before)

    def drop_outputs(self, segments: Collection[str]) -> None:
        stored_output.remove_segments(self._output, segments)

    def resize(self, slots: int) -> None:
        assert self._marks_file is not None  # noqa: S101 - it is open
        self._marks_file.grow(slots)
        self._wanted = slots
        try:
            self._arrange()
        except OSError:
            self._wanted = sum(number != self._aside for number in self._slots)
            raise

    def set_aside(self, slot: int | None) -> bool:
        assert self._marks_file is not None  # noqa: S101 - it is open
        before, self._aside = self._aside, slot
        try:
            if slot not in (None, before):
                self._marks_file.grow(slot + 1)
            self._arrange()
        except OSError:
            self._aside = None
        return self._aside in self._slots

    def _arrange(self) -> None:
        """Have the slots that are wanted, and let the others go."""
        wanted = self._wanted_slots()
        for number in [number for number in self._slots if number not in wanted]:
            self._leaving[number] = self._slots.pop(number)
        for number in [number for number, slot in self._leaving.items() if number in wanted and not slot.retiring]:
            self._slots[number] = self._leaving.pop(number)
        self._fill()
        self._let_go()

    def _wanted_slots(self) -> list[int]:
        return [*range(self._wanted), *([] if self._aside is None else [self._aside])]

    def _fill(self) -> None:
        """Open what is missing. One that has been told to go must be gone first: its marks are those of the next."""
        for number in self._wanted_slots():
            if number not in self._slots and number not in self._leaving:
                self._slots[number] = self._open_slot(number)

    def close(self) -> None:
        slots = [*self._slots.values(), *self._leaving.values()]
        for slot in slots:
            slot.retire()
        deadline = self._clock.monotonic() + CLOSE_GRACE + 1.0
        for slot in slots:
            slot.wait(max(0.0, deadline - self._clock.monotonic()))
        if not all(slot.left_clean for slot in slots):
            purge()
        for slot in slots:
            slot.close()
        self._slots.clear()
        self._leaving.clear()
        if self._marks_file is not None:
            self._marks_file.close()
        self._containment.close()
        self._selector.close()
        self._bell.close()
        self._ringer.close()

    def _open_slot(self, number: int) -> Slot:
        assert self._marks_file is not None  # noqa: S101 - it is open
        place = msgspec.structs.replace(
            self._place,
            slot=number,
            marks=self._marks_file.descriptor,
            first_of_namespace=self._containment.isolation is Isolation.PIDNS,
            walls=self._containment.walls(number),
        )
        marks, group = self._marks_file.map(number), self._containment.group(number)
        return Slot(place, marks, self._selector, self._tell, self._clock, group)

    def _slot(self, number: int) -> Slot:
        """One that is offered, or leaves and still holds something."""
        return self._slots[number] if number in self._slots else self._leaving[number]

    def _let_go(self) -> None:
        """Slots that are to go, have fallen empty, and have nothing that only their places and spools know."""
        for number, slot in list(self._leaving.items()):
            if slot.gone:
                slot.close()
                del self._leaving[number]
                with contextlib.suppress(OSError):  # no process can be started now; later, then
                    self._fill()
            elif not slot.retiring and not len(slot) and slot.settled:
                slot.retire()

    def _tell(self, events: Iterable[Event]) -> None:
        """Keep events for the next `events`, and make sure that somebody asks for them."""
        before = len(self._ready)
        self._ready += events
        if not before and self._ready:
            with contextlib.suppress(BlockingIOError):
                self._ringer.send(b"!")

    def _on_bell(self) -> None:
        with contextlib.suppress(BlockingIOError):
            self._bell.recv(4096)
