"""A store built again from what it has told, and what of it must be equal then."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

from overnight.store.contract import Store
from overnight.store.sqlite.copying import open_copy
from overnight.store.sqlite.rebuilding import rebuilding
from overnight.store.sqlite.replaying import Replayed, Replayer

#: What is compared. Instants stand in the journal to the millisecond, so they are rounded; lanes and
#: actions are named by what they are; figures, outputs and the longer texts are not in the journal.
PICTURE = {
    "tasks": """
        SELECT t.id, t.state, l.queue, l.workflow, l.needs, l.role, hex(a.digest), t.priority, t.order_key, t.attempt,
               t.failures, t.deaths, t.generation, round(t.added_at, 1), round(t.not_before, 1),
               round(t.finished_at, 1), t.reason, t.error_class, t.error, t.fingerprint, t.result, t.input, t.title,
               t.description, t.stamp, t.parent_id, t.step, t.blockers, round(t.later, 1), t.skipped, t.identity
          FROM tasks AS t JOIN lanes AS l ON l.id = t.lane_id JOIN actions AS a ON a.id = t.action_id
         WHERE l.batch_id = 0 OR l.batch_id NOT IN (SELECT id FROM batches WHERE published_at IS NULL) ORDER BY t.id""",
    "attempts": """
        SELECT task_id, number, generation, outcome, final, round(started_at, 1), round(finished_at, 1), seconds,
               reason, error_class, error, exit_code, signal FROM attempts ORDER BY 1, 2""",
    "running": "SELECT task_id, attempt, fence, is_step, generation, is_clean FROM running ORDER BY 1",
    "popped": "SELECT task_id, attempt, owner FROM popped ORDER BY 1",
    "counters": """
        SELECT l.queue, l.workflow, l.needs, l.role, c.is_step, c.state, sum(c.n) FROM counters AS c
          JOIN lanes AS l ON l.id = c.lane_id WHERE c.n > 0
           AND (l.batch_id = 0 OR l.batch_id NOT IN (SELECT id FROM batches WHERE published_at IS NULL))
         GROUP BY 1, 2, 3, 4, 5, 6 ORDER BY 1, 2, 3, 4, 5, 6""",
    "queues": "SELECT name, slots, rate, paused, round(paused_until, 1) FROM queues ORDER BY 1",
    "storms": """
        SELECT s.workflow, s.step, hex(a.digest), s.queue, s.fingerprint, s.error_class, s.error, s.failures,
               round(s.first_at, 1), round(s.began_at, 1), s.probes, round(s.probe_at, 1)
          FROM storms AS s LEFT JOIN actions AS a ON a.id = s.action_id ORDER BY 1, 3""",
    "schedules": """
        SELECT name, source, hex(definition), round(began_at, 1), round(next_at, 1), round(planned_at, 1),
               round(last_at, 1), last_id, missed FROM schedules ORDER BY 1""",
    "schedule_runs": """
        SELECT r.task_id, r.name FROM schedule_runs AS r JOIN tasks AS t ON t.id = r.task_id
         WHERE t.state IN ('waiting', 'pending', 'running') ORDER BY 1""",
    "touched": "SELECT task_id FROM touched ORDER BY 1",
    "edges": "SELECT * FROM edges ORDER BY 1, 2",
    "expansions": """
        SELECT e.task_id, hex(d.digest), e.generation, e.first_id, e.steps, e.open, e.moving, e.failed, e.warned,
               e.cancelled, round(e.begun_at, 1), round(e.expires_at, 1), e.expired
          FROM expansions AS e JOIN definitions AS d ON d.id = e.definition_id ORDER BY 1""",
    "controls": """
        SELECT verb, task_id, argument FROM controls WHERE task_id IN (SELECT task_id FROM running) ORDER BY 1, 2, 3""",
}


def told_lines(store: Store) -> Iterator[bytes]:
    """Everything that a store has told and not drained, as the journal would have it."""
    seq = store.journal_seq()
    for row in store.outbox(1_000_000):
        for line in row.lines.splitlines():
            seq += 1
            yield b'{"seq":%d,%b\n' % (seq, line[1:])


#: By table.
Picture = dict[str, list[Any]]


def picture(path: Path) -> Picture:
    """What of a store must be equal."""
    with closing(open_copy(path)) as connection:
        return {name: connection.execute(sql).fetchall() for name, sql in PICTURE.items()}


def built_again(lines: Iterator[bytes], path: Path) -> Replayed:
    """Make a store at `path` out of these lines alone."""
    with rebuilding(path) as rebuilt:
        return Replayer(rebuilt).replay(lines)


def differences(store: Path, again: Path, *, see: Callable[[Path], Picture] = picture) -> list[str]:
    """Where two stores differ; [] when they do not. That a time has come stands in no journal: it follows from time.

    `see`: how the first of them is looked at; the one built again is SQLite's.
    """
    one, other = see(store), picture(again)
    _let_time_pass(one, other)
    found = []
    for name, rows in one.items():
        found += [f"{name}: only in the store: {row}" for row in rows if row not in other[name]][:3]
        found += [f"{name}: only in the one built again: {row}" for row in other[name] if row not in rows][:3]
    return found


_STATE, _NOT_BEFORE = 1, 14


def _let_time_pass(one: dict[str, list[Any]], other: dict[str, list[Any]]) -> None:
    """Make pending in `other` what is pending in `one` and waits for nothing but its time."""
    pending = {row[0] for row in one["tasks"] if row[_STATE] == "pending"}
    counters: Counter[Any] = Counter({tuple(row[:-1]): row[-1] for row in other["counters"]})
    for place, row in enumerate(other["tasks"]):
        if row[0] in pending and row[_STATE] == "waiting" and row[_NOT_BEFORE] is not None:
            other["tasks"][place] = (row[0], "pending", *row[2:_NOT_BEFORE], None, *row[_NOT_BEFORE + 1 :])
            of_lane = (*row[2:6], int(row[25] is not None))
            counters[*of_lane, "waiting"] -= 1
            counters[*of_lane, "pending"] += 1
    other["counters"] = [(*key, n) for key, n in sorted(counters.items()) if n]
