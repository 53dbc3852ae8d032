"""`FileQueue`: a queue of files on disk, for programs that add to it or take from it by themselves."""

from __future__ import annotations

import os
import stat
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from overnight import wiring
from overnight.api import actions
from overnight.api.access import Access, HomePath
from overnight.api.arguments import ArgumentValueError, input_bytes, priority, queue_name, several, yes_or_no
from overnight.api.naming import refuse_while_imported_by_a_worker
from overnight.core.durations import iso, quoted
from overnight.core.endings import Ended, Ending
from overnight.core.errors import NotFoundError
from overnight.core.states import ErrorClass, Reason, TaskState
from overnight.core.task import DEFAULT_QUEUE, Action, NewTask, Task, text
from overnight.core.verdict import Standing, judge
from overnight.engine.popped import give_back
from overnight.store.contract import Popped, Query, Selector, Store, Verb
from overnight.wiring.adding import add_all, chunks, this_process
from overnight.wiring.files import GIVEN_UP, UNBOUND, WAITING, clear
from overnight.wiring.queues import is_closed

#: Seconds between two looks for owners that have died, for one queue object.
LOOK_EVERY = 1.0
#: Tasks read at a time.
_PAGE = 1000

_STATUS = {
    TaskState.WAITING: "pending",
    TaskState.PENDING: "pending",
    TaskState.RUNNING: "processing",
    TaskState.COMPLETED: "completed",
}


@dataclass(frozen=True, slots=True)
class QueueItem:
    """A file of a queue as it was when it was looked at.

    Attributes:
        file_path: As it was added; bytes that are not UTF-8 are as `os.fsdecode` gives them.
        priority: Higher goes first.
        added_at: ISO 8601 in UTC.
        attempts: How many have begun.
        last_attempt: When the last one began, ISO 8601 in UTC; None when none has.
        status: ``pending``, ``processing``, ``completed``, ``failed`` or ``timeout``. A file that
            was cancelled or is held for a person counts as failed; one that waits for its retry as pending.
    """

    file_path: str
    priority: int
    added_at: str
    attempts: int
    last_attempt: str | None
    status: str


def item_of(task: Task) -> QueueItem:
    """A task as users of the queue see it."""
    timed_out = task.state is TaskState.FAILED and task.reason is Reason.TIMEOUT
    return QueueItem(
        file_path=text(task.input),
        priority=task.priority,
        added_at=iso(task.added_at),
        attempts=task.attempt,
        last_attempt=None if task.started_at is None else iso(task.started_at),
        status="timeout" if timed_out else _STATUS.get(task.state, "failed"),
    )


