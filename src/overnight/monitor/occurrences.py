"""What happened that an alert may be about, read from the journal as it grows: few of very many lines."""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Mapping
from datetime import datetime
from itertools import islice
from typing import Any, NamedTuple

import msgspec

from overnight.core.alert_conditions import TRIGGERS, Trigger
from overnight.core.durations import format_size
from overnight.core.lanes import is_own
from overnight.core.schedules import Why
from overnight.core.states import TaskState
from overnight.monitor.tail import JournalTail
from overnight.store.contract import Store

#: Lines that are looked at in one go.
PORTION = 20_000
#: Seconds after which what happened is no news to anybody: whoever looks now has not looked for that long.
STALE = 86400.0


class Occurrence(NamedTuple):
    """Something that happened, for each trigger that it belongs to. `begins` is False for its end."""

    trigger: str
    begins: bool
    words: str


class Heard(NamedTuple):
    """What happened, in order, and whether there is more to be read at once."""

    occurrences: list[Occurrence]
    more: bool


class Occurrences:
    """Follows a journal.

    Args:
        tail: Where it stands.
        triggers: Names of those that somebody asks for.
        store: Knows which tasks are the runner's own: nobody wants an alert about an alert.
    """

    def __init__(self, tail: JournalTail, triggers: Collection[str], store: Store) -> None:
        self._tail = tail
        self._store = store
        self._triggers = [TRIGGERS[name] for name in triggers]
        names = sorted({name.value for one in self._triggers for name in (*one.begins, *one.ends)})
        self._wanted = re.compile(rb'^\{"seq":\d+,"event":"(?:' + "|".join(names).encode() + rb')"') if names else None

    @property
    def seq(self) -> int:
        """The last event that was read."""
        return self._tail.seq

    def news(self, *, since: float, now: float) -> Heard:
        """The next portion, without what happened before `since` and what is no news any more (POSIX seconds)."""
        seen, events = 0, []
        earliest = max(since, now - STALE)
        for raw in islice(self._tail.lines(), PORTION):
            seen += 1
            if self._wanted is not None and self._wanted.match(raw) and (event := _read(raw, earliest)) is not None:
                events.append(event)
        own = self._own({event["id"] for event in events if "id" in event})
        found = [one for event in events if event.get("id") not in own for one in self._of(event)]
        return Heard(found, seen == PORTION)

    def _own(self, tasks: Collection[int]) -> set[int]:
        return {task for task, (queue, _) in self._store.places(tasks).items() if is_own(queue)}

    def _of(self, event: Mapping[str, Any]) -> list[Occurrence]:
        name = event["event"]
        if name == "file_timeout" and event.get("state") != TaskState.FAILED:
            return []  # there will be another attempt
        words = words_of(event)
        return [
            Occurrence(one.name, begins, words)
            for one in self._triggers
            for begins, names in ((True, one.begins), (False, one.ends))
            if name in names
        ]


def lasting(triggers: Collection[str]) -> list[Trigger]:
    """Those that go on until something ends them."""
    return [TRIGGERS[name] for name in triggers if TRIGGERS[name].lasts]


def _read(raw: bytes, earliest: float) -> dict[str, Any] | None:
    try:
        event: dict[str, Any] = msgspec.json.decode(raw)
        at = datetime.fromisoformat(event["at"]).timestamp()
        if "id" in event:
            event["id"] = int(event["id"])
    except (msgspec.DecodeError, UnicodeDecodeError, ValueError, KeyError, TypeError):
        return None  # damaged: nobody can say what it was
    return event if at >= earliest else None


def words_of(event: Mapping[str, Any]) -> str:
    """What an event says, for people."""
    told = _WORDS.get(str(event.get("event")))
    return told(event) if told else ""


def _task(event: Mapping[str, Any]) -> str:
    error = event.get("error") or event.get("reason") or ""
    step = f", step {event['step']}" if event.get("step") else ""
    by = f"{event.get('state', '')} by {event['by']}" if event.get("by") else ""
    return f"task {event.get('id')}{step}: {error or by or event.get('outcome', '')}"


def _storm(event: Mapping[str, Any]) -> str:
    return f"{event.get('failures')} tasks in a row failed alike: {event.get('error') or event.get('fingerprint')}"


def _gate(event: Mapping[str, Any]) -> str:
    available, needed = format_size(event.get("available_bytes", 0)), format_size(event.get("needed_bytes", 0))
    return f"{event.get('gate')}: {available} are there, {needed} are needed"


def _restored(event: Mapping[str, Any]) -> str:
    lost = "; ".join(event.get("lost") or ())
    came = f"checkpoint {event['checkpoint']}" if event.get("checkpoint") else "the journal"
    return f"rebuilt from {came}, {event.get('replayed', 0):,} events done again{'; lost: ' + lost if lost else ''}"


def _missed(event: Mapping[str, Any]) -> str:
    count, first, last = event.get("count", 1), event.get("first_at"), event.get("last_at")
    runs = "a run" if count == 1 else f"{count:,}{'+' if event.get('more') else ''} runs"
    span = f"of {first}" if first == last else f"from {first} to {last}"
    why = "the one before was not done" if event.get("why") == Why.OVERLAP else "nothing was there to start it"
    made_up = f"; task {event['made_up']} makes up for it" if event.get("made_up") else ""
    return f"{event.get('schedule')} has missed {runs} {span}: {why}{made_up}"


_WORDS: dict[str, Callable[[Mapping[str, Any]], str]] = {
    "file_failed": _task,
    "file_timeout": _task,
    "file_held": _task,
    "step_held": _task,
    "storm_began": _storm,
    "gate_closed": _gate,
    "checkpoint_failed": lambda event: str(event.get("error", "")),
    "checkpoint_restored": _restored,
    "store_rescued": lambda event: str(event.get("why", "")),
    "schedule_missed": _missed,
    "clock_jumped": lambda event: f"by {event.get('seconds', 0):+.0f} s",
    "processor_stopped": lambda event: str(event.get("why", "")).replace("_", " "),
}
