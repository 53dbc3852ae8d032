"""The actor on a node: a thin shell around the process of an agent.

Detached and named, so it outlives the engine that made it, and never restarted. It passes bytes on in order and
knows nothing of what they say. When it dies, however it dies, the agent's line ends, and the agent ends all that runs.

Two groups of calls with one thread each, so that those of one kind keep their order, and a call that waits for words of
the agent keeps none from it.
"""

from __future__ import annotations

import os
import select
import socket
import subprocess
import tempfile
import threading
import time
from pathlib import Path

import msgspec

from overnight.executors.nodes.agent_process import Errand, agent_argv
from overnight.executors.nodes.stream import Stream

#: Seconds for a message to get into the socket; an agent always reads.
SEND_WITHIN = 10.0
#: Seconds for what an agent has said at its end to be fetched.
LAST_WORDS = 1.0


class Shell:
    """What becomes an actor. Calls of anybody but the one who connected last are not heard.

    Args:
        errand: What the agent is told; an empty directory is chosen here, and a work directory that
            is not to be seen from here is left out.
        home: Identifier of the engine's home.
    """

    def __init__(self, errand: Errand, home: str) -> None:
        ours, theirs = socket.socketpair()
        directory = errand.directory or str(directory_of(home, errand.name))
        work = errand.work if Path(errand.work).is_dir() else ""
        errand = msgspec.structs.replace(errand, directory=directory, work=work, line=theirs.fileno())
        with theirs:
            self._agent = subprocess.Popen(
                agent_argv(errand),
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                pass_fds=(theirs.fileno(),),
                start_new_session=True,
                # What Ray tells its own processes, its token above all, is not for tasks.
                env={name: value for name, value in os.environ.items() if not name.startswith("RAY_")},
            )
        self._stream = Stream(ours)
        self._caller = ""
        threading.Thread(target=self._follow, daemon=True).start()

    def _follow(self) -> None:
        """End with the agent: whoever has told it to may be gone, and a shell without one holds a share of the node."""
        self._agent.wait()
        time.sleep(LAST_WORDS)
        os._exit(0)

    def connect(self, caller: str) -> None:
        """From now on `caller` speaks with the agent, which greets it."""
        self._caller = caller
        self.send(caller, b"")

    def send(self, caller: str, packed: bytes) -> None:
        """Say this to the agent."""
        if caller != self._caller:
            return
        self._stream.send(packed)
        while self._stream.full and select.select([], [self._stream], [], SEND_WITHIN)[1]:
            self._stream.flush()

    def receive(self, caller: str, seconds: float) -> list[bytes] | None:
        """What the agent has said, as soon as there is something, or after so long. None: it has ended."""
        select.select([self._stream], [], [], seconds)
        if caller != self._caller:
            return []
        try:
            return self._stream.receive()
        except EOFError:
            return None


def directory_of(home: str, name: str) -> Path:
    """Where an agent keeps what it keeps: the same place for the same node and home, on a disk of the node."""
    return Path(tempfile.gettempdir()) / f"overnight-{os.getuid()}" / home / name
