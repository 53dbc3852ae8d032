"""What happened to a night: crashes, pauses, storms, out of the few events that tell of them.

Most events tell of tasks. The few others come in pairs that may lie hours apart, and a crash is an event
that is missing: an engine that began while the one before had never said that it lets go.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from enum import StrEnum

import msgspec

from overnight.core.durations import format_duration, format_size
from overnight.core.event_names import EventName


class Kind(StrEnum):
    """What kind of thing happened."""

    CRASH = "crash"
    #: Nobody was there, and nobody was meant to.
    STOPPED = "stopped"
    DISK = "disk"
    MEMORY = "memory"
    STORM = "storm"
    CLOCK = "clock"
    RESTORED = "restored"
    RESCUED = "rescued"
    CHECKPOINT = "checkpoint"
    NODE = "node"


class Noted(msgspec.Struct, frozen=True):
    """One event that tells of no task: what incidents need of it. Instants are POSIX seconds."""

    event: EventName
    at: float
    #: When the event before it happened, whatever it was: as much as is known of when an engine ended.
    before: float | None = None
    fence: int = 0
    why: str = ""
    gate: str = ""
    available_bytes: int = 0
    workflow: str = ""
    action: str = ""
    queue: str = ""
    failures: int = 0
    probes: int = 0
    error: str = ""
    revived: int = 0
    seconds: float = 0.0
    checkpoint: str = ""
    lost: tuple[str, ...] = ()
    node: str = ""
    attempts: int = 0


def noted(fields: Mapping[str, object], *, name: str, at: float, before: float | None) -> Noted | None:
    """An event out of the fields of its line; None for one that nobody knows, of a later version or damaged."""
    try:
        return msgspec.convert({**fields, "event": name, "at": at, "before": before}, Noted, strict=False)
    except (msgspec.MsgspecError, TypeError):
        return None


class Incident(msgspec.Struct, frozen=True):
    """Something that happened. `ended_at` None: it goes on."""

    kind: Kind
    began_at: float
    ended_at: float | None
    words: str
    #: The same in few words, for a mark in a picture.
    label: str = ""


class Life(msgspec.Struct, frozen=True):
    """One engine from its beginning to its end, as far as is known. `crashed`: it has not said that it let go."""

    began_at: float
    ended_at: float | None
    crashed: bool = False


#: Seconds between a clean end and the next beginning that are no gap: an engine hands over to the next.
HANDOVER = 60.0


def lives(notes: Iterable[Noted], *, runs: bool, last_at: float | None, began: float | None = None) -> list[Life]:
    """Every engine that began, the oldest first.

    Args:
        notes: In the order in which they happened.
        runs: Whether an engine runs now.
        last_at: When the last event of all happened; None when there is none.
        began: When the engine began that was at work before all of them; None when none was.
    """
    found: list[Life] = []
    for note in notes:
        if note.event is EventName.PROCESSOR_STARTED:
            if began is not None:
                found.append(Life(began, note.at if note.before is None else note.before, crashed=True))
            began = note.at
        elif note.event is EventName.PROCESSOR_STOPPED and began is not None:
            found.append(Life(began, note.at))
            began = None
    if began is not None:
        found.append(Life(began, None) if runs else Life(began, last_at, crashed=True))
    return found


def beginning_of_run(engines: Sequence[Life]) -> float | None:
    """When the last run began: the restarts after crashes and handovers belong to it. None without an engine."""
    if not engines:
        return None
    first = len(engines) - 1
    while first and _is_one_run(engines[first - 1], engines[first]):
        first -= 1
    return engines[first].began_at


def _is_one_run(before: Life, after: Life) -> bool:
    return before.crashed or before.ended_at is None or after.began_at - before.ended_at < HANDOVER


def incidents(notes: Sequence[Noted], engines: Sequence[Life]) -> list[Incident]:
    """All that happened, the oldest first."""
    found = [*_ends(engines), *_gates(notes), *_storms(notes), *_nodes(notes), *_single(notes)]
    return sorted(found, key=lambda one: one.began_at)


def _ends(engines: Sequence[Life]) -> Iterable[Incident]:
    for number, life in enumerate(engines):
        after = engines[number + 1] if number + 1 < len(engines) else None
        if life.ended_at is None:
            continue
        until = None if after is None else after.began_at
        if life.crashed:
            yield _crash(life.ended_at, until)
        elif until is not None and until - life.ended_at >= HANDOVER:
            words = f"no engine for {_length(life.ended_at, until)}"
            yield Incident(Kind.STOPPED, life.ended_at, until, words, words)


def _crash(at: float, until: float | None) -> Incident:
    if until is None:
        return Incident(Kind.CRASH, at, None, "the engine ended without a word, and none runs", "crash")
    length = _length(at, until)
    words = f"the engine crashed, the next one went on within {length}"
    return Incident(Kind.CRASH, at, until, words, f"crash, resumed in {length}")


def _gates(notes: Sequence[Noted]) -> Iterable[Incident]:
    """From the closing of each gate to its opening; an engine that has just begun has none closed."""
    closed: dict[str, Noted] = {}
    for note in notes:
        if note.event is EventName.GATE_CLOSED:
            closed.setdefault(note.gate, note)
        elif note.event is EventName.GATE_OPENED and note.gate in closed:
            yield _gate(closed.pop(note.gate), note.at)
        elif note.event in (EventName.PROCESSOR_STARTED, EventName.PROCESSOR_STOPPED):
            yield from (_gate(one, note.at) for one in closed.values())
            closed.clear()
    yield from (_gate(one, None) for one in closed.values())


def _gate(closed: Noted, until: float | None) -> Incident:
    lasted = "" if until is None else f" for {_length(closed.at, until)}"
    left = f"{format_size(closed.available_bytes)} left"
    if closed.gate == Kind.DISK.value:
        return Incident(Kind.DISK, closed.at, until, f"disk full ({left}), nothing began{lasted}", f"disk full{lasted}")
    words = f"short of memory ({left}), fewer ran{lasted}"
    return Incident(Kind.MEMORY, closed.at, until, words, f"short of memory{lasted}")


def _storms(notes: Sequence[Noted]) -> Iterable[Incident]:
    open_: dict[tuple[str, str], Noted] = {}
    for note in notes:
        key = (note.workflow, note.action)
        if note.event is EventName.STORM_BEGAN:
            open_[key] = note
        elif note.event is EventName.STORM_ENDED:
            began = open_.pop(key, None)
            yield _storm(note if began is None else began, note)
    yield from (_storm(one, None) for one in open_.values())


def _storm(began: Noted, ended: Noted | None) -> Incident:
    what = f"workflow {began.workflow}" if began.workflow else f"queue {began.queue}"
    words = f"storm in {what}"
    if began.failures:
        words += f": {began.failures:,} failed alike" + (f" ({began.error})" if began.error else "")
    if ended is None:
        return Incident(Kind.STORM, began.at, None, words + ", the others wait", f"storm in {what}")
    since = ended.at - ended.seconds if began is ended else began.at
    revived = f", {ended.revived:,} tried again" if ended.revived else ""
    length = _length(since, ended.at)
    label = f"storm in {what} for {length}"
    return Incident(Kind.STORM, since, ended.at, f"{words}, over after {length}{revived}", label)


def _nodes(notes: Sequence[Noted]) -> Iterable[Incident]:
    """From a node's silence, or its loss, until it is given work again or its engine ends."""
    open_: dict[str, Noted] = {}
    for note in notes:
        if note.event in (EventName.NODE_SILENT, EventName.NODE_LOST):
            if (silent := open_.get(note.node)) is not None:  # its lease goes from before
                note = msgspec.structs.replace(note, at=silent.at)  # noqa: PLW2901 - the same, and longer
            open_[note.node] = note
        elif note.event is EventName.NODE_JOINED and note.node in open_:
            yield _node(open_.pop(note.node), note.at, back=True)
        elif note.event in (EventName.PROCESSOR_STARTED, EventName.PROCESSOR_STOPPED):
            yield from (_node(one, note.at, back=False) for one in open_.values())
            open_.clear()
    yield from (_node(one, None, back=False) for one in open_.values())