class FileQueue:
    """A queue of files: persistent, higher priority first, then first in first out.

    Every change is on disk when the call returns. Any number of processes and threads may use one
    queue at the same time. A file that was popped belongs to the process that popped it: no engine
    and nobody else takes it while that process lives, and when it has died without a word the file
    goes back into the queue. Not for network file systems.

    Args:
        queue: Its name; made when it is first added to.
        home: The home itself (``.overnight``); None for the one that the current directory belongs
            to, made when there is none.

    Raises:
        HomeUnusableError: The home cannot be used.
    """

    def __init__(self, queue: str = DEFAULT_QUEUE, *, home: HomePath = None) -> None:
        self.name = queue_name(queue)
        self._access = Access(home)
        self._action: Action | None = None
        self._looked_at: float | None = None

    def __repr__(self) -> str:
        return f"FileQueue({self.name!r}, home={str(self._access.home.path)!r})"

    def __reduce__(self) -> tuple[object, ...]:
        return _opened, (self.name, str(self._access.home.path))

    # -- adding ------------------------------------------------------------------------------

    def add(self, file_path: str | bytes | os.PathLike[str], priority: int = 0) -> QueueItem:
        """Put a file into the queue; it is on disk when this returns.

        It need not exist yet. Adding a path twice makes two of it.

        Args:
            file_path: Where it is; relative to the current directory of this moment.
            priority: Higher goes first; -1,000,000 to 1,000,000.
        """
        (number,) = self._add([file_path], priority)
        return item_of(self._access.store.get(number))

    def add_many(self, file_paths: Iterable[str | bytes | os.PathLike[str]], priority: int = 0) -> int:
        """Put many files into the queue, all or none, hundreds of times as fast as one by one. Returns how many."""
        return len(self._add(several(file_paths, "file_paths"), priority))

    def _add(self, file_paths: Iterable[object], wanted: int) -> list[int]:
        refuse_while_imported_by_a_worker()
        raws = [input_bytes(one) for one in file_paths]
        wanted = priority(wanted)
        action = self._for_files()

        def make(start: int, stop: int) -> list[NewTask]:
            return [
                NewTask(action=action, input=raw, queue=self.name, priority=wanted, stamp=_stamp(raw))
                for raw in raws[start:stop]
            ]

        numbers = add_all(self._access.store, chunks(make, len(raws)), len(raws), this_process()).ids
        self._access.ring()
        return numbers

    def _for_files(self) -> Action:
        """The action of plain files added from this directory."""
        if self._action is None or self._action.cwd != os.fsencode(actions.here()):
            self._action = actions.for_files(self._access.settings())
        return self._action

    # -- taking ------------------------------------------------------------------------------

    def pop(self) -> QueueItem | None:
        """Take the next file to work on it here; None when none is eligible now, or the queue is paused.

        Only files that were added without a word about what to do with them: commands and functions that wait in the
        same queue are left to an engine.
        From here on it is this process's: say how it went with `mark_complete` or `mark_timeout`.
        """
        refuse_while_imported_by_a_worker()
        if not self._access.has_store():
            return None
        store = self._access.store
        self._give_back(store)
        if is_closed(store, self.name, now=wiring.clock.now()):
            return None
        one = store.pop(self.name, owner=wiring.owner(), now=wiring.clock.now(), by=wiring.who(), call=UNBOUND)
        return None if one is None else item_of(store.get(one.task_id))

    def peek(self) -> QueueItem | None:
        """The file that `pop` would take, left where it is."""
        if not self._access.has_store():
            return None
        store = self._access.store
        self._give_back(store)
        if is_closed(store, self.name, now=wiring.clock.now()):
            return None
        task = store.next_up(self.name, now=wiring.clock.now(), call=UNBOUND)
        return None if task is None else item_of(task)

    def _give_back(self, store: Store) -> None:
        moment = wiring.clock.monotonic()
        if self._looked_at is None or moment - self._looked_at >= LOOK_EVERY:
            self._looked_at = moment
            give_back(store, wiring.is_alive, now=wiring.clock.now())

    # -- ending ------------------------------------------------------------------------------

    def mark_complete(self, file_path: str | bytes | os.PathLike[str], success: bool) -> None:  # noqa: FBT001 - part of the public face
        """Record how a file ended: done, or failed for good. A failed one runs again only by `retry_failed`.

        It may be one that this process has popped or one that still waits. Saying the same twice changes nothing.

        Raises:
            NotFoundError: There is no such file in this queue.
            ArgumentValueError: It is another process's to end, or it has ended otherwise.
        """
        if yes_or_no(success, "success"):
            self._end(file_path, Ending.RETURNED)
        else:
            self._end(file_path, Ending.RAISED)

    def mark_timeout(self, file_path: str | bytes | os.PathLike[str]) -> None:
        """Record that a file took too long. Like a failure it is final, and runs again only by `retry_failed`.

        Raises:
            NotFoundError: There is no such file in this queue.
            ArgumentValueError: It is another process's to end, or it has ended otherwise.
        """
        self._end(file_path, Ending.TIMEOUT)

    def _end(self, file_path: str | bytes | os.PathLike[str], ending: Ending) -> None:
        raw = input_bytes(file_path)
        store = self._access.store
        one = self._mine(store, raw) or self._taken_now(store, raw, ending)
        if one is not None and (refused := _settle(store, one, ending)):
            raise ArgumentValueError(
                f"{quoted(text(raw))} is no longer this process's (attempt {refused[0][1]} was given back);"
                " nothing was changed",
                hint="pop() it again",
            )
        self._access.ring()

    def _mine(self, store: Store, raw: bytes) -> Popped | None:
        """This file as this process has popped it; who else has it keeps it while he lives."""
        give_back(store, wiring.is_alive, now=wiring.clock.now())
        found = [one for one in store.popped() if one.queue == self.name and one.input == raw]
        me = wiring.owner()
        for one in found:
            if one.owner == me:
                return one
        if found:
            pid = found[0].owner.partition(":")[0]
            raise ArgumentValueError(
                f"{quoted(text(raw))} is being worked on by process {pid}; nothing was changed",
                hint="the process that popped a file says how it ended",
            )
        return None

    def _taken_now(self, store: Store, raw: bytes, ending: Ending) -> Popped | None:
        """This file, taken out of the queue to be ended; None when it has ended just so already."""
        task = self._newest(store, raw)
        if task.state in WAITING:
            now = wiring.clock.now()
            one = store.pop(self.name, owner=wiring.owner(), now=now, by=wiring.who(), task_id=task.id)
            if one is not None:
                return one
            task = store.get(task.id)
        if task.state is TaskState.RUNNING:
            raise ArgumentValueError(
                f"{quoted(text(raw))} is being worked on by the engine; nothing was changed",
                hint="wait for it, or 'overnight cancel' it first",
            )
        if item_of(task).status != _ENDED_AS[ending]:
            raise ArgumentValueError(
                f"{quoted(text(raw))} has ended already ({item_of(task).status}); nothing was changed",
                hint="retry_failed() puts failed files back into the queue, add() adds it once more",
            )
        return None

    def _newest(self, store: Store, raw: bytes) -> Task:
        asked = NewTask(action=self._for_files(), input=raw, queue=self.name)
        for known in store.find([asked], queue=self.name):
            return store.get(known.id)
        raise NotFoundError(
            f"there is no {quoted(text(raw))} in queue {self.name!r}; nothing was changed",
            hint="it is found by the path as it was added, from the same directory",
        )

    def retry_failed(self) -> int:
        """Put every failed and timed-out file back into the queue. Returns how many."""
        if not self._access.has_store():
            return 0
        selector = Selector(queue=self.name, states=(TaskState.FAILED,))
        acted = self._access.store.act(Verb.RETRY, selector, now=wiring.clock.now(), by=wiring.who())
        self._access.ring()
        return acted.changed

    def clear(self) -> None:
        """Empty the queue: forget what waits, and what has failed, was cancelled or is held for a person.

        What is being processed goes on, and what is completed stays on record. ``overnight queue clear``
        does the same for the default queue.
        """
        if self._access.has_store():
            clear(self._access.home, self._access.store, self.name, now=wiring.clock.now(), by=wiring.who())

    # -- looking -----------------------------------------------------------------------------

    def get_pending(self) -> list[QueueItem]:
        """The files that wait, in the order in which they would be taken; those that wait for a retry, too."""
        tasks = sorted(self._tasks(*WAITING), key=lambda task: (-task.priority, task.id))
        return [item_of(task) for task in tasks]

    def get_failed(self) -> list[QueueItem]:
        """The files that have failed, timed out, were cancelled or are held for a person; newest first."""
        return [item_of(task) for task in self._tasks(*GIVEN_UP)]

    def _tasks(self, *states: TaskState) -> Iterator[Task]:
        if not self._access.has_store():
            return
        store, before = self._access.store, None
        while page := store.tasks(Query(states=states, queue=self.name, before=before, limit=_PAGE)):
            yield from page
            before = page[-1].id

    def is_empty(self) -> bool:
        """Whether no file waits, be it for its turn or for its retry."""
        return self.size() == 0

    def size(self) -> int:
        """How many files wait, with whatever else waits in the queue. Costs the same for a million."""
        if not self._access.has_store():
            return 0
        counts = self._access.store.counts(queue=self.name)
        return counts.waiting + counts.pending

    def close(self) -> None:
        """Let go of the store; using the queue again opens it again."""
        self._access.close()


