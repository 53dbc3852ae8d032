"""`AutonomousProcessor`: works through a queue of files until it is empty or somebody says stop."""

from __future__ import annotations

import os
import threading
from collections.abc import Callable
from dataclasses import asdict, dataclass, fields
from typing import Any, NotRequired, TypedDict

from msgspec import UNSET

from overnight import wiring
from overnight.api import night
from overnight.api.access import Access, HomePath
from overnight.api.arguments import input_bytes, limit, whole, words
from overnight.api.engine_process import Binding, Finished, Order, Progress
from overnight.api.naming import name_of, refuse_while_imported_by_a_worker
from overnight.api.options import Options
from overnight.api.orchestrator import TaskOrchestrator
from overnight.api.queue import FileQueue, item_of
from overnight.core.durations import iso, quoted
from overnight.core.errors import NotFoundError
from overnight.core.states import FINAL, TaskState
from overnight.core.stopping import StoppedBy
from overnight.core.task import DEFAULT_RETRIES, DEFAULT_TIMEOUT, LIMITS, Task, text
from overnight.host.lock import read_owner
from overnight.store.contract import Query, Store
from overnight.store.copies.summary import Checkpoint
from overnight.wiring.files import DEFAULT_WORKFLOW
from overnight.wiring.workflows import all_known

#: Seconds for one attempt at a file when nothing else is said.
DEFAULT_TIMEOUT_SECONDS = DEFAULT_TIMEOUT
#: Finished files between two checkpoints when nothing else is said.
DEFAULT_CHECKPOINT_INTERVAL = 5
#: Further attempts after a failed one when nothing else is said.
MAX_RETRIES = DEFAULT_RETRIES
_MOST_STEPS = 100_000


@dataclass(frozen=True, slots=True)
class ProcessingResult:
    """How a file ended.

    Attributes:
        file_path: As it was added.
        success: Whether it was processed.
        error: One line of why not; None after a success.
        duration_seconds: How long the last attempt took; of a workflow, all of its steps together, by the clock.
        attempts: How many there were; of a workflow, at the step that had the most.
    """

    file_path: str
    success: bool
    error: str | None
    duration_seconds: float
    attempts: int


@dataclass(slots=True)
class ProcessorState:
    """How far a processor is.

    Attributes:
        status: ``idle``, ``running``, ``stopped`` or ``completed``.
        started_at: ISO 8601 in UTC; None before the first run.
        stopped_at: ISO 8601 in UTC; None while it runs.
        files_processed: Files done since `started_at`.
        files_failed: Files given up, or held for a person, since `started_at`.
        current_file: The one begun first of those being worked on.
    """

    status: str = "idle"
    started_at: str | None = None
    stopped_at: str | None = None
    files_processed: int = 0
    files_failed: int = 0
    current_file: str | None = None


class RunSummary(TypedDict):
    """What `AutonomousProcessor.run` returns."""

    #: No file failed in this run.
    success: bool
    processed: NotRequired[int]
    failed: NotRequired[int]
    #: ``queue_empty``, ``stop_signal``, ``signal``, ``gate`` or ``halt``.
    stopped_by: NotRequired[str]
    #: Why there was no run.
    error: NotRequired[str]


