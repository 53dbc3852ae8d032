"""Marks: what has really begun and what has really ended, in memory that outlives its writers.

A file, allocated in full (a page without a block on a full disk would be a SIGBUS) and mapped by the
engine and by the workers. Each slot has two rings, one for its keeper and one for its runner, with a
place for each attempt that was handed out; the engine gives the places, so finding one is arithmetic.
A mark costs a fraction of a microsecond and survives SIGKILL of everybody. It does not survive the
machine: the file carries the boot, and after another boot only what is marked as ended is believed.

Who writes what: the engine clears a place before it hands the attempt out. The worker writes the
start of the attempt, with the state as the last byte, before the attempt begins, and in the same way
its end, after the outcome is in the spool. An outcome with nothing to tell (a function returned None
and printed nothing) is not spooled: its end mark is the outcome. So whatever is killed wherever, a
place tells the truth or an earlier truth, never a later one. A place is given again only after
everything that was there has been committed.
"""

from __future__ import annotations

import mmap
import os
from enum import IntEnum
from pathlib import Path
from struct import Struct
from typing import NamedTuple

from overnight.host.files import allocate_open
from overnight.host.processes import boot_id

#: Places in a ring; a power of two.
PLACES = 1024
PLACE_BYTES = 64
#: One memory page of the largest kind in use (macOS on ARM).
PAGE = 16384
RING_BYTES = PLACES * PLACE_BYTES
SLOT_BYTES = PAGE + 2 * RING_BYTES
MAGIC = b"overnight marks 1\n"

#: task, attempt, pid, wall start, monotonic start, limit and grace (seconds), monotonic end, state.
START = Struct("<qIIddffdB")
#: In the same place: the monotonic end, and the byte of the state after it. Written one after the other
#: (see `end`): packing both at once would blank the state first, and for that moment nothing had begun.
END = Struct("<d")
END_AT = 40
STATE_AT = END_AT + END.size
_HEADER = Struct("<18s64sI")
#: In a slot's page: the runner's place at the moment.
CURRENT = Struct("<Q")
CURRENT_AT = 0
#: A byte: the runner must not begin another attempt.
HALT_AT = 8
#: A byte: the keeper has taken output out of the runner's pipes and not put it away yet.
PUMPING_AT = 9
#: How often the keeper has put output away.
PUMPS = Struct("<Q")
PUMPS_AT = 16
#: task, attempt, segment number, offset, kept, printed, bytes lost for want of room: output of the runner's attempt.
OUTPUT = Struct("<qIIQQQQ")
OUTPUT_AT = 24


class State(IntEnum):
    """What a place says."""

    #: Handed out, not begun.
    EMPTY = 0
    STARTED = 1
    #: A function returned None and printed nothing: there is no more to tell.
    TRIVIAL = 2
    #: Ended; the outcome is in the spool.
    SPOOLED = 3
    #: The engine has gone, and then the keeper has ended it and seen it dead.
    ORPHANED = 4


class Ring(IntEnum):
    """Whose places."""

    KEEPER = 0
    RUNNER = 1


class Mark(NamedTuple):
    """One place. Instants are POSIX seconds in `wall`, monotonic ones elsewhere."""

    task_id: int
    attempt: int
    pid: int
    wall: float
    start: float
    #: Seconds; negative: none.
    limit: float
    #: Seconds between TERM and KILL.
    grace: float
    end: float
    state: int

    @property
    def key(self) -> tuple[int, int]:
        return self.task_id, self.attempt


