"""Nodes on a test's bench: agents in processes of their own, on sockets, and the engine's side of them."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
from collections.abc import Sequence
from pathlib import Path
from typing import cast

from executor_bench import CLOCK, Bench

from overnight.core.endings import AttemptKey
from overnight.executors.contract import Over
from overnight.executors.local import LocalExecutor
from overnight.executors.nodes.agent_process import Errand, agent_argv
from overnight.executors.nodes.executor import NodesExecutor
from overnight.executors.nodes.files import Landing
from overnight.executors.nodes.live import Followed
from overnight.executors.nodes.node import Lease
from overnight.executors.nodes.parcels import Sender
from overnight.executors.nodes.sockets import SocketCarrier
from overnight.host.processes import below

LEASE = Lease(3.0, 1.0)


class NodesBench(Bench):
    """A bench whose attempts run on two nodes.

    Args:
        root: Directory for everything; nodes have directories below.
        slots: Of the engine.
        names: Of the nodes, each with four slots.
        lease: Theirs.
        parcels: Sends files along.
    """

    def __init__(
        self,
        root: Path,
        *,
        slots: int = 2,
        names: tuple[str, ...] = ("a", "b"),
        lease: Lease = LEASE,
        parcels: Sender | None = None,
    ) -> None:
        super().__init__(root, slots=0)
        self.names = names
        self.lease = lease
        self.parcels = parcels
        self.slots = slots
        self._here = self.executor
        self.agents: dict[str, subprocess.Popen[bytes]] = {}
        self.nodes = self.make()
        # All that a bench does with its executor stands in the contract.
        self.executor = cast("LocalExecutor", self.nodes)

    def make(self) -> NodesExecutor:
        """The engine's side."""
        return NodesExecutor(
            local=self._here,
            carrier=SocketCarrier({name: self.socket(name) for name in self.names}, CLOCK),
            clock=CLOCK,
            placements=self.root / "placements",
            landing=Landing(self.root / "output", self.root / "results"),
            slots=self.slots,
            lease=self.lease,
            followed=Followed(self.root / "following"),
            parcels=self.parcels,
        )

    def open(self, left_open: Sequence[AttemptKey] = ()) -> list[Over]:
        """Open it, with its agents, and wait until all of them are there."""
        for name in self.names:
            if name not in self.agents:
                self.start_agent(name)
        events = super().open(left_open)
        self.until(lambda: len(self.executor.offers()) == self.slots)
        return events

    def close(self) -> None:
        """Close it, and see its agents gone."""
        super().close()
        self.end_agents()

    def socket(self, name: str) -> Path:
        """Where a node is reached."""
        return self.root / f"{name}.socket"

    def start_agent(self, name: str) -> None:
        """Start the agent of a node; it ends by itself when nobody wants it."""
        errand = Errand(
            name,
            directory=str(self.root / f"node-{name}"),
            cookie=f"{self.cookie}:{name}",
            slots=4,
            path=str(self.socket(name)),
            linger=20.0,
        )
        self.agents[name] = subprocess.Popen(agent_argv(errand), stdin=subprocess.DEVNULL, start_new_session=True)

    def strike(self, name: str, number: signal.Signals) -> None:
        """Send a signal to everything of a node at once."""
        agent = self.agents[name].pid
        for pid in (agent, *below(agent)):
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, number)

    def survivors(self) -> list[int]:
        """Living processes of any node, or of this side."""
        cookie, found = self.cookie, []
        try:
            for name in ("", *(f":{name}" for name in self.names)):
                self.cookie = cookie + name
                found += super().survivors()
        finally:
            self.cookie = cookie
        return found

    def end_agents(self) -> None:
        """See all agents dead."""
        for name, agent in self.agents.items():
            if agent.poll() is None:
                self.strike(name, signal.SIGCONT)
                agent.terminate()
            agent.wait(20)
