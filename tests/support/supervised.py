"""A real supervisor over engines that a test has written, a few lines each."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import subprocess
import sys
import textwrap
import time
from base64 import b64encode
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import msgspec

from overnight.core.supervision import Policy, Word
from overnight.core.task import Backoff
from overnight.engine.supervisor import Order
from overnight.host.channel import Channel
from overnight.host.home import Home, create
from overnight.host.interpreter import python_for

#: Seconds after which something that should happen is taken not to happen.
PATIENCE = 60.0
#: Restarts at once, for tests.
HASTY = Policy(Backoff(0.01, 1.0, 0.01), most_crashes=3, room_every=0.01)

#: What every engine of a test begins with. It ends by itself, whatever the test comes to.
_PRELUDE = """
import base64, json, os, signal, socket, subprocess, sys, time
signal.alarm(100)
mission = json.loads(sys.argv[-1])
mission["home"] = base64.b64decode(mission["home"]).decode()
place = os.path.dirname(mission["home"])
os.chdir(place)
line = socket.socket(fileno=mission["channel"])
def say(**word):
    line.send(json.dumps(word).encode() + b"\\n")
def note(name, words=""):
    with open(name, "a") as file:
        file.write(f"{words or os.getpid()}\\n")
def up():
    say(type="ready", pid=os.getpid())
note("lives")
life = len(open("lives").readlines())
"""


def until(holds: Callable[[], object], what: str = "it did not happen") -> None:
    """Wait for a condition, with a deadline."""
    deadline = time.monotonic() + PATIENCE
    while not holds():
        assert time.monotonic() < deadline, what
        time.sleep(0.005)


class Guard:
    """A directory with a home, and the supervisor that a test starts there."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        self.home: Home = create(directory / ".overnight")
        self.heard: list[Word] = []
        self._channel, unused = Channel.pair()
        unused.close()
        self._started: list[subprocess.Popen[bytes]] = []

    def start(
        self,
        engine: str,
        *,
        policy: Policy = HASTY,
        waiting: bool = False,
        patch: str = "",
        environ: dict[str, str] | None = None,
        argv: Sequence[str] | None = None,
        before: str = "",
        **order: Any,
    ) -> subprocess.Popen[bytes]:
        """Start a supervisor. `engine`: the source of its engines; `patch`: done in the supervisor before it begins.

        `before`: what a shell does that becomes the supervisor.
        """
        self._channel.close()
        self._channel, theirs = Channel.pair()
        words = Order(
            home=bytes(self.home.path),
            engine=list(map(os.fsencode, argv or [sys.executable, "-S", "-c", _PRELUDE + textwrap.dedent(engine)])),
            policy=policy,
            waiting=theirs.fileno() if waiting else -1,
            **order,
        )
        command = python_for("overnight.engine.supervisor")
        if before:
            command = ["/bin/sh", "-c", f'{before}; exec "$@"', "sh", *command]
        if patch:
            command[-1] = command[-1].replace(
                "from overnight.engine.supervisor", f"{patch}; from overnight.engine.supervisor"
            )
        with (self.directory / "log").open("ab") as log:
            process = subprocess.Popen(
                [*command, msgspec.json.encode(words).decode()],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                pass_fds=[theirs.fileno()],
                cwd=self.directory,
                env=os.environ | (environ or {}),
            )
        self._started.append(process)
        theirs.close()
        return process

    def run(self, engine: str, **options: Any) -> int:
        """Let a supervisor come to its end; returns its exit status, with what it said in `heard`."""
        process = self.start(engine, **options)
        status = process.wait(PATIENCE)
        self.listen()
        return status

    def listen(self) -> list[Word]:
        """What was said to whoever waits, so far."""
        self.heard += [msgspec.json.decode(line, type=Word) for line in self._channel.receive()]
        return self.heard

    def lines(self, name: str) -> list[str]:
        """What the engines have noted under this name."""
        path = self.directory / name
        return path.read_text().splitlines() if path.exists() else []

    @property
    def log(self) -> str:
        """What the supervisor has said."""
        return (self.directory / "log").read_text()

    @property
    def info(self) -> dict[str, Any]:
        """``engine.json``."""
        found: dict[str, Any] = json.loads(self.home.engine_info.read_text())
        return found

    def close(self) -> None:
        """End what is still there: supervisors, and engines that have noted themselves."""
        for process in self._started:
            if process.poll() is None:
                process.kill()
                process.wait()
        for pid in self.lines("lives"):
            with contextlib.suppress(ProcessLookupError, FileNotFoundError):
                if b64encode(bytes(self.home.path)) in Path(f"/proc/{pid}/cmdline").read_bytes():
                    os.kill(int(pid), signal.SIGKILL)
        self._channel.close()
