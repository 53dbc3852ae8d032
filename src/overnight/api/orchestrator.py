"""`TaskOrchestrator`: one workflow, run with one input at a time, and how far it is.

Thin: an execution is a task of the store like any other, so it survives whatever happens to this program. The same
call again goes on with it, and steps that are done are not run again.
"""

from __future__ import annotations

import contextlib
import os
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import msgspec

from overnight import wiring
from overnight.api import actions, night
from overnight.api.access import Access, HomePath
from overnight.api.arguments import ArgumentTypeError, ArgumentValueError, input_bytes, words
from overnight.api.engine_process import Order
from overnight.api.naming import refuse_while_imported_by_a_worker
from overnight.api.overnight import Overnight, TaskFailedError
from overnight.core.durations import iso, quoted
from overnight.core.errors import AlreadyRunningError, NotFoundError
from overnight.core.events import printable
from overnight.core.rate import Rate
from overnight.core.states import FINAL, TaskState
from overnight.core.task import Action, Attempt, NewTask, Task
from overnight.core.workflow.outputs import MOST_STDOUT, of_stdout
from overnight.executors.local.output import read as read_output
from overnight.host import results
from overnight.host.files import write_atomically
from overnight.store.contract import Query, Selector, Store, Verb
from overnight.wiring.configuration import read
from overnight.wiring.workflows import lay_down

#: The queue of executions, so that running one does not run whatever else is queued.
QUEUE = "orchestrator"
_VERSION = 1
_MOST_STEPS = 10_000
_STDOUT = 1
_ENDED = FINAL | {TaskState.HELD}
_UNDER_WAY = frozenset({TaskState.WAITING, TaskState.PENDING, TaskState.RUNNING})


@dataclass(frozen=True, slots=True)
class ProgressReport:
    """How far an execution is.

    Attributes:
        phase: The phase of `step`; None where there are no phases, or nothing is to be done any more.
        step: The step that runs, or the next one; None when nothing is to be done any more.
        steps_done: Steps that have come to their end, skipped ones included.
        steps_total: All of them.
        percentage: 0 to 100.
        seconds_left: As the steps so far took; None while nobody can know.
    """

    phase: str | None
    step: str | None
    steps_done: int
    steps_total: int
    percentage: float
    seconds_left: float | None


@dataclass(slots=True)
class ExecutionState:
    """All about an execution, as plain values.

    Attributes:
        workflow_id: Its workflow.
        current_phase: The phase of `current_step`.
        current_step: The step that runs, or the next one.
        status: ``idle``, ``running``, ``completed``, ``failed``, ``cancelled`` or ``held``.
        history: What happened, in order: what became of each step, and what `log_execution` was told.
        started_at: ISO 8601 in UTC.
        completed_at: ISO 8601 in UTC; None while it is not at its end.
        phase_outputs: What steps have given, by phase (an empty name where there are none) and step.
        task_timings: Seconds that the last attempt of each step took.
    """

    workflow_id: str
    current_phase: str | None = None
    current_step: str | None = None
    status: str = "idle"
    history: list[dict[str, Any]] = field(default_factory=list)
    started_at: str | None = None
    completed_at: str | None = None
    phase_outputs: dict[str, dict[str, Any]] = field(default_factory=dict)
    task_timings: dict[str, float] = field(default_factory=dict)


class _Saved(msgspec.Struct):
    """A state in a file."""

    version: int
    task_id: int | None
    logged: list[dict[str, Any]]
    state: ExecutionState


class _Node(msgspec.Struct, frozen=True):
    """A step as it stands."""

    name: str
    phase: str
    task: Task | None
    is_command: bool = False


