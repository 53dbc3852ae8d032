"""A new user's terminal: the real program in a directory of its own."""

from __future__ import annotations

import contextlib
import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import psutil
from small_machine import ROOM

from overnight.host.lock import read_owner

#: Seconds after which something that should happen is taken not to happen.
PATIENCE = 60.0


class Terminal:
    """Runs ``overnight`` in one directory, and ends what it has started."""

    def __init__(self, cwd: Path) -> None:
        self.cwd = cwd
        self._started: list[subprocess.Popen[bytes]] = []
        environment = {name: value for name, value in os.environ.items() if not name.startswith("OVERNIGHT_")} | ROOM
        self._environment = environment

    def run(self, *words: str | bytes, code: int | None = 0, stdin: bytes | None = None) -> str:
        """Run it to its end; returns stdout. `code` None: any."""
        done = self.complete(*words, stdin=stdin)
        if code is not None:
            assert done.returncode == code, f"exit {done.returncode}\n{done.stdout!r}\n{done.stderr!r}"
        assert b"Traceback" not in done.stderr
        return done.stdout.decode("utf-8", "surrogateescape")

    def complete(self, *words: str | bytes, stdin: bytes | None = None) -> subprocess.CompletedProcess[bytes]:
        """Run it to its end."""
        source: dict[str, Any] = {"stdin": subprocess.DEVNULL} if stdin is None else {"input": stdin}
        return subprocess.run(
            [sys.executable, "-m", "overnight", *words],
            cwd=self.cwd,
            env=self._environment,
            capture_output=True,
            timeout=PATIENCE,
            check=False,
            **source,
        )

    def start(self, *words: str | bytes) -> subprocess.Popen[bytes]:
        """Start it and go on."""
        process = subprocess.Popen(
            [sys.executable, "-m", "overnight", *words],
            cwd=self.cwd,
            env=self._environment,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
        )
        self._started.append(process)
        return process

    def json(self, *words: str, code: int | None = 0) -> Any:
        """The one JSON object that a command prints."""
        return json.loads(self.run(*words, code=code))

    def tasks(self) -> list[dict[str, Any]]:
        """Every task, oldest first."""
        return [json.loads(line) for line in reversed(self.run("list", "--json").splitlines())]

    def counts(self) -> dict[str, int]:
        """How many tasks are in each state."""
        found: dict[str, int] = self.json("status", "--json")["counts"]
        return found

    def verify(self) -> None:
        """The books balance."""
        assert self.json("verify", "--json")["balanced"]

    def cookies(self) -> list[int]:
        """Processes that carry the cookie of this home."""
        card = json.loads((self.cwd / ".overnight" / "home.json").read_text())
        found = []
        for process in psutil.process_iter():
            try:
                if process.environ().get("OVERNIGHT_COOKIE", "").startswith(card["id"]):
                    found.append(process.pid)
            except psutil.Error:
                continue
        return found

    def kill_everything(self, process: subprocess.Popen[bytes]) -> None:
        """SIGKILL to an engine and everything below it, as at one moment: all are stopped first."""
        family = [psutil.Process(process.pid)]
        for member in family:  # grows while it is walked; a stopped parent gets no new children
            family += _children_of_the_stopped(member)
        for member in family:
            with contextlib.suppress(psutil.NoSuchProcess):
                member.kill()
        process.communicate()

    def owner(self) -> dict[str, Any]:
        """Who holds the home, as the lock says it; nothing when nobody does."""
        path = self.cwd / ".overnight" / "lock"
        return {} if read_owner(path) is None else json.loads(path.read_text())

    def close(self) -> None:
        """End what still runs, in the background too."""
        for name in ("supervisor", "pid"):
            if pid := self.owner().get(name):
                with contextlib.suppress(psutil.NoSuchProcess):
                    psutil.Process(pid).kill()
        for process in self._started:
            if process.poll() is None:
                self.kill_everything(process)
            for pipe in (process.stdout, process.stderr):
                if pipe is not None:
                    pipe.close()


def _children_of_the_stopped(process: psutil.Process) -> list[psutil.Process]:
    """Stop a process, so that it does nothing until it is killed, and return its children."""
    try:
        process.suspend()
        return process.children()
    except psutil.NoSuchProcess:
        return []
