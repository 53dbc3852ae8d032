"""RQ on Redis: two `rq worker` processes, each of which forks for every task, as RQ does if nothing is said."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import ClassVar, Literal

from peers import redis
from peers.contract import SLOTS, Name
from peers.room import Room, installed


class Rq:
    """See above."""

    NAME: ClassVar[str] = "RQ, Redis"
    RUNS: ClassVar[Literal["functions", "commands"]] = "functions"
    COUNT: ClassVar[int] = 250
    MANY: ClassVar[bool] = True
    PROMISES: ClassVar[str] = (
        "an add is in memory, and on disk within a second; a task whose worker died is found by a clean-up"
        " some minutes later and counted as failed, to be tried again only where retries were asked for"
    )

    def __init__(self, room: Room) -> None:
        from rq import Queue

        self._room, self._server = room, redis.RedisServer(room)
        self._queue = Queue(connection=self._server.client())

    @staticmethod
    def version() -> str | None:
        found, server = installed("rq"), redis.version()
        return f"{found}, {server}" if found and server else None

    def add(self, name: Name, value: str) -> None:
        self._queue.enqueue(f"peers.work.{name}", value)

    def fill(self, count: int) -> None:
        from rq import Queue

        jobs = [Queue.prepare_data("peers.work.noop", args=(str(number),)) for number in range(count)]
        self._queue.enqueue_many(jobs)

    def sync_every_add(self) -> None:
        """See `SyncedOnRequest`."""
        self._server.sync_every_write()

    def done(self) -> bool:
        return not self._queue.count and not self._queue.started_job_registry.count

    def start(self) -> None:
        program = Path(sys.executable).with_name("rq")
        for _ in range(SLOTS):
            self._room.work([sys.executable, str(program), "worker", "--quiet", "--url", self._server.url])

    def kill(self) -> None:
        self._room.kill()

    def stop(self) -> None:
        self._room.stop()
