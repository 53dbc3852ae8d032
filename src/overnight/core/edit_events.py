"""What was changed of a task that is still to run."""

from __future__ import annotations

from datetime import datetime

from overnight.core import events
from overnight.core.event_names import EventName
from overnight.core.states import TaskState


class FileRedefined(events.FileEdited, frozen=True, kw_only=True, gc=False, tag=EventName.FILE_REDEFINED.value):
    """It is done in another way from here on: everything that is needed to say so again. No `stamp` is said."""

    #: Hexadecimal digest of the action, and the action itself.
    action: str
    definition: dict[str, object] | None = None
    definition_b64: str | None = None
    queue: str
    workflow: str = ""
    priority: int = 0
    needs: dict[str, float] | None = None


class FileRescheduled(events.FileEdited, frozen=True, kw_only=True, gc=False, tag=EventName.FILE_RESCHEDULED.value):
    """It waits for another time, or for none any more. No `stamp` is said."""

    #: What it is now.
    state: TaskState
    not_before: datetime | None = None


class TasksRelocated(events.HomeMoved, frozen=True, kw_only=True, gc=False, tag=EventName.TASKS_RELOCATED.value):
    """A person has said so: what was done in the directory `was`, or below it, is done in `now` from here on.

    `tasks` are all of them, finished ones included, without steps.
    """

    by: str
    #: The very names, where they are not UTF-8.
    was_b64: str | None = None
    now_b64: str | None = None
