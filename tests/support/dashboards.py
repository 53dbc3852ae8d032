"""A dashboard that really listens, in a thread of the test, and a client that sends what no browser would."""

from __future__ import annotations

import contextlib
import http.client
import json
import socket
import threading
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, NamedTuple

import msgspec

from overnight import wiring
from overnight.core.states import ErrorClass, Outcome, Reason, TaskState
from overnight.core.task import Action, ActionKind, NewTask
from overnight.core.verdict import Settlement
from overnight.host.home import Home, create
from overnight.store.contract import Store
from overnight.ui.web.serving import Dashboard, Listening

NOON = 1_700_000_000.0
ACTION = Action(kind=ActionKind.COMMAND, cwd=b"/data", argv=(b"process", b"{}"))
#: Seconds after which an answer is taken not to come.
PATIENCE = 60.0


class Answer(NamedTuple):
    """What came back."""

    status: int
    headers: Mapping[str, str]
    body: bytes

    @property
    def json(self) -> Any:
        return json.loads(self.body)


class Served:
    """A home and its dashboard."""

    def __init__(self, home: Home, **listening: Any) -> None:
        self.home = home
        self.dashboard = Dashboard(home, Listening(**({"port": 0} | listening)), {})
        self.port = self.dashboard.port
        self.token = home.token.read_text().strip()
        self._thread = threading.Thread(target=self.dashboard.run, daemon=True)
        self._thread.start()
        assert self.ask("GET", "/healthz", token=False).status == 200

    @property
    def host(self) -> str:
        return f"127.0.0.1:{self.port}"

    def ask(
        self,
        method: str,
        path: str,
        body: bytes | None = None,
        *,
        token: bool = True,
        headers: Mapping[str, str | None] | None = None,
    ) -> Answer:
        """One request, as a program sends it; a header of None is left out."""
        given: dict[str, str | None] = {"Host": self.host}
        if token:
            given["Authorization"] = f"Bearer {self.token}"
        if body is not None:
            given |= {"Content-Type": "application/json", "X-Overnight": "1", "Content-Length": str(len(body))}
        given |= headers or {}
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=PATIENCE)
        with contextlib.closing(connection):
            connection.putrequest(method, path, skip_host=True, skip_accept_encoding=True)
            for name, value in given.items():
                if value is not None:
                    connection.putheader(name, value)
            connection.endheaders(body)
            answer = connection.getresponse()
            return Answer(answer.status, {k.lower(): v for k, v in answer.getheaders()}, answer.read())

    def get(self, path: str, **more: Any) -> Answer:
        """Ask the API."""
        return self.ask("GET", f"/api/v1/{path}", **more)

    def post(self, path: str, what: Any = None, **more: Any) -> Answer:
        """Have the API do something."""
        return self.ask("POST", f"/api/v1/{path}", json.dumps({} if what is None else what).encode(), **more)

    @contextlib.contextmanager
    def raw(self) -> Iterator[socket.socket]:
        """A connection to say anything on."""
        with socket.create_connection(("127.0.0.1", self.port), timeout=PATIENCE) as line:
            yield line

    def stop(self) -> None:
        """End it, and see it ended."""
        self.dashboard.end()
        self._thread.join(PATIENCE)
        assert not self._thread.is_alive()


@contextlib.contextmanager
def serving(home: Home, **listening: Any) -> Iterator[Served]:
    """A dashboard while it is needed."""
    served = Served(home, **listening)
    try:
        yield served
    finally:
        served.stop()


@contextlib.contextmanager
def store_of(home: Home) -> Iterator[Store]:
    """The store of a home, for a moment."""
    with contextlib.closing(wiring.open_store(home, create=True)) as store:
        yield store


def home_in(place: Path) -> Home:
    """A home with an empty store."""
    home = create(place / ".overnight")
    with store_of(home):
        return home


def new(name: str | bytes, **changes: Any) -> NewTask:
    """A task whose input is `name`."""
    given = name if isinstance(name, bytes) else name.encode()
    return msgspec.structs.replace(NewTask(action=ACTION, input=given), **changes)


def finish(store: Store, name: str | bytes, action: Action = ACTION, **changes: Any) -> int:
    """A task that is added and worked on at once; its id."""
    (task_id,) = store.add([new(name, action=action)], now=NOON).ids
    popped = store.pop("default", owner="1:1:1", now=NOON, by="test", task_id=task_id)
    assert popped is not None
    plain = Settlement(
        task_id=task_id,
        attempt=popped.attempt,
        state=TaskState.COMPLETED,
        outcome=Outcome.COMPLETED,
        failures=popped.failures,
        deaths=popped.deaths,
        started_at=NOON,
        seconds=2.0,
        slot=0,
    )
    assert store.hand_in([msgspec.structs.replace(plain, **changes)], now=NOON + 2) == []
    return task_id


def fail(
    store: Store,
    name: str | bytes,
    cause: str,
    error: str = "",
    *,
    reason: Reason = Reason.ERROR,
    action: Action = ACTION,
) -> int:
    """The same of one that is given up."""
    return finish(
        store,
        name,
        action,
        state=TaskState.FAILED,
        outcome=Outcome.FAILED,
        reason=reason,
        failures=1,
        fingerprint=cause,
        error=error or f"{cause}: {name!r}",
        error_class=ErrorClass.PERMANENT,
    )


def drain(home: Home) -> int:
    """Write the journal, as an engine does; how many events there are."""
    with store_of(home) as store:
        lines = b"".join(row.lines for row in store.outbox(1000)).splitlines()
    numbered = [b'{"seq":%d,%b\n' % (number, line[1:]) for number, line in enumerate(lines, 1)]
    home.journal.write_bytes(b"".join(numbered))
    return len(lines)
