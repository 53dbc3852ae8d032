"""The operations of a store, on any database that speaks SQL.

A face only: each operation is a function in the file of whoever calls it (``adding`` producers,
``acting`` people, ``popping`` programs that work by themselves, ``turning`` and ``pruning`` the engine,
``reading`` everybody, ``books`` care). What is special about one database is in its own folder; the promises are those
of `overnight.store.contract.Store`.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager

from overnight.core.edits import Change, Edited
from overnight.core.events import Event
from overnight.core.night import Night
from overnight.core.relocation import Relocation
from overnight.core.schedules import Decision, Scheduled
from overnight.core.scores import Group
from overnight.core.states import TaskState
from overnight.core.task import Action, Attempt, NewTask, Task
from overnight.core.workflow.model import Workflow
from overnight.core.workflow.records import Defined, Family, Took
from overnight.store.contract import (
    Acted,
    Added,
    Cause,
    Claim,
    Counts,
    Discrepancy,
    Forgotten,
    Known,
    OpenAttempt,
    Orders,
    OutboxRow,
    Popped,
    Query,
    Queue,
    Selector,
    Settlement,
    Storm,
    Survey,
    Turn,
    Verb,
)
from overnight.store.sql import (
    acting,
    adding,
    books,
    editing,
    looking,
    plans,
    popping,
    pruning,
    reading,
    redefining,
    relocating,
    reviewing,
    scheduling,
    storming,
    turning,
)
from overnight.store.sql.database import Database
from overnight.store.sql.lanes import Lanes
from overnight.store.sql.plans import Plans

__all__ = ["SqlStore"]


class SqlStore:
    """What of `overnight.store.contract.Store` is the same on every database; for one thread."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._lanes = Lanes(database)
        self._plans = Plans(database, self._lanes)

    # -- producers ---------------------------------------------------------------------------

    def add(
        self, tasks: Sequence[NewTask], *, now: float, by: str = "", batch: int | None = None, unique: bool = False
    ) -> Added:
        return adding.add(self._database, self._lanes, tasks, now=now, by=by, batch=batch, unique=unique)

    def open_batch(self, *, now: float, owner: str) -> int:
        return adding.open_batch(self._database, now=now, owner=owner)

    def publish(self, batch: int, *, now: float) -> int:
        return adding.publish(self._database, batch, now=now)

    def abandon(self, batch: int) -> int:
        return adding.abandon(self._database, batch)

    def open_batches(self) -> list[tuple[int, str, float]]:
        return [(int(row[0]), str(row[1]), float(row[2])) for row in self._database.rows("open_batches")]

    def find(self, tasks: Sequence[NewTask], *, queue: str | None = None) -> list[Known]:
        return adding.find(self._database, tasks, queue=queue)

    def restamp(self, stamps: Mapping[int, str], *, now: float, by: str) -> int:
        return adding.restamp(self._database, stamps, now=now, by=by)

    def redefine(self, tasks: Mapping[int, NewTask], *, now: float, by: str) -> list[int]:
        return redefining.redefine(self._database, self._lanes, tasks, now=now, by=by)

    # -- people ------------------------------------------------------------------------------

    def act(
        self,
        verb: Verb,
        selector: Selector,
        *,
        now: float,
        by: str,
        restart: Sequence[str] = (),
        stamps: Mapping[int, str] | None = None,
    ) -> Acted:
        return acting.act(self._database, self._plans, verb, selector, now=now, by=by, restart=restart, stamps=stamps)

    def edit(self, selector: Selector, change: Change, *, now: float, by: str, dry_run: bool = False) -> Edited:
        return editing.edit(self._database, self._lanes, selector, change, now=now, by=by, dry_run=dry_run)

    def relocate(self, relocation: Relocation, *, now: float, by: str, dry_run: bool = False) -> int:
        return relocating.relocate(self._database, relocation, now=now, by=by, dry_run=dry_run)

    def remove(self, selector: Selector, *, now: float, by: str) -> int:
        return acting.remove(self._database, self._lanes, self._plans, selector, now=now, by=by)

    def ask(self, verb: str, *, now: float, by: str, task_id: int | None = None, argument: str = "") -> int:
        return acting.ask(self._database, verb, now=now, by=by, task_id=task_id, argument=argument)

    def set_queue(self, queue: Queue, *, now: float, by: str) -> None:
        acting.set_queue(self._database, queue, now=now, by=by)

    def define(self, workflows: Sequence[Workflow], *, source: str, now: float, by: str) -> list[str]:
        return plans.define(self._database, workflows, source=source, now=now, by=by)

    def lay_schedules(self, wanted: Sequence[Scheduled], *, source: str, now: float, by: str) -> list[str]:
        return scheduling.lay_down(self._database, wanted, source=source, now=now, by=by)

    def run_schedule(self, name: str, task: NewTask, *, now: float, by: str) -> int:
        return scheduling.run_now(self._database, self._lanes, name, task, now=now, by=by)

    # -- programs that do the work themselves ------------------------------------------------

    def next_up(self, queue: str, *, now: float, call: str | None = None) -> Task | None:
        return popping.next_up(self._database, self._lanes, queue, now=now, call=call)

    def pop(
        self, queue: str, *, owner: str, now: float, by: str, task_id: int | None = None, call: str | None = None
    ) -> Popped | None:
        return popping.pop(
            self._database, self._lanes, self._plans, queue, owner=owner, now=now, by=by, task_id=task_id, call=call
        )

    def popped(self) -> list[Popped]:
        return popping.popped(self._database)

    def hand_in(self, settlements: Sequence[Settlement], *, now: float) -> list[tuple[int, int]]:
        return popping.hand_in(self._database, self._plans, settlements, now=now)

    # -- everybody tells ---------------------------------------------------------------------

    def note(self, notes: Sequence[Event]) -> None:
        with self._database.write("note", check=False) as transaction:  # nobody counts on it
            transaction.events.extend(notes)

    # -- the engine --------------------------------------------------------------------------

    def take_fence(self, *, now: float, by: str) -> int:
        return turning.take_fence(self._database, now=now, by=by)

    def stand_down(self, *, fence: int, now: float, why: str) -> None:
        turning.stand_down(self._database, fence=fence, now=now, why=why)

    def orders(self) -> Orders:
        return turning.orders(self._database, self._lanes)

    def turn(
        self,
        *,
        fence: int,
        now: float,
        settlements: Sequence[Settlement] = (),
        claim: Claim | None = None,
        obeyed: Sequence[int] = (),
        notes: Sequence[Event] = (),
    ) -> Turn:
        return turning.turn(
            self._database,
            self._lanes,
            self._plans,
            fence=fence,
            now=now,
            settlements=settlements,
            claim=claim,
            obeyed=obeyed,
            notes=notes,
        )

    def move_waits(self, seconds: float, *, fence: int, now: float) -> int:
        return turning.move_waits(self._database, seconds, fence=fence, now=now)

    def survey(self, *, after: int, limit: int) -> Survey:
        return pruning.survey(self._database, after=after, limit=limit)

    def forget_finished(self, *, before: float, after: int, limit: int, fence: int, now: float, by: str) -> Forgotten:
        return pruning.forget_finished(
            self._database, self._lanes, before=before, after=after, limit=limit, fence=fence, now=now, by=by
        )

    def spare_actions(self) -> Collection[int]:
        return pruning.spare_actions(self._database)

    def drop_actions(self, ids: Collection[int], *, after: int, fence: int) -> int:
        return pruning.drop_actions(self._database, ids, after=after, fence=fence)

    def set_storm(self, storm: Storm, *, now: float) -> None:
        storming.set_storm(self._database, storm, now=now)

    def end_storm(self, storm: Storm, *, now: float, by: str, revivals: int | None = None) -> list[int] | None:
        return storming.end_storm(self._database, self._plans, storm, now=now, by=by, revivals=revivals)

    def fire(
        self, found: Scheduled, decision: Decision, tasks: Sequence[NewTask], *, fence: int, now: float, by: str
    ) -> list[int] | None:
        return scheduling.fire(self._database, self._lanes, found, decision, tasks, fence=fence, now=now, by=by)

    def left_open(self) -> list[OpenAttempt]:
        return turning.left_open(self._database)

    def outbox(self, limit: int, *, after: int = 0) -> list[OutboxRow]:
        return turning.outbox(self._database, limit, after=after)

    def told(self) -> int:
        return self._database.told

    def drained(self, upto: int, *, seq: int) -> None:
        turning.drained(self._database, upto, seq=seq)

    def journal_seq(self) -> int:
        return int(str(self._database.rows("journal_seq")[0][0]))

    # -- everybody reads ---------------------------------------------------------------------

    def counts(self, *, queue: str | None = None, workflow: str | None = None) -> Counts:
        return reading.counts(self._database, queue=queue, workflow=workflow)

    def get(self, task_id: int) -> Task:
        return reading.get(self._database, self._lanes, task_id)

    def tasks(self, query: Query) -> list[Task]:
        return reading.tasks(self._database, self._lanes, query)

    def how_many(self, query: Query) -> int:
        return looking.how_many(self._database, query)

    def causes(self, limit: int) -> list[Cause]:
        return looking.causes(self._database, self._lanes, limit)

    def slots_of(self, ids: Iterable[int]) -> dict[tuple[int, int], int]:
        return looking.slots_of(self._database, ids)

    def states(self, ids: Iterable[int]) -> dict[int, TaskState]:
        return reading.states(self._database, ids)

    def longest_running(self) -> Task | None:
        return reading.longest_running(self._database, self._lanes)

    def places(self, ids: Iterable[int]) -> dict[int, tuple[str, str]]:
        return reading.places(self._database, self._lanes, ids)

    def attempts(self, task_id: int) -> list[Attempt]:
        return reading.attempts(self._database, task_id)

    def scored(self, newest: int) -> list[Group]:
        return reading.scored(self._database, newest)

    def night(self, *, since: float, until: float, spans: int) -> Night:
        return reviewing.night(self._database, self._lanes, since=since, until=until, spans=spans)

    def unaccounted(self) -> int:
        return reviewing.unaccounted(self._database)

    def actions(self, ids: Iterable[int]) -> dict[int, Action]:
        return reading.actions(self._database, ids)

    def queues(self) -> list[Queue]:
        with self._database.read() as connection:
            return reading.queues(connection)

    def storms(self) -> list[Storm]:
        with self._database.read() as connection:
            return storming.storms(connection)

    def schedules(self) -> list[Scheduled]:
        with self._database.read() as connection:
            return scheduling.schedules(connection)

    def workflows(self) -> list[Defined]:
        return plans.workflows(self._database)

    def family(self, task_id: int) -> Family | None:
        return plans.family(self._database, task_id)

    def step_seconds(self, workflow: str) -> dict[str, Took]:
        return plans.step_seconds(self._database, workflow)

    def waits_for(self, ids: Iterable[int]) -> dict[int, list[int]]:
        return reading.waits_for(self._database, ids)

    # -- care --------------------------------------------------------------------------------

    @contextmanager
    def waiting(self, seconds: float) -> Iterator[None]:
        before, self._database.patience = self._database.patience, seconds
        try:
            yield
        finally:
            self._database.patience = before

    def recount(self) -> list[Discrepancy]:
        return books.recount(self._database)

    def reopen(self) -> None:
        self._database.reopen()
        self._lanes = Lanes(self._database)
        self._plans = Plans(self._database, self._lanes)

    def close(self) -> None:
        self._database.close()