class TaskOrchestrator:
    """Runs a workflow and says how far it is.

    Several threads may `execute` at the same time, each with an input of its own; `state` and `get_progress` are
    about the execution that was begun last.

    Args:
        workflow_id: A workflow of ``overnight.toml``, one that a program has defined in this home, or a built-in
            one. An unknown one fails at `execute`.
        home: The home itself (``.overnight``); None for the one that the current directory belongs to.

    Raises:
        HomeUnusableError: The home cannot be used.
    """

    def __init__(self, workflow_id: str, *, home: HomePath = None) -> None:
        self.workflow_id = words(workflow_id, "workflow_id")
        self._access = Access(home)
        self._task_id: int | None = None
        self._logged: list[dict[str, Any]] = []

    # -- running -----------------------------------------------------------------------------

    def execute(self, inputs: object = None) -> dict[str, Any]:
        """Run the workflow to its end and return what its steps have given, by step.

        An execution with the same inputs that has not come to its end goes on, and one that failed is tried again
        from the steps that failed. Where another engine works in this home, that one does it.

        Args:
            inputs: What the workflow works on: text, bytes or a path; a mapping or a list becomes JSON.

        Raises:
            NotFoundError: The workflow is not known.
            TaskFailedError: It failed, was cancelled, or is held; `state` says how far it came.
        """
        refuse_while_imported_by_a_worker()
        self._access.want_home()
        # Another thread may begin one meanwhile, which is then the latest; this call is about its own.
        number = self._task_id = self._enter(_bytes(inputs))
        try:
            night.make_ready(self._access.home)
            night.run(Order(os.fsencode(self._access.home.path), queue=QUEUE))
        except AlreadyRunningError:
            self._access.ring()
            with Overnight(home=self._access.home.path) as other:
                other.wait(number)
        return self._outputs(number)

    def _enter(self, raw: bytes) -> int:
        """Put the execution into the store, or find it there. Returns its number."""
        store = self._access.store
        new = NewTask(action=self._action(store), input=raw, queue=QUEUE, title=self.workflow_id)
        for known in store.find([new], queue=QUEUE):
            if known.state in _UNDER_WAY:
                return known.id
            if known.state is TaskState.FAILED:
                store.act(Verb.RETRY, Selector(ids=(known.id,)), now=wiring.clock.now(), by=wiring.who())
                return known.id
        return store.add([new], now=wiring.clock.now(), by=wiring.who()).ids[0]

    def _action(self, store: Store) -> Action:
        action = actions.for_workflow(self._access.settings(), self.workflow_id)
        lay_down(store, action, read(self._access.home).workflows, done="nothing was started")
        return action

    def _outputs(self, number: int) -> dict[str, Any]:
        task = self._task(number)
        if task is None or task.state is not TaskState.COMPLETED:
            state = "gone" if task is None else task.state.value
            why = "" if task is None else task.error or task.reason or ""
            raise TaskFailedError(
                f"the execution of {self.workflow_id!r} is {state}: {why or 'stopped before its end'}",
                hint=f"'overnight show {number}' shows its steps; execute() again goes on",
            )
        return {name: value for part in self._state_of(task).phase_outputs.values() for name, value in part.items()}

    # -- looking -----------------------------------------------------------------------------

    def get_progress(self) -> ProgressReport:
        """How far the execution is that `execute` began last, or `load_state` took up; from any thread."""
        nodes = self._nodes(self._task(self._task_id))
        ended = [node for node in nodes if node.task is not None and node.task.state in _ENDED]
        current = _current(nodes)
        rate = Rate()
        for node in ended:
            rate.saw(1, _seconds(node.task))
        left = len(nodes) - len(ended)
        return ProgressReport(
            phase=(current.phase or None) if current else None,
            step=current.name if current else None,
            steps_done=len(ended),
            steps_total=len(nodes),
            percentage=100.0 * len(ended) / len(nodes) if nodes else 0.0,
            seconds_left=rate.seconds_left(left) if nodes else None,
        )

    @property
    def state(self) -> ExecutionState:
        """All about the execution that `execute` began last, as it is now; a copy."""
        return self._state_of(self._task(self._task_id))

    def _state_of(self, task: Task | None) -> ExecutionState:
        state = ExecutionState(self.workflow_id, history=list(self._logged))
        if task is None:
            return state
        nodes = self._nodes(task)
        current = _current(nodes)
        state.status = "running" if task.state in _UNDER_WAY else task.state.value
        if task.state not in _ENDED and current is not None:
            state.current_step, state.current_phase = current.name, current.phase or None
        state.started_at = iso(task.started_at or task.added_at)
        state.completed_at = iso(task.finished_at) if task.finished_at is not None else None
        for node in nodes:
            self._tell(node, state)
        state.history.sort(key=lambda one: str(one["at"]))
        return state

    def _tell(self, node: _Node, state: ExecutionState) -> None:
        """Put what is known of a step into a state."""
        task = node.task
        if task is None or task.state not in _ENDED:
            return
        attempts = self._access.store.attempts(task.id)
        if attempts:
            state.task_timings[node.name] = attempts[-1].seconds
        if task.state is TaskState.COMPLETED and not task.skipped:
            state.phase_outputs.setdefault(node.phase, {})[node.name] = self._given(node, task, attempts)
        happened = {
            "step": node.name,
            "state": "skipped" if task.skipped else task.state.value,
            "attempts": task.attempt,
        }
        at = iso(task.finished_at or task.added_at)
        state.history.append({"at": at, **happened, **({"error": task.error} if task.error else {})})

    def _given(self, node: _Node, task: Task, attempts: list[Attempt]) -> Any:  # noqa: ANN401 - whatever JSON holds
        """What a step has given. That of a command is on record where another step uses it, else in what it printed."""
        if result := results.read(self._access.home.results, task.result):
            return msgspec.json.decode(result)
        if not node.is_command:
            return None
        printed = b""
        if attempts and attempts[-1].output:
            with contextlib.suppress(FileNotFoundError):  # it is older than what is kept
                pieces = read_output(self._access.home.output, attempts[-1].output, task.id, attempts[-1].number)
                printed = b"".join(piece for stream, piece in pieces if stream == _STDOUT)
        return of_stdout(printed[:MOST_STDOUT])

    def _task(self, number: int | None) -> Task | None:
        if number is None or not self._access.has_store():
            return None
        try:
            return self._access.store.get(number)
        except NotFoundError:
            return None

    def _nodes(self, task: Task | None) -> list[_Node]:
        """The steps of the execution; one for all of it where there are none."""
        if task is None:
            return []
        store = self._access.store
        family = store.family(task.id)
        if family is None:
            definition = next((one.workflow for one in store.workflows() if one.name == self.workflow_id), None)
            if definition is None:
                return [_Node(self.workflow_id, "", task)]
            return [_Node(step.id, step.phase, None, bool(step.run)) for step in definition.nodes]
        found = store.tasks(Query(parent=task.id, limit=_MOST_STEPS))
        by_name = {one.step: one for one in reversed(found) if one.id >= family.first_id}
        return [_Node(step.id, step.phase, by_name.get(step.id), bool(step.run)) for step in family.workflow.nodes]

    # -- keeping -----------------------------------------------------------------------------

    def log_execution(self, message: str, **details: object) -> None:
        """Put a line into the history of the execution, with the time. `save_state` keeps it.

        Args:
            message: What happened.
            details: More about it: values that JSON can hold.

        Raises:
            ArgumentTypeError: A value is nothing that JSON can hold.
        """
        line = {"at": iso(wiring.clock.now()), "message": printable(words(message, "message")), **details}
        _as_json(line)
        self._logged.append(line)

    def save_state(self, path: str | os.PathLike[str] | None = None) -> Path:
        """Write the state into a file, whole or not at all. The execution itself needs none: it is in the store.

        Args:
            path: The file; None for one in the home, by the name of the workflow.

        Returns:
            The file.
        """
        saved = _Saved(_VERSION, self._task_id, self._logged, self.state)
        file = self._file(path)
        write_atomically(file, _as_json(saved))
        return file

    def load_state(self, path: str | os.PathLike[str] | None = None) -> ExecutionState:
        """Take up the execution that a file speaks of, and return its state as it was saved.

        From here on `state` and `get_progress` are about that execution, as the store has it now.

        Args:
            path: The file; None for the one that `save_state` writes by default.

        Raises:
            NotFoundError: There is no such file.
            ArgumentValueError: It holds no state, or that of another workflow.
        """
        file = self._file(path)
        try:
            saved = msgspec.json.decode(file.read_bytes(), type=_Saved)
        except FileNotFoundError:
            raise NotFoundError(f"there is no state at {file}; nothing was loaded", hint="save_state() first") from None
        except (msgspec.DecodeError, RecursionError) as error:
            raise ArgumentValueError(
                f"{file} holds no state ({error}); nothing was loaded", hint="name a file that save_state() has written"
            ) from None
        if saved.version != _VERSION or saved.state.workflow_id != self.workflow_id:
            raise ArgumentValueError(
                f"{file} holds the state of {saved.state.workflow_id!r}, version {saved.version}; nothing was loaded",
                hint=f"TaskOrchestrator({saved.state.workflow_id!r}).load_state(...)",
            )
        self._task_id, self._logged = saved.task_id, saved.logged
        return saved.state

    def _file(self, path: str | os.PathLike[str] | None) -> Path:
        if path is not None:
            return Path(os.fsdecode(path))
        name = "".join(sign if sign.isalnum() or sign in "._-" else "_" for sign in self.workflow_id)
        return self._access.home.path / f"execution-{name}.json"


