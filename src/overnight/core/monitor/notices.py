"""What the log of the system is told: each event of the journal with a level, one line of words, and fields."""

from __future__ import annotations

from collections.abc import Mapping
from enum import IntEnum
from typing import Any, NamedTuple

from overnight.core.event_names import EventName


class Level(IntEnum):
    """How important something is. Source: syslog(3)."""

    ERROR = 3
    WARNING = 4
    NOTICE = 5
    INFO = 6
    DEBUG = 7


#: By the names in the settings.
LEVELS = {level.name.lower(): level for level in Level}
_BY_EVENT: Mapping[str, Level] = {
    EventName.FILE_FAILED: Level.ERROR,
    EventName.STEP_FAILED: Level.ERROR,
    EventName.CHECKPOINT_FAILED: Level.ERROR,
    EventName.CHECKPOINT_RESTORE_FAILED: Level.ERROR,
    EventName.STORE_RESCUED: Level.ERROR,
    EventName.CHECKPOINT_RESTORED: Level.WARNING,
    EventName.FILE_HELD: Level.WARNING,
    EventName.STEP_HELD: Level.WARNING,
    EventName.FILE_TIMEOUT: Level.WARNING,
    EventName.STEP_TIMEOUT: Level.WARNING,
    EventName.STORM_BEGAN: Level.WARNING,
    EventName.GATE_CLOSED: Level.WARNING,
    EventName.CLOCK_JUMPED: Level.WARNING,
    EventName.NODE_SILENT: Level.WARNING,
    EventName.NODE_LOST: Level.WARNING,
    EventName.NODE_REFUSED: Level.WARNING,
    EventName.LATE_RESULT_REFUSED: Level.WARNING,
    EventName.FILE_COMPLETED: Level.INFO,
    EventName.STEP_COMPLETED: Level.INFO,
    EventName.STEP_SKIPPED: Level.INFO,
    EventName.CHECKPOINT_SAVED: Level.INFO,
    EventName.SLOTS_CHANGED: Level.INFO,
    EventName.FILE_ADDED: Level.DEBUG,
    EventName.FILE_STARTED: Level.DEBUG,
    EventName.STEP_STARTED: Level.DEBUG,
}
#: What may be as large as an input, and says nothing without it.
_LARGE = frozenset({"input", "input_b64", "definition", "definition_b64", "result", "title", "description"})
_LONGEST = 1000


class Notice(NamedTuple):
    """One message."""

    level: Level
    words: str
    #: More than words: names as the journal of systemd takes them.
    fields: Mapping[str, str]


def notice(event: Mapping[str, Any], *, home: str) -> Notice:
    """An event as a message.

    Args:
        event: A line of the journal.
        home: The directory that it is about.
    """
    fields = {
        f"OVERNIGHT_{'TASK_ID' if name == 'id' else name.upper()}": _short(value)
        for name, value in event.items()
        if name not in _LARGE and isinstance(value, str | int | float) and value != ""
    }
    return Notice(level_of(str(event.get("event", ""))), _words(event), fields | {"OVERNIGHT_HOME": _short(home)})


def level_of(name: str) -> Level:
    """How important an event is; what is not named here is worth a notice."""
    return _BY_EVENT.get(name, Level.NOTICE)


def _words(event: Mapping[str, Any]) -> str:
    what = str(event.get("event", "")).replace("_", " ")
    who = [f"task {event['id']}"] if "id" in event else []
    if event.get("parent"):
        who = [f"step {event.get('step', '')} of task {event['parent']}"]
    if event.get("attempt", 0) > 1:
        who.append(f"attempt {event['attempt']}")
    why = event.get("error") or event.get("why") or event.get("reason") or event.get("checkpoint") or ""
    return ": ".join(part for part in (what, ", ".join(who), _short(why)) if part)


def _short(value: object) -> str:
    words = str(value)
    return words if len(words) <= _LONGEST else f"{words[:_LONGEST]}..."