_ENDED_AS = {Ending.RETURNED: "completed", Ending.RAISED: "failed", Ending.TIMEOUT: "timeout"}
_WORDS = {Ending.RAISED: "marked as failed by process {}", Ending.TIMEOUT: "marked as timed out by process {}"}


def _settle(store: Store, one: Popped, ending: Ending) -> list[tuple[int, int]]:
    """Write the end of a popped attempt. Permanent: who marks it has tried already."""
    now = wiring.clock.now()
    ended = Ended(
        one.task_id,
        one.attempt,
        ending,
        one.claimed_at,
        # Between processes, and so by the wall clock, which may have been set back.
        max(0.0, now - one.claimed_at),
        error=_WORDS.get(ending, "").format(os.getpid()),
        error_class=None if ending is Ending.RETURNED else ErrorClass.PERMANENT,
    )
    action = store.actions([one.action_id])[one.action_id]
    return store.hand_in([judge(ended, Standing(one.failures, one.deaths, action), now=now)], now=now)


def _stamp(path: bytes) -> str:
    """Size and time of a file, by which a later run sees that it has changed; empty when there is none."""
    try:
        found = os.stat(path)  # noqa: PTH116 - bytes
    except OSError:
        return ""
    return f"{found.st_size}:{found.st_mtime_ns}" if stat.S_ISREG(found.st_mode) else ""


def _opened(name: str, home: str) -> FileQueue:
    """A queue that came from another process."""
    return FileQueue(name, home=home)
