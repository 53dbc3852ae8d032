"""Settling: how attempts ended, written for a whole batch at once.

The open attempts of all settlements are read at once from ``running``, which is small and exact; what
is not there (or has another number) is stale, and everything else is certain to match, for nobody can
write in between. Then each table is touched by one statement for the whole batch.
"""

from __future__ import annotations

from array import array
from collections import defaultdict
from collections.abc import Sequence

from overnight.core import events
from overnight.core.states import FINAL, STEPS, Cause, Outcome, TaskState, check
from overnight.core.step_events import OF_ATTEMPT, StepCompleted
from overnight.store.contract import Settlement
from overnight.store.sql.advancing import Advance, End
from overnight.store.sql.database import Transaction
from overnight.store.sql.statements import Connection, Row, foresee, insert_many, read_each, read_for, run_each, run_for

#: What a running task may become, and why.
_AFTER_RUNNING = {
    target: cause for (state, cause), targets in STEPS.items() if state is TaskState.RUNNING for target in targets
}


class _Books:
    """What a batch of settlements writes, gathered so that each table is touched by one statement."""

    __slots__ = ("changes", "closed", "left", "plain", "records", "results", "steps")

    def __init__(self, steps: dict[int, tuple[int, str]]) -> None:
        #: Of those that are steps: whose they are, and which.
        self.steps = steps
        self.closed = array("q")
        self.records: list[Row] = []
        #: Ids of plain successes without a result; those with one; everything else.
        self.plain = array("q")
        self.results: list[Row] = []
        self.changes: list[Row] = []
        #: (lane id, 1 for a step, what its tasks have become) -> how many.
        self.left: defaultdict[tuple[int, int, str], int] = defaultdict(int)

    def write(self, connection: Connection, transaction: Transaction, now: float) -> None:
        """Write it, and make sure that every row was there to be changed."""
        for (lane_id, is_step, state), n in self.left.items():
            transaction.move(lane_id, is_step, _RUNNING, -n)
            transaction.move(lane_id, is_step, state, n)
        before = connection.mark()
        insert_many(connection, "record_attempt", self.records)
        if self.plain:
            run_for(connection, "complete", self.plain, now)
        if self.results:
            run_each(connection, "complete_with_result", self.results)
        if self.changes:
            run_each(connection, "settle", self.changes)
        run_for(connection, "close_attempts", self.closed)
        connection.want(before, 3 * len(self.closed))


def settle(
    connection: Connection,
    transaction: Transaction,
    settlements: Sequence[Settlement],
    advance: Advance,
    *,
    now: float,
    at: str,
) -> list[tuple[int, int]]:
    """Write how attempts ended and what follows, and say which of them were not open any more. Inside a write."""
    still_open = {row[0]: row for row in read_for(connection, "open_attempts_of", _asked(settlements))}
    stale: list[tuple[int, int]] = []
    ends: list[End] = []
    books = _Books(_steps(connection, [task_id for task_id, row in still_open.items() if row[3]]))
    for s in settlements:
        row = still_open.get(s.task_id)
        if row is None or row[1] != s.attempt:
            stale.append((s.task_id, s.attempt))
            transaction.events.append(
                events.LateResultRefused(at=at, id=s.task_id, attempt=s.attempt, outcome=s.outcome)
            )
            continue
        del still_open[s.task_id]
        books.closed.append(s.task_id)
        if row[5] and _is_plain(s):
            transaction.events.append(_complete(books, s, row, now=now, at=at))
        else:
            transaction.events.append(_change(books, s, row, now=now, at=at))
        if row[3] and s.state in _ENDS:
            ends.append(End(s.task_id, books.steps[s.task_id][0], s.state, s.reason))
        elif advance.has_edges and s.state in FINAL:
            ends.append(End(s.task_id, 0, s.state, s.reason))
    if books.closed:
        books.write(connection, transaction, now)
    if ends:
        advance.follow(ends)
    return stale


def _asked(settlements: Sequence[Settlement]) -> array[int]:
    return array("q", [settlement.task_id for settlement in settlements])


def foresee_open(connection: Connection, settlements: Sequence[Settlement]) -> None:
    """Say what `settle` will read first."""
    foresee(connection, "open_attempts_of", (connection.ids(_asked(settlements)),))


#: What matters to others about a step.
_ENDS = FINAL | {TaskState.HELD}


def _steps(connection: Connection, ids: Sequence[int]) -> dict[int, tuple[int, str]]:
    """Of steps, whose they are and which."""
    if not ids:
        return {}
    rows = read_each(connection, "steps_named", (connection.ids(ids),))
    return {task_id: (parent_id, step) for task_id, parent_id, step in rows}


