"""The name of everything that happens: what people's scripts ask the journal for."""

from __future__ import annotations

from enum import StrEnum


class EventName(StrEnum):
    """Every event that there is."""

    FILE_ADDED = "file_added"
    FILE_STARTED = "file_started"
    FILE_COMPLETED = "file_completed"
    #: The attempt failed and there will be no other.
    FILE_FAILED = "file_failed"
    #: The attempt ran into its time limit; ``state`` says whether there will be another one.
    FILE_TIMEOUT = "file_timeout"
    #: The attempt failed, or asked to be tried later; the next one comes at ``not_before``.
    FILE_RETRIED = "file_retried"
    FILE_HELD = "file_held"
    FILE_RELEASED = "file_released"
    FILE_CANCELLED = "file_cancelled"
    #: The attempt was lost, interrupted or recalled (``outcome``); the task is back in the queue.
    FILE_INTERRUPTED = "file_interrupted"
    #: A finished task has a new generation.
    FILE_REVIVED = "file_revived"
    FILE_EDITED = "file_edited"
    FILE_REDEFINED = "file_redefined"
    FILE_RESCHEDULED = "file_rescheduled"
    FILE_REMOVED = "file_removed"
    #: A running task stands still by a person's wish, and goes on.
    FILE_FROZEN = "file_frozen"
    FILE_THAWED = "file_thawed"
    #: The same of the steps of a workflow: each of them is a task, and none of them is a file.
    STEP_STARTED = "step_started"
    STEP_COMPLETED = "step_completed"
    #: Its condition is false, or what it works on was skipped itself.
    STEP_SKIPPED = "step_skipped"
    STEP_FAILED = "step_failed"
    STEP_TIMEOUT = "step_timeout"
    STEP_RETRIED = "step_retried"
    STEP_HELD = "step_held"
    STEP_RELEASED = "step_released"
    STEP_CANCELLED = "step_cancelled"
    STEP_INTERRUPTED = "step_interrupted"
    STEP_REVIVED = "step_revived"
    STEP_FROZEN = "step_frozen"
    STEP_THAWED = "step_thawed"
    #: By this definition tasks of the workflow are begun from now on.
    WORKFLOW_DEFINED = "workflow_defined"
    #: Of a node on which attempts run: it is given work from now on; the line to it has ended, and it may go on until
    #: its lease is over; that is over, and what it held is lost; it lacks something and is given nothing; a person
    #: has closed it, has opened it again; it is empty, and its agent has ended.
    NODE_JOINED = "node_joined"
    NODE_SILENT = "node_silent"
    NODE_LOST = "node_lost"
    NODE_REFUSED = "node_refused"
    NODE_CLOSED = "node_closed"
    NODE_OPENED = "node_opened"
    NODE_DRAINED = "node_drained"
    #: A result came for an attempt that was over; nothing was changed by it.
    LATE_RESULT_REFUSED = "late_result_refused"
    QUEUE_CHANGED = "queue_changed"
    CONTROL_ASKED = "control_asked"
    #: So many tasks in a row have failed alike that the others wait; one of them has been tried in vain; they go on.
    STORM_BEGAN = "storm_began"
    STORM_PROBED = "storm_probed"
    STORM_ENDED = "storm_ended"
    #: A schedule is as it is said here; is no more; has run; has not run in time (`why`); is due at another time.
    SCHEDULE_LAID = "schedule_laid"
    SCHEDULE_DROPPED = "schedule_dropped"
    SCHEDULE_FIRED = "schedule_fired"
    SCHEDULE_MISSED = "schedule_missed"
    SCHEDULE_REPLANNED = "schedule_replanned"
    #: There is too little room on the machine: nothing starts, or fewer tasks at the same time.
    GATE_CLOSED = "gate_closed"
    GATE_OPENED = "gate_opened"
    SLOTS_CHANGED = "slots_changed"
    #: The wall clock was set, or the machine has slept.
    CLOCK_JUMPED = "clock_jumped"
    HOME_MOVED = "home_moved"
    #: A person has said that a directory was moved; its tasks are done in the new place.
    TASKS_RELOCATED = "tasks_relocated"
    PROCESSOR_STARTED = "processor_started"
    PROCESSOR_STOPPED = "processor_stopped"
    CHECKPOINT_SAVED = "checkpoint_saved"
    CHECKPOINT_FAILED = "checkpoint_failed"
    #: The store is what it was at a checkpoint, with what the journal knew since then or without.
    CHECKPOINT_RESTORED = "checkpoint_restored"
    CHECKPOINT_RESTORE_FAILED = "checkpoint_restore_failed"
    #: The store's file was taken away under an engine, which has written it anew from what it had open.
    STORE_RESCUED = "store_rescued"
