"""What happened while nobody looked: what befell the night, as `core.incidents` tells it, and what people did."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from itertools import pairwise

from overnight.core.event_names import EventName as E
from overnight.core.incidents import Incident, Kind, Life
from overnight.core.lanes import EVERY_QUEUE, switch_words
from overnight.monitor.incidents import Told
from overnight.ui.web.answers import IncidentView
from overnight.ui.web.showing import shown

_FINE, _ATTENTION, _TROUBLE = "fine", "attention", "trouble"
_LEVELS = {
    Kind.CRASH: _TROUBLE,
    Kind.STORM: _TROUBLE,
    Kind.RESTORED: _TROUBLE,
    Kind.RESCUED: _TROUBLE,
    Kind.CHECKPOINT: _TROUBLE,
    Kind.DISK: _ATTENTION,
    Kind.MEMORY: _ATTENTION,
    Kind.CLOCK: _ATTENTION,
    Kind.NODE: _ATTENTION,
}


def happening(one: Incident) -> IncidentView:
    """What befell the night."""
    level = _LEVELS.get(one.kind, _FINE)
    return IncidentView(one.began_at, one.ended_at, one.kind.value, level, shown(one.words), shown(one.label))


def deeds(told: Sequence[Told], engines: Sequence[Life]) -> list[IncidentView]:
    """What people did, as far as it belongs into a picture of the night: engines, queues."""
    crashed = {after.began_at for before, after in pairwise(engines) if before.crashed}
    found, paused = [], set[str]()
    for one in told:
        if one.name == E.PROCESSOR_STARTED and one.at not in crashed:
            found.append(_deed(one, _FINE, "engine started"))
        elif one.name == E.PROCESSOR_STOPPED:
            why = one.facts.get("why")
            found.append(_deed(one, _FINE, f"engine stopped: {why}" if why else "engine stopped"))
        elif one.name == E.QUEUE_CHANGED:
            found.append(_queue(one, paused))
        elif one.name in (E.NODE_CLOSED, E.NODE_OPENED, E.NODE_DRAINED):
            how = _NODE_DEEDS.get(one.name, f"closed ({one.facts.get('how')})")
            found.append(_deed(one, _FINE, f"node {one.facts.get('node')} {how}"))
    return found


_NODE_DEEDS: dict[str, str] = {E.NODE_OPENED: "opened again", E.NODE_DRAINED: "drained"}


def _deed(one: Told, level: str, words: str) -> IncidentView:
    return IncidentView(one.at, one.at, one.name, level, shown(words), shown(words))


def _queue(one: Told, paused: set[str]) -> IncidentView:
    """`paused`: those that were before, and are afterwards."""
    name = str(one.facts.get("queue", ""))
    where, by = switch_words(name), f" by {one.facts['by']}" if one.facts.get("by") else ""
    if one.facts.get("paused"):
        paused.add(name)
        return _deed(one, _ATTENTION, f"{where} paused{by}")
    # The switch of everything has no other settings.
    if name in paused or name == EVERY_QUEUE:
        paused.discard(name)
        return _deed(one, _FINE, f"{where} goes on{by}")
    return _deed(one, _FINE, f"{where} has new settings{by}")


def summary(happened: Sequence[Incident], checkpoints: int, ended: tuple[int, int] | None) -> str:
    """All of it in a line. `ended`: attempts that completed and failed meanwhile, where that is known."""
    parts = _crashes([one for one in happened if one.kind is Kind.CRASH])
    kinds = Counter(one.kind for one in happened)
    for kind, one, many in _COUNTED:
        if kinds[kind]:
            parts.append(_times(kinds[kind], one, many))
    if checkpoints:
        parts.append(_times(checkpoints, "checkpoint", "checkpoints"))
    if ended is not None and any(ended):
        parts.append(f"{_times(ended[0], 'attempt', 'attempts')} completed and {ended[1]:,} failed")
    if ended is None:
        parts.append("how many attempts ended is not known")
    return "; ".join(parts) or "nothing out of the ordinary"


def _crashes(crashes: Sequence[Incident]) -> list[str]:
    if not crashes:
        return []
    if any(one.ended_at is None for one in crashes):
        return [f"{_times(len(crashes), 'crash', 'crashes')}, and no engine runs"]
    return [f"1 {crashes[0].label}" if len(crashes) == 1 else f"{len(crashes):,} crashes, each resumed"]


_COUNTED = (
    (Kind.RESTORED, "return to a checkpoint", "returns to a checkpoint"),
    (Kind.RESCUED, "rescue of the store", "rescues of the store"),
    (Kind.STORM, "storm of failures", "storms of failures"),
    (Kind.DISK, "pause for lack of room on the disk", "pauses for lack of room on the disk"),
    (Kind.MEMORY, "shortage of memory", "shortages of memory"),
    (Kind.CLOCK, "jump of the clock", "jumps of the clock"),
    (Kind.CHECKPOINT, "failed checkpoint", "failed checkpoints"),
    (Kind.NODE, "node lost or silent", "nodes lost or silent"),
)


def _times(number: int, one: str, many: str) -> str:
    return f"{number:,} {one if number == 1 else many}"