class AutonomousProcessor:
    """Works through the files of the default queue: limits, retries and records each, whatever crashes.

    The files are worked on by worker processes, one a CPU, and never in this one. A handler is a
    function of a module (or of the script itself), is called with the path of each file, and what it
    returns is kept as JSON. What it raises is a failure, tried again with growing waits.

    Args:
        workflow_id: What to do with files about which nothing else was said when they were added: a workflow of
            ``overnight.toml`` or of a program, or ``wf-pipeline-full`` or ``wf-ingest``, which are built in.
            Its steps are retried, limited and recorded each by itself. An unknown one fails at `run`.
        checkpoint_interval: Finished files between two checkpoints; with 5 the settings may say otherwise.
        handler: A function to call with each file instead of a workflow. What `overnight.task` says of its limits,
            retries and interruptions holds; its queue, priority and environment are those of the files.
        home: The home itself (``.overnight``); None for the one that the current directory belongs to.

    Raises:
        ArgumentValueError: No worker could find the handler: a lambda, a local function.
        HomeUnusableError: The home cannot be used.
    """

    def __init__(
        self,
        workflow_id: str = DEFAULT_WORKFLOW,
        checkpoint_interval: int = DEFAULT_CHECKPOINT_INTERVAL,
        *,
        handler: Callable[[str], object] | None = None,
        home: HomePath = None,
    ) -> None:
        self.workflow_id = words(workflow_id, "workflow_id")
        self.checkpoint_interval = checkpoint_interval
        self._handler = None if handler is None else name_of(handler)
        self._access = Access(home)
        self.queue = FileQueue(home=self._access.home.path)
        self.state = ProcessorState()
        #: Seconds for one attempt at a file; None or 0 for no limit.
        self.timeout_seconds: float | None = self._access.settings().timeout
        #: What the handler's decorator says of limits, retries and interruptions.
        self._said: dict[str, int | float | bool | None] = {}
        if isinstance(options := getattr(handler, "options", None), Options):
            self._said = _of_attempts(options)
            self.timeout_seconds = self._said.pop("timeout", self.timeout_seconds)
        self._lock = threading.Lock()
        self._runs = False
        self._orchestrator: TaskOrchestrator | None = None

    @property
    def orchestrator(self) -> TaskOrchestrator:
        """Runs the workflow of this processor with one input at a time, in the same home."""
        self._access.want_home()
        if self._orchestrator is None:
            self._orchestrator = TaskOrchestrator(self.workflow_id, home=self._access.home.path)
        return self._orchestrator

    @property
    def checkpoint_interval(self) -> int:
        """Finished files between two checkpoints."""
        return self._checkpoint_interval

    @checkpoint_interval.setter
    def checkpoint_interval(self, wanted: int) -> None:
        self._checkpoint_interval = whole(wanted, "checkpoint_interval", least=1, most=1_000_000_000)

    def __reduce__(self) -> tuple[object, ...]:
        """Its settings and its state go to another process; a run that is under way stays here."""
        kept = ("workflow_id", "checkpoint_interval", "_handler", "state", "timeout_seconds", "_said")
        values = {name: getattr(self, name) for name in kept}
        return _opened, (str(self._access.home.path), values)

    def run(self, timeout_seconds: float | None = None) -> RunSummary:
        """Work until the queue is empty or a stop is asked for.

        Files added meanwhile are worked on, too. A file that waits for its retry keeps the queue from being empty.

        Args:
            timeout_seconds: The time limit of an attempt in this run; None for `timeout_seconds` of the processor.

        Raises:
            NotFoundError: The workflow is not known.
            AlreadyRunningError: Another engine works in this home.
            HomeUnusableError: The home has been removed since.
        """
        return self._run(timeout_seconds, anew=True)

    def resume(self) -> RunSummary:
        """Go on after a stop or a crash: like `run`, with the counts of `state` going on as well.

        When nothing was ever added to the home, there is nothing to resume and ``success`` is False.
        """
        if not self._access.has_store():
            home = self._access.home.path
            return {"success": False, "error": f"there are no tasks at {home} and no checkpoint; nothing was started"}
        return self._run(None, anew=False)

    def _run(self, timeout_seconds: float | None, *, anew: bool) -> RunSummary:
        refuse_while_imported_by_a_worker()
        order = self._order(self.timeout_seconds if timeout_seconds is None else timeout_seconds)
        self._access.want_home()
        night.make_ready(self._access.home)
        before = self._begin(anew=anew)
        try:
            finished = night.run(order, told=lambda progress: self._tell(progress, before))
        except BaseException:
            self._finish("stopped")
            raise
        self._tell(finished.progress, before)
        self._finish("completed" if finished.stopped_by == StoppedBy.QUEUE_EMPTY else "stopped")
        return _summary(finished)

    def _order(self, timeout_seconds: float | None) -> Order:
        if self._handler:
            binding = Binding(self._handler.call, limit(timeout_seconds), said=self._said)
        else:
            self._need_workflow()
            binding = Binding("", limit(timeout_seconds), self.workflow_id)
        # Five is what is meant when nothing is said; then the settings are asked.
        every = None if self.checkpoint_interval == DEFAULT_CHECKPOINT_INTERVAL else self.checkpoint_interval
        return Order(
            os.fsencode(self._access.home.path), queue=self.queue.name, binding=binding, checkpoint_every=every
        )

    def _need_workflow(self) -> None:
        """Somebody defines it: ``overnight.toml``, a program, or we do."""
        store = self._access.store if self._access.has_store() else None
        known = all_known(store, self._access.configured().workflows)
        if self.workflow_id not in known:
            raise NotFoundError(
                f"there is no workflow {quoted(self.workflow_id)}; nothing was started",
                hint=f"one of {', '.join(map(repr, known))}, or handler=FUNCTION",
            )

    def _begin(self, *, anew: bool) -> tuple[int, int]:
        with self._lock:
            self._runs = True
        state = self.state
        if anew or state.started_at is None:
            state.started_at = iso(wiring.clock.now())
            state.files_processed = state.files_failed = 0
        state.status, state.stopped_at, state.current_file = "running", None, None
        return state.files_processed, state.files_failed

    def _tell(self, progress: Progress, before: tuple[int, int]) -> None:
        self.state.files_processed = before[0] + progress.completed
        self.state.files_failed = before[1] + progress.failed + progress.held
        self.state.current_file = progress.current

    def _finish(self, status: str) -> None:
        with self._lock:
            self._runs = False
        self.state.status, self.state.current_file = status, None
        self.state.stopped_at = iso(wiring.clock.now())

    def stop(self) -> None:
        """Ask whoever works in this home to stop: what runs may finish, nothing new begins.

        Comes back at once. From any thread or process, as often as you like; does nothing when nobody works.
        """
        with self._lock:
            is_ours = self._runs
        night.stop(self._access, is_ours=is_ours)

    def save_checkpoint(self) -> Checkpoint:
        """Make a verified copy of the whole home now, with `state` in its summary. Returns that summary.

        Work goes on meanwhile. ``overnight resume`` rebuilds a damaged store from the newest whole one.

        Raises:
            NotFoundError: Nothing was ever added.
            StoreDamagedError: The store is damaged; no checkpoint was made.
            OvernightError: It could not be written.
        """
        from overnight.api import checkpoints

        return checkpoints.save(self._access, state=asdict(self.state), processed=self.state.files_processed)

    def restore_from_checkpoint(self, name: str = "latest") -> Checkpoint:
        """Go back to a checkpoint: queue, tasks and `state` are as they were then. Returns its summary.

        What has happened since is set aside and not deleted; what had finished since runs again, and a task
        that runs at most once and has begun since is held for you to decide.

        Args:
            name: Which one; ``latest`` is the newest that is whole. The path of a store that was set aside does, too;
                with that nobody has kept `state`, which stays as it is.

        Raises:
            AlreadyRunningError: An engine works in this home; stop it first.
            NotFoundError: There is no such checkpoint.
            StoreDamagedError: It is not whole; nothing was changed.
        """
        from overnight.api import checkpoints

        checkpoint = checkpoints.restore(self._access, words(name, "name"))
        for field in fields(ProcessorState):
            if field.name in checkpoint.processor_state:
                setattr(self.state, field.name, checkpoint.processor_state[field.name])
        return checkpoint

    def get_status(self) -> dict[str, Any]:
        """How it goes: the fields of `state`, what the queue holds, and the engine of this home, whoever started it."""
        owner = read_owner(self._access.home.lock)
        return {
            "status": self.state.status,
            "started_at": self.state.started_at,
            "stopped_at": self.state.stopped_at,
            "files_processed": self.state.files_processed,
            "files_failed": self.state.files_failed,
            "current_file": self.state.current_file,
            "workflow_id": self.workflow_id,
            "timeout_seconds": self.timeout_seconds,
            "queue": self._counts(),
            "engine": {"running": owner is not None, "pid": owner.pid if owner else None},
        }

    def _counts(self) -> dict[str, int]:
        if not self._access.has_store():
            return dict.fromkeys(("pending", "processing", "completed", "failed", "total"), 0)
        counts = self._access.store.counts(queue=self.queue.name)
        return {
            "pending": counts.waiting + counts.pending,
            "processing": counts.running,
            "completed": counts.completed,
            "failed": counts.failed + counts.cancelled + counts.held,
            "total": counts.total,
        }

    def result(self, file_path: str) -> ProcessingResult | None:
        """How a file of the queue ended; None while it has not. Of several with one path, the newest.

        Raises:
            NotFoundError: There is no such file in the queue.
        """
        store = self._access.store
        task = self.queue._newest(store, input_bytes(file_path))  # noqa: SLF001 - one face in two files
        if task.state not in FINAL | {TaskState.HELD}:
            return None
        attempts = store.attempts(task.id)
        success = task.state is TaskState.COMPLETED
        return ProcessingResult(
            file_path=text(task.input),
            success=success,
            error=None if success else task.error or item_of(task).status,
            duration_seconds=attempts[-1].seconds if attempts else _under_way(store, task),
            attempts=_most_attempts(store, task),
        )


