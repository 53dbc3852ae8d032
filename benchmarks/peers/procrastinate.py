"""Procrastinate on PostgreSQL: one worker with two at a time, a server of its own on a socket in the room."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, Literal

from peers.contract import SLOTS, Name
from peers.room import Room, installed, printed, program, until
from peers.work import FUNCTIONS

if TYPE_CHECKING:
    from procrastinate import App

APP = "from peers.procrastinate import make\napp = make({conninfo!r})\n"
#: The server refuses to run as root.
USER = "postgres"


def make(conninfo: str) -> App:
    """The application of a database, with all functions."""
    from procrastinate import App, PsycopgConnector

    made = App(connector=PsycopgConnector(conninfo=conninfo))
    for name, function in FUNCTIONS.items():
        made.task(name=name)(function)
    return made


def server_program(name: str) -> str | None:
    """A program of the server; Debian keeps them out of the way."""
    hidden = sorted(Path("/usr/lib/postgresql").glob(f"*/bin/{name}"))
    return program(name) or (str(hidden[-1]) if hidden else None)


def serve(room: Room) -> str:
    """A server with an empty database, as it comes (every commit synced). Returns how to reach it."""
    data, user = room.path / "data", USER if os.geteuid() == 0 else None
    data.mkdir(mode=0o700)
    sockets = room.path / "sockets"
    sockets.mkdir()
    if user:
        shutil.chown(data, user)
        shutil.chown(sockets, user)
    initdb = [server_program("initdb") or "initdb", "-D", str(data), "-U", USER, "-A", "trust", "-N"]
    subprocess.run(initdb, cwd=room.path, env=room.env, user=user, check=True, capture_output=True)
    postgres = server_program("postgres") or "postgres"
    room.serve([postgres, "-D", str(data), "-k", str(sockets), "-c", "listen_addresses="], user=user)
    conninfo = f"host={sockets} user={USER} dbname=postgres"
    until(lambda: _answers(conninfo), 20, "postgres")
    return conninfo


def _answers(conninfo: str) -> bool:
    import psycopg

    try:
        psycopg.connect(conninfo).close()
    except psycopg.OperationalError:
        return False
    return True


class Procrastinate:
    """See above."""

    NAME: ClassVar[str] = "Procrastinate, PostgreSQL"
    RUNS: ClassVar[Literal["functions", "commands"]] = "functions"
    COUNT: ClassVar[int] = 800
    MANY: ClassVar[bool] = True
    PROMISES: ClassVar[str] = (
        "an add is synced; a task whose worker died stays `doing` until a periodic task of yours looks for such ones"
    )

    def __init__(self, room: Room) -> None:
        conninfo = serve(room)
        self._room, self._app = room, make(conninfo)
        self._app.open()
        room.at_end.callback(self._app.close)  # the server waits for whoever is connected
        self._app.schema_manager.apply_schema()
        (room.path / "app.py").write_text(APP.format(conninfo=conninfo))

    @staticmethod
    def version() -> str | None:
        found, postgres = installed("procrastinate"), server_program("postgres")
        if found is None or postgres is None or server_program("initdb") is None:
            return None
        return f"{found}, PostgreSQL {printed(postgres, '--version').split()[2]}"

    def add(self, name: Name, value: str) -> None:
        self._app.tasks[name].defer(**{_argument(name): value})

    def fill(self, count: int) -> None:
        values: list[dict[str, Any]] = [{"value": str(number)} for number in range(count)]
        self._app.tasks["noop"].batch_defer(*values)

    def done(self) -> bool:
        return all(queue["todo"] + queue["doing"] == 0 for queue in self._app.job_manager.list_queues())

    def start(self) -> None:
        argv = ["-m", "procrastinate", "--app", "app.app", "worker", "--concurrency", str(SLOTS)]
        self._room.work([sys.executable, *argv])

    def kill(self) -> None:
        self._room.kill()

    def stop(self) -> None:
        self._room.stop()


def _argument(name: Name) -> str:
    """Arguments are given by name."""
    code = FUNCTIONS[name].__code__
    return code.co_varnames[0]