def _bytes(inputs: object) -> bytes:
    """The input of the task: text and paths as they are, everything else as JSON."""
    if isinstance(inputs, str | bytes | os.PathLike):
        return input_bytes(inputs, "inputs")
    return input_bytes(_as_json({} if inputs is None else inputs), "inputs")


def _as_json(value: object) -> bytes:
    def plain(one: object) -> object:
        if isinstance(one, os.PathLike):
            return os.fspath(one)
        if isinstance(one, Mapping):
            return dict(one)
        if isinstance(one, ExecutionState):
            return asdict(one)
        raise TypeError(f"a {type(one).__name__}")

    try:
        return msgspec.json.encode(value, enc_hook=plain)
    except (TypeError, ValueError, RecursionError) as error:
        raise ArgumentTypeError(
            f"{quoted(value)} cannot be written as JSON ({error}); nothing was changed",
            hint="text, numbers, lists and dictionaries of such",
        ) from None


def _current(nodes: list[_Node]) -> _Node | None:
    """The step that runs; else the first one that is still to come."""
    to_come = [node for node in nodes if node.task is None or node.task.state not in _ENDED]
    return next((node for node in to_come if node.task is not None and node.task.state is TaskState.RUNNING), None) or (
        to_come[0] if to_come else None
    )


def _seconds(task: Task | None) -> float:
    if task is None or task.finished_at is None or task.started_at is None:
        return 0.0
    return max(0.0, task.finished_at - task.started_at)
