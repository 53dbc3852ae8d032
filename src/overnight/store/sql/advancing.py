"""What follows when tasks have ended: others may go on, fail with them, or are closed by them.

Inside of a transaction that has ended tasks, and before its end. Round by round: the ends of one round
free or fail what waits for them, a step that is skipped is an end of the next round, and a workflow
task ends when its last step has. Nothing is asked twice, so a chain of ten thousand costs ten thousand.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from typing import Any, NamedTuple

import msgspec

from overnight.core import results, step_events
from overnight.core.states import FINAL, Cause, ErrorClass, Reason, TaskState, check
from overnight.core.workflow.cascades import standing_of
from overnight.core.workflow.plan import Fail, Run, Skip, Verdict
from overnight.store.contract import Rested
from overnight.store.sql import families
from overnight.store.sql.database import Transaction
from overnight.store.sql.families import Family
from overnight.store.sql.plans import Plans
from overnight.store.sql.statements import Connection, Row, read_all, read_each, read_for_each, read_one, run, run_each

_S = TaskState
for _cause, _target in ((Cause.DUE, _S.PENDING), (Cause.FAIL, _S.FAILED), (Cause.SUCCEED, _S.COMPLETED)):
    check(_S.WAITING, _cause, _target)
for _cause, _target in (
    (Cause.SUCCEED, _S.COMPLETED),
    (Cause.FAIL, _S.FAILED),
    (Cause.CANCEL, _S.CANCELLED),
    (Cause.HOLD, _S.HELD),
):
    check(_S.RUNNING, _cause, _target)

_WORDS = {_S.FAILED: "has failed", _S.CANCELLED: "was cancelled", _S.HELD: "is held"}


class End(NamedTuple):
    """A task that has ended, or is held. `parent_id` 0: it is no step. `moved`: it could move by itself until now."""

    task_id: int
    parent_id: int
    state: TaskState
    reason: Reason | None = None
    moved: bool = True
    #: What began it, for those that fail with it.
    why: str = ""


class Ready(NamedTuple):
    """A waiting task that nothing blocks any more."""

    task_id: int
    lane_id: int
    parent_id: int | None
    #: POSIX seconds before which it must not start all the same.
    later: float | None
    step: str


class Advance:
    """What follows, for one transaction.

    Args:
        connection: Inside a write.
        transaction: Its events and counters.
        plans: Of the definitions.
        now: POSIX seconds.
        at: The same, as events have it.
        has_edges: Whether any task waits for another one by hand, where that is known already.
    """

    def __init__(
        self,
        connection: Connection,
        transaction: Transaction,
        plans: Plans,
        *,
        now: float,
        at: str,
        has_edges: bool | None = None,
    ) -> None:
        self._connection = connection
        self._transaction = transaction
        self._plans = plans
        self._now = now
        self._at = at
        self._families: dict[int, Family] = {}
        #: Whether any task waits for another one by hand; none are made in the meantime.
        self.has_edges = bool(read_one(connection, "any_edges")) if has_edges is None else has_edges
        #: Tasks that are no steps and have come to rest.
        self.rested: list[Rested] = []

    def adopt(self, family: Family) -> None:
        """Take over a family that has been loaded, and look at the end what it has come to."""
        family.is_changed = True
        self._families[family.task_id] = family

    def follow(self, ends: Sequence[End], ready: Sequence[Ready] = ()) -> list[Rested]:
        """Do all that follows. Returns tasks that are no steps and have come to rest by it."""
        begun = list(ends)
        self._load(begun, ready)
        begun += self._begin(ready)
        while begun or (begun := self._close()):
            hits, failing = self._reach(begun)
            begun = self._fail(failing) + self._begin(self._free(hits, failing))
        families.write(self._connection, self._families.values())
        return self.rested

    def _load(self, ends: Iterable[End], ready: Iterable[Ready]) -> None:
        parents = {one.parent_id for one in ends} | {one.parent_id or 0 for one in ready}
        self._families |= families.load(self._connection, self._plans, parents - self._families.keys() - {0})

    # -- what has ended ----------------------------------------------------------------------

    def _reach(self, ends: Sequence[End]) -> tuple[Counter[int], dict[int, str]]:
        """How many of what each task waits for is done, and which cannot run any more, and why."""
        hits: Counter[int] = Counter()
        failing: dict[int, str] = {}
        others = [one for one in ends if not one.parent_id or not self._reach_step(one, hits, failing)]
        finished = {one.task_id: one for one in others if not one.parent_id and one.state in FINAL}
        if finished and self.has_edges:
            for task_id, after_id in read_each(self._connection, "waiting_for", (self._connection.ids(finished),)):
                end = finished[after_id]
                if end.state is _S.COMPLETED:
                    hits[task_id] += 1
                else:
                    failing.setdefault(task_id, end.why or f"task {after_id} {_WORDS[end.state]}")
        return hits, failing

    def _reach_step(self, end: End, hits: Counter[int], failing: dict[int, str]) -> bool:
        """The same for a step. False when it is none of a task as it is begun now."""
        family = self._families.get(end.parent_id)
        node = family.node(end.task_id) if family else None
        if family is None or node is None:
            return False
        family.is_changed = True
        family.moving -= end.moved
        if end.state not in FINAL:
            return True
        family.ended(node, end.state, end.reason)
        after = family.plan.graph.dependents[node]
        if family.lets_go_on(node, end.state, end.reason):
            for other in after:
                hits[family.first_id + other] += 1
        else:
            why = end.why or f"step {family.plan.graph.names[node]!r} {_WORDS[end.state]}"
            for other in after:
                failing.setdefault(family.first_id + other, why)
        return True

    def _fail(self, failing: dict[int, str]) -> list[End]:
        """Fail what waits for something that will never be done."""
        ends = []
        asked = [(task_id, self._now, why) for task_id, why in failing.items()]
        for task_id, lane_id, parent_id, step in read_for_each(self._connection, "fail_blocked", asked):
            why = failing[task_id]
            self._end(task_id, lane_id, parent_id, step, _S.FAILED, Reason.DEPENDENCY, why)
            ends.append(End(task_id, parent_id or 0, _S.FAILED, Reason.DEPENDENCY, moved=False, why=why))
        return ends

    def _end(
        self,
        task_id: int,
        lane_id: int,
        parent_id: int | None,
        step: str,
        state: TaskState,
        reason: Reason | None = None,
        why: str = "",
        *,
        skipped: bool = False,
    ) -> None:
        """Keep the books about a waiting task that has ended without an attempt."""
        is_step = int(parent_id is not None)
        self._transaction.move(lane_id, is_step, _S.WAITING, -1)
        self._transaction.move(lane_id, is_step, state, 1)
        self._transaction.events.append(
            step_events.without_attempt(
                at=self._at,
                task_id=task_id,
                state=state,
                reason=reason,
                error=why,
                parent=parent_id or 0,
                step=step,
                skipped=skipped,
            )
        )
        if parent_id is None:
            self.rested.append(Rested(task_id, state, reason, why))

    # -- what may go on ----------------------------------------------------------------------

    def _free(self, hits: Counter[int], failing: dict[int, str]) -> list[Ready]:
        """Count down what each task waits for. Returns those that wait for nothing any more.

        These are not written here: whatever becomes of them says also that they wait for nothing.
        """
        left: list[Row] = []
        free: list[Ready] = []
        asked = self._connection.ids(task_id for task_id in hits if task_id not in failing)
        for task_id, blockers, state, lane_id, parent_id, later, step in read_all(
            self._connection, "blocked", (asked,)
        ):
            if state == _S.WAITING and blockers <= hits[task_id]:
                free.append(Ready(task_id, lane_id, parent_id, later, step))
            else:
                left.append((task_id, max(blockers - hits[task_id], 0)))
        run_each(self._connection, "unblock", left)
        return free

    def _begin(self, ready: Sequence[Ready]) -> list[End]:
        """Let tasks go on that nothing blocks. Returns those that have ended thereby: skipped, joined, failed."""
        free: list[Ready] = []
        asked: list[Ready] = []
        for one in ready:
            family = self._families.get(one.parent_id or 0)
            node = family.node(one.task_id) if family else None
            if family is not None and node is not None and not family.plan.is_plain(node):
                asked.append(one)
            else:
                free.append(one)
        self._let_go(free)
        return self._decide(asked) if asked else []

    def _let_go(self, free: Sequence[Ready]) -> None:
        later = [one for one in free if one.later is not None and one.later > self._now]
        now = [one for one in free if one.later is None or one.later <= self._now]
        if now:
            run(self._connection, "free", (self._connection.ids([one.task_id for one in now]),))
        if later:
            run(self._connection, "free_later", (self._connection.ids([one.task_id for one in later]),))
        for one in now:
            self._count_free(one)

    def _count_free(self, one: Ready) -> None:
        is_step = int(one.parent_id is not None)
        self._transaction.move(one.lane_id, is_step, _S.WAITING, -1)
        self._transaction.move(one.lane_id, is_step, _S.PENDING, 1)
        if one.parent_id in self._families:
            family = self._families[one.parent_id]
            family.moving += 1
            family.is_changed = True

    def _decide(self, ready: Sequence[Ready]) -> list[End]:
        """Ask what becomes of steps that look at the outputs of others."""
        outputs = self._outputs(ready)
        ends: list[End] = []
        given: list[Row] = []
        for one in ready:
            family = self._families[one.parent_id or 0]
            node = one.task_id - family.first_id
            verdict = self._verdict(family, node, outputs)
            if isinstance(verdict, Run):
                given.append((one.task_id, verdict.given))
                self._count_free(one)
                continue
            ends.append(self._pass_by(one, verdict))
        run_each(self._connection, "free_with", given)
        return ends

    def _pass_by(self, one: Ready, verdict: Skip | Fail | Any) -> End:  # noqa: ANN401 - the rest is a join
        """A step that ends without having run."""
        key = (one.task_id, one.lane_id, one.parent_id, one.step)
        if isinstance(verdict, Fail):
            run(self._connection, "fail_ready", (one.task_id, self._now, verdict.why))
            self._end(*key, _S.FAILED, Reason.ERROR, verdict.why)
            return End(one.task_id, one.parent_id or 0, _S.FAILED, Reason.ERROR, moved=False)
        skipped = isinstance(verdict, Skip)
        why = verdict.why if isinstance(verdict, Skip) else ""
        run(self._connection, "pass_by", (one.task_id, self._now, skipped, why))
        self._end(*key, _S.COMPLETED, why=why, skipped=skipped)
        return End(one.task_id, one.parent_id or 0, _S.COMPLETED, moved=False)

    def _outputs(self, ready: Sequence[Ready]) -> dict[int, Row]:
        """The rows of all steps whose outputs are asked for."""
        wanted: set[int] = set()
        for one in ready:
            family = self._families[one.parent_id or 0]
            wanted.update(family.first_id + node for node in family.plan.sources(one.task_id - family.first_id))
        rows = read_each(self._connection, "results_of", (self._connection.ids(wanted),)) if wanted else ()
        return {row[0]: row for row in rows}

    def _verdict(self, family: Family, node: int, rows: dict[int, Row]) -> Verdict:
        outputs: dict[str, Any] = {}
        absent: dict[str, str] = {}
        large: dict[str, bytes] = {}
        for source in family.plan.sources(node):
            name = family.plan.graph.names[source]
            _, state, skipped, result = rows[family.first_id + source]
            if state != _S.COMPLETED or skipped:
                absent[name] = "was skipped" if skipped else "has failed"
            elif results.spilled(result) is not None:
                large[name] = result
            else:
                outputs[name] = msgspec.json.decode(result) if result else None
        return family.plan.decide(node, outputs, absent, family.input, large)

    # -- what is closed ----------------------------------------------------------------------

    def _close(self) -> list[End]:
        """End the workflow tasks whose steps have ended, and hold those that only a person can help."""
        ends = []
        told: list[Row] = []
        for family in self._families.values():
            if not family.is_changed or family.state is not _S.RUNNING:
                continue
            family.is_changed = False
            state = standing_of(family.tally)
            if family.expired and not family.open:
                state = _S.FAILED
            if state is not _S.RUNNING:
                ends.append(self._close_one(family, state, told))
        run_each(self._connection, "close_task", told)
        return [end for end in ends if end.state in FINAL]

    def _close_one(self, family: Family, state: TaskState, told: list[Row]) -> End:
        reason, error_class, error, fingerprint = self._words(family, state)
        finished = self._now if state in FINAL else None
        told.append((family.task_id, state, finished, reason, error_class, error, fingerprint))
        if family.plan.workflow.deadline is not None:
            run(self._connection, "stop_clock", (family.task_id,))
        self._transaction.move(family.lane_id, 0, _S.RUNNING, -1)
        self._transaction.move(family.lane_id, 0, state, 1)
        self._transaction.events.append(
            step_events.without_attempt(
                at=self._at,
                task_id=family.task_id,
                state=state,
                reason=reason,
                error=error,
                fingerprint=fingerprint,
                attempt=family.attempt,
                seconds=max(0.0, self._now - family.begun_at),
            )
        )
        family.state = state
        self.rested.append(Rested(family.task_id, state, reason, error, family.lane_id))
        return End(family.task_id, 0, state, reason, why=f"task {family.task_id} {_WORDS.get(state, '')}")

    def _words(self, family: Family, state: TaskState) -> tuple[Reason | None, ErrorClass | None, str, str]:
        """Reason, class, error and fingerprint of a workflow task: those of the step that it is due to."""
        if state is _S.HELD:
            step, reason = read_all(self._connection, "held_step", (family.task_id, family.first_id, family.last_id))[0]
            return Reason(reason), None, f"step {step!r} is held", ""
        if state is _S.FAILED and family.expired:
            return Reason.TIMEOUT, None, "over the deadline of its workflow", ""
        if state is _S.CANCELLED or not (family.failed or family.warned):
            return None, None, "", ""
        steps = read_all(self._connection, "failed_steps", (family.task_id, family.first_id, family.last_id))
        if state is _S.COMPLETED:
            words = ", ".join(repr(step) for _, step, *_ in steps[:3])
            more = f" and {len(steps) - 3} more" if len(steps) > 3 else ""  # noqa: PLR2004 - those not named
            return None, None, f"with a warning: failed without stopping it: {words}{more}", ""
        for task_id, step, reason, error_class, error, fingerprint in steps:
            if not family.lets_go_on(task_id - family.first_id, _S.FAILED, Reason(reason)):
                return Reason(reason), error_class, f"step {step!r}: {error}", fingerprint
        return Reason.DEPENDENCY, None, self._fallen(family), ""

    def _fallen(self, family: Family) -> str:
        """Why a task failed of which no step failed by itself."""
        for child in families.children(self._connection, family):
            if child.state is _S.FAILED:
                return f"step {child.step!r} could not run"
        return ""
