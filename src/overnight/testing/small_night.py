"""Everything that is ever done to a store, in small: the same operations in the same order each time.

What fault trials strike. Each step makes at most one transaction and may be tried again when it was refused
for want of room. Besides what an engine does (claims, settlements of every kind, workflows, the journal's
drain, the log moved into the file) there are producers, people, and programs that work by themselves.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator
from contextlib import closing
from functools import partial
from pathlib import Path

import msgspec

from overnight.core.states import Outcome, Reason, TaskState
from overnight.core.task import Action, ActionKind, NewTask
from overnight.core.verdict import Settlement
from overnight.core.workflow.model import OnFailure, Step, Workflow
from overnight.store.contract import Claim, Claimed, Popped, Queue, Selector, Verb
from overnight.store.sqlite import SqliteStore
from overnight.store.sqlite.connection import Database
from overnight.store.sqlite.copying import open_copy
from overnight.testing.clock import START

_COMMAND = Action(kind=ActionKind.COMMAND, cwd=b"/", argv=(b"true",))
_FLOW = Action(kind=ActionKind.WORKFLOW, call="flow", cwd=b"/")
_WORKFLOW = Workflow(
    name="flow",
    steps=(
        Step(id="fetch", run=("fetch",)),
        Step(id="look", run=("look",), needs=("fetch",), on_failure=OnFailure.CONTINUE),
        Step(id="done", run=("done",), needs=("look",)),
    ),
)
#: How attempts end, in turn: what the task becomes, the outcome, and why.
_ENDINGS: tuple[tuple[TaskState, Outcome, Reason | None], ...] = (
    (TaskState.COMPLETED, Outcome.COMPLETED, None),
    (TaskState.WAITING, Outcome.FAILED, Reason.ERROR),
    (TaskState.COMPLETED, Outcome.COMPLETED, None),
    (TaskState.PENDING, Outcome.INTERRUPTED, None),
    (TaskState.FAILED, Outcome.FAILED, Reason.TIMEOUT),
    (TaskState.COMPLETED, Outcome.COMPLETED, None),
    (TaskState.HELD, Outcome.LOST, Reason.POISON),
)
#: Rounds of claiming and settling; each of five has something of its own besides.
ROUNDS = 10
_ROUND = 100.0
_TABLES = "SELECT name FROM sqlite_schema WHERE type = 'table' ORDER BY name"

Deed = Callable[[], object]


class SmallNight:
    """The script, for one store that is new.

    Args:
        database: Where. Whoever made it closes it.
    """

    def __init__(self, database: Database) -> None:
        self._database = database
        self.store = SqliteStore(database)
        self._fence = 0
        self._batch = 0
        self._claimed: list[Claimed] = []
        self._popped: Popped | None = None

    def steps(self) -> Iterator[Deed]:
        """One after the other; each is to be called until it does not raise."""
        yield partial(self.store.define, [_WORKFLOW], source="test", now=START, by="me")
        yield partial(self.store.set_queue, Queue("default", slots=4), now=START, by="me")
        yield partial(self._add, 6, START)
        yield partial(self.store.add, [_big(), *_flows(3)], now=START, by="me")
        yield self._take_fence
        own = (self._in_a_batch, self._by_hand, self._by_a_program, self._asked, self._forgotten)
        for number in range(ROUNDS):
            now = START + _ROUND * (number + 1)
            yield partial(self._claim, now)
            yield from own[number % len(own)](now)
            yield partial(self._settle, now + 20)
            if number % 2:
                yield self._drain
            if number % 3 == 2:  # noqa: PLR2004 - every third
                yield partial(self._database.tidy, 1, give_back=1 if number > ROUNDS // 2 else 10**9)

    # -- producers ----------------------------------------------------------------------------

    def _add(self, count: int, now: float, batch: int | None = None) -> None:
        tasks = [NewTask(_COMMAND, b"%d %d" % (now, number), priority=number % 3) for number in range(count)]
        self.store.add(tasks, now=now, by="me", batch=batch)

    def _in_a_batch(self, now: float) -> Iterator[Deed]:
        yield partial(self._open_batch, now)
        yield lambda: self._add(3, now + 1, self._batch)
        yield lambda: self._add(3, now + 2, self._batch)
        yield lambda: self.store.publish(self._batch, now=now)
        yield partial(self._open_batch, now)
        yield lambda: self.store.abandon(self._batch)

    def _open_batch(self, now: float) -> None:
        self._batch = self.store.open_batch(now=now, owner="1:2:b")

    # -- people and programs ------------------------------------------------------------------

    def _by_hand(self, now: float) -> Iterator[Deed]:
        for verb, state in (
            (Verb.HOLD, TaskState.WAITING),
            (Verb.RELEASE, TaskState.HELD),
            (Verb.RETRY, TaskState.FAILED),
            (Verb.CANCEL, TaskState.WAITING),
        ):
            yield partial(self.store.act, verb, Selector(states=(state,)), now=now, by="me")
        yield partial(self._add, 2, now)

    def _by_a_program(self, now: float) -> Iterator[Deed]:
        yield partial(self._add, 2, now)
        yield partial(self._pop, now)
        yield lambda: self.store.hand_in([self._ended(one, now) for one in self._mine()], now=now)

    def _pop(self, now: float) -> None:
        self._popped = self.store.pop("default", owner="1:2:b", now=now, by="me")

    def _mine(self) -> list[Claimed]:
        one = self._popped
        return [Claimed(one.task_id, one.attempt, one.action_id, 0, one.input, 0, 0, 1, 0)] if one else []

    def _asked(self, now: float) -> Iterator[Deed]:
        yield partial(self.store.ask, "pause", now=now, by="me")
        yield partial(self.store.move_waits, 60.0, fence=self._fence, now=now)
        yield lambda: self.store.turn(
            fence=self._fence, now=now, obeyed=[control.id for control in self.store.orders().controls]
        )

    def _forgotten(self, now: float) -> Iterator[Deed]:
        yield partial(self.store.remove, Selector(states=(TaskState.CANCELLED,)), now=now, by="me")
        yield lambda: self.store.forget_finished(
            before=now - _ROUND, after=0, limit=5, fence=self._fence, now=now, by="me"
        )

    # -- the engine ---------------------------------------------------------------------------

    def _take_fence(self) -> None:
        self._fence = self.store.take_fence(now=START, by="engine")

    def _claim(self, now: float) -> None:
        claim = Claim(count=5, lanes={lane.id: {} for lane in self.store.orders().lanes}, pools={})
        self._claimed = self.store.turn(fence=self._fence, now=now, claim=claim).claimed

    def _settle(self, now: float) -> None:
        ended = [self._ended(one, now) for one in self._claimed]
        self.store.turn(fence=self._fence, now=now, settlements=ended)

    def _ended(self, one: Claimed, now: float) -> Settlement:
        state, outcome, reason = _ENDINGS[(one.id + one.attempt) % len(_ENDINGS)]
        return Settlement(
            task_id=one.id,
            attempt=one.attempt,
            state=state,
            outcome=outcome,
            failures=one.failures + (outcome is Outcome.FAILED),
            deaths=one.deaths,
            started_at=now,
            reason=reason,
            not_before=now + 50 if state is TaskState.WAITING else None,
            error="no" if reason else "",
            fingerprint="no" if reason else "",
            result=b'{"size": 1}' if state is TaskState.COMPLETED else b"",
            step=one.step,
        )

    def _drain(self) -> None:
        if rows := self.store.outbox(512):
            self.store.drained(rows[-1].id, seq=self.store.journal_seq() + sum(row.count for row in rows))


def _big() -> NewTask:
    """One whose input takes several pages."""
    return NewTask(_COMMAND, b"x" * 20_000)


def _flows(count: int) -> list[NewTask]:
    return [NewTask(_FLOW, b"flow %d" % number) for number in range(count)]


def picture(path: Path) -> bytes:
    """16 bytes over every row of every table of a store."""
    found = hashlib.blake2b(digest_size=16)
    with closing(open_copy(path)) as connection:
        for (name,) in connection.execute(_TABLES).fetchall():
            found.update(str(name).encode())
            for row in connection.execute(f'SELECT * FROM "{name}"'):  # noqa: S608 - a name out of the schema
                found.update(msgspec.msgpack.encode(row))
    return found.digest()
