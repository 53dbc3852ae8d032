"""What is true, and the operations that change it.

Every operation is one transaction: when it returns, it is durable; when it raises, nothing of it
happened, but for `StoreUnavailableError`, after which nobody knows and a fresh process must read
again. Values go in and values come out; no cursor and no SQL leaves the room. The time and the
fence are arguments. Every operation that changes a task adds its events to the outbox in the same
transaction and keeps the counters by relative deltas.

Three kinds of callers. The engine (one, holding the fence) moves tasks with `turn`. A program that
does the work itself takes one task at a time with `pop` and settles it with `hand_in`; no engine
touches it in between. Everybody else (producers, people) adds tasks and acts on what does not run;
what runs is asked for by a control, which the engine obeys. Written for SQLite and for PostgreSQL alike.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Protocol

from overnight.core.answers import Acted, Added, Cause, Discrepancy, Forgotten, Known, OutboxRow, Survey
from overnight.core.claims import Claim, Claimed, Lane, OpenAttempt, Opened, Rested, Turn
from overnight.core.edits import Change, Edited
from overnight.core.events import Event
from overnight.core.night import Night
from overnight.core.relocation import Relocation
from overnight.core.schedules import Decision, Scheduled
from overnight.core.scores import Group
from overnight.core.states import TaskState
from overnight.core.storms import Storm
from overnight.core.task import Action, Attempt, NewTask, Task
from overnight.core.verdict import Settlement
from overnight.core.workflow.model import Workflow
from overnight.core.workflow.records import Defined, Family, Took
from overnight.store.records import Control, Counts, Orders, Popped, Query, Queue, Selector, Verb

__all__ = [
    "Acted",
    "Added",
    "Cause",
    "Claim",
    "Claimed",
    "Control",
    "Counts",
    "Discrepancy",
    "Forgotten",
    "Known",
    "Lane",
    "OpenAttempt",
    "Opened",
    "Orders",
    "OutboxRow",
    "Popped",
    "Query",
    "Queue",
    "Rested",
    "Selector",
    "Settlement",
    "Store",
    "Storm",
    "Survey",
    "Turn",
    "Verb",
]


class Store(Protocol):
    """The store of one home."""

    # -- producers ---------------------------------------------------------------------------

    def add(
        self, tasks: Sequence[NewTask], *, now: float, by: str = "", batch: int | None = None, unique: bool = False
    ) -> Added:
        """Put tasks into the queue, all or none.

        With `batch` they stay invisible until `publish`. With `unique` a task whose identity is in
        the store already (in any state) is not added again; equal ones within the call are one task, and
        whoever waits for one of them (`after_here`) waits for the task that is there. The runner's own tasks
        are compared with those of their queue; all of a call are in one.
        """

    def open_batch(self, *, now: float, owner: str) -> int:
        """Begin a large add that goes in several transactions. `owner` is "pid:start:boot" of the caller."""

    def publish(self, batch: int, *, now: float) -> int:
        """Make everything of the batch visible at once, at a cost that does not depend on its size.

        Returns the number of tasks.
        """

    def abandon(self, batch: int) -> int:
        """Remove what an unpublished batch has added so far. Returns the number of tasks; 0 when it is not open.

        The one operation that may take several transactions: nobody sees the batch. From the first
        on it can no longer be published, and after a crash in between it can be abandoned again.
        """

    def open_batches(self) -> list[tuple[int, str, float]]:
        """Unpublished batches: id, owner, begun at."""

    def find(self, tasks: Sequence[NewTask], *, queue: str | None = None) -> list[Known]:
        """The newest existing task for each of `tasks` with the same identity, compared in full.

        The queue is no part of the identity; with `queue` only tasks of that one are looked at, without it all
        but the runner's own.
        """

    def restamp(self, stamps: Mapping[int, str], *, now: float, by: str) -> int:
        """Note the size and time that a task's file has now, by task id. Returns how many differed.

        Only of what is still to run, or will be revived: waiting, pending, failed. What a running or a
        completed task has worked on stays on record.
        """

    def redefine(self, tasks: Mapping[int, NewTask], *, now: float, by: str) -> list[int]:
        """Do tasks that are there in another way from here on: options, priority, queue and needs, by task id.

        Only of what is still to run, or will be revived: waiting, pending, failed; and only as long as the identity
        is the same. Tasks of workflows are left as they are. Returns the ids of those that were other before.
        """

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
        """Do `verb` to every selected task for which it is a legal step; running ones get a control.

        What is done to a workflow task reaches its steps, by the table in `core.workflow.cascades`; what is done to a
        step reaches those that wait for it. `restart`: names of steps from which a retry begins anew.
        `stamps`: noted first, as by `restamp`, all or nothing with what is done.
        """

    def edit(self, selector: Selector, change: Change, *, now: float, by: str, dry_run: bool = False) -> Edited:
        """Change selected tasks that are still to run, by the rules of `core.edits`.

        What is as it is to be already is no change. With `dry_run` all is found out and nothing is written.
        """

    def relocate(self, relocation: Relocation, *, now: float, by: str, dry_run: bool = False) -> int:
        """Have everything that was done in a directory, or below it, done at the same place of where it is now.

        What has ended comes along, so that it is found again there. The caller holds the home, for an engine keeps what
        it has claimed. Returns how many tasks that are, steps not counted; with `dry_run` nothing is written.
        """

    def remove(self, selector: Selector, *, now: float, by: str) -> int:
        """Forget selected tasks that are final or held; they stay counted as removed. Returns how many."""

    def ask(self, verb: str, *, now: float, by: str, task_id: int | None = None, argument: str = "") -> int:
        """Leave a control for the engine. Returns its id."""

    def set_queue(self, queue: Queue, *, now: float, by: str) -> None:
        """Create a queue or change all its settings."""

    def define(self, workflows: Sequence[Workflow], *, source: str, now: float, by: str) -> list[str]:
        """Lay down all workflows that `source` defines; those it has defined before and does not any more are gone.

        Tasks are begun by the newest definition and keep it. Returns the names of those that are other than before.
        """

    def lay_schedules(self, wanted: Sequence[Scheduled], *, source: str, now: float, by: str) -> list[str]:
        """Lay down all schedules of `source`; those it has laid down before and are not among them are gone.

        One whose times are the same as before is due when it was. Returns the names of those that changed.
        """

    def run_schedule(self, name: str, task: NewTask, *, now: float, by: str) -> int:
        """Add what a schedule runs, now, whenever it is due. Returns the id. Raises NotFoundError."""

    # -- programs that do the work themselves ------------------------------------------------

    def next_up(self, queue: str, *, now: float, call: str | None = None) -> Task | None:
        """The task that `pop` would take; None when none is eligible."""

    def pop(
        self, queue: str, *, owner: str, now: float, by: str, task_id: int | None = None, call: str | None = None
    ) -> Popped | None:
        """Take the next eligible task of a queue for a process outside the engine; None when there is none.

        It is running then, with a start record like any other attempt, and not among `left_open`: no
        engine takes it back. With `task_id` this one is taken if it is pending or waiting, whatever
        it waits for; else, with `call`, only a task that calls this function is eligible. `owner` is
        "pid:start:boot" of the process.
        """

    def popped(self) -> list[Popped]:
        """The tasks that processes outside the engine have taken and not settled."""

    def hand_in(self, settlements: Sequence[Settlement], *, now: float) -> list[tuple[int, int]]:
        """Settle attempts that `pop` has begun. Returns the stale ones, as `turn` does.

        Needs no fence: what was not popped, or has been given back since, is stale here.
        """

    # -- everybody tells ---------------------------------------------------------------------

    def note(self, notes: Sequence[Event]) -> None:
        """Put events into the outbox that change no task."""

    # -- the engine --------------------------------------------------------------------------

    def take_fence(self, *, now: float, by: str) -> int:
        """Become the engine of this store: a number higher than every one before."""

    def stand_down(self, *, fence: int, now: float, why: str) -> None:
        """Say for the record that the engine with this fence lets go, and why. Changes nothing else.

        Raises:
            StaleEngineError: A newer engine holds the fence.
        """

    def orders(self) -> Orders:
        """What people have laid down; what is asked about a popped task only when its owner is done with it."""

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
        """One round, one transaction: settle, make due what is due, claim, forget obeyed controls, tell `notes`.

        A claim writes the start record of each attempt. Settlements are fenced by attempt number.
        At most 10,000 waiting tasks become due in one turn.

        Raises:
            StaleEngineError: A newer engine holds the fence; nothing was changed.
        """

    def move_waits(self, seconds: float, *, fence: int, now: float) -> int:
        """The wall clock has jumped by so many seconds: move the retries that wait along with it.

        After a failure a task waits for a length of time; everything else that waits for a time waits for
        an instant, and is not moved. Returns how many were.

        Raises:
            StaleEngineError: A newer engine holds the fence; nothing was changed.
        """

    def survey(self, *, after: int, limit: int) -> Survey:
        """What the next `limit` tasks with an id above `after` refer to."""

    def forget_finished(self, *, before: float, after: int, limit: int, fence: int, now: float, by: str) -> Forgotten:
        """Of the next `limit` tasks with an id above `after` forget those that have finished before this instant.

        They stay counted as removed. What belongs to a task that has not finished stays.
        """

    def spare_actions(self) -> Collection[int]:
        """The ids of all actions that may go if no task refers to them, in rising order."""

    def drop_actions(self, ids: Collection[int], *, after: int, fence: int) -> int:
        """Let those of these actions go to which no task refers. Returns how many went.

        The caller has seen by `survey` that no task up to the id `after` refers to any of them; later
        ones are looked at here.
        """

    def set_storm(self, storm: Storm, *, now: float) -> None:
        """Put a storm on record: one that has begun, or one that goes on after a probe. One for each subject's key."""

    def end_storm(self, storm: Storm, *, now: float, by: str, revivals: int | None = None) -> list[int] | None:
        """It is over: what failed for good in it is revived, and what waits for its time after failing in it need not.

        Steps that failed are revived with their task. With `revivals` only tasks of a generation up to this number,
        and nobody's hand is in it; without, a person has ended it.
        Returns the ids of the tasks that are revived; None when there was no such storm any more.
        """

    def fire(
        self, found: Scheduled, decision: Decision, tasks: Sequence[NewTask], *, fence: int, now: float, by: str
    ) -> list[int] | None:
        """Do what was decided about a schedule: add the tasks of its runs, and put down when it is due next.

        `found` is the record that was decided on. Returns the ids; None when that has changed meanwhile, and then
        nothing was done.

        Raises:
            StaleEngineError: A newer engine holds the fence; nothing was changed.
        """

    def left_open(self) -> list[OpenAttempt]:
        """The attempts of engines that are on record and were not settled."""

    def outbox(self, limit: int, *, after: int = 0) -> list[OutboxRow]:
        """The oldest events that have not been drained and whose outbox id is above `after`, in order."""

    def told(self) -> int:
        """How many events our own writes have put there so far: another number when there may be some to drain."""

    def drained(self, upto: int, *, seq: int) -> None:
        """Events up to outbox id `upto` are in the journal for good; `seq` is the last number given."""

    def journal_seq(self) -> int:
        """The last event number that `drained` was told."""

    def tidy(self) -> None:
        """Move the write-ahead log into the store. Only the engine calls it."""

    # -- everybody reads ---------------------------------------------------------------------

    def leader(self) -> str:
        """The engine that works on this store, whatever its home, in words; empty where a store has one home only."""

    def change_token(self) -> int:
        """A number that changes when another connection has changed the store."""

    def counts(self, *, queue: str | None = None, workflow: str | None = None) -> Counts:
        """The counters; costs the same however many tasks there are."""

    def get(self, task_id: int) -> Task:
        """One task. Raises NotFoundError."""

    def tasks(self, query: Query) -> list[Task]:
        """A page of tasks, newest first."""

    def longest_running(self) -> Task | None:
        """The task that runs longest, steps left out; None when none runs."""

    def how_many(self, query: Query) -> int:
        """How many tasks a listing would show, at most `query.limit`; what lies before is looked at, too."""

    def slots_of(self, ids: Iterable[int]) -> dict[tuple[int, int], int]:
        """In which slot each ended attempt of these tasks ran, by task and attempt; absent where that is not known."""

    def states(self, ids: Iterable[int]) -> dict[int, TaskState]:
        """The states of these tasks; unknown ids are absent."""

    def places(self, ids: Iterable[int]) -> dict[int, tuple[str, str]]:
        """The queues and workflows of these tasks; unknown ids are absent."""

    def attempts(self, task_id: int) -> list[Attempt]:
        """The ended attempts of a task, in order."""

    def scored(self, newest: int) -> list[Group]:
        """Those of people among so many of the newest tasks and steps, counted by what `core.scores` asks for."""

    def night(self, *, since: float, until: float, spans: int) -> Night:
        """What happened between two instants (POSIX seconds), told in so many spans of time. Goes through all tasks."""

    def causes(self, limit: int) -> list[Cause]:
        """What has failed, by cause, the most first. Costs what has failed."""

    def unaccounted(self) -> int:
        """Tasks and steps that count as running without an attempt or steps on record. Costs what runs; 0 when well."""

    def actions(self, ids: Iterable[int]) -> dict[int, Action]:
        """Actions by id."""

    def queues(self) -> list[Queue]:
        """All queues that have settings or tasks, but for the runner's own."""

    def storms(self) -> list[Storm]:
        """The storms that there are."""

    def schedules(self) -> list[Scheduled]:
        """All schedules, by name."""

    def workflows(self) -> list[Defined]:
        """All workflows by which tasks can be begun now, by name."""

    def family(self, task_id: int) -> Family | None:
        """How a workflow task stands; None for any other task, and for one that has not been begun."""

    def step_seconds(self, workflow: str) -> dict[str, Took]:
        """How long the completed steps of the newest tasks of a workflow took, by their names."""

    def waits_for(self, ids: Iterable[int]) -> dict[int, list[int]]:
        """The tasks that each of these waits for, or has waited for, by hand; those without are absent."""

    # -- care --------------------------------------------------------------------------------

    def recount(self) -> list[Discrepancy]:
        """Compare counters, states, attempts and open attempts with each other; [] when they balance."""

    def waiting(self, seconds: float) -> AbstractContextManager[None]:
        """A block in which a write waits only so long for another program before it raises StoreBusyError."""

    def check_file(self) -> None:
        """Raise StoreDamagedError when the file behind the connection is no longer the one at its path."""

    def copy_to(self, path: Path) -> None:
        """Copy all that this connection sees to a new file, whatever has become of the name of its own.

        On the disk on return. Raises StoreDamagedError, DiskFullError.
        """

    def reopen(self) -> None:
        """Go on with the file that is at the path now. Raises NotFoundError when there is none, and stays as it is."""

    def close(self) -> None:
        """Let go of the store; ended for good."""
