"""The engine's turn: the hot path, and all that the engine alone may do.

A turn is set-based. The open attempts of all settlements are read at once from ``running``, which
is small and exact; what is not there (or has another number) is stale, and everything else is
certain to match, for nobody can write in between. Then each table is touched by one statement for
the whole batch. Measured with ``benchmarks/store_turn.py``.
"""

from __future__ import annotations

import heapq
from array import array
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence

import apsw

from overnight.core import events
from overnight.core.errors import StaleEngineError, StoreDamagedError
from overnight.core.states import FINAL, STEPS, Cause, Outcome, TaskState, check
from overnight.store.contract import (
    Claim,
    Claimed,
    Control,
    OpenAttempt,
    Orders,
    OutboxRow,
    Settlement,
    Turn,
)
from overnight.store.sqlite.connection import Database, Transaction
from overnight.store.sqlite.lanes import Lanes
from overnight.store.sqlite.reading import queues
from overnight.store.sqlite.statements import Row, insert_many, read_all, read_each, read_one, run, run_each

#: Waiting tasks that become due in one turn; the next turn takes the next.
DUE_AT_ONCE = 10_000

#: What a running task may become, and why.
_AFTER_RUNNING = {
    target: cause for (state, cause), targets in STEPS.items() if state is TaskState.RUNNING for target in targets
}


def take_fence(database: Database, *, now: float, by: str) -> int:
    """See `Store.take_fence`."""
    with database.write("take_fence") as transaction:
        fence = int(read_one(database.connection, "take_fence"))
        transaction.events.append(events.ProcessorStarted(at=events.stamp(now), fence=fence, by=events.printable(by)))
    return fence


def stand_down(database: Database, *, fence: int, now: float, why: str) -> None:
    """See `Store.stand_down`."""
    with database.write("stand_down") as transaction:
        _want_fence(database.connection, fence)
        transaction.events.append(events.ProcessorStopped(at=events.stamp(now), fence=fence, why=why))


def _want_fence(connection: apsw.Connection, fence: int) -> None:
    if read_one(connection, "fence") != fence:
        raise StaleEngineError("a newer engine has taken this home; this one has changed nothing and must end")


def turn(
    database: Database,
    lanes: Lanes,
    *,
    fence: int,
    now: float,
    settlements: Sequence[Settlement],
    claim: Claim | None,
    obeyed: Sequence[int],
) -> Turn:
    """See `Store.turn`."""
    connection = database.connection
    at = events.stamp(now)
    with database.write("turn", check=False) as transaction:
        _want_fence(connection, fence)
        stale = settle(connection, transaction, settlements, now=now, at=at) if settlements else []
        next_due = make_due(connection, transaction, now)
        claimed = _claim(connection, lanes, transaction, claim, fence=fence, now=now, at=at) if claim else []
        if obeyed:
            run_each(connection, "drop_control", [(control,) for control in obeyed])
    return Turn(claimed=claimed, stale=stale, next_due=next_due)


# -- settling ---------------------------------------------------------------------------------


class _Books:
    """What a batch of settlements writes, gathered so that each table is touched by one statement."""

    __slots__ = ("changes", "closed", "left", "plain", "records", "results")

    def __init__(self) -> None:
        self.closed = array("q")
        self.records: list[Row] = []
        #: Ids of plain successes without a result; those with one; everything else.
        self.plain = array("q")
        self.results: list[Row] = []
        self.changes: list[Row] = []
        #: (lane id, 1 for a step, what its tasks have become) -> how many.
        self.left: Counter[tuple[int, int, str]] = Counter()

    def write(self, connection: apsw.Connection, transaction: Transaction, now: float) -> None:
        """Write it, and make sure that every row was there to be changed."""
        for (lane_id, is_step, state), n in self.left.items():
            transaction.move(lane_id, is_step, _RUNNING, -n)
            transaction.move(lane_id, is_step, state, n)
        before = connection.total_changes()
        insert_many(connection, "record_attempt", self.records)
        if self.plain:
            run(connection, "complete", (now, apsw.carray(self.plain)))
        run_each(connection, "complete_with_result", self.results)
        run_each(connection, "settle", self.changes)
        run(connection, "close_attempts", (apsw.carray(self.closed),))
        _want_changes(connection, before, 3 * len(self.closed))


