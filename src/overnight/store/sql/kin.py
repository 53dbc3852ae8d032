"""What a person does to one task and what it means for its kin: steps, the task they belong to, what waits for it.

Acting on a plain task is one statement (``acting``); here is the rest, for tasks that are not alone. Steps
are changed one by one by the table in ``core.workflow.cascades``; then the family is counted anew, and
`Advance` draws the conclusions, as it does when an attempt has ended.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence

from overnight.core import events
from overnight.core.states import FINAL, Cause, TaskState, check
from overnight.core.step_events import OF_HAND
from overnight.core.workflow.cascades import CASCADES, Posture, Wish
from overnight.core.workflow.graph import descendants
from overnight.store.contract import Rested, Verb
from overnight.store.sql import families
from overnight.store.sql.advancing import Advance, End, Ready
from overnight.store.sql.database import Transaction
from overnight.store.sql.families import Child, Family
from overnight.store.sql.plans import Plans
from overnight.store.sql.statements import Connection, Row, read_all, run

_S = TaskState
for _source, _cause, _target in (
    (_S.HELD, Cause.RELEASE, _S.WAITING),
    (_S.HELD, Cause.RELEASE, _S.PENDING),
    (_S.FAILED, Cause.REVIVE, _S.WAITING),
    (_S.PENDING, Cause.RETRY, _S.WAITING),
    (_S.WAITING, Cause.RELEASE, _S.PENDING),
):
    check(_source, _cause, _target)

_TOLD: dict[Cause, type[events.HandEvent]] = {
    Cause.CANCEL: events.FileCancelled,
    Cause.HOLD: events.FileHeld,
    Cause.RELEASE: events.FileReleased,
    Cause.REVIVE: events.FileRevived,
    Cause.RETRY: events.FileReleased,
}
#: Leaves a control about a running task.
Ask = Callable[[Verb, int], None]


class Kin:
    """Follows what is done to tasks, for one transaction.

    Args:
        connection: Inside a write.
        transaction: Its events and counters.
        plans: Of the definitions.
        ask: Leaves a control for the engine.
        now: POSIX seconds.
        by: Who does it.
        alone: No person does.
    """

    def __init__(
        self,
        connection: Connection,
        transaction: Transaction,
        plans: Plans,
        ask: Ask,
        *,
        now: float,
        by: str,
        alone: bool = False,
    ) -> None:
        self._connection = connection
        self._transaction = transaction
        self._plans = plans
        self._ask = ask
        self._now = now
        self._at = events.stamp(now)
        self._by = by
        self._alone = alone
        self._advance = Advance(connection, transaction, plans, now=now, at=self._at)
        self._ends: list[End] = []
        self._ready: list[Ready] = []
        #: Tasks that wait for others again, and may have to fail with them.
        self._blocked: list[int] = []

    def finish(self) -> list[Rested]:
        """Draw the conclusions. Returns tasks that are no steps and have come to rest by them."""
        if self._blocked:
            rows = read_all(self._connection, "gone_before", (self._connection.ids(self._blocked),))
            self._ends += [End(after_id, 0, TaskState(state), moved=False) for after_id, state in rows]
        return self._advance.follow(self._ends, self._ready)

    def touch(self, ids: Iterable[int]) -> None:
        """Note that these tasks have needed whoever does this, if that is a person."""
        if not self._alone:
            run(self._connection, "touch", (self._connection.ids(ids),))

    def expire(self, ids: Sequence[int]) -> None:
        """The time of these tasks, which run by their steps, is over."""
        for family in self._load(ids):
            self._reach_steps(family, Wish.DEADLINE)

    # -- tasks that are no steps -------------------------------------------------------------

    def give_up_steps(self, task_id: int) -> None:
        """A program that is no engine has taken this task, and does it in its own way."""
        for family in self._load([task_id]):
            for child in families.children(self._connection, family):
                if child.posture in families.OPEN:
                    self._change(family, child, Cause.CANCEL, _S.CANCELLED)
            run(self._connection, "forget_expansions", (self._connection.ids([task_id]),))

    def with_steps(self, ids: Iterable[int]) -> list[int]:
        """Those of these tasks that have been begun, so that they have steps."""
        return [row[0] for row in read_all(self._connection, "has_expansion", (self._connection.ids(ids),))]

    def done_to(self, verb: Verb, piece: Sequence[Row], target: TaskState, restart: Sequence[str] = ()) -> None:
        """`verb` has been done to these tasks, which were not running; rows as ``acting`` chooses them."""
        ids = [row[0] for row in piece]
        for family in self._load(self.with_steps(ids)):
            self._reach_steps(family, Wish(verb), restart)
        if not self._advance.has_edges:
            return
        if target is _S.CANCELLED:
            self._ends += [End(task_id, 0, target, moved=False) for task_id in ids]
        elif target is _S.PENDING:
            self._block(piece)
            if verb is Verb.RETRY:
                self._revive_fallen(ids)

    def do_to_running(self, verb: Verb, task_id: int, restart: Sequence[str]) -> int:
        """Do `verb` to a task that runs by its steps. Returns for how many of these the engine was asked."""
        (family,) = self._load([task_id])
        return self._reach_steps(family, Wish(verb), restart)

    def _load(self, ids: Sequence[int]) -> list[Family]:
        return list(families.load(self._connection, self._plans, ids).values())

    def _reach_steps(self, family: Family, wish: Wish, restart: Sequence[str] = ()) -> int:
        """Let what was done to a task reach its steps. Returns for how many the engine was asked."""
        children = families.children(self._connection, family)
        if wish is Wish.RETRY:
            self._redo(family, self._to_redo(family, children, restart), children)
            return 0
        asked = 0
        for child in children:
            move = CASCADES[wish].get(child.posture)
            if move is None:
                continue
            if move.asks:
                self._ask(Verb.HOLD if wish is Wish.HOLD else Verb.CANCEL, child.id)
                asked += 1
            else:
                self._change(family, child, move.cause, move.target)
        self._count(family, children)
        return asked

    def _count(self, family: Family, children: Iterable[Child]) -> None:
        family.recount(children)
        self._advance.adopt(family)

    def _change(self, family: Family, child: Child, cause: Cause, target: TaskState, *, blockers: int = 0) -> None:
        """Bring one step to another state, and tell of it."""
        ids = self._connection.ids([child.id])
        if cause is Cause.CANCEL or cause is Cause.HOLD:
            run(self._connection, str(cause), {"ids": ids, "now": self._now})
        else:
            statement = "revive_step" if cause is Cause.REVIVE else "step_waits"
            run(self._connection, statement, (child.id, blockers))
        self._transaction.move(child.lane_id, 1, child.state, -1)
        self._transaction.move(child.lane_id, 1, target, 1)
        self._transaction.events.append(
            OF_HAND[_TOLD[cause]](
                at=self._at,
                id=child.id,
                by=self._by,
                was=child.state,
                state=target,
                generation=child.generation + (cause is Cause.REVIVE),
                parent=family.task_id,
                step=child.step,
                alone=self._alone,
            )
        )
        child.state, child.blockers, child.reason = target, blockers, None

    # -- once more ---------------------------------------------------------------------------

    @staticmethod
    def _to_redo(family: Family, children: Sequence[Child], restart: Sequence[str]) -> set[int]:
        """What a retry begins with: what is named, and what failed or was cancelled; of a task that is done, all."""
        named = {node for node, name in enumerate(family.plan.graph.names) if name in restart}
        nodes = named | {node for node, child in enumerate(children) if child.posture in CASCADES[Wish.RETRY]}
        if not nodes and family.state is not _S.RUNNING:
            return set(range(len(children)))
        return nodes

    def _redo(self, family: Family, nodes: set[int], children: Sequence[Child]) -> None:
        """Run these steps once more, and everything after them."""
        self.touch([family.task_id])
        wanted = nodes | descendants(family.plan.graph, nodes)
        done = {n for n, child in enumerate(children) if n not in wanted and self._is_done(family, n, child)}
        open_ = {n for n, child in enumerate(children) if child.posture in families.OPEN}
        for node in family.plan.graph.order:
            needs = family.plan.graph.needs[node]
            if node in wanted and all(need in done or need in open_ for need in needs):
                self._redo_one(family, children[node], blockers=sum(need not in done for need in needs))
                open_.add(node)
        self._reopen(family)
        self._count(family, children)
        if family.state is _S.RUNNING:
            self._let_go(family, children)

    @staticmethod
    def _is_done(family: Family, node: int, child: Child) -> bool:
        return child.state in FINAL and family.lets_go_on(node, child.state, child.reason)

    def _redo_one(self, family: Family, child: Child, *, blockers: int) -> None:
        if child.state in FINAL:
            self._change(family, child, Cause.REVIVE, _S.WAITING, blockers=blockers)
        elif child.state is _S.PENDING and blockers:
            self._change(family, child, Cause.RETRY, _S.WAITING, blockers=blockers)
        elif child.posture is Posture.BLOCKED:
            run(self._connection, "step_waits", (child.id, blockers))
            child.blockers = blockers

    def _let_go(self, family: Family, children: Iterable[Child]) -> None:
        """The task runs: what is free may go on at once."""
        for child in children:
            if child.posture is Posture.LATER and child.not_before is None:
                family.moving -= 1  # counted again when it is let go
                self._ready.append(Ready(child.id, child.lane_id, family.task_id, None, child.step))

    def _reopen(self, family: Family) -> None:
        """Have a task claimed again whose steps may go on."""
        if family.state is _S.HELD:
            run(self._connection, "to_be_claimed", (family.task_id,))
            self._tell_task(family, events.FileReleased, 0)
        elif family.state in FINAL:
            run(self._connection, "revive", {"ids": self._connection.ids([family.task_id]), "now": self._now})
            self._tell_task(family, events.FileRevived, 1)
            self._revive_fallen([family.task_id])
        else:
            return
        self._transaction.move(family.lane_id, 0, family.state, -1)
        self._transaction.move(family.lane_id, 0, _S.PENDING, 1)
        family.state = _S.PENDING

    def _tell_task(self, family: Family, told: type[events.HandEvent], raised: int) -> None:
        generation = family.generation + raised
        self._transaction.events.append(
            told(
                at=self._at,
                id=family.task_id,
                by=self._by,
                was=family.state,
                state=_S.PENDING,
                generation=generation,
                alone=self._alone,
            )
        )

    # -- steps by name -----------------------------------------------------------------------

    def do_to_steps(self, verb: Verb, steps: Sequence[Row]) -> tuple[list[int], list[int]]:
        """Do `verb` to single steps: rows of id, parent and name. Returns those changed and those asked for."""
        changed: list[int] = []
        asked: list[int] = []
        mine: dict[int, set[int]] = {}
        for task_id, parent_id, _ in steps:
            mine.setdefault(parent_id, set()).add(task_id)
        for family in self._load(list(mine)):
            children = families.children(self._connection, family)
            chosen = [child for child in children if child.id in mine[family.task_id]]
            if verb is Verb.RETRY:
                changed += self._retry_steps(family, chosen, children)
            elif verb is Verb.RELEASE:
                changed += self._release_steps(family, chosen, children)
            else:
                for child in chosen:
                    self._end_step(Wish(verb), family, child, changed, asked)
        return changed, asked

    def _end_step(self, wish: Wish, family: Family, child: Child, changed: list[int], asked: list[int]) -> None:
        """Cancel or hold one step; what waits for it is told like after an attempt."""
        before = child.posture
        move = CASCADES[wish].get(before)
        if move is None:
            return
        if move.asks:
            self._ask(Verb(wish), child.id)
            asked.append(child.id)
            return
        self._change(family, child, move.cause, move.target)
        changed.append(child.id)
        self._advance.adopt(family)
        self._ends.append(End(child.id, family.task_id, move.target, moved=before in families.MOVING))

    def _release_steps(self, family: Family, chosen: Sequence[Child], children: Sequence[Child]) -> list[int]:
        held = [child for child in chosen if child.posture in CASCADES[Wish.RELEASE]]
        if not held:
            return []
        self.touch([family.task_id])
        for child in held:
            self._change(family, child, Cause.RELEASE, _S.WAITING)
        self._reopen(family)
        self._count(family, children)
        if family.state is _S.RUNNING:
            self._let_go(family, children)
        return [child.id for child in held]

    def _retry_steps(self, family: Family, chosen: Sequence[Child], children: list[Child]) -> list[int]:
        finished = [child for child in chosen if child.state in FINAL]
        hurried = [child for child in chosen if child.posture is Posture.LATER and child.not_before is not None]
        for child in hurried:
            run(self._connection, "hurry", {"ids": self._connection.ids([child.id]), "now": self._now})
            self._transaction.move(child.lane_id, 1, _S.WAITING, -1)
            self._transaction.move(child.lane_id, 1, _S.PENDING, 1)
            child.state, child.not_before = _S.PENDING, None
        if finished:
            self._redo(family, {child.id - int(family.first_id) for child in finished}, children)
        return [child.id for child in (*finished, *hurried)]

    # -- tasks that wait for others ----------------------------------------------------------

    def _block(self, piece: Iterable[Row]) -> None:
        """Tasks that have become pending and still wait for others must not."""
        lanes = {row[0]: row[1] for row in piece}
        for task_id, unmet in read_all(self._connection, "unmet", (self._connection.ids(lanes),)):
            if unmet:
                run(self._connection, "block", (task_id, unmet))
                self._transaction.move(lanes[task_id], 0, _S.PENDING, -1)
                self._transaction.move(lanes[task_id], 0, _S.WAITING, 1)
                self._blocked.append(task_id)

    def _revive_fallen(self, ids: Sequence[int]) -> None:
        """Revive what failed only because of these, and what failed because of that."""
        while rows := read_all(self._connection, "fallen_with", (self._connection.ids(ids),)):
            ids = [row[0] for row in rows]
            run(self._connection, "revive", {"ids": self._connection.ids(ids), "now": self._now})
            self.touch(ids)
            for task_id, lane_id, generation in rows:
                self._transaction.move(lane_id, 0, _S.FAILED, -1)
                self._transaction.move(lane_id, 0, _S.PENDING, 1)
                self._transaction.events.append(
                    events.FileRevived(
                        at=self._at,
                        id=task_id,
                        by=self._by,
                        was=_S.FAILED,
                        state=_S.WAITING,
                        generation=generation + 1,
                        alone=self._alone,
                    )
                )
            self._block(rows)
