"""DBOS on SQLite, its default: one process, functions as workflows on a queue, added by its client.

    python -m peers.dbos FILE SLOTS

is the worker; SLOTS 0 sets no limit on the queue, which is what DBOS does if nothing is said. With a limit it
hands out at most that many tasks at each look, and it looks once a second.
"""

from __future__ import annotations

import signal
import subprocess
import sys
from pathlib import Path
from typing import ClassVar, Literal

from peers.contract import SLOTS, Name
from peers.room import Room, installed
from peers.work import FUNCTIONS

QUEUE = "bench"


def worker(url: str, slots: int) -> None:
    """Run what is queued until SIGTERM."""
    from dbos import DBOS

    DBOS(config={"name": "bench", "system_database_url": url, "log_level": "ERROR"})
    for name, function in FUNCTIONS.items():
        DBOS.workflow(name=name)(function)
    DBOS.launch()
    DBOS.register_queue(QUEUE, worker_concurrency=slots or None)
    signal.sigwait({signal.SIGTERM})
    DBOS.destroy()


class Dbos:
    """See above."""

    NAME: ClassVar[str] = "DBOS, SQLite"
    RUNS: ClassVar[Literal["functions", "commands"]] = "functions"
    COUNT: ClassVar[int] = 6
    MANY: ClassVar[bool] = False
    PROMISES: ClassVar[str] = (
        "an add is synced; a function that was running when its process died runs again at the next launch"
        " (what it had started is not looked for)"
    )
    slots = SLOTS

    def __init__(self, room: Room) -> None:
        from dbos import DBOSClient

        self._room, self._url = room, f"sqlite:///{room.path / 'dbos.sqlite'}"
        migrate = [str(Path(sys.executable).with_name("dbos")), "migrate", "--sys-db-url", self._url]
        subprocess.run(migrate, cwd=room.path, env=room.env, check=True, capture_output=True)
        self._client = DBOSClient(system_database_url=self._url)
        room.at_end.callback(self._client.destroy)

    @staticmethod
    def version() -> str | None:
        return installed("dbos")

    def add(self, name: Name, value: str) -> None:
        self._client.enqueue({"workflow_name": name, "queue_name": QUEUE}, value)

    def fill(self, count: int) -> None:
        for number in range(count):
            self.add("noop", str(number))

    def done(self) -> bool:
        open_ones = self._client.list_workflows(status=["ENQUEUED", "PENDING"], limit=1, load_input=False)
        return not open_ones

    def start(self) -> None:
        self._room.work([sys.executable, "-m", "peers.dbos", self._url, str(self.slots)])

    def kill(self) -> None:
        self._room.kill()

    def stop(self) -> None:
        self._room.stop()


class DbosUnlimited(Dbos):
    """The same without a limit on the queue: it starts whatever is there, in threads."""

    NAME: ClassVar[str] = "DBOS, SQLite, no limit of slots"
    COUNT: ClassVar[int] = 200
    slots = 0


if __name__ == "__main__":
    worker(sys.argv[1], int(sys.argv[2]))
