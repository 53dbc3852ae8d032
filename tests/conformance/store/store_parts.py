"""What the store's tests are made of: the implementations, tasks, and a small engine."""

from __future__ import annotations

import hashlib
import os
import re
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import closing
from pathlib import Path
from typing import Any, NamedTuple, Protocol, TypeVar

import msgspec
from redoing import PICTURE, Picture, picture

from overnight.core.states import ErrorClass, Outcome, Reason, TaskState
from overnight.core.storms import Storm, Subject
from overnight.core.task import Action, ActionKind, NewTask
from overnight.core.verdict import Settlement
from overnight.store.contract import Claim, Claimed, Store, Turn
from overnight.store.postgres import PostgresStore
from overnight.store.sqlite import SqliteStore

T = TypeVar("T")

NOON = 1_700_000_000.0
#: Fingerprint of the failures of `storm`.
CAUSE = "0123456789ab"
ACTION = Action(kind=ActionKind.COMMAND, cwd=b"/data", argv=(b"process", b"{}"))


class Opener(Protocol):
    """How a store is opened; `hooks` is called around every COMMIT."""

    def __call__(self, path: Path, *, create: bool = False, hooks: Callable[[str, str], None] | None = None) -> Store:
        """Open or make the store at `path`."""


class Implementation(NamedTuple):
    """A store that must keep the promises of the contract."""

    name: str
    open: Opener
    #: What of the store at a path must be equal in one that is built again.
    picture: Callable[[Path], Picture]
    #: It is a file, which can be copied and put back.
    is_file: bool = True


#: The variable with the database in which each path is a schema; processes that tests start have it, too.
DATABASE = "OVERNIGHT_TEST_STORES"


def address_of(path: Path) -> str:
    """Where the store on PostgreSQL is that stands for one at `path`."""
    before = os.environ[DATABASE]
    schema = f"s{hashlib.md5(bytes(path), usedforsecurity=False).hexdigest()}"
    return f"{before}{'&' if '?' in before else '?'}options=-csearch_path%3D{schema}"


def _open_postgres(path: Path, *, create: bool = False, hooks: Callable[[str, str], None] | None = None) -> Store:
    return PostgresStore.open(address_of(path), create=create, hooks=hooks)


def _picture_of_postgres(path: Path) -> Picture:
    store = PostgresStore.open(address_of(path), readonly=True)
    with closing(store):
        connection = store._database.connection
        return {name: connection.execute(for_postgres(sql)).fetchall() for name, sql in PICTURE.items()}


def for_postgres(sql: str) -> str:
    """What of these questions the store's own translation does not know."""
    sql = re.sub(r"round\(([\w.]+), 1\)", r"round(\1::numeric, 1)::float8", sql)
    return re.sub(r"hex\(([\w.]+)\)", r"upper(encode(\1, 'hex'))", sql)


#: All of them, by hand.
IMPLEMENTATIONS: Sequence[Implementation] = (
    Implementation("sqlite", SqliteStore.open, picture),
    Implementation("postgres", _open_postgres, _picture_of_postgres, is_file=False),
)


def task(name: str | bytes = "a", **changes: Any) -> NewTask:
    """A task whose input is `name`."""
    raw_input = name if isinstance(name, bytes) else name.encode()
    return msgspec.structs.replace(NewTask(action=ACTION, input=raw_input), **changes)


def tasks(count: int, **changes: Any) -> list[NewTask]:
    """Tasks 0 .. count - 1."""
    return [task(str(n), **changes) for n in range(count)]


#: A settlement that each state of an ended attempt stands for: outcome and reason.
ENDINGS: Mapping[TaskState, tuple[Outcome, Reason | None]] = {
    TaskState.COMPLETED: (Outcome.COMPLETED, None),
    TaskState.FAILED: (Outcome.FAILED, Reason.ERROR),
    TaskState.CANCELLED: (Outcome.CANCELLED, None),
    TaskState.HELD: (Outcome.LOST, Reason.POISON),
    TaskState.WAITING: (Outcome.FAILED, Reason.ERROR),
    TaskState.PENDING: (Outcome.INTERRUPTED, None),
}


def settlement(claimed: Claimed, state: TaskState = TaskState.COMPLETED, **changes: Any) -> Settlement:
    """How a claimed attempt ended, in the way that usually leads to `state`."""
    outcome, reason = ENDINGS[state]
    plain = Settlement(
        task_id=claimed.id,
        attempt=claimed.attempt,
        state=state,
        outcome=outcome,
        failures=claimed.failures + (outcome is Outcome.FAILED),
        deaths=claimed.deaths,
        started_at=NOON,
        reason=reason,
        not_before=NOON + 100 if state is TaskState.WAITING else None,
    )
    return msgspec.structs.replace(plain, **changes)


def storm(subject: Subject | None = None, **changes: Any) -> Storm:
    """A storm over the first action that was added, which is to be probed in a minute."""
    plain = Storm(
        subject=subject or Subject(action_id=1),
        queue="default",
        fingerprint=CAUSE,
        error_class=ErrorClass.TRANSIENT,
        error="connection refused",
        failures=20,
        first_at=NOON,
        began_at=NOON + 10,
        probes=0,
        probe_at=NOON + 70,
    )
    return msgspec.structs.replace(plain, **changes)


class SmallEngine:
    """Takes the fence of a store and turns it."""

    def __init__(self, store: Store) -> None:
        self.store = store
        self.fence = store.take_fence(now=NOON, by="test")

    def turn(self, *settlements: Settlement, now: float = NOON, claim: Claim | None = None) -> Turn:
        """One turn."""
        return self.store.turn(fence=self.fence, now=now, settlements=settlements, claim=claim)

    def claim(self, count: int = 1000, now: float = NOON) -> list[Claimed]:
        """Claim from all lanes."""
        return self.turn(now=now, claim=self.everything(count)).claimed

    def everything(self, count: int = 1000) -> Claim:
        """A claim that only its count limits."""
        return Claim(count=count, lanes={lane.id: {} for lane in self.store.orders().lanes}, pools={})

    def one(self, name: str | bytes = "a", **changes: Any) -> Claimed:
        """Add a task and claim it, where there is no other."""
        self.store.add([task(name, **changes)], now=NOON)
        (claimed,) = self.claim()
        return claimed

    def bring(self, state: TaskState, name: str | bytes = "a") -> int:
        """Add a task and bring it to `state`, where nothing else can be claimed. Returns its id."""
        if state is TaskState.PENDING:
            return self.store.add([task(name)], now=NOON).ids[0]
        claimed = self.one(name)
        if state is not TaskState.RUNNING:
            self.turn(settlement(claimed, state))
        return claimed.id


def told(store: Store) -> Iterator[dict[str, Any]]:
    """The events that have not been drained."""
    for row in store.outbox(1_000_000):
        lines = row.lines.splitlines()
        assert len(lines) == row.count
        for line in lines:
            assert line.startswith(b'{"event":')
            yield msgspec.json.decode(line)


def thrice_at_once(act: Callable[[], T]) -> list[T]:
    """What three threads get that do this at the same time; each of them gets something."""
    got: list[T] = []
    threads = [threading.Thread(target=lambda: got.append(act())) for _ in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(got) == len(threads)
    return got
