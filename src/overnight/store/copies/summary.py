"""What a copy of the store holds, for people and for programs that do not read SQLite.

Read from the copy and not from the store, so that it says what is in the copy. Lists are cut: the
whole truth is the copy itself.
"""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import closing
from pathlib import Path
from typing import Any

import msgspec

from overnight.core.durations import iso
from overnight.core.gates import Reading
from overnight.core.lanes import is_queue
from overnight.core.states import TaskState
from overnight.core.task import Task, text
from overnight.store.contract import Query, Store
from overnight.store.copies.manifest import SUMMARY, Manifest
from overnight.store.sqlite import SqliteStore
from overnight.store.sqlite.copying import open_copy
from overnight.store.sqlite.summarising import error_log, failures, last_completed, step_results

VERSION = 1
#: Tasks of each kind that are listed.
LISTED = 100
_UNFINISHED = (TaskState.WAITING, TaskState.PENDING, TaskState.RUNNING, TaskState.HELD)


class Checkpoint(msgspec.Struct, frozen=True, kw_only=True):
    """The readable summary of a checkpoint. Instants are ISO 8601 in UTC, durations seconds, sizes bytes."""

    version: int = VERSION
    created_at: str
    #: Counts by state, of each queue and of all, and the first tasks of each state that is not final.
    queue_snapshot: dict[str, Any]
    #: Of the processor or engine for which it was made: status, started_at, files_processed ...
    processor_state: dict[str, Any]
    files_processed_since_start: int
    last_completed_file: str | None
    #: How far the work was: the last event, and what ran.
    execution: dict[str, Any] = {}
    #: What running tasks had of each named resource, and of slots.
    resources: dict[str, float] = {}
    #: Results of steps of tasks that were not finished.
    step_results: list[dict[str, Any]] = []
    #: Failed tasks by their cause, and what waits for a retry or a person.
    errors: dict[str, Any] = {}
    #: The last failures, newest first.
    error_log: list[dict[str, Any]] = []
    #: What is needed to go on from here.
    recovery: dict[str, Any] = {}
    #: The machine when it was made.
    metrics: dict[str, Any] = {}


def summarise(
    copy: Path, manifest: Manifest, *, state: Mapping[str, Any], processed: int | None, machine: Reading | None
) -> Checkpoint:
    """Read a summary out of a copy.

    Args:
        copy: The store file.
        manifest: What the copy is.
        state: Of the processor, as it is to be found again.
        processed: Files processed since the processor began; None: all that are completed.
        machine: The machine at this moment.
    """
    with closing(SqliteStore.open(copy, readonly=True)) as store, closing(open_copy(copy)) as connection:
        counts = store.counts()
        running = store.tasks(Query(states=(TaskState.RUNNING,), limit=LISTED))
        completed = last_completed(connection)
        return Checkpoint(
            created_at=iso(manifest.made_at),
            queue_snapshot=_queues(store),
            processor_state=dict(state),
            files_processed_since_start=counts.completed if processed is None else processed,
            last_completed_file=None if completed is None else _words(store.get(completed).input),
            execution={"position": manifest.position, "running": [_task(task) for task in running]},
            resources=_allocations(store),
            step_results=step_results(connection, LISTED),
            errors={
                "causes": failures(connection, LISTED),
                "waiting_for_retry": [_task(task) for task in _waiting_for_retry(store)],
                "held": counts.held,
                "failed": counts.failed,
            },
            error_log=error_log(connection, LISTED),
            recovery={
                "position": manifest.position,
                "epoch": manifest.epoch,
                "fence": manifest.fence,
                "last_task_id": manifest.last_task_id,
                "schema": manifest.schema,
                "restore": f"overnight resume --from-checkpoint {manifest.name}",
            },
            metrics=msgspec.to_builtins(machine) if machine else {},
        )


def _queues(store: Store) -> dict[str, Any]:
    by_state = {state: store.tasks(Query(states=(state,), limit=LISTED)) for state in _UNFINISHED}
    return {
        "counts": _counts(store, None),
        "queues": {queue.name: _counts(store, queue.name) for queue in store.queues() if is_queue(queue.name)},
        **{str(state): [_task(task) for task in tasks] for state, tasks in by_state.items()},
    }


def _counts(store: Store, queue: str | None) -> dict[str, Any]:
    counts = store.counts(queue=queue)
    return {**msgspec.to_builtins(counts), "total": counts.total}


def _task(task: Task) -> dict[str, Any]:
    return {
        "id": task.id,
        "file_path": _words(task.input),
        "title": task.title,
        "queue": task.queue,
        "priority": task.priority,
        "attempt": task.attempt,
        "failures": task.failures,
    }


def _words(raw_input: bytes) -> str:
    """As JSON can hold it; the exact bytes are in the copy."""
    return text(raw_input).encode("utf-8", "backslashreplace").decode()


def _waiting_for_retry(store: Store) -> list[Task]:
    return [task for task in store.tasks(Query(states=(TaskState.WAITING,), limit=LISTED)) if task.failures]


def _allocations(store: Store) -> dict[str, float]:
    needs = {lane.id: lane.needs for lane in store.orders().lanes}
    taken: dict[str, float] = {}
    for attempt in store.left_open():
        for name, amount in {"slots": 1.0, **needs.get(attempt.lane_id, {})}.items():
            taken[name] = taken.get(name, 0.0) + amount
    return taken


def read_summary(folder: Path) -> Checkpoint:
    """The summary in a folder whose files have been looked at.

    Raises:
        OSError, msgspec.DecodeError: There is none.
    """
    return msgspec.json.decode((folder / SUMMARY).read_bytes(), type=Checkpoint)
