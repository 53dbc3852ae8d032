"""Tasks for the pages: lists by key, and all about one of them."""

from __future__ import annotations

import time
from collections.abc import Mapping
from pathlib import Path

import msgspec

from overnight.core.results import spilled
from overnight.core.spells import RUNNING
from overnight.core.states import TaskState
from overnight.core.task import ActionKind, Task
from overnight.core.why import why
from overnight.host.home import Home
from overnight.host.lock import read_owner
from overnight.monitor.around import look
from overnight.monitor.incidents import Spell
from overnight.monitor.snapshot import MOST_RUNNING
from overnight.store.contract import Query, Store
from overnight.ui.web.showing import shown, shown_bytes
from overnight.ui.web.task_answers import AttemptView, Doing, Page, Row, TaskView

#: Rows of a page, steps and attempts of a task that are shown, tasks that are counted.
MOST_ROWS, MOST_STEPS, MOST_ATTEMPTS, COUNTED_TO = 200, 500, 200, 10_000
#: Seconds of a CPU that one look may take, since the next question waits for it; ids of its parts.
_MOMENT, _WINDOW, _LARGEST_WINDOW = 0.02, 2000, 16_000
#: States that have an index.
_RARE = frozenset({TaskState.FAILED, TaskState.HELD, TaskState.CANCELLED, TaskState.RUNNING})


def page(store: Store, query: Query, *, counted: bool) -> Page:
    """A page of a list, or the part of it that is found in a moment. `counted`: how many match is wanted, too."""
    newest = _newest(store)
    if _is_at_hand(query):
        found, reached = store.tasks(query), 1
    else:
        found, reached = _searched(store, query, newest)
    is_whole = len(found) < query.limit and reached <= 1
    following = None if is_whole else reached if len(found) < query.limit else found[-1].id
    matching = _matching(store, query, is_whole, len(found)) if counted else None
    return Page(rows(store, found), following, matching, COUNTED_TO, reached, newest)


def _is_at_hand(query: Query) -> bool:
    """Whether an index leads there, or nearly every task is one."""
    if query.words:
        return False
    if query.states:
        return set(query.states) <= _RARE
    return query.cause is not None or query.parent is not None or query.queue is query.workflow is None


def _searched(store: Store, query: Query, newest: int) -> tuple[list[Task], int]:
    """What is found in a moment among the newest tasks, and down to which id."""
    began, found, window = time.thread_time(), list[Task](), _WINDOW
    first = top = query.before or newest + 1
    while top > 1 and len(found) < query.limit and (top == first or time.thread_time() - began < _MOMENT):
        floor = max(1, top - window)
        found += store.tasks(msgspec.structs.replace(query, before=top, down_to=floor, limit=query.limit - len(found)))
        top = floor
        window = min(2 * window, _LARGEST_WINDOW)
    return found, found[-1].id if len(found) >= query.limit else top


def _matching(store: Store, query: Query, is_whole: bool, found: int) -> int | None:  # noqa: FBT001 - as it was found out
    """How many match, where that is quickly said."""
    if is_whole and query.before is None:
        return found
    if query.cause is not None or query.parent is not None:
        return store.how_many(msgspec.structs.replace(query, before=None, limit=COUNTED_TO))
    if query.words:
        return None
    counts = store.counts(queue=query.queue, workflow=query.workflow)
    return min(COUNTED_TO, sum(int(getattr(counts, state)) for state in query.states or tuple(TaskState)))


def _newest(store: Store) -> int:
    found = store.tasks(Query(limit=1, steps=True, own=True))
    return found[0].id if found else 0


def rows(store: Store, tasks: list[Task]) -> list[Row]:
    """Tasks as lists have them."""
    actions = store.actions({one.action_id for one in tasks})
    return [Row.of(one, actions.get(one.action_id)) for one in tasks]


def one(store: Store, home: Path, task_id: int, *, totals: Mapping[str, float], now: float) -> TaskView:
    """All about a task. Raises NotFoundError."""
    task = store.get(task_id)
    action = store.actions({task.action_id}).get(task.action_id)
    answer = why(task, action, look(store, home, task, totals, now=now)) if action else None
    steps, total = _steps(store, task_id)
    return TaskView(
        task=Row.of(task, action),
        input=shown_bytes(task.input, 4000),
        description=shown(task.description, 4000),
        failures=task.failures,
        deaths=task.deaths,
        generation=task.generation,
        doing=Doing.of(action) if action else None,
        why=shown(answer.sentence, 1000) if answer else "",
        commands=list(answer.commands) if answer else [],
        attempts=[AttemptView.of(one) for one in store.attempts(task_id)[-MOST_ATTEMPTS:]],
        after=store.waits_for([task_id]).get(task_id, []),
        needs=task.needs,
        result=_result(task.result),
        steps=steps,
        steps_total=total,
    )


def going_on(store: Store, home: Home, *, now: float) -> list[Spell]:
    """Attempts that run now, steps included, the longest first; none without an engine, which would be over."""
    if read_owner(home.lock) is None:
        return []
    found = store.tasks(Query(states=(TaskState.RUNNING,), steps=True, limit=MOST_RUNNING))
    actions = store.actions({one.action_id for one in found})
    # A workflow task runs by its steps, and nowhere itself.
    own = [one for one in found if one.action_id in actions and actions[one.action_id].kind is not ActionKind.WORKFLOW]
    spells = [Spell(one.id, one.attempt, one.started_at, now, RUNNING, -1) for one in own if one.started_at is not None]
    return sorted(spells, key=lambda one: one.began)


def _steps(store: Store, task_id: int) -> tuple[list[Row], int]:
    """The steps of a workflow task, in their order, as it is begun now."""
    family = store.family(task_id)
    if family is None:
        return [], 0
    total = store.how_many(Query(parent=task_id, limit=COUNTED_TO))
    found = [one for one in store.tasks(Query(parent=task_id, limit=MOST_STEPS)) if one.id >= family.first_id]
    return rows(store, found[::-1]), total


def _result(content: bytes) -> str:
    large = spilled(content)
    return f"{large.size_bytes:,} bytes, in {large.name}" if large is not None else shown_bytes(content, 8000)