def settle(
    connection: apsw.Connection, transaction: Transaction, settlements: Sequence[Settlement], *, now: float, at: str
) -> list[tuple[int, int]]:
    """Write how attempts ended, and say which of them were not open any more. Inside a write."""
    asked = array("q", [settlement.task_id for settlement in settlements])
    still_open = {row[0]: row for row in read_each(connection, "open_attempts_of", (apsw.carray(asked),))}
    stale: list[tuple[int, int]] = []
    books = _Books()
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
    if books.closed:
        books.write(connection, transaction, now)
    return stale


def _complete(books: _Books, s: Settlement, row: Row, *, now: float, at: str) -> events.FileCompleted:
    """What `_change` does, the short way for a plain success: half of its cost."""
    _, _, lane_id, is_step, generation, _ = row
    books.left[lane_id, is_step, "completed"] += 1
    output = s.output
    place = (output.segment, output.offset, output.length, output.printed) if output else _NOWHERE
    books.records.append(
        (s.task_id, s.attempt, generation, "completed", 1, s.started_at, now, s.seconds, None, None, "", "",
         s.exit_code, s.signal, s.cpu_seconds, s.peak_memory_bytes, *place, s.slot)
    )  # fmt: skip
    if s.result:
        books.results.append((s.task_id, s.attempt, now, s.result))
    else:
        books.plain.append(s.task_id)
    return events.FileCompleted(
        at=at,
        id=s.task_id,
        attempt=s.attempt,
        outcome=s.outcome,
        state=s.state,
        started_at=events.instant(s.started_at),
        seconds=s.seconds,
        exit_code=s.exit_code,
        result=s.result.decode(errors="backslashreplace") if s.result else "",
    )


def _change(books: _Books, s: Settlement, row: Row, *, now: float, at: str) -> events.AttemptEvent:
    _want_legal(s)
    _, _, lane_id, is_step, generation, _ = row
    books.left[lane_id, is_step, s.state.value] += 1
    books.records.append(_record(s, generation, now))
    books.changes.append(_settled(s, now))
    return _ended(s, at)


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


def _want_changes(connection: apsw.Connection, before: int, expected: int) -> None:
    found = connection.total_changes() - before
    if found != expected:
        raise StoreDamagedError(
            f"the store does not balance ({expected} rows should have changed, {found} did); nothing was changed",
            hint="'overnight verify' to see what is wrong",
        )


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
    )


_NOWHERE = (None, None, None, None)


def _ended(s: Settlement, at: str) -> events.AttemptEvent:
    return events.ended_as(s.outcome, s.state, s.reason)(
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
    )


# -- making due -------------------------------------------------------------------------------


def make_due(connection: apsw.Connection, transaction: Transaction, now: float) -> float | None:
    """Let what has waited long enough be claimed. Returns when the next one is due, POSIX seconds."""
    due: float | None = read_one(connection, "next_due")
    if due is None or due > now:
        return due
    for lane_id, is_step in read_all(connection, "make_due", (now, DUE_AT_ONCE)):
        transaction.move(lane_id, is_step, TaskState.WAITING, -1)
        transaction.move(lane_id, is_step, TaskState.PENDING, 1)
    later: float | None = read_one(connection, "next_due")
    return later


# -- claiming ---------------------------------------------------------------------------------