def _most_attempts(store: Store, task: Task) -> int:
    """Of the task, or of the step of it that had the most."""
    steps = () if store.family(task.id) is None else store.tasks(Query(parent=task.id, limit=_MOST_STEPS))
    return max((step.attempt for step in steps), default=task.attempt)


def _under_way(store: Store, task: Task) -> float:
    """Seconds from the first step of a task to its end, by the wall clock; 0 of one that was never begun."""
    family = store.family(task.id)
    return 0.0 if family is None or task.finished_at is None else max(0.0, task.finished_at - family.begun_at)


def _summary(finished: Finished) -> RunSummary:
    progress = finished.progress
    failed = progress.failed + progress.held
    return {
        "success": failed == 0,
        "processed": progress.completed,
        "failed": failed,
        "stopped_by": finished.stopped_by,
    }


def _of_attempts(options: Options) -> dict[str, Any]:
    """What was said of how attempts run, by the names of an action's fields."""
    said = {name: getattr(options, name) for name in ("timeout", "retries", *LIMITS)}
    known = {name: value for name, value in said.items() if value is not UNSET}
    return known | ({"at_most_once": True} if options.at_most_once else {})


def _opened(home: str, values: dict[str, Any]) -> AutonomousProcessor:
    """A processor that came from another process."""
    processor = AutonomousProcessor(home=home)
    for name, value in values.items():
        setattr(processor, name, value)
    return processor