class SlotMarks:
    """The marks of one slot, mapped.

    Args:
        descriptor: The open file; may be closed after this.
        slot: Counted from 0.
    """

    def __init__(self, descriptor: int, slot: int) -> None:
        self.memory = mmap.mmap(descriptor, SLOT_BYTES, offset=PAGE + slot * SLOT_BYTES)

    @staticmethod
    def offset(ring: Ring, position: int) -> int:
        """Where the place for `position` begins."""
        return PAGE + ring * RING_BYTES + (position % PLACES) * PLACE_BYTES

    def read(self, ring: Ring, position: int) -> Mark:
        """What a place says now."""
        return Mark._make(START.unpack_from(self.memory, self.offset(ring, position)))

    def everything(self) -> list[Mark]:
        """All places of both rings."""
        return [self.read(ring, position) for ring in Ring for position in range(PLACES)]

    def clear(self, ring: Ring, first: int, count: int) -> None:
        """Make places empty, before attempts are handed out."""
        begin = first % PLACES
        straight = min(count, PLACES - begin)
        for place, number in ((begin, straight), (0, count - straight)):
            start = self.offset(ring, place)
            self.memory[start : start + number * PLACE_BYTES] = bytes(number * PLACE_BYTES)

    def begin(self, ring: Ring, position: int, mark: Mark) -> None:
        """The attempt begins now; written before it does. `mark.state` is STARTED."""
        START.pack_into(self.memory, self.offset(ring, position), *mark)

    def finish(self, ring: Ring, position: int, *, end: float, state: State) -> None:
        """The attempt has ended (`end` is monotonic), and its outcome is where `state` says."""
        end_at(self.memory, self.offset(ring, position), end, state)

    def orphan(self, ring: Ring, position: int) -> None:
        """The attempt that had begun there, if one had, was ended and seen dead after its engine had gone."""
        at = self.offset(ring, position) + STATE_AT
        if self.memory[at] == State.STARTED:
            self.memory[at] = State.ORPHANED

    def current(self) -> Mark:
        """What the runner's place of the moment says."""
        return self.read(Ring.RUNNER, self.position())

    def position(self) -> int:
        """The runner's place of the moment."""
        return int(CURRENT.unpack_from(self.memory, CURRENT_AT)[0])

    def wipe(self) -> None:
        """Forget everything."""
        self.memory[:] = bytes(SLOT_BYTES)

    def wipe_page(self) -> None:
        """Forget what the slot's page says of a runner that is gone."""
        self.memory[:PAGE] = bytes(PAGE)

    def close(self) -> None:
        """Unmap."""
        self.memory.close()


def end_at(memory: mmap.mmap | bytearray, at: int, moment: float, state: State) -> None:
    """Write an end into the place that begins at `at`."""
    END.pack_into(memory, at + END_AT, moment)
    memory[at + STATE_AT] = state


def slots_in(path: Path) -> tuple[int, str]:
    """How many slots the file has room for, and the boot in which it was written; (0, "") when it is no such file."""
    try:
        with path.open("rb") as file:
            words = file.read(_HEADER.size)
    except FileNotFoundError:
        return 0, ""
    if len(words) < _HEADER.size:
        return 0, ""
    magic, boot, slots = _HEADER.unpack(words)
    if magic != MAGIC or path.stat().st_size < PAGE + slots * SLOT_BYTES:
        return 0, ""
    return slots, boot.rstrip(b"\0").decode("ascii", "replace")


class MarksFile:
    """The whole file, held open for the life of an engine: whoever removes its name takes nothing from us.

    Workers get the descriptor, not the name.

    Args:
        path: Made when it is missing; what is in it stays.

    Raises:
        OSError: It cannot be opened.
    """

    def __init__(self, path: Path) -> None:
        self.slots = slots_in(path)[0]
        self.descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600)

    def grow(self, slots: int) -> None:
        """Have room for at least so many slots, of this boot. What the slots say stays.

        Raises:
            OSError: There is no room on the disk.
        """
        slots = max(slots, self.slots)
        allocate_open(self.descriptor, PAGE + slots * SLOT_BYTES)
        os.pwrite(self.descriptor, _HEADER.pack(MAGIC, boot_id().encode("ascii"), slots), 0)
        self.slots = slots

    def wipe(self) -> None:
        """Forget everything in all slots."""
        for number in range(self.slots):
            slot = self.map(number)
            slot.wipe()
            slot.close()

    def map(self, slot: int) -> SlotMarks:
        """One slot."""
        return SlotMarks(self.descriptor, slot)

    def close(self) -> None:
        """Let go of the file; what is mapped stays so."""
        os.close(self.descriptor)


def open_slot(path: Path, slot: int) -> SlotMarks:
    """Map one slot of a file that has it."""
    descriptor = os.open(path, os.O_RDWR | os.O_CLOEXEC)
    try:
        return SlotMarks(descriptor, slot)
    finally:
        os.close(descriptor)
