"""Celery on Redis: one worker with two pool processes, results off, everything else as it comes."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Any, ClassVar, Literal

from peers import redis
from peers.contract import SLOTS, Name
from peers.room import Room, installed
from peers.work import FUNCTIONS

if TYPE_CHECKING:
    from celery import Celery as App

APP = "from peers.celery import make\napp = make({url!r})\n"


def make(url: str) -> App:
    """The application of a broker, with all functions."""
    from celery import Celery as App

    made = App("bench", broker=url, set_as_current=False)
    made.conf.update(task_ignore_result=True, broker_connection_retry_on_startup=True)
    for name, function in FUNCTIONS.items():
        made.task(name=name)(function)
    return made


class Celery:
    """See above."""

    NAME: ClassVar[str] = "Celery, Redis"
    RUNS: ClassVar[Literal["functions", "commands"]] = "functions"
    COUNT: ClassVar[int] = 3000
    MANY: ClassVar[bool] = False
    PROMISES: ClassVar[str] = (
        "an add is in memory, and on disk within a second; a task is acknowledged before it runs, so one whose worker"
        " died is gone (with `acks_late` it comes back); what that worker had fetched ahead comes back after an hour"
    )

    def __init__(self, room: Room) -> None:
        self._room, self._server = room, redis.RedisServer(room)
        self._tasks: Any = make(self._server.url).tasks
        self._client: Any = self._server.client()
        (room.path / "app.py").write_text(APP.format(url=self._server.url))

    @staticmethod
    def version() -> str | None:
        found, server = installed("celery"), redis.version()
        return f"{found}, {server}" if found and server else None

    def add(self, name: Name, value: str) -> None:
        self._tasks[name].delay(value)

    def fill(self, count: int) -> None:
        for number in range(count):
            self.add("noop", str(number))

    def sync_every_add(self) -> None:
        """See `SyncedOnRequest`."""
        self._server.sync_every_write()

    def done(self) -> bool:
        return not self._client.llen("celery") and not self._client.hlen("unacked")

    def start(self) -> None:
        argv = ["-m", "celery", "--app", "app", "worker", "--concurrency", str(SLOTS), "--loglevel", "ERROR"]
        self._room.work([sys.executable, *argv])

    def kill(self) -> None:
        self._room.kill()

    def stop(self) -> None:
        self._room.stop()
