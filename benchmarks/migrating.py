"""How long `overnight migrate plan` takes for 50 migrations: the whole process, on a copy and on a real server.

The database of SQLite is not empty: the copy of it is part of what is measured. Beside the wall clock stands the
processor's time of the command, which others on the machine do not change.
"""

from __future__ import annotations

import resource
import sqlite3
import statistics
from pathlib import Path

from measuring import OVERNIGHT, Row, directory, seconds, spread
from peers.procrastinate import serve, server_program
from peers.room import installed, room

COUNT, REPEATS, ROWS, GOAL = 50, 5, 200_000, 2.0
_UP = """-- migrate:up
CREATE TABLE t{0} (id INTEGER PRIMARY KEY, name VARCHAR(40) NOT NULL, at DOUBLE PRECISION);
CREATE INDEX t{0}_name ON t{0} (name);
INSERT INTO t{0} VALUES ({0}, 'one', 1.5);
-- migrate:down
DROP TABLE t{0};
"""


def project(cwd: Path, address: str) -> None:
    """A project with so many migrations that wait."""
    (cwd / "overnight.toml").write_text(f'[migrations]\ndatabase = "{address}"\n')
    folder = cwd / "db" / "migrations"
    folder.mkdir(parents=True)
    for number in range(1, COUNT + 1):
        (folder / f"{number:03}_t{number}.sql").write_text(_UP.format(number))


def fill(path: Path) -> float:
    """A database with rows in it. Returns megabytes."""
    connection = sqlite3.connect(path)
    connection.execute("CREATE TABLE old (id INTEGER PRIMARY KEY, words TEXT)")
    connection.executemany("INSERT INTO old (words) VALUES (?)", ((f"row {n} " * 12,) for n in range(ROWS)))
    connection.commit()
    connection.close()
    return path.stat().st_size / 1e6


def row(cwd: Path, where: str) -> Row:
    """One line of the table. The first plan, which compiles and warms caches, does not count."""
    argv = [*OVERNIGHT, "migrate", "plan"]
    seconds(argv, cwd)
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    took = [seconds(argv, cwd) for _ in range(REPEATS)]
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    used = (after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime) / REPEATS
    met = statistics.median(took) < GOAL
    what = f"`migrate plan` of {COUNT} migrations, {where}"
    return Row(what, f"{spread(took, '{:.2f}')} s", f"{used:.2f} s of CPU", f"< {GOAL:.0f} s", met)


def measure() -> list[Row]:
    """The rows of the table; that of PostgreSQL only where there is a server."""
    with directory() as cwd:
        size = fill(cwd / "app.db")
        project(cwd, "sqlite:app.db")
        rows = [row(cwd, f"SQLite of {size:.0f} MB")]
    if installed("psycopg") is None or server_program("postgres") is None:
        return rows
    with room() as server, directory() as cwd:
        serve(server)
        project(cwd, f"postgres://postgres@/postgres?host={server.path}/sockets")
        return [*rows, row(cwd, "PostgreSQL")]
