"""What lies in a home, by name: the one list of its files and directories."""

from __future__ import annotations

from pathlib import Path

import msgspec


class Layout(msgspec.Struct, frozen=True):
    """The paths of one home. A value: making it touches nothing."""

    path: Path

    @property
    def store(self) -> Path:
        """Tasks and everything that must not be lost."""
        return self.path / "queue.db"

    @property
    def lock(self) -> Path:
        """Held by the engine; see `HomeLock`."""
        return self.path / "lock"

    @property
    def stop(self) -> Path:
        """Touching it asks for a graceful stop."""
        return self.path / "STOP"

    @property
    def coming(self) -> Path:
        """Touched again and again while somebody is about to take over from the engine that is asked to stop."""
        return self.path / "COMING"

    @property
    def engine_info(self) -> Path:
        """What the engine says about itself, and why the last one gave up."""
        return self.path / "engine.json"

    @property
    def home_json(self) -> Path:
        """Who this home is. Written last when a home is made."""
        return self.path / "home.json"

    @property
    def adding(self) -> Path:
        """Locked by whoever looks what is there and adds what is not."""
        return self.path / "adding"

    @property
    def doorbell(self) -> Path:
        """The socket that producers ring."""
        return self.path / "doorbell"

    @property
    def placements(self) -> Path:
        """Which attempt was handed to which node, while attempts run on nodes."""
        return self.path / "placements"

    @property
    def nodes(self) -> Path:
        """What the engine knows of the nodes, for other programs to read."""
        return self.path / "nodes.json"

    @property
    def closed_nodes(self) -> Path:
        """Which nodes people have closed, and how."""
        return self.path / "closed-nodes.json"

    @property
    def following(self) -> Path:
        """Directory of what is followed of attempts on nodes, while somebody does."""
        return self.path / "following"

    @property
    def bridge_log(self) -> Path:
        """What Ray says in the process that speaks with it."""
        return self.path / "bridge.log"

    @property
    def fences(self) -> Path:
        """The numbers of its engines, where the store is one of many homes."""
        return self.path / "fences"

    @property
    def marks(self) -> Path:
        """Which attempt has really begun and ended; mapped by the workers."""
        return self.path / "marks"

    @property
    def reserve(self) -> Path:
        """Given up when the disk is full."""
        return self.path / "reserve"

    @property
    def spool(self) -> Path:
        """Directory of results on their way."""
        return self.path / "spool"

    @property
    def token(self) -> Path:
        """What the dashboard asks for."""
        return self.path / "token"

    @property
    def monitor_json(self) -> Path:
        """How it goes, for other programs to read."""
        return self.path / "monitor.json"

    @property
    def journal(self) -> Path:
        """Every event, in order."""
        return self.path / "events.jsonl"

    @property
    def heartbeat(self) -> Path:
        """A line every few minutes."""
        return self.path / "heartbeat.log"

    @property
    def log(self) -> Path:
        """What supervisor and engine say, when there is no terminal."""
        return self.path / "engine.log"

    @property
    def output(self) -> Path:
        """Directory of what tasks print."""
        return self.path / "output"

    @property
    def results(self) -> Path:
        """Directory of results that are too large for the store."""
        return self.path / "results"

    @property
    def work(self) -> Path:
        """Directory of the tasks' own directories."""
        return self.path / "work"

    @property
    def checkpoints(self) -> Path:
        """Directory of verified copies of the store."""
        return self.path / "checkpoints"

    @property
    def backups(self) -> Path:
        """Directory of backups: what the home and its project were at some time."""
        return self.path / "backups"

    @property
    def last_backup(self) -> Path:
        """The name of the backup that was made last; outlives the backups, so that their loss is seen."""
        return self.path / "last-backup"

    @property
    def history(self) -> Path:
        """Figures of the past; see `overnight.monitor.history`."""
        return self.path / "history.db"

    @property
    def logs(self) -> Path:
        """What was found in logs, and how far they were read; see `overnight.ops.logs`."""
        return self.path / "logs.db"

    @property
    def tests(self) -> Path:
        """What runs of tests came to; see `overnight.ops.suites`."""
        return self.path / "tests.db"

    @property
    def tests_under_way(self) -> Path:
        """Directory of what runs of tests have said that are not in there yet."""
        return self.path / "tests"

    @property
    def dormant(self) -> Path:
        """What was read in the project's files, and what was woken of it; see `overnight.ops.dormant`."""
        return self.path / "dormant.db"

    @property
    def health(self) -> Path:
        """What the checks have answered; see `overnight.monitor.health`."""
        return self.path / "health.db"

    @property
    def reports(self) -> Path:
        """Directory of reports as they were sent."""
        return self.path / "reports"

    @property
    def aside(self) -> Path:
        """Directory of stores that were damaged or set back; nothing in it is ever removed by the program."""
        return self.path / "aside"

    @property
    def config(self) -> Path:
        """The configuration; it lies beside the home, where people keep it with their project."""
        return self.path.parent / "overnight.toml"
