"""The journal and the checkpoints of a home as lists, newest first, by the thread that reads files."""

from __future__ import annotations

from collections.abc import Sequence

from overnight.core.event_names import EventName
from overnight.core.events import printable
from overnight.host.home import Home
from overnight.monitor import pages
from overnight.monitor.tail import last_seq
from overnight.store.copies.shelf import Shelf
from overnight.ui.web.answers import Checkpoint, Checkpoints, EventLine, Events
from overnight.ui.web.showing import shown

#: Events of a page.
MOST_EVENTS = 500


def events(home: Home, before: int | None, limit: int, names: Sequence[EventName], task: int | None) -> Events:
    """A page of the journal. `before`: the number of an event; `names`: none for all; `task`: None for all."""
    known = [f'"event":"{name}"'.encode() for name in names]
    of_task = f'"id":{task},'.encode() if task is not None else b""

    def wanted(line: bytes) -> bool:
        return (not known or any(one in line for one in known)) and (not of_task or of_task in line)

    found, following = pages.page(home.journal, before=before, limit=min(limit, MOST_EVENTS), wanted=wanted)
    return Events([_event(one) for one in found], following)


def _event(fields: dict[str, object]) -> EventLine:
    seq, at, name = fields.pop("seq", 0), fields.pop("at", ""), fields.pop("event", "")
    short = {key: shown(value, 500) if isinstance(value, str) else value for key, value in fields.items()}
    short.pop("definition", None)
    return EventLine(int(str(seq)), str(at), str(name), short)


def checkpoints(home: Home) -> Checkpoints:
    """All of them."""
    found = [
        Checkpoint(one.name, it.made_at, it.size_bytes, it.took_seconds, it.reason, it.position)
        if (it := one.manifest) is not None
        else Checkpoint(shown(printable(one.name)), None, 0, 0.0, "", 0, shown(one.trouble))
        for one in Shelf(home.checkpoints, home.id).entries()
    ]
    return Checkpoints(found, last_seq(home.journal))


def newest_checkpoint(home: Home) -> Checkpoint | None:
    """The newest that can be trusted."""
    return next((one for one in checkpoints(home).checkpoints if not one.trouble), None)
