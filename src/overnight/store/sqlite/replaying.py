"""Doing again what the journal tells, in a copy of the store that is older than the journal.

The same functions do it that did it then, with the instants of then, a batch for each run of equal
records: what followed from something then (steps that go on, tasks that fail with others, counters)
follows again, and what the journal says about it finds its task there already. What does not fit is
counted and never guessed, but for the state of a task: that the journal has the last word on.

Only into a copy that nobody else knows of; what it writes to the outbox stands in the journal already
and is dropped.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from datetime import UTC, datetime

import apsw
import msgspec

from overnight.core.errors import OvernightError, StoreUnavailableError
from overnight.core.events import stamp
from overnight.core.states import FINAL, TaskState
from overnight.core.task import Action
from overnight.core.verdict import Settlement
from overnight.store.contract import Queue, Selector, Verb
from overnight.store.sql import (
    acting,
    adding,
    claiming,
    editing,
    popping,
    redefining,
    relocating,
    scheduling,
    storming,
    turning,
)
from overnight.store.sql.advancing import Advance
from overnight.store.sql.database import Transaction
from overnight.store.sql.expanding import Expander
from overnight.store.sql.lanes import Lanes
from overnight.store.sql.plans import Plans
from overnight.store.sql.redo import Record, read
from overnight.store.sql.statements import Row, read_all, read_one, run
from overnight.store.sqlite.batches import VERBS, batches, deed_of, runs
from overnight.store.sqlite.rebuilding import Rebuilt

#: What a record raises that speaks of what is not there: lines before it are missing.
_UNFIT = (apsw.ConstraintError, OvernightError, ArithmeticError, AssertionError, LookupError, TypeError, ValueError)


class Replayed(msgspec.Struct):
    """What became of the records."""

    done: int = 0
    #: Lines that could not be read.
    unreadable: int = 0
    #: Records that did not fit, by their event.
    unfit: Counter[str] = msgspec.field(default_factory=Counter)
    last: int = 0


class Replayer:
    """Does records again in one copy.

    Args:
        rebuilt: The copy.
    """

    def __init__(self, rebuilt: Rebuilt) -> None:
        self._store = rebuilt.store
        self._database = rebuilt.database
        self._connection = rebuilt.database.connection
        self._lanes = Lanes(rebuilt.database)
        self._plans = Plans(rebuilt.database, self._lanes)
        self._actions: dict[str, Action] = {}
        self._result = Replayed()
        #: What comes next, for what only its consequences tell.
        self._following: Sequence[Record] = ()
        self._deeds: dict[str, Callable[[Sequence[Record]], None]] = {
            "added": self._add,
            "started": self._start,
            "begun": self._begin,
            "popped": self._pop,
            "ended": self._end,
            "by_hand": self._by_hand,
            "removed": self._remove,
            "edited": self._edit,
            "redefined": self._redefine,
            "rescheduled": self._reschedule,
            "tasks_relocated": self._relocate,
            "frozen": self._froze,
            "thawed": self._froze,
            "queue_changed": self._set_queues,
            "control_asked": self._ask,
            "clock_jumped": self._move_waits,
            "workflow_defined": self._define,
            "processor_started": self._take_fence,
            "storm_began": self._set_storms,
            "storm_probed": self._set_storms,
            "storm_ended": self._end_storms,
            "schedule_laid": self._redo_schedules,
            "schedule_dropped": self._redo_schedules,
            "schedule_fired": self._redo_schedules,
            "schedule_missed": self._redo_schedules,
            "schedule_replanned": self._redo_schedules,
        }

    def replay(self, lines: Iterable[bytes]) -> Replayed:
        """Do all of these again, in their order."""
        keep = int(read_one(self._connection, "last_outbox_id"))
        for batch, following in batches(self._records(lines)):
            self._following = following
            self._do(batch)
            self._result.done += len(batch)
            self._result.last = batch[-1].seq
            with self._database.write("replay"):
                run(self._connection, "drop_outbox_after", (keep,))
        return self._result

    def _do(self, batch: Sequence[Record]) -> None:
        """Do a batch, and one that does not fit record by record."""
        deed, _ = deed_of(batch[0])
        if deed not in self._deeds:
            return
        try:
            self._deeds[deed](batch)
        except _UNFIT as error:
            if isinstance(error, StoreUnavailableError):
                raise
            if len(batch) == 1:
                self._unfit(batch)
                return
            for record in batch:
                self._do([record])

    def _records(self, lines: Iterable[bytes]) -> Iterator[Record]:
        for line in lines:
            record = read(line)
            if record is None:
                self._result.unreadable += 1
            else:
                yield record

    def _unfit(self, records: Sequence[Record]) -> None:
        for record in records:
            self._result.unfit[record.event] += 1

    # -- tasks -------------------------------------------------------------------------------

    def _add(self, records: Sequence[Record]) -> None:
        """Under the same numbers: each run of them is added as if the next number were its first."""
        last = int(read_one(self._connection, "facts_last_task_id"))
        for run_of in runs(records):
            ids = [record.id or 0 for record in run_of]
            known = self._store.states(ids)
            fresh = [record for record in run_of if record.id not in known]
            last = max(last, ids[-1])
            for piece in runs(fresh):
                self._add_run(piece)
        with self._database.write("replay"):
            run(self._connection, "set_last_task_id", (last,))

    def _add_run(self, records: Sequence[Record]) -> None:
        first = records[0].id or 0
        tasks = [record.task(self._action(record), first) for record in records]
        with self._database.write("replay"):
            run(self._connection, "set_last_task_id", (first - 1,))
        try:
            adding.add(
                self._database, self._lanes, tasks, now=records[0].now, by=records[0].by, batch=None, unique=False
            )
        except StoreUnavailableError:
            raise
        except OvernightError:  # what it waited for has failed by the time the journal tells of it
            alone = [msgspec.structs.replace(task, after=(), after_here=()) for task in tasks]
            adding.add(
                self._database, self._lanes, alone, now=records[0].now, by=records[0].by, batch=None, unique=False
            )

    def _action(self, record: Record) -> Action:
        if record.has_definition():
            self._actions[record.action] = record.defined_action()
        elif record.action not in self._actions:  # the line that had it is missing; an older task may have the same
            known = read_all(self._connection, "known_action", (bytes.fromhex(record.action),))
            self._actions[record.action] = msgspec.msgpack.decode(known[0][0], type=Action)
        return self._actions[record.action]

    def _remove(self, records: Sequence[Record]) -> None:
        ids = tuple(record.id or 0 for record in records)
        now, by = records[0].now, records[0].by
        gone = acting.remove(self._database, self._lanes, self._plans, Selector(ids=ids), now=now, by=by)
        if gone < len(ids):
            self._result.unfit["file_removed"] += len(ids) - gone

    def _edit(self, records: Sequence[Record]) -> None:
        stamps = {record.id or 0: record.stamp for record in records}
        adding.restamp(self._database, stamps, now=records[0].now, by=records[0].by)

    def _redefine(self, records: Sequence[Record]) -> None:
        tasks = {record.id or 0: record.task(self._action(record), 0) for record in records}
        redefining.redo(self._database, self._lanes, tasks, now=records[0].now, by=records[0].by)

    def _reschedule(self, records: Sequence[Record]) -> None:
        self._pass_time(records[0].now)
        for record in records:
            until = None if record.not_before is None else record.not_before.timestamp()
            editing.reschedule(self._database, record.id or 0, until, now=record.now, by=record.by)

    def _relocate(self, records: Sequence[Record]) -> None:
        for record in records:
            relocating.relocate(self._database, record.relocation(), now=record.now, by=record.by, dry_run=False)

    # -- attempts ----------------------------------------------------------------------------

    def _pass_time(self, now: float, settlements: Sequence[Settlement] = ()) -> list[tuple[int, int]]:
        """What a turn at this moment does besides claiming. Returns settlements that were stale."""
        turn = turning.turn(
            self._database,
            self._lanes,
            self._plans,
            fence=int(read_one(self._connection, "fence")),
            now=now,
            settlements=settlements,
            claim=None,
            obeyed=(),
            notes=(),
        )
        return turn.stale

    def _start(self, records: Sequence[Record]) -> None:
        now, at = records[0].now, records[0].at.isoformat()
        self._pass_time(now)
        with self._database.write("replay") as transaction:
            rows = self._to_start(records, transaction)
            claiming.become_running(self._connection, transaction, rows)
            claiming.record_starts(self._connection, transaction, rows, fence=records[0].fence, now=now, at=at)

    def _to_start(self, records: Sequence[Record], transaction: Transaction) -> list[Row]:
        wanted = {record.id or 0: record for record in records}
        for lane_id, is_step in read_all(self._connection, "hurry_due", (self._connection.ids(wanted),)):
            transaction.move(lane_id, is_step, TaskState.WAITING, -1)
            transaction.move(lane_id, is_step, TaskState.PENDING, 1)
        rows = [
            row
            for row in read_all(self._connection, "to_start", (self._connection.ids(wanted),))
            if row[1] == wanted[row[0]].attempt or wanted[row[0]].first_step
        ]
        fitting = {row[0] for row in rows}
        self._unfit([record for task_id, record in wanted.items() if task_id not in fitting])
        return rows

    def _begin(self, records: Sequence[Record]) -> None:
        """Workflow tasks: their steps get the numbers that they had."""
        for record in records:
            self._pass_time(record.now)
            with self._database.write("replay") as transaction:
                rows = self._to_start([record], transaction)
                if not rows:
                    continue
                claiming.become_running(self._connection, transaction, rows)
                last = int(read_one(self._connection, "facts_last_task_id"))
                run(self._connection, "set_last_task_id", (record.first_step - 1,))
                at = record.at.isoformat()
                advance = Advance(self._connection, transaction, self._plans, now=record.now, at=at)
                expander = Expander(
                    self._connection,
                    transaction,
                    self._lanes,
                    self._plans,
                    advance,
                    fence=record.fence,
                    now=record.now,
                    at=at,
                )
                expander.open(rows)
                run(self._connection, "set_last_task_id", (max(last, record.first_step + record.steps - 1),))

    def _pop(self, records: Sequence[Record]) -> None:
        for record in records:
            popped = popping.pop(
                self._database,
                self._lanes,
                self._plans,
                "",
                owner=record.owner or "0:0:",
                now=record.now,
                by=record.by,
                task_id=record.id,
            )
            if popped is None:
                self._unfit([record])

    def _end(self, records: Sequence[Record]) -> None:
        """How attempts ended. What has none of its own ended by what became of others, and has so already."""
        now = records[0].now
        ids = [record.id or 0 for record in records]
        popped = {row[0] for row in read_all(self._connection, "popped_among", (self._connection.ids(ids),))}
        mine = [record for record in records if record.id not in popped]
        stale = self._pass_time(now, [record.settlement() for record in mine])
        theirs = [record.settlement() for record in records if record.id in popped]
        if theirs:
            stale += popping.hand_in(self._database, self._plans, theirs, now=now)
        missed = set(stale)
        with self._database.write("replay"):
            run(self._connection, "drop_controls_of", (self._connection.ids(ids),))
        self._agree([record for record in records if (record.id, record.attempt) in missed])

    def _agree(self, records: Sequence[Record]) -> None:
        """The journal has the last word on what a task is."""
        for record in records:
            row = next(iter(read_all(self._connection, "where_is", (record.id,))), None)
            if row is None or record.state is None:
                self._unfit([record])
            elif row[0] != record.state and row[0] != TaskState.RUNNING:
                self._force(record, row)

    def _force(self, record: Record, row: Row) -> None:
        state, lane_id, is_step, _ = row
        if record.attempt:  # without one it is what others have led to, which may stand before them
            self._unfit([record])
        one = record.settlement()
        target = one.state
        with self._database.write("replay") as transaction:
            run(
                self._connection,
                "restore_state",
                (
                    one.task_id,
                    target,
                    one.failures,
                    one.deaths,
                    one.not_before if target is TaskState.WAITING else None,
                    record.now if target in FINAL else None,
                    None if target in (TaskState.COMPLETED, TaskState.CANCELLED) else one.reason,
                    one.error_class,
                    one.error,
                    one.fingerprint,
                ),
            )
            transaction.move(lane_id, is_step, state, -1)
            transaction.move(lane_id, is_step, target, 1)

    def begun(self, keys: Iterable[tuple[int, int]], *, now: float) -> list[int]:
        """Attempts of which something else than the journal knows that they have begun: on record from now on.

        Only the next one of a task that could begin. Unlike what is done again this is told.

        Args:
            keys: Task and attempt.
            now: POSIX seconds.

        Returns:
            The tasks of which that was not known.
        """
        wanted = dict(keys)
        known = {
            task_id: row
            for task_id in wanted
            for row in read_all(self._connection, "where_is", (task_id,))
            if row[0] in (TaskState.WAITING, TaskState.PENDING) and row[3] + 1 == wanted[task_id]
        }
        if not known:
            return []
        at = datetime.fromtimestamp(now, UTC)
        records = [Record(seq=0, event="file_started", at=at, id=one, attempt=wanted[one]) for one in known]
        fence = int(read_one(self._connection, "fence"))
        with self._database.write("replay") as transaction:
            rows = self._to_start(records, transaction)
            claiming.become_running(self._connection, transaction, rows)
            claiming.record_starts(self._connection, transaction, rows, fence=fence, now=now, at=stamp(now))
        return [row[0] for row in rows]

    # -- people ------------------------------------------------------------------------------

    def _by_hand(self, records: Sequence[Record]) -> None:
        """Those that still are what they were: what was done to the others has followed already."""
        ids = [record.id or 0 for record in records]
        self._pass_time(records[0].now)
        states = self._states(ids)
        left = tuple(record.id or 0 for record in records if _is_still(record, states.get(record.id or 0)))
        if left:
            verb = VERBS[records[0].event.partition("_")[2]]
            if verb is Verb.RELEASE and records[0].was != TaskState.HELD:
                verb = Verb.RETRY  # a retry that waited, and was hurried
            steps = self._steps_again() if verb is Verb.RETRY else {}
            self._act(verb, [one for one in left if one not in steps], records[0])
            for task_id in (one for one in left if one in steps):
                self._act(verb, [task_id], records[0], restart=steps[task_id])
        with self._database.write("replay"):
            run(self._connection, "drop_controls_of", (self._connection.ids(ids),))

    def _act(self, verb: Verb, ids: Sequence[int], record: Record, restart: Sequence[str] = ()) -> None:
        if ids:
            selector = Selector(ids=tuple(ids))
            with self._database.write("replay") as transaction:
                acting.act_within(
                    self._database,
                    transaction,
                    self._plans,
                    verb,
                    selector,
                    now=record.now,
                    by=record.by,
                    restart=restart,
                    alone=record.alone,
                )

    def _steps_again(self) -> dict[int, list[str]]:
        """At which steps tasks were begun again: the steps that were revived with them."""
        steps: dict[int, list[str]] = {}
        for record in self._following:
            if record.event == "step_revived":
                steps.setdefault(record.parent, []).append(record.step)
        return steps

    def _froze(self, records: Sequence[Record]) -> None:
        """What was frozen then has ended by now; what was asked for was done."""
        with self._database.write("replay"):
            run(self._connection, "drop_freezes_of", (self._connection.ids([record.id or 0 for record in records]),))

    def _states(self, ids: Iterable[int]) -> dict[int, TaskState]:
        found = {}
        for task_id in ids:
            for row in read_all(self._connection, "where_is", (task_id,)):
                found[task_id] = TaskState(row[0])
        return found

    def _set_queues(self, records: Sequence[Record]) -> None:
        for record in records:
            until = None if record.paused_until is None else record.paused_until.timestamp()
            queue = Queue(record.queue, record.slots, record.rate, record.paused, until)
            acting.set_queue(self._database, queue, now=record.now, by=record.by)

    def _ask(self, records: Sequence[Record]) -> None:
        """What was asked about a running task is asked again; the engine of then is gone."""
        for record in records:
            if record.id is not None:
                acting.ask(
                    self._database,
                    record.verb,
                    now=record.now,
                    by=record.by,
                    task_id=record.id,
                    argument=record.argument,
                )

    # -- everything else ---------------------------------------------------------------------

    def _set_storms(self, records: Sequence[Record]) -> None:
        with self._database.write("replay"):
            for record in records:
                storming.put(self._connection, record.storm(self._action_id(record)))

    def _end_storms(self, records: Sequence[Record]) -> None:
        """Only that: what was revived with it has events of its own."""
        with self._database.write("replay"):
            for record in records:
                run(self._connection, "drop_storm", (record.workflow, self._action_id(record)))

    def _redo_schedules(self, records: Sequence[Record]) -> None:
        """What was added by them has events of its own."""
        with self._database.write("replay"):
            for record in records:
                scheduling.redo(self._connection, record)

    def _action_id(self, record: Record) -> int:
        """The number that an action has here; 0 for a workflow."""
        return int(read_one(self._connection, "action_id", (bytes.fromhex(record.action),))) if record.action else 0

    def _move_waits(self, records: Sequence[Record]) -> None:
        with self._database.write("replay"):
            for record in records:
                run(self._connection, "move_waits", (record.seconds,))
                run(self._connection, "move_storms", (record.seconds,))

    def _define(self, records: Sequence[Record]) -> None:
        with self._database.write("replay"):
            for record in records:
                definition = bytes(record.definition)
                digest = bytes.fromhex(record.digest)
                run(self._connection, "add_definition", (digest, record.name, definition))
                definition_id = int(read_one(self._connection, "definition_id", (digest,)))
                run(self._connection, "set_workflow", (record.name, definition_id, record.source, record.now))

    def _take_fence(self, records: Sequence[Record]) -> None:
        with self._database.write("replay"):
            run(self._connection, "set_fence", (max(record.fence for record in records),))


def _is_still(record: Record, state: TaskState | None) -> bool:
    """Whether a task is what it was when something was done to it; that time has passed makes no difference."""
    waiting = {TaskState.WAITING, TaskState.PENDING}
    return state == record.was or (record.was in waiting and state in waiting)
