"""What an attempt prints while it runs on a node, for ``log -f``: brought here by the engine while we read it."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path

from overnight import wiring
from overnight.core.nodes import NodeView
from overnight.core.states import Outcome
from overnight.core.task import Attempt, Task
from overnight.host.home import Home
from overnight.monitor import nodes
from overnight.ui.cli import printing
from overnight.ui.cli.session import Session

#: Seconds between two looks at the node.
_LOOK_EVERY = 1.0

Printed = Iterator[tuple[int, bytes]]


def live(session: Session, task: Task, node: str, directory: Path, doze: Callable[[], object]) -> Printed:
    """What an attempt prints, as it comes, and at its end what had not come by then. A node that goes away is said.

    Args:
        session: Where it is on record.
        task: Whose running attempt it is.
        node: On which it runs.
        directory: Where what it prints is laid down.
        doze: Waits a moment.
    """
    from overnight.executors.local.output import follow, read

    printed, over = 0, None
    watch = _Watch(session.home, node, task.attempt)
    for stream, content in follow(directory, task.id, task.attempt):
        if stream:
            printed += len(content)
            yield stream, content
        elif over is not None:
            break
        elif (over := _ended(session, task)) is None:
            watch.look()
            doze()
    if over is not None and over.output is not None:
        yield from _after(printed, read(session.home.output, over.output, task.id, task.attempt))
    if over is not None and over.outcome is Outcome.LOST:
        printing.note(f"overnight: attempt {task.attempt} was lost with node {printing.clean(node)}")


def _ended(session: Session, task: Task) -> Attempt | None:
    attempts = session.store.attempts(task.id)
    return next((attempt for attempt in attempts if attempt.number == task.attempt), None)


def _after(printed: int, pieces: Iterable[tuple[int, bytes]]) -> Printed:
    """What follows these many bytes."""
    with contextlib.suppress(FileNotFoundError):
        for stream, content in pieces:
            if content[printed:]:
                yield stream, content[printed:]
            printed = max(0, printed - len(content))


class _Watch:
    """Says when a node falls silent, or is heard again."""

    def __init__(self, home: Home, node: str, number: int) -> None:
        self._home = home
        self._node = node
        self._number = number
        self._look_at = 0.0
        self._amiss = False

    def look(self) -> None:
        """Say what has changed since the last look."""
        if wiring.clock.monotonic() < self._look_at:
            return
        self._look_at = wiring.clock.monotonic() + _LOOK_EVERY
        census = nodes.census(self._home.path)
        row = next((row for row in census.nodes if row.name == self._node), None) if census else None
        if row is None:
            return
        amiss = row.state not in ("up", "closed")
        if amiss != self._amiss:
            self._amiss = amiss
            words = NodeView(row).words(wiring.clock.now())
            back = f"; what attempt {self._number} prints comes when it is heard again" if row.over_at else ""
            self._say(f"{words}{back}" if amiss else "")

    def _say(self, amiss: str) -> None:
        if amiss:
            printing.note(f"overnight: node {printing.clean(amiss)}")
        else:
            printing.note(f"overnight: node {printing.clean(self._node)} is heard again")
