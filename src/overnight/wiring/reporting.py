"""A report on its way to somebody: a message to each target, delivered like those of alerts.

It is handed on once under its name, whoever was killed in between: a task that is tried again sends no second one.
"""

from __future__ import annotations

import contextlib
from collections.abc import Mapping, Sequence
from contextlib import closing
from pathlib import Path
from typing import NamedTuple

import msgspec

from overnight import wiring
from overnight.core.alert_messages import Message
from overnight.core.alert_settings import Target
from overnight.core.lanes import OPS_QUEUE
from overnight.host.files import write_atomically
from overnight.host.home import Home
from overnight.host.lock import read_owner
from overnight.store.contract import Query
from overnight.wiring.delivering import hand_on, start_courier

#: Pages that are kept, and messages among which an earlier one of the same name is looked for.
KEPT, _LOOKED_THROUGH = 30, 500


class Letter(NamedTuple):
    """A report in the forms that go out. No two of one home have the same name, which is that of a file."""

    name: str
    subject: str
    body: str
    page: str


def send(home: Home, letter: Letter, names: Sequence[str], targets: Mapping[str, Target]) -> dict[str, int]:
    """Have a report delivered to each of these targets; the tasks that do it, by target.

    Args:
        home: Whose report it is.
        letter: The report.
        names: Targets that it goes to.
        targets: All that there are, by their names.

    Raises:
        OvernightError: The store cannot be had; nothing was sent.
    """
    page = _kept(home.reports, letter)
    now = wiring.clock.now()
    messages = [
        Message(f"{home.id[:8]}-{letter.name}-{name}", name, now, letter.subject, letter.body, page=page)
        for name in names
    ]
    handed = _handed_before(home)
    new = [one for one in messages if one.key not in handed]
    handed |= hand_on(home, new, targets) if new else {}
    if read_owner(home.lock) is None:
        with contextlib.suppress(OSError):  # then the next engine delivers it
            start_courier(home)
    return {one.target: handed[one.key] for one in messages}


def _handed_before(home: Home) -> dict[str, int]:
    """The latest messages that were handed on, by their keys."""
    with closing(wiring.open_store(home, readonly=True)) as store:
        tasks = store.tasks(Query(queue=OPS_QUEUE, limit=_LOOKED_THROUGH))
    found = {}
    for task in tasks:
        with contextlib.suppress(msgspec.MsgspecError):  # another kind of task
            found[msgspec.json.decode(task.input, type=Message).key] = task.id
    return found


def _kept(directory: Path, letter: Letter) -> str:
    """Where the page lies until it is sent, and for a while afterwards; nowhere when there is no room for it."""
    path = directory / f"{letter.name}.html"
    try:
        directory.mkdir(mode=0o700, exist_ok=True)
        write_atomically(path, letter.page.encode("utf-8", "replace"), durable=False)
        for old in sorted(directory.glob("*.html"), key=lambda one: one.stat().st_mtime)[:-KEPT]:
            old.unlink(missing_ok=True)
    except OSError:
        return ""
    return str(path)
