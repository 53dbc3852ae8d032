"""Which tasks: selectors and queries as conditions of SQL.

A state stands in the text of the condition and not as a parameter: only then does SQLite see that
a partial index covers it. So several states are several statements, one for each.
"""

from __future__ import annotations

import re
from typing import Any

from overnight.core.states import TaskState
from overnight.store.contract import Query, Selector
from overnight.store.sql.statements import Connection

#: Tasks of batches that are not published do not exist yet.
VISIBLE = """lane_id NOT IN (SELECT id FROM lanes WHERE batch_id <> 0 AND batch_id IN
    (SELECT id FROM batches WHERE published_at IS NULL))"""

#: The runner's own tasks are shown, and acted upon, only where somebody names them or their queue.
OF_PEOPLE = "lane_id NOT IN (SELECT id FROM lanes WHERE queue GLOB '_*')"

Bindings = list[Any]


def of_state(state: TaskState) -> str:
    """The condition that finds the tasks in this state the short way."""
    # Running tasks are few and have a table; those that run by their steps have an index.
    if state is TaskState.RUNNING:
        return (
            "state = 'running' AND id IN (SELECT task_id FROM running"
            " UNION ALL SELECT task_id FROM expansions INDEXED BY expansions_open WHERE open > 0)"
        )
    return f"state = '{state.value}'"


def of_query(query: Query, state: TaskState | None) -> tuple[str, Bindings]:
    """The condition of one page of a listing, and its values."""
    where, bindings = _common(query.queue, query.workflow, query.cause)
    if query.parent is not None:
        where.append("parent_id = ?")
        bindings.append(query.parent)
    elif not query.steps:
        where.append("parent_id IS NULL")
    if query.queue is None and not query.own:
        where.append(OF_PEOPLE)
    if state is not None:
        where.append(of_state(state))
    if query.words:
        where.append("(title LIKE ? ESCAPE '!' OR CAST(input AS TEXT) LIKE ? ESCAPE '!')")
        bindings += [_anywhere(query.words)] * 2
    if query.before is not None:
        where.append("id < ?")
        bindings.append(query.before)
    if query.down_to is not None:
        where.append("id >= ?")
        bindings.append(query.down_to)
    return " AND ".join(where), bindings


def _anywhere(words: str) -> str:
    """A pattern for LIKE that finds these words as they stand."""
    plain = re.sub("[!%_]", lambda found: f"!{found[0]}", words)
    return f"%{plain}%"


def of_selector(connection: Connection, selector: Selector, state: TaskState) -> tuple[str, Bindings] | None:
    """The condition of a selection within one state; None when it selects nothing."""
    if selector.states and state not in selector.states:
        return None
    narrowed = selector.queue is not None or selector.workflow is not None or selector.cause is not None
    if not (selector.ids or selector.states or narrowed or selector.everything):
        return None
    where, bindings = _common(selector.queue, selector.workflow, selector.cause)
    where.append(of_state(state))
    if selector.ids:
        where.append("id IN carray(?)")
        bindings.append(connection.ids(selector.ids))
    elif selector.queue is None:
        where.append(OF_PEOPLE)
    where.append("parent_id IS NULL")  # steps go with their task; those that somebody names are looked up by name
    return " AND ".join(where), bindings


def _common(queue: str | None, workflow: str | None, cause: str | None) -> tuple[list[str], Bindings]:
    where, bindings = [VISIBLE], Bindings()
    if queue is not None:
        where.append("lane_id IN (SELECT id FROM lanes WHERE queue = ?)")
        bindings.append(queue)
    if workflow is not None:
        where.append("lane_id IN (SELECT id FROM lanes WHERE workflow = ?)")
        bindings.append(workflow)
    if cause is not None:
        where.append("fingerprint = ? AND fingerprint <> ''")
        bindings.append(cause)
    return where, bindings
