"""Whether the journal and the store tell the same of every task.

The journal is read from its beginning, with what still waits in the outbox, and what it says at the end is
compared with the store: which tasks there are, their states, and how many attempts they had. That a time has
come is no event, nor that what a task waited for is done, so waiting and pending are one here. Steps come into
being by the events of their task, and the journal speaks of each only once it moves; what belongs to a removed
task is gone with it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping

import msgspec

from overnight.core.states import TaskState
from overnight.core.task import Task
from overnight.monitor.segments import Line
from overnight.store.contract import Discrepancy, OutboxRow, Query, Store

#: Tasks and rows that are read at a time.
PAGE = 5000
#: What the journal does not tell apart.
QUEUED = frozenset({TaskState.WAITING, TaskState.PENDING})
#: Kind of what does not agree.
KIND = "agreement"
_ROWS = 512


class _Told(msgspec.Struct):
    """What of a line is looked at."""

    event: str
    seq: int = 0
    id: int | None = None
    state: TaskState | None = None
    attempt: int = 0
    #: More than 0: a task of a workflow, which runs by its steps, from this one on, and has no attempts of its own.
    steps: int = 0
    first_step: int = 0


class _Known(msgspec.Struct):
    """What the journal says of a task."""

    state: TaskState
    #: None: not a word of it yet.
    attempt: int | None = None
    is_step: bool = False
    steps: range = range(0)


class Told:
    """What the journal, or a part of it, says of all tasks.

    Args:
        holds: Whether the event of a number counts: a rollback undoes some.
    """

    def __init__(self, holds: Callable[[int], bool] = lambda _: True) -> None:
        self._holds = holds
        self._decoder = msgspec.json.Decoder(_Told)
        self.tasks: dict[int, _Known] = {}
        self.first = 0
        self.last = 0

    def read(self, journal: Iterable[Line], store: Store) -> None:
        """All that there is: the journal's lines, then those that it has not yet."""
        for line in journal:
            if line.seq is not None:
                self._take(line.content)
        number, after = store.journal_seq(), 0
        while rows := store.outbox(_ROWS, after=after):
            number = self._take_rows(rows, number)
            after = rows[-1].id

    def _take_rows(self, rows: Iterable[OutboxRow], number: int) -> int:
        for row in rows:
            for line in row.lines.splitlines():
                number += 1
                if number > self.last:
                    self._take(b'{"seq":%d,%b' % (number, line[1:]))
        return number

    def _take(self, line: bytes) -> None:
        try:
            told = self._decoder.decode(line)
        except msgspec.MsgspecError:
            return  # the numbers of the journal are somebody else's question
        self.first = self.first or told.seq
        self.last = told.seq
        if told.id is not None and self._holds(told.seq):
            self._heed(told, told.id)

    def _heed(self, told: _Told, task_id: int) -> None:
        if told.event == "file_removed":
            self.tasks.pop(task_id, None)
            return
        starts = told.event.endswith("_started")
        state = TaskState.RUNNING if starts else told.state
        if state is None:
            return
        known = self.tasks.setdefault(task_id, _Known(state, is_step=told.event.startswith("step_")))
        known.state = state
        if told.event == "file_added":
            known.attempt = 0
        if starts:
            self._start(known, told)

    def _start(self, known: _Known, told: _Told) -> None:
        steps = range(told.first_step, told.first_step + told.steps)
        if steps != known.steps:  # begun by another definition: nothing more is said of the steps of before
            for step in known.steps:
                self.tasks.pop(step, None)
        known.attempt, known.steps = told.attempt, steps


def disagreements(
    store: Store, journal: Callable[[], Iterable[Line]], holds: Callable[[int], bool] = lambda _: True
) -> list[Discrepancy]:
    """Where journal and store differ; [] when they tell the same. Reads all of both.

    An engine may work meanwhile: what differs is looked at twice, and only what differs in the same way both
    times is told.

    Args:
        store: Of whichever home.
        journal: Reads it from its beginning.
        holds: Whether the event of a number counts: a rollback undoes some.
    """
    found = _differing(store, journal, holds)
    if not found:
        return []
    again = set(_differing(store, journal, holds))
    return [one for one in found if one in again]


def _differing(store: Store, journal: Callable[[], Iterable[Line]], holds: Callable[[int], bool]) -> list[Discrepancy]:
    told = Told(holds)
    told.read(journal(), store)
    if not told.first:
        return []  # it was taken away, which is told elsewhere
    return [*_tasks(store, told.tasks, whole=told.first == 1)]


def _tasks(store: Store, tasks: Mapping[int, _Known], *, whole: bool) -> Iterator[Discrepancy]:
    seen = set()
    for task in everything(store):
        seen.add(task.id)
        known = tasks.get(task.id)
        if known is None:
            if whole and task.parent_id is None:
                yield _different(f"task {task.id}", "in the journal", "not a word of it")
        elif not _fits(known.state, task.state):
            yield _different(f"state of task {task.id}", f"{known.state}, as the journal says", task.state)
        elif not known.steps and known.attempt not in (None, task.attempt):
            yield _different(f"attempts of task {task.id}", f"{known.attempt}, as the journal says", str(task.attempt))
    for task_id in tasks.keys() - seen:
        if not tasks[task_id].is_step:
            yield _different(f"task {task_id}", f"{tasks[task_id].state}, as the journal says", "no such task")


def _fits(told: TaskState, found: TaskState) -> bool:
    return told is found or {told, found} <= QUEUED


def _different(what: str, expected: str, found: str) -> Discrepancy:
    return Discrepancy(what=what, expected=expected, found=found, kind=KIND)


def everything(store: Store) -> Iterator[Task]:
    """Every task, steps included, newest first; a page at a time, so that nobody is kept waiting."""
    before: int | None = None
    while page := store.tasks(Query(before=before, limit=PAGE, steps=True, own=True)):
        yield from page
        before = page[-1].id
