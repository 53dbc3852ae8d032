"""`make bench-peers`: Overnight beside its peers, all in one run on this machine, as two tables.

    python benchmarks/beside.py [--write] [NAME ...]

A NAME is a part of a peer's name, such as "huey". Rounds are interleaved: every peer once, then every peer
again. With `--write` the tables go into docs/benchmarks.md, between their two marks. Linux only.
"""

from __future__ import annotations

import platform
import signal
import sys
import time
from collections.abc import Callable
from typing import TypeVar

from measuring import conditions, write_between
from peers import figures
from peers.celery import Celery
from peers.contract import Line, Service
from peers.crash import crash
from peers.dbos import Dbos, DbosUnlimited
from peers.huey import Huey
from peers.ours import Engine, Run
from peers.parallel import Parallel
from peers.procrastinate import Procrastinate
from peers.rq import Rq
from peers.table import Figures, tables
from peers.tsp import TaskSpooler
from peers.xargs import Xargs

T = TypeVar("T")
R = TypeVar("R")

SERVICES: tuple[type[Service], ...] = (Engine, Huey, Rq, Celery, Dbos, DbosUnlimited, Procrastinate, TaskSpooler)
LINES: tuple[type[Line], ...] = (Run, Parallel, Xargs)
#: Not killed: the same peer stands in a list once more.
SPARED = (Engine, DbosUnlimited)
ROUNDS = 3


def main(words: list[str]) -> None:
    """Measure what is named, or everything, and print it."""
    if platform.system() != "Linux":
        raise SystemExit("the peers are measured by what Linux tells of processes; nothing was measured")
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))  # so that every room is closed
    began = time.monotonic()
    names = [word.lower() for word in words if not word.startswith("--")] or [""]
    services = [kind for kind in SERVICES if any(name in kind.NAME.lower() for name in names)]
    lines = [kind for kind in LINES if any(name in kind.NAME.lower() for name in names)]
    found = {kind.NAME: Figures(kind.version(), kind.PROMISES) for kind in services}
    found |= {kind.NAME: Figures(kind.version(), kind.PROMISES) for kind in lines if kind.NAME not in found}
    measure([kind for kind in services if kind.version()], [kind for kind in lines if kind.version()], found)
    text = f"{conditions()}\n\n{tables(found)}"
    print(text)
    say(f"all of it in {time.monotonic() - began:.0f} s")
    if "--write" in words:
        write_between("peers", text)


def measure(services: list[type[Service]], lines: list[type[Line]], found: dict[str, Figures]) -> None:
    """Fill in the figures of all that is installed."""
    for _ in range(ROUNDS):
        for service in services:
            time_service(service, found[service.NAME])
        for line in lines:
            time_line(line, found[line.NAME])
    for service in (kind for kind in services if kind is not DbosUnlimited):
        found[service.NAME].idle = tried(figures.idle_service, service)
    for line in lines:
        found[line.NAME].idle = found[line.NAME].idle or tried(figures.idle_line, line)
    say("SIGKILL to all")
    for name, crashed in crash([kind for kind in services if kind not in SPARED], lines).items():
        found[name].crashed = crashed


def time_service(kind: type[Service], into: Figures) -> None:
    """One round of a service."""
    if made := tried(figures.time_service, kind):
        into.rounds.append(made)
        (into.functions if kind.RUNS == "functions" else into.commands).append(made.rate)


def time_line(kind: type[Line], into: Figures) -> None:
    """One round of a line."""
    if rate := tried(figures.time_line, kind):
        into.commands.append(rate)
    if ready := tried(figures.ready_line, kind):
        into.ready.append(ready)


def tried(measure: Callable[[type[T]], R], kind: type[T]) -> R | None:
    """One measurement; None, and said so, when it did not come to an end."""
    began = time.monotonic()
    try:
        measured = measure(kind)
    except TimeoutError as error:
        say(f"{kind.__name__}: {measure.__name__} failed: {error}")
        return None
    say(f"{kind.__name__}: {measure.__name__} in {time.monotonic() - began:.1f} s")
    return measured


def say(words: str) -> None:
    """Progress; the tables alone go to standard output."""
    print(words, file=sys.stderr, flush=True)


if __name__ == "__main__":
    main(sys.argv[1:])