def _complete(books: _Books, s: Settlement, row: Row, *, now: float, at: str) -> events.FileCompleted:
    """What `_change` does, the short way for a plain success: half of its cost."""
    _, _, lane_id, is_step, generation, _ = row
    books.left[lane_id, is_step, "completed"] += 1
    output = s.output
    place = (output.segment, output.offset, output.length, output.printed) if output else _NOWHERE
    books.records.append(
        (s.task_id, s.attempt, generation, "completed", 1, s.started_at, now, s.seconds, None, None, "", "",
         s.exit_code, s.signal, s.cpu_seconds, s.peak_memory_bytes, *place, s.slot, s.node or None)
    )  # fmt: skip
    if s.result:
        books.results.append((s.task_id, s.attempt, now, s.result))
    else:
        books.plain.append(s.task_id)
    kind, parent, step = events.FileCompleted, 0, ""
    if is_step:
        kind = StepCompleted
        parent, step = books.steps[s.task_id]
    return kind(
        at=at,
        id=s.task_id,
        attempt=s.attempt,
        outcome=s.outcome,
        state=s.state,
        started_at=events.instant(s.started_at),
        seconds=s.seconds,
        exit_code=s.exit_code,
        result=s.result.decode(errors="backslashreplace") if s.result else "",
        parent=parent,
        step=step,
        node=s.node,
    )


def _change(books: _Books, s: Settlement, row: Row, *, now: float, at: str) -> events.AttemptEvent:
    _want_legal(s)
    _, _, lane_id, is_step, generation, _ = row
    books.left[lane_id, is_step, s.state.value] += 1
    books.records.append(_record(s, generation, now))
    books.changes.append(_settled(s, now))
    return _ended(s, at, books.steps.get(s.task_id))


_COMPLETED = TaskState.COMPLETED
#: As plain text: the hash of an enum's member is a call of Python.
_RUNNING = TaskState.RUNNING.value


def _is_plain(s: Settlement) -> bool:
    """A success that says nothing about failures, as nearly all do."""
    return (
        s.state is _COMPLETED
        and s.outcome is Outcome.COMPLETED
        and not (s.failures or s.deaths or s.error or s.detail or s.fingerprint or s.error_class or s.reason)
    )


def _want_legal(s: Settlement) -> None:
    if s.state not in _AFTER_RUNNING:
        check(TaskState.RUNNING, Cause.CLAIM, s.state)
    if s.state is TaskState.WAITING and s.not_before is None:
        raise ValueError(f"task {s.task_id} would wait for nothing, for ever")


def _settled(s: Settlement, now: float) -> Row:
    """The values of `settle`."""
    return (
        s.task_id,
        s.attempt,
        s.state,
        s.failures,
        s.deaths,
        s.not_before if s.state is TaskState.WAITING else None,
        now if s.state in FINAL else None,
        None if s.state is TaskState.COMPLETED or s.state is TaskState.CANCELLED else s.reason,
        s.error_class,
        events.printable(s.error),
        s.fingerprint,
        s.result,
    )


def _record(s: Settlement, generation: int, now: float) -> Row:
    """The row of `attempts`."""
    output = s.output
    place = (output.segment, output.offset, output.length, output.printed) if output else _NOWHERE
    return (
        s.task_id,
        s.attempt,
        generation,
        s.outcome,
        1 if s.state in FINAL else 0,
        s.started_at,
        now,
        s.seconds,
        s.reason,
        s.error_class,
        events.printable(s.error),
        events.printable(s.detail),
        s.exit_code,
        s.signal,
        s.cpu_seconds,
        s.peak_memory_bytes,
        *place,
        s.slot,
        events.printable(s.node) or None,
    )


_NOWHERE = (None, None, None, None)


def _ended(s: Settlement, at: str, of_step: tuple[int, str] | None) -> events.AttemptEvent:
    kind = events.ended_as(s.outcome, s.state, s.reason)
    parent, step = of_step or (0, "")
    return (OF_ATTEMPT[kind] if of_step else kind)(
        at=at,
        id=s.task_id,
        attempt=s.attempt,
        outcome=s.outcome,
        state=s.state,
        failures=s.failures,
        deaths=s.deaths,
        started_at=events.instant(s.started_at),
        seconds=s.seconds,
        not_before=events.instant(s.not_before) if s.state is TaskState.WAITING else None,
        reason=s.reason,
        error_class=s.error_class,
        error=events.printable(s.error),
        fingerprint=s.fingerprint,
        exit_code=s.exit_code,
        signal=s.signal,
        result=s.result.decode(errors="backslashreplace"),
        parent=parent,
        step=step,
        node=events.printable(s.node),
    )
