"""The engine's side of the local executor: slots, one selector, and events out of what workers say."""

# ruff: noqa: FBT003 - the flags of sockets and descriptors go by position

from __future__ import annotations

import contextlib
import selectors
import signal
import socket
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

from overnight.core.task import Action
from overnight.executors.contract import AttemptKey, Event, Offer, Spec
from overnight.executors.local import marks as marks_file
from overnight.executors.local import recovery
from overnight.executors.local.place import CLOSE_GRACE, Place, import_paths
from overnight.executors.local.slot import Slot
from overnight.host.clock import Clock
from overnight.host.processes import set_subreaper
from overnight.host.purge import purge, sweep

#: Seconds for what an earlier engine left: its keepers may clean up for so long, and all must be dead after so long.
PATIENCE = 3.0
SWEEP = 10.0


class LocalExecutor:
    """Runs attempts in processes of this machine. See `overnight.executors.contract.Executor`.

    Only under the lock of the home. Makes its process a subreaper: a child of the process that is
    neither a keeper nor announced with `purge.spare` may be killed when a keeper has died.

    Args:
        marks: The file of marks.
        spool: Directory for outcomes on their way.
        output: Directory for what tasks print.
        work: Directory in which tasks have directories of their own.
        cookie: What every process of this home carries in its environment.
        home: What tasks see as OVERNIGHT_HOME.
        slots: How many attempts run at a time.
        clock: For pauses and recovered outcomes.
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
    ) -> None:
        self._marks = marks
        self._spool = spool
        self._directories = (spool, output, work)
        self._clock = clock
        self._wanted = slots
        self._slots: dict[int, Slot] = {}
        self._leaving: list[Slot] = []
        self._ready: list[Event] = []
        self._recovered = False
        self._place = Place(
            slot=0,
            serial=0,
            control=-1,
            commands=-1,
            calls=-1,
            marks=bytes(marks.absolute()),
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

    def open(self, *, fence: int, left_open: Sequence[AttemptKey]) -> list[Event]:  # noqa: ARG002 - marks carry the attempt, which is a fence
        for directory in self._directories:
            directory.mkdir(mode=0o700, parents=True, exist_ok=True)
        # Whoever started us may have it ignored; then the kernel would keep no exit status for us.
        if signal.getsignal(signal.SIGCHLD) is signal.SIG_IGN:
            signal.signal(signal.SIGCHLD, signal.SIG_DFL)
        set_subreaper()
        cookie = f"OVERNIGHT_COOKIE={self._place.cookie}".encode()
        stuck = sweep(cookie, seconds=SWEEP, patience=PATIENCE, patient_with=b"OVERNIGHT_ROLE=keeper")
        events = recovery.resolve(self._marks, self._spool, left_open)
        events = recovery.warn_of(stuck, events)
        recovery.remember(self._spool, events)
        self._recovered = bool(events)
        marks_file.prepare(self._marks, self._wanted)
        for number in range(marks_file.slots_in(self._marks)[0]):
            slot = marks_file.open_slot(self._marks, number)
            slot.wipe()
            slot.close()
        self.resize(self._wanted)
        return events

    def fileno(self) -> int:
        return self._selector.fileno()

    def offers(self) -> list[Offer]:
        return [Offer(number, len(slot)) for number, slot in self._slots.items()]

    def submit(self, slot: int, batch: Sequence[Spec], actions: Mapping[int, Action]) -> None:
        self._slots[slot].submit((spec, actions[spec.action_id]) for spec in batch)

    def recall(self, slot: int | None = None) -> list[AttemptKey]:
        slots = list(self._slots.values()) + self._leaving if slot is None else [self._slots[slot]]
        return [key for each in slots for key in each.recall()]

    def cancel(self, keys: Sequence[AttemptKey], *, grace: float | None = None) -> None:
        for slot in [*self._slots.values(), *self._leaving]:
            for key in keys:
                slot.cancel(key, grace)

    def started(self, key: AttemptKey) -> float | None:
        for slot in [*self._slots.values(), *self._leaving]:
            wall = slot.started(key)
            if wall is not None:
                return wall
        return None

    def events(self) -> list[Event]:
        for key, _ in self._selector.select(0):
            key.data()
        for slot in [*self._slots.values(), *self._leaving]:
            slot.look()
            slot.feed()
        self._let_go()
        events, self._ready = self._ready, []
        for slot in [*self._slots.values(), *self._leaving]:
            slot.returned()
        return events

    def ack(self) -> None:
        if self._recovered:
            recovery.committed(self._spool)
            self._recovered = False
        for slot in [*self._slots.values(), *self._leaving]:
            slot.commit()
            slot.feed()  # places are free again
        self._let_go()

    def resize(self, slots: int) -> None:
        self._wanted = slots
        marks_file.prepare(self._marks, slots)
        for number in range(slots):
            if number not in self._slots:
                self._slots[number] = self._open_slot(number)
        for number in [number for number in self._slots if number >= slots]:
            self._leaving.append(self._slots.pop(number))
        self._let_go()

    def close(self) -> None:
        slots = [*self._slots.values(), *self._leaving]
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
        self._selector.close()
        self._bell.close()
        self._ringer.close()

    def _open_slot(self, number: int) -> Slot:
        place = Place(**{field: getattr(self._place, field) for field in Place.__struct_fields__} | {"slot": number})
        marks = marks_file.open_slot(self._marks, number)
        return Slot(place, marks, self._selector, self._tell, self._clock)

    def _let_go(self) -> None:
        """Slots that are to go, have fallen empty, and have nothing that only their places and spools know."""
        for slot in [slot for slot in self._leaving if not len(slot) and slot.settled]:
            slot.retire()
            slot.wait(CLOSE_GRACE)
            slot.close()
            self._leaving.remove(slot)

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
