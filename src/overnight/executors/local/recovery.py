"""What became of the attempts that an earlier engine left open, from what its workers left behind.

Marks and spool stay as they are until this has been written down beside them, and what is written
down stays until it has been committed; so it may be killed at any point, and be asked again.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import msgspec

from overnight.core.endings import AttemptKey, Ended, Ending, Evidence, Lost
from overnight.executors.contract import Over
from overnight.executors.local.marks import Mark, State, open_slot, slots_in
from overnight.executors.local.stuck import Stuck, words_about
from overnight.executors.local.track import Key, outcomes
from overnight.host.files import write_atomically
from overnight.host.processes import boot_id

FILE = "recovered"


class _Recovered(msgspec.Struct):
    ended: list[Ended]
    lost: list[Lost]


def resolve(marks: Path, spool: Path, left_open: Sequence[AttemptKey]) -> list[Over]:
    """One event for each attempt. No process of that time is alive any more.

    A mark from before the machine was started again proves an end, and nothing else: a missing start
    may only not have reached the disk.
    """
    if not left_open:
        return []
    known = _earlier(spool)
    spooled = outcomes(spool, "s*")
    places, trusted = _places(marks)
    return [
        known.get(key) or spooled.get(key) or _from_mark(key, places.get(key), trusted=trusted) for key in left_open
    ]


def hold_the_stuck(marks: Path, events: Sequence[Over], stuck: Sequence[Stuck]) -> list[Over]:
    """Say of which lost attempts processes of that time could not be seen dead."""
    if not stuck:
        return list(events)
    slots = _slots(marks)
    return [_held_by(event, slots.get(event.key), stuck) if isinstance(event, Lost) else event for event in events]


def _held_by(lost: Lost, slot: int | None, stuck: Sequence[Stuck]) -> Lost:
    """A command says whose it is; the runner of functions says in which slot it is, and there only one had begun."""
    mine = [one.pid for one in stuck if one.key == lost.key or (one.key is None and one.slot in (None, slot))]
    if not mine or lost.evidence is Evidence.NEVER_STARTED:
        return lost
    return msgspec.structs.replace(lost, evidence=Evidence.STUCK, error=words_about(mine))


def _slots(marks: Path) -> dict[Key, int]:
    """In which slot each attempt was."""
    found: dict[Key, int] = {}
    for number in range(slots_in(marks)[0]):
        slot = open_slot(marks, number)
        found |= {mark.key: number for mark in slot.everything() if mark.state != State.EMPTY}
        slot.close()
    return found


def remember(spool: Path, events: Sequence[Over]) -> None:
    """Keep what `resolve` found; then the spools of that time can go."""
    recovered = _Recovered(
        [event for event in events if isinstance(event, Ended)], [event for event in events if isinstance(event, Lost)]
    )
    if events:
        write_atomically(spool / FILE, msgspec.msgpack.encode(recovered), durable=False)
    for path in spool.iterdir():
        # Without a question the last answer has been committed, or the store was set back: it is nobody's.
        if path.name != FILE or not events:
            path.unlink(missing_ok=True)


def committed(spool: Path) -> None:
    """What was found is in the store."""
    (spool / FILE).unlink(missing_ok=True)


def begun(marks: Path) -> list[Key]:
    """The attempts of which the marks say that they have begun, whoever knows of them."""
    places, _ = _places(marks)
    return sorted(places)


def _earlier(spool: Path) -> dict[Key, Over]:
    try:
        recovered = msgspec.msgpack.decode((spool / FILE).read_bytes(), type=_Recovered)
    except FileNotFoundError:
        return {}
    events: list[Over] = [*recovered.ended, *recovered.lost]
    return {event.key: event for event in events}


def _places(marks: Path) -> tuple[dict[Key, Mark], bool]:
    """All places that say something, by attempt, and whether a missing one means that nothing began."""
    slots, boot = slots_in(marks)
    places: dict[Key, Mark] = {}
    for number in range(slots):
        slot = open_slot(marks, number)
        places |= {mark.key: mark for mark in slot.everything() if mark.state != State.EMPTY}
        slot.close()
    return places, slots > 0 and boot == boot_id()


def _from_mark(key: AttemptKey, mark: Mark | None, *, trusted: bool) -> Over:
    if mark is None:
        return Lost(*key, Evidence.NEVER_STARTED if trusted else Evidence.STARTED)
    if mark.state == State.TRIVIAL:
        return Ended(*key, Ending.RETURNED, mark.wall, mark.end - mark.start)
    # A keeper that outlived the engine has ended the attempt and said so. Without its word it died, too: perhaps
    # by what the attempt did, which must not be tried for ever.
    worker_died = trusted and mark.state == State.STARTED
    words = "the engine and its worker died while it ran" if worker_died else "the engine died while it ran"
    return Lost(*key, Evidence.STARTED, worker_died=worker_died, started_at=mark.wall, error=words)