def _claim(
    connection: apsw.Connection,
    lanes: Lanes,
    transaction: Transaction,
    claim: Claim,
    *,
    fence: int,
    now: float,
    at: str,
) -> list[Claimed]:
    rows = _pick(connection, lanes, claim)
    if not rows:
        return []
    started, claimed = [], []
    taken: Counter[tuple[int, int]] = Counter()
    for row in rows:
        task_id, attempt, _, lane_id, raw_input, _, _, generation, _, _, is_step, is_clean = row
        started.append((task_id, attempt, fence, now, lane_id, is_step, generation, is_clean))
        claimed.append(Claimed(*row[:9]))
        taken[lane_id, is_step] += 1
        words, coded = events.as_text(raw_input)
        transaction.events.append(
            events.FileStarted(at=at, id=task_id, attempt=attempt, fence=fence, input=words, input_b64=coded)
        )
    for (lane_id, is_step), n in taken.items():
        transaction.move(lane_id, is_step, TaskState.PENDING, -n)
        transaction.move(lane_id, is_step, TaskState.RUNNING, n)
    before = connection.total_changes()
    run(connection, "claim", (apsw.carray(array("q", [row[0] for row in rows])),))
    insert_many(connection, "record_start", started)
    _want_changes(connection, before, 2 * len(rows))
    return claimed


def _pick(connection: apsw.Connection, lanes: Lanes, claim: Claim) -> list[Row]:
    """The tasks to claim: highest priority first, then the oldest, over all open lanes together."""
    pools = dict(claim.pools)
    wanted = {lane_id: _most(takes, pools, claim.count) for lane_id, takes in claim.lanes.items() if lanes.get(lane_id)}
    if len(wanted) == 1:
        ((lane_id, most),) = wanted.items()
        return read_all(connection, "head_of_lane", (lane_id, most))
    heads: list[_Head] = []
    for lane_id, most in wanted.items():
        if most > 0:
            _push(heads, read_each(connection, "head_of_lane", (lane_id, most)))
    picked: list[Row] = []
    while heads and len(picked) < claim.count:
        *_, row, rest = heapq.heappop(heads)
        if _take(claim.lanes[row[3]], pools):
            picked.append(row)
            _push(heads, rest)
    return picked


#: Minus priority, order key, id: the order. Then the row, and where its lane goes on.
_Head = tuple[int, int, int, Row, Iterator[Row]]


def _push(heads: list[_Head], rest: Iterator[Row]) -> None:
    row = next(rest, None)
    if row is not None:
        heapq.heappush(heads, (-row[8], row[9], row[0], row, rest))


#: What a pool may be overdrawn by: sums of floats are not exact.
_SLACK = 1e-9


def _most(takes: Mapping[str, float], pools: Mapping[str, float], count: int) -> int:
    """How many tasks of a lane the pools have room for if it is the only one."""
    for pool, amount in takes.items():
        if amount > 0:
            count = min(count, int((pools.get(pool, 0.0) + _SLACK) / amount))
    return max(count, 0)


def _take(takes: Mapping[str, float], pools: dict[str, float]) -> bool:
    """Take one task's share from the pools, or nothing when one of them does not last."""
    for pool, amount in takes.items():
        if amount > pools.get(pool, 0.0) + _SLACK:
            return False
    for pool, amount in takes.items():
        pools[pool] = pools.get(pool, 0.0) - amount
    return True


# -- around the turn --------------------------------------------------------------------------


def orders(database: Database, lanes: Lanes) -> Orders:
    """See `Store.orders`."""
    with database.read() as connection:
        rows = read_all(connection, "controls")
        return Orders(lanes=lanes.lively(), queues=queues(connection), controls=[Control(*row) for row in rows])


def left_open(database: Database) -> list[OpenAttempt]:
    """See `Store.left_open`."""
    return [OpenAttempt(*row) for row in database.rows("left_open")]


def outbox(database: Database, limit: int, *, after: int) -> list[OutboxRow]:
    """See `Store.outbox`."""
    return [OutboxRow(*row) for row in database.rows("outbox", (after, limit))]


def drained(database: Database, upto: int, *, seq: int) -> None:
    """See `Store.drained`."""
    connection = database.connection
    with database.write("drained", check=False):
        run(connection, "drop_drained_lines", (upto,))
        run(connection, "drop_drained", (upto,))
        run(connection, "set_journal_seq", (seq,))
