"""A home whose store is worked on by hand, checkpointed, damaged and set back."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import msgspec

from overnight.core.states import Outcome, TaskState
from overnight.core.task import Action, ActionKind, NewTask
from overnight.core.verdict import Settlement
from overnight.engine.journal import Journal
from overnight.host.home import Home, create, past, remember_store
from overnight.store.contract import Claim, Claimed, Query
from overnight.store.copies.making import Made, Order, make
from overnight.store.copies.shelf import Shelf
from overnight.store.sqlite import SqliteStore
from overnight.testing import FakeClock

NOON = 1_800_000_000.0


def action(**options: Any) -> Action:
    return Action(kind=ActionKind.COMMAND, cwd=b"/", argv=(b"true",), **options)


def new_task(name: str, **options: Any) -> NewTask:
    what = options.pop("action", None) or action()
    return NewTask(action=what, input=name.encode(), **options)


class Place:
    """A home, its store, and a small engine.

    Args:
        directory: Where the home is made.
        hooks: Called around every COMMIT.
    """

    def __init__(self, directory: Path, hooks: Callable[[str, str], None] | None = None) -> None:
        self.home: Home = create(directory / ".overnight", random=bytes(8))
        self.clock = FakeClock(NOON)
        self._hooks = hooks
        self.store = SqliteStore.open(self.home.store, create=True, migrate=True, hooks=hooks)
        remember_store(self.home)
        self.fence = self.store.take_fence(now=NOON, by="test")

    @property
    def shelf(self) -> Shelf:
        return Shelf(self.home.checkpoints, self.home.id)

    def add(self, *names: str, **options: Any) -> list[int]:
        """Add tasks with these inputs."""
        return self.store.add([new_task(name, **options) for name in names], now=self.clock.now()).ids

    def claim(self, count: int = 1) -> list[Claimed]:
        """Begin the next tasks."""
        lanes: dict[int, dict[str, float]] = {lane.id: {} for lane in self.store.orders().lanes}
        claim = Claim(count=count, lanes=lanes, pools={})
        return self.store.turn(fence=self.fence, now=self.clock.now(), claim=claim).claimed

    def settle(self, *claimed: Claimed, state: TaskState = TaskState.COMPLETED, **changes: Any) -> None:
        """Bring attempts to their end."""
        outcome = Outcome.COMPLETED if state is TaskState.COMPLETED else Outcome.FAILED
        settlements = [
            Settlement(one.id, one.attempt, state, outcome, one.failures, one.deaths, self.clock.now(), **changes)
            for one in claimed
        ]
        self.store.turn(fence=self.fence, now=self.clock.now(), settlements=settlements)

    def work(self, count: int = 1) -> None:
        """Complete the next tasks."""
        self.settle(*self.claim(count))

    def journal(self) -> None:
        """Have the journal written and synced."""
        self.clock.advance(1)
        Journal(self.home.journal, self.store).close()

    def checkpoint(self, reason: str = "cadence") -> Made:
        """Make one, a minute later."""
        self.clock.advance(60)
        order = Order(
            store=str(self.home.store),
            shelf=str(self.shelf.directory),
            home=self.home.id,
            epoch=past(self.home).epoch,
            reason=reason,
        )
        return make(order, clock=self.clock)

    def close(self) -> None:
        """Let go of the store, with its log moved into it."""
        self.store._database.tidy(0, give_back=0)
        self.store.close()

    def reopen(self) -> None:
        """What another process finds."""
        self.store.close()
        self.store = SqliteStore.open(self.home.store, hooks=self._hooks)

    def states(self) -> dict[str, TaskState]:
        """Every task by its input."""
        return {task.input.decode(): task.state for task in self.store.tasks(Query(limit=100_000))}

    def events(self) -> list[dict[str, Any]]:
        """The journal."""
        self.journal()
        paths = [*sorted(self.home.path.glob("events-*.jsonl")), self.home.journal]
        return [msgspec.json.decode(line) for path in paths for line in path.read_bytes().splitlines()]


def damage(path: Path, place: int, content: bytes | None = None) -> None:
    """Change a file at one place: by flipping a bit, or to `content`."""
    with path.open("r+b") as file:
        file.seek(place)
        content = bytes([file.read(1)[0] ^ 0x10]) if content is None else content
        file.seek(place)
        file.write(content)
