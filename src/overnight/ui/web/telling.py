"""What happened while nobody looked, in words: incidents one by one, and all of them in a line."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence

from overnight.core.durations import format_duration, format_size
from overnight.core.event_names import EventName as E
from overnight.core.lanes import EVERY_QUEUE, switch_words
from overnight.monitor.incidents import Incident
from overnight.ui.web.answers import IncidentView

_FINE, _ATTENTION, _TROUBLE = "fine", "attention", "trouble"

Words = Callable[[dict[str, object]], tuple[str, str]]


def _started(facts: dict[str, object]) -> tuple[str, str]:
    if facts.get("after_a_crash"):
        return _TROUBLE, "engine crashed and was started again"
    return _FINE, "engine started"


def _stopped(facts: dict[str, object]) -> tuple[str, str]:
    why = facts.get("why")
    return _FINE, f"engine stopped: {why}" if why else "engine stopped"


def _storm(facts: dict[str, object]) -> tuple[str, str]:
    where = facts.get("workflow") or f"queue {facts.get('queue')}"
    return _TROUBLE, f"{where} stands still: too many failed alike"


def _storm_over(facts: dict[str, object]) -> tuple[str, str]:
    return _FINE, f"{facts.get('workflow') or facts.get('queue')} goes on after a storm"


def _gate(facts: dict[str, object]) -> tuple[str, str]:
    free = facts.get("available_bytes")
    room = f": {format_size(float(free))} left" if isinstance(free, int | float) else ""
    return _ATTENTION, f"too little {facts.get('gate')}{room}; nothing more starts"


def _queue(facts: dict[str, object]) -> tuple[str, str]:
    where = switch_words(str(facts.get("queue", "")))
    by = f" by {facts.get('by')}" if facts.get("by") else ""
    if facts.get("paused"):
        return _ATTENTION, f"{where} paused{by}"
    # The switch of everything has no other settings.
    return _FINE, f"{where} goes on{by}" if facts.get("queue") == EVERY_QUEUE else f"{where} has new settings{by}"


def _asked(facts: dict[str, object]) -> tuple[str, str]:
    what = f" task {facts['id']}" if facts.get("id") else ""
    return _FINE, f"{facts.get('by')} asked: {facts.get('verb')}{what}"


def _jump(facts: dict[str, object]) -> tuple[str, str]:
    seconds = facts.get("seconds")
    by = format_duration(abs(float(seconds))) if isinstance(seconds, int | float) else "some time"
    return _ATTENTION, f"the clock jumped by {by}, or the machine slept"


def _saved(facts: dict[str, object]) -> tuple[str, str]:
    size = facts.get("size_bytes")
    return _FINE, f"checkpoint {facts.get('checkpoint')}, {format_size(size) if isinstance(size, int) else ''}"


_WORDS: dict[str, Words] = {
    E.PROCESSOR_STARTED: _started,
    E.PROCESSOR_STOPPED: _stopped,
    E.STORM_BEGAN: _storm,
    E.STORM_PROBED: lambda _: (_ATTENTION, "one was tried in vain; the others still wait"),
    E.STORM_ENDED: _storm_over,
    E.GATE_CLOSED: _gate,
    E.GATE_OPENED: lambda facts: (_FINE, f"there is {facts.get('gate')} again"),
    E.SLOTS_CHANGED: lambda facts: (_FINE, f"{facts.get('slots')} slots: {facts.get('why')}"),
    E.CLOCK_JUMPED: _jump,
    E.QUEUE_CHANGED: _queue,
    E.CONTROL_ASKED: _asked,
    E.CHECKPOINT_SAVED: _saved,
    E.CHECKPOINT_FAILED: lambda facts: (_TROUBLE, f"no checkpoint could be made: {facts.get('error')}"),
    E.CHECKPOINT_RESTORED: lambda facts: (_TROUBLE, f"set back to a checkpoint: {facts.get('why') or 'by hand'}"),
    E.CHECKPOINT_RESTORE_FAILED: lambda facts: (_ATTENTION, f"a checkpoint was passed over: {facts.get('error')}"),
    E.STORE_RESCUED: lambda facts: (_TROUBLE, f"the store was rescued: {facts.get('why')}"),
}


def told(one: Incident) -> IncidentView:
    """An incident in words."""
    words = _WORDS.get(one.name)
    level, said = words(one.facts) if words else (_FINE, one.name.replace("_", " "))
    return IncidentView.of(one, level, said)


def is_mark(one: Incident) -> bool:
    """Whether it belongs into a picture of the night; checkpoints and slots come all the time."""
    return one.name not in (E.CHECKPOINT_SAVED, E.SLOTS_CHANGED, E.STORM_PROBED, E.CONTROL_ASKED)


def summary(incidents: Sequence[Incident], ended: tuple[int, int] | None) -> str:
    """All of them in a line. `ended`: attempts that completed and failed meanwhile, where that is known."""
    parts = []
    crashes = [one for one in incidents if one.name == E.PROCESSOR_STARTED and one.facts.get("after_a_crash")]
    if crashes:
        parts.append(
            f"{_times(len(crashes), 'crash', 'crashes')}, each resumed" if len(crashes) > 1 else "1 crash, resumed"
        )
    names = Counter(one.name for one in incidents)
    for name, one, many in _COUNTED:
        if names[name]:
            parts.append(_times(names[name], one, many))
    if ended is not None and any(ended):
        parts.append(f"{_times(ended[0], 'attempt', 'attempts')} completed and {ended[1]:,} failed")
    return "; ".join(parts) or "nothing out of the ordinary"


_COUNTED = (
    (E.CHECKPOINT_RESTORED, "return to a checkpoint", "returns to a checkpoint"),
    (E.STORE_RESCUED, "rescue of the store", "rescues of the store"),
    (E.STORM_BEGAN, "storm of failures", "storms of failures"),
    (E.GATE_CLOSED, "pause for lack of room", "pauses for lack of room"),
    (E.CLOCK_JUMPED, "jump of the clock", "jumps of the clock"),
    (E.CHECKPOINT_FAILED, "failed checkpoint", "failed checkpoints"),
    (E.CHECKPOINT_SAVED, "checkpoint", "checkpoints"),
)


def _times(number: int, one: str, many: str) -> str:
    return f"{number:,} {one if number == 1 else many}"
