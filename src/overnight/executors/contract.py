"""What runs attempts, and how the engine talks to it.

An executor decides nothing about tasks: it runs the attempts it is given, keeps their limits,
contains their processes, and says truthfully how each ended. It never retries. Every id is ours
(task and attempt number), so a repeated or late word can be told from a new one.

The truth about an attempt arrives as an event, exactly one `Ended` or `Lost` for each attempt
that was submitted, and never as the answer to a call: `cancel` asks, and an event tells. An
outcome is kept by the executor until `ack` says that the store has committed it.

Everything here is synchronous. `fileno` becomes readable when `events` has something to tell.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from typing import NamedTuple, Protocol

import msgspec

from overnight.core.endings import AttemptKey, Ended, Ending, Evidence, Froze, Lost
from overnight.core.resources import Granted
from overnight.core.task import Action

__all__ = [
    "AttemptKey",
    "Ended",
    "Ending",
    "Event",
    "Evidence",
    "Executor",
    "Froze",
    "Lost",
    "Offer",
    "Onward",
    "Over",
    "Spec",
]


#: The last word about an attempt.
Over = Ended | Lost
Event = Over | Froze


class Spec(msgspec.Struct, frozen=True, array_like=True):
    """One attempt to run."""

    task_id: int
    attempt: int
    action_id: int
    input: bytes
    queue: str
    workflow: str = ""
    step: str = ""
    #: Outputs of other steps that this one uses: a JSON object by step; empty for none.
    given: bytes = b""
    #: Which ones of named resources are its own while it runs.
    granted: Granted = ()
    #: How many earlier attempts began, or may have.
    begun: int = 0

    @property
    def key(self) -> AttemptKey:
        return AttemptKey(self.task_id, self.attempt)


class Onward(NamedTuple):
    """An attempt that an earlier engine left open, and that runs on: it is this engine's now, in this slot."""

    key: AttemptKey
    slot: int
    #: Which ones of named resources are its own.
    granted: Granted = ()


class Offer(NamedTuple):
    """One slot and how many attempts it still holds, the running one included."""

    slot: int
    outstanding: int


class Executor(Protocol):
    """Runs attempts in slots, one at a time in each."""

    def open(self, *, fence: int, left_open: Sequence[AttemptKey]) -> list[Over]:
        """Start the workers, and say what became of the attempts that an earlier engine left open.

        Every key of `left_open` is answered by exactly one event, and only after no process of it
        can be alive any more; but for those of `onward`, which run on.
        """

    def onward(self) -> list[Onward]:
        """The attempts to which `open` has given no answer: those that were not ours to end, and go on.

        They are under way as if they had been submitted, and events will tell of them. Asked once, after `open`.
        """

    def fileno(self) -> int:
        """A descriptor that is readable when `events` has something."""

    def offers(self) -> list[Offer]:
        """The slots as they are now. One that holds nothing and has no worker at the moment is left out."""

    def submit(self, slot: int, batch: Sequence[Spec], actions: Mapping[int, Action]) -> None:
        """Hand attempts to a slot, to be run in this order. Their start is on record already."""

    def recall(self, slot: int | None = None) -> list[AttemptKey]:
        """Take back what a slot (None: every slot) has not read yet.

        What is returned never began and is forgotten here: no event will follow.
        """

    def cancel(self, keys: Sequence[AttemptKey], *, grace: float | None = None) -> None:
        """Ask to end these: TERM, `grace` seconds (None: the action's own), KILL.

        Events tell what became of them; one that ends by itself in the meantime says so. A key that
        is not running here is ignored.
        """

    def freeze(self, key: AttemptKey, *, frozen: bool) -> None:
        """Ask that this attempt stands still with its whole tree, or goes on; its time limits stand still with it.

        A `Froze` tells when it does. There is none of an attempt that has not begun or has ended; one that is
        asked about twice may be told of twice. What is frozen is ended like any other, and never outlives `close`,
        this process or its worker.
        """

    def started(self, key: AttemptKey) -> float | None:
        """When it began (POSIX seconds), or None when it has not, as far as is known now."""

    def events(self) -> list[Event]:
        """What has happened since the last call. Never waits."""

    def ack(self) -> None:
        """Everything that `open` and `events` have returned so far is committed in the store."""

    def old_outputs(self, *, before: float) -> list[str]:
        """Segments of stored output (`OutputRef.segment`) that nobody has written since this instant, or ever will."""

    def drop_outputs(self, segments: Collection[str]) -> None:
        """Let these segments go; no attempt that is kept refers to them."""

    def resize(self, slots: int) -> None:
        """Grow, or shrink: slots from number `slots` on are not offered any more, and go when they fall empty.

        One that still runs something finishes it, takes `recall` and `submit` until then, and is offered
        again when it is wanted again in the meantime. One that has been told to go comes back when it is gone.

        Raises:
            OSError: No room on the disk; there are fewer slots than asked for.
        """

    def set_aside(self, slot: int | None) -> bool:
        """Have a slot of this number beside the others, or none: it goes like one that `resize` lets go.

        It takes `submit`, `recall` and `cancel` like every slot, is not among the `offers`, and no `resize`
        touches it. Its number is above those of all slots that there ever are. Returns whether it can be given
        something: without room on the disk, or while one of the same number is still going, it is to be asked
        for again later.
        """

    def close(self) -> None:
        """End everything that still runs, see it dead, and let the workers go."""
