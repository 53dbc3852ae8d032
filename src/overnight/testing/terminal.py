"""A new user's terminal: the real program in a directory of its own, as a process."""

from __future__ import annotations

import contextlib
import json
import os
import subprocess
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import psutil

from overnight.host.lock import read_owner

#: Seconds after which something that should happen is taken not to happen.
PATIENCE = 60.0


class Terminal:
    """Runs the program in one directory, and ends what it has started.

    Args:
        cwd: The directory.
        program: The words after the interpreter that start the program.
        variables: Of the environment, besides those that this process has; none of ours is passed on.
    """

    def __init__(self, cwd: Path, program: Sequence[str], variables: Mapping[str, str] | None = None) -> None:
        self.cwd = cwd
        self._program = program
        self._started: list[subprocess.Popen[bytes]] = []
        self._environment = clean_environment() | dict(variables or {})

    def run(self, *words: str | bytes, code: int | None = 0, stdin: bytes | None = None) -> str:
        """Run it to its end; returns stdout. `code` None: any.

        Raises:
            AssertionError: It ended otherwise, or stumbled.
        """
        done = self.complete(*words, stdin=stdin)
        if (code is not None and done.returncode != code) or b"Traceback" in done.stderr:
            raise AssertionError(f"{words}: exit {done.returncode}\n{done.stdout!r}\n{done.stderr!r}")
        return done.stdout.decode("utf-8", "surrogateescape")

    def complete(self, *words: str | bytes, stdin: bytes | None = None) -> subprocess.CompletedProcess[bytes]:
        """Run it to its end."""
        source: dict[str, Any] = {"stdin": subprocess.DEVNULL} if stdin is None else {"input": stdin}
        return subprocess.run(
            [sys.executable, *self._program, *words],
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
            [sys.executable, *self._program, *words],
            cwd=self.cwd,
            env=self._environment,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
        )
        self._started.append(process)
        return process

    def json(self, *words: str, code: int | None = 0) -> Any:  # noqa: ANN401 - whatever it is
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
        """The books balance. Raises AssertionError when they do not."""
        if not (found := self.json("verify", "--json", code=None))["balanced"]:
            raise AssertionError(f"the books do not balance: {found}")

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
        with contextlib.suppress(FileNotFoundError, json.JSONDecodeError):  # let go of since it was looked at
            return {} if read_owner(path) is None else json.loads(path.read_text())
        return {}

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


def clean_environment() -> dict[str, str]:
    """The environment of this process without what is meant for another home."""
    return {name: value for name, value in os.environ.items() if not name.startswith("OVERNIGHT_")}