def _node(note: Noted, until: float | None, *, back: bool) -> Incident:
    lasted = "" if until is None or not back else f", back after {_length(note.at, until)}"
    if note.event is EventName.NODE_SILENT:
        words = f"node {note.node} was silent ({note.why})" + (lasted or ", and its lease is not over")
        return Incident(Kind.NODE, note.at, until, words, f"node {note.node} silent")
    attempts = f"{note.attempts:,} {'attempt' if note.attempts == 1 else 'attempts'}"
    again = f", and {attempts} with it, which ran again elsewhere" if note.attempts else ""
    words = f"node {note.node} was lost{again} ({note.why}){lasted}"
    return Incident(Kind.NODE, note.at, until, words, f"node {note.node} lost")


def _single(notes: Sequence[Noted]) -> Iterable[Incident]:
    for note in notes:
        if note.event in _SINGLE:
            kind, words, label = _SINGLE[note.event]
            yield Incident(kind, note.at, note.at, words.format(note=note, more=_more(note)), label)


_SINGLE = {
    EventName.CLOCK_JUMPED: (Kind.CLOCK, "the clock jumped by {note.seconds:+,.0f} s", "clock jumped"),
    EventName.CHECKPOINT_FAILED: (Kind.CHECKPOINT, "no checkpoint could be made ({note.error})", "no checkpoint"),
    EventName.CHECKPOINT_RESTORED: (Kind.RESTORED, "the store was set back{more}", "store set back"),
    EventName.CHECKPOINT_RESTORE_FAILED: (
        Kind.RESTORED,
        "checkpoint {note.checkpoint} was passed over ({note.error})",
        "checkpoint passed over",
    ),
    EventName.NODE_REFUSED: (Kind.NODE, "node {note.node} is given nothing ({note.why})", "node given nothing"),
    EventName.STORE_RESCUED: (Kind.RESCUED, "the store was taken away and put back{more}", "store put back"),
}


def _more(note: Noted) -> str:
    words = f" ({note.why})" if note.why else ""
    return words + (f"; lost: {'; '.join(note.lost)}" if note.lost else "")


def _length(since: float, until: float) -> str:
    return format_duration(max(0.0, until - since))
