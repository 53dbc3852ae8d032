"""``monitor.json``: how it goes, for scripts, replaced as a whole each time something has changed."""

from __future__ import annotations

from datetime import datetime
from pathlib import Path

import msgspec

from overnight.core.errors import NotFoundError
from overnight.core.events import instant, printable
from overnight.core.gauges import Figures
from overnight.core.monitor.memory import memory_bound
from overnight.core.states import TaskState
from overnight.host.files import write_atomically
from overnight.monitor.snapshot import EngineState, RunningView, Snapshot
from overnight.store.contract import Counts

#: Of the fields. It rises when one of them changes its meaning or goes; new ones may come at any time.
SCHEMA = "overnight.monitor/1"


class MonitoringStatus(msgspec.Struct, frozen=True, kw_only=True):
    """How it goes, at one moment. Instants are UTC.

    Files are tasks: what was added by itself, and no steps of workflows.
    """

    #: ``running``, ``paused``, ``stopping``, ``starting``, ``restarting``, ``silent`` (it hangs), ``stopped``, or
    #: ``completed``: stopped, with nothing left to do and nothing that waits for a person.
    status: str
    #: The one that runs longest: its title, or its input.
    current_file: str | None = None
    #: What waits or could start.
    files_in_queue: int = 0
    #: Done or given up.
    files_processed: int = 0
    #: Given up, or held for a person.
    files_failed: int = 0
    #: When the engine was started, or the last one.
    started_at: datetime | None = None
    last_updated: datetime
    current_file_started: datetime | None = None
    #: In the queue, or running.
    estimated_remaining_files: int = 0
    #: Of all attempts that completed or failed since the history began; None before the first.
    avg_file_duration_seconds: float | None = None
    #: Of what was processed, 0 to 100.
    error_rate_percent: float = 0.0

    schema: str = SCHEMA
    #: Process of the engine; None while there is none.
    pid: int | None = None
    why: str = ""
    counts: dict[str, int] = {}
    steps: dict[str, int] = {}
    rate_per_second: float | None = None
    seconds_left: float | None = None
    slots: int | None = None
    active: int | None = None
    #: Whether nothing needs a person.
    healthy: bool = True
    #: Resident memory of the engine as a share of what it may have with so many tasks to do, 0 to 100.
    memory_bound_percent: float | None = None
    #: Of the machine, the engine and the process that watches, by the names and in the units of the history.
    machine: dict[str, float] = {}
    #: The nodes on which attempts run, by how they stand ("up", "silent", "drained" ...), and what was lost with them;
    #: None where everything runs on one machine.
    nodes: dict[str, int] | None = None
    attempts_lost_with_nodes: int | None = None

    @classmethod
    def read(cls, home: Path | str) -> MonitoringStatus:
        """What was written last.

        Args:
            home: The directory ``.overnight``, or the one that it lies in.

        Raises:
            NotFoundError: There is none, or it is none of ours.
        """
        directory = Path(home)
        inside = directory / ".overnight"
        path = (inside if inside.is_dir() else directory) / "monitor.json"
        try:
            return msgspec.json.decode(path.read_bytes(), type=cls)
        except (OSError, msgspec.DecodeError, UnicodeDecodeError) as error:
            raise NotFoundError(
                f"{path} tells nothing ({error}); no task was touched",
                hint="it is written while an engine works: 'overnight run' or 'overnight start'",
            ) from error


def describe(picture: Snapshot, machine: Figures, mean_seconds: float | None) -> MonitoringStatus:
    """A picture in the words of `MonitoringStatus`.

    Args:
        picture: How it goes.
        machine: The last figures of the machine.
        mean_seconds: What an attempt has taken so far.
    """
    counts, engine = picture.counts, picture.engine
    current = min(picture.running, key=_began, default=None)
    done = counts.completed + counts.failed
    return MonitoringStatus(
        status=_status(engine.state, counts),
        current_file=None if current is None else _name(current),
        files_in_queue=counts.waiting + counts.pending,
        files_processed=done,
        files_failed=counts.failed + counts.held,
        started_at=instant(engine.started_at),
        last_updated=instant(picture.at),
        current_file_started=None if current is None else instant(current.task.started_at),
        estimated_remaining_files=counts.unfinished,
        avg_file_duration_seconds=mean_seconds,
        error_rate_percent=round(100 * counts.failed / done, 3) if done else 0.0,
        pid=engine.pid,
        why=printable(engine.why),
        counts={state.value: getattr(counts, state) for state in TaskState},
        steps=counts.steps,
        rate_per_second=picture.rate_per_second,
        seconds_left=picture.seconds_left,
        slots=engine.slots,
        active=engine.active,
        healthy=picture.healthy,
        memory_bound_percent=_of_bound(picture, machine),
        machine=dict(machine),
        nodes=None if picture.nodes is None else picture.nodes.counts(),
        attempts_lost_with_nodes=None if picture.nodes is None else picture.nodes.lost,
    )


def _of_bound(picture: Snapshot, machine: Figures) -> float | None:
    if picture.engine.pid is None or "engine_memory" not in machine:
        return None
    return round(100 * machine["engine_memory"] / memory_bound(picture.counts.unfinished), 1)


def _status(state: EngineState, counts: Counts) -> str:
    """An engine that is not there because nothing is left has completed."""
    if state is EngineState.STOPPED and counts.total and not counts.unfinished and not counts.held:
        return "completed"
    return state.value


def _began(view: RunningView) -> float:
    return float("inf") if view.task.started_at is None else view.task.started_at


def _name(view: RunningView) -> str:
    return printable(view.task.title or view.task.input.decode("utf-8", "replace"))


def write(path: Path, status: MonitoringStatus) -> None:
    """Replace what is there; never synced: after a power cut it is of no use.

    Raises:
        OSError: It could not be written; what was there still is.
    """
    write_atomically(path, msgspec.json.encode(status) + b"\n", durable=False)
