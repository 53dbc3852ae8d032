"""Tasks for the pages: lists by key, and all about one of them."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

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


def page(store: Store, query: Query, *, counted: bool) -> Page:
    """A page of a list. `counted`: how many match is wanted, too."""
    found = store.tasks(query)
    matching = None
    if counted:
        import msgspec

        matching = store.how_many(msgspec.structs.replace(query, before=None, limit=COUNTED_TO))
    following = found[-1].id if len(found) == query.limit else None
    return Page(rows(store, found), following, matching, COUNTED_TO)


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
