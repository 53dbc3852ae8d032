"""The program with nodes on sockets of this machine in the place of Ray's: ``python socket_nodes.py PLACE ...``.

``PLACE`` is where their sockets are, NAME.socket each; what follows is ``overnight ...``, for which ``--on ray``
finds these. With the word "unlingering" before it, its engine keeps nobody out for as long as its nodes may go on.
"""

from __future__ import annotations

import contextlib
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from unittest import mock

from overnight.executors.nodes.agent_process import Errand, agent_argv
from overnight.executors.nodes.sockets import SocketCarrier

NAMES = ("a", "b")
#: Seconds without an engine after which an agent ends by itself.
LINGER = 30.0


def program(place: Path, *more: str) -> tuple[str, ...]:
    """How the interpreter starts the program with these nodes."""
    return (__file__, str(place), *more)


@contextlib.contextmanager
def agents(place: Path, slots: int) -> Iterator[None]:
    """Both nodes, with so many slots each; gone afterwards."""
    running = [subprocess.Popen(agent_argv(_errand(place, name, slots)), stdin=subprocess.DEVNULL) for name in NAMES]
    try:
        yield
    finally:
        for agent in running:
            agent.terminate()
        for agent in running:
            agent.wait(20)


def _errand(place: Path, name: str, slots: int) -> Errand:
    return Errand(
        name,
        directory=str(place / f"node-{name}"),
        cookie=f"{place}:{name}",
        slots=slots,
        path=str(place / f"{name}.socket"),
        linger=LINGER,
    )


def main() -> None:
    """Be the program."""
    from overnight.ui import program
    from overnight.wiring import engine, nodes

    place, *words = sys.argv[1:]
    if words[0] == "unlingering":
        words = words[1:]
        mock.patch.object(engine, "linger_of", return_value=0.0).start()
    paths = {name: Path(place) / f"{name}.socket" for name in NAMES}
    carrier = lambda _task, clock, _log: SocketCarrier(paths, clock)  # noqa: E731 - in the place of a class
    mock.patch.object(nodes, "RayCarrier", carrier).start()
    sys.argv = ["overnight", *words]
    program.main()


if __name__ == "__main__":
    main()
