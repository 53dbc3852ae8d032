"""A room for one peer: a directory that goes away, and an end for every process that was started for it.

Everything started here carries a mark in its environment, and so do its children, wherever they went:
daemons, orphans of a worker that was killed. Closing the room ends all of them, each by its number.
"""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager, suppress
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

import psutil
from measuring import directory

MARK = "OVERNIGHT_BENCH_ROOM"
BENCHMARKS = Path(__file__).parents[1]
#: Where `make bench-peers` puts programs that it does not install in the system.
PROGRAMS = Path(sys.prefix) / "peers" / "usr" / "bin"


class Room:
    """See above. `path` is its directory; what is put into `at_end` is called before anything is ended."""

    def __init__(self, path: Path) -> None:
        self.path = path
        path.chmod(0o755)  # a database server that is not root must get through
        self.at_end = ExitStack()
        self.workers: list[subprocess.Popen[bytes]] = []
        self._servers: list[subprocess.Popen[bytes]] = []
        self._known: set[psutil.Process] = set()

    @property
    def env(self) -> dict[str, str]:
        """The environment of everything that runs here."""
        return os.environ | {
            MARK: str(self.path),
            "PYTHONPATH": f"{BENCHMARKS}:{os.environ.get('PYTHONPATH', '')}",
            "PATH": f"{PROGRAMS}:{Path(sys.executable).parent}:{os.environ['PATH']}",
        }

    def work(self, argv: Sequence[str], *, env: Mapping[str, str] | None = None) -> subprocess.Popen[bytes]:
        """Start what a person starts to have work done."""
        self.workers.append(self._spawn(argv, env=env))
        return self.workers[-1]

    def serve(self, argv: Sequence[str], *, user: str | None = None) -> None:
        """Start a server, which outlives the workers."""
        self._servers.append(self._spawn(argv, user=user))

    def _spawn(
        self, argv: Sequence[str], *, env: Mapping[str, str] | None = None, user: str | None = None
    ) -> subprocess.Popen[bytes]:
        with (self.path / "log").open("ab") as log:
            return subprocess.Popen(
                argv,
                cwd=self.path,
                env=self.env | dict(env or {}),
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                user=user,
            )

    def everything(self) -> set[psutil.Process]:
        """All that runs for this room now, servers included."""
        marked = {one.pid for one in psutil.process_iter() if _marked(one, str(self.path))}
        started = {one.pid for one in (*self.workers, *self._servers) if one.poll() is None}
        for pid in marked | started:  # some write over their environment, and a child can have emptied its own
            self._known.update(_with_below(pid))
        self._known = {one for one in self._known if alive(one)}
        return set(self._known)

    def kill(self) -> None:
        """SIGKILL to the workers that were started here, and to nothing below them."""
        self.everything()  # what hangs on them can still be found by number
        for worker in self.workers:
            worker.kill()
        for worker in self.workers:
            worker.wait()
        self.workers.clear()

    def stop(self, patience: float = 10.0) -> None:
        """End the workers: asked first, then killed with all below them."""
        family = [one for worker in self.workers for one in _with_below(worker.pid)]
        for worker in self.workers:
            worker.terminate()
        for worker in self.workers:
            with suppress(subprocess.TimeoutExpired):
                worker.wait(patience)
        end(one for one in family if alive(one))
        for worker in self.workers:
            worker.wait()
        self.workers.clear()

    def close(self) -> None:
        """End whatever is left, servers last."""
        self.at_end.close()
        self.stop()
        end(self.everything() - {one for server in self._servers for one in _with_below(server.pid)})
        for server in self._servers:
            server.terminate()
            with suppress(subprocess.TimeoutExpired):
                server.wait(10)
        end(self.everything())
        for server in self._servers:
            server.wait()

    def program(self, name: str) -> str | None:
        """Where a program is."""
        return program(name)


@contextmanager
def room() -> Iterator[Room]:
    """A room, closed at the end whatever happens."""
    with directory() as path:
        made = Room(path)
        try:
            yield made
        finally:
            made.close()


def program(name: str) -> str | None:
    """Where a program is: in the system, else among those that were fetched for this benchmark."""
    return shutil.which(name) or shutil.which(name, path=str(PROGRAMS))


def installed(package: str) -> str | None:
    """The version of a Python package; None: it is not there."""
    try:
        return version(package)
    except PackageNotFoundError:
        return None


def printed(*argv: str) -> str:
    """What a command prints, in one string."""
    return subprocess.run(argv, capture_output=True, text=True, check=False, stdin=subprocess.DEVNULL).stdout


def free_port() -> int:
    """A port of this machine that nobody has."""
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        return int(found.getsockname()[1])


def until(holds: Callable[[], bool], seconds: float, what: str, *, pause: float = 0.001) -> None:
    """Look until it holds, with a pause between two looks.

    Raises:
        TimeoutError: It did not within so many seconds.
    """
    deadline = time.monotonic() + seconds
    while not holds():
        if time.monotonic() > deadline:
            raise TimeoutError(f"{what}: not within {seconds:.0f} s")
        time.sleep(pause)


def end(processes: Iterator[psutil.Process] | set[psutil.Process]) -> None:
    """Kill them, each by its number, and wait until they are gone."""
    found = list(processes)
    for one in found:
        with suppress(psutil.NoSuchProcess):
            one.kill()
    until(lambda: not any(alive(one) for one in found), 10, "the end of killed processes")


def _marked(process: psutil.Process, mark: str) -> bool:
    try:
        return process.pid != os.getpid() and process.environ().get(MARK) == mark
    except psutil.Error:
        return False


def alive(process: psutil.Process) -> bool:
    """Whether it runs; a zombie does not."""
    try:
        return process.is_running() and process.status() != psutil.STATUS_ZOMBIE
    except psutil.Error:
        return False


def _with_below(pid: int) -> list[psutil.Process]:
    try:
        process = psutil.Process(pid)
        return [process, *process.children(recursive=True)]
    except psutil.NoSuchProcess:
        return []
