"""`Overnight`: one home from Python. Add functions and commands, run them, look at them, wait for them."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import nullcontext
from difflib import get_close_matches
from types import TracebackType
from typing import Any, NoReturn, Self, Unpack, overload

import msgspec

from overnight import wiring
from overnight.api import actions, night
from overnight.api.access import Access, HomePath
from overnight.api.addable import Input
from overnight.api.arguments import (
    ArgumentTypeError,
    ArgumentValueError,
    input_bytes,
    queue_name,
    seconds,
    several,
    whole,
    words,
)
from overnight.api.engine_process import Order
from overnight.api.naming import refuse_while_imported_by_a_worker
from overnight.api.options import AddManyOptions, AddOptions, Options, read
from overnight.api.records import RunResult, TaskRecord, record_of
from overnight.api.workflows import Workflow
from overnight.core.durations import quoted
from overnight.core.errors import NotFoundError, NotRunningError, OvernightError
from overnight.core.event_names import EventName
from overnight.core.states import FINAL, TaskState
from overnight.core.task import Action, NewTask, Task
from overnight.core.workflow.matching import want_matching
from overnight.host import results
from overnight.host.lock import read_owner
from overnight.monitor.tail import JournalTail, last_seq
from overnight.store.contract import Query, Store
from overnight.wiring.adding import add_all, alone, chunks, this_process
from overnight.wiring.workflows import all_known, lay_down

#: What is done with an input: a function, the words of a command, or a workflow.
Work = Callable[..., object] | Sequence[str | os.PathLike[str]] | Workflow
#: One event of the journal, as a dictionary of its fields.
Event = dict[str, Any]
Listener = Callable[[Event], object]

#: `Overnight` has a method of that name, so its own signatures need others.
Records = list[TaskRecord]
Numbers = list[int]
Tasks = list[Task]

#: Every event.
EVERY = "*"
#: Seconds between two looks at whether anything has changed.
LOOK_EVERY = 0.1
#: Seconds without an engine after which waiting is given up; one that restarts is back by then.
PATIENCE = 5.0
_AT_REST = FINAL | {TaskState.HELD}
_MOST_LISTED = 1_000_000
_PAGE = 1000


class TaskFailedError(OvernightError):
    """There is no result: the task failed, was cancelled or is held for a person."""


class WaitedTooLongError(OvernightError, TimeoutError):
    """Tasks are not finished in the time that `wait` was given; they go on."""

    exit_code = 124


class Overnight:
    """One home: what is in it, and an engine when you want one to run.

    Every change is on disk when the call returns. Any number of processes and threads may use one
    home at the same time; only one of them can `run` it.

    Args:
        home: The home itself (``.overnight``); None for the one that the current directory belongs to
            (OVERNIGHT_HOME, else found upward, else made here).

    Raises:
        HomeUnusableError: It cannot be used.
    """

    def __init__(self, home: HomePath = None) -> None:
        self._access = Access(home)
        self._listeners: list[tuple[str, Listener]] = []
        self._tail: JournalTail | None = None
        self._runs = False

    def __repr__(self) -> str:
        return f"Overnight({str(self._access.home.path)!r})"

    def __reduce__(self) -> tuple[object, ...]:
        if self._listeners:
            raise ArgumentTypeError(
                f"{self!r} has listeners, which cannot go to another process; nothing was sent",
                hint="send its home, and make an Overnight of that there",
            )
        return type(self), (str(self._access.home.path),)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Let go of the store; using the object again opens it again."""
        self._access.close()

    # -- adding ------------------------------------------------------------------------------

    def add(
        self,
        work: Work,
        input: Input | None = None,  # noqa: A002 - the word of the house for it
        **options: Unpack[AddOptions],
    ) -> int:
        """Put one task into a queue; it is on disk when this returns. Returns its number.

        Args:
            work: A function that a worker can import, called with the input as a str; or the words of a
                command, where ``{}`` is the input, as on the command line; or a workflow (`overnight.workflow`).
            input: Text, bytes or a path. A command may do without.
            options: See `AddOptions`: ``queue``, ``priority``, ``timeout``, ``retries`` ... What is not said
                is as the decorator of the function says, else as the settings do.

        Raises:
            ArgumentTypeError: Something is of a type that makes no sense there.
            ArgumentValueError: No worker could find the function, or a value makes no sense.
        """
        wanted = read(options, AddOptions, before=_decorated(work))
        if input is None and not _is_command(work):
            raise ArgumentTypeError(
                "the function has no input to work on; nothing was added", hint='night.add(function, "input")'
            )
        return self._add(work, [b"" if input is None else input_bytes(input, "input")], wanted)[0]

    def add_many(self, work: Work, inputs: Iterable[Input], **options: Unpack[AddManyOptions]) -> Numbers:
        """Put a task for each input into a queue, all or none. Returns their numbers.

        Args:
            work: What is done with each, as for `add`.
            inputs: What it is done with.
            options: See `AddManyOptions`; those of `add`, for each of the tasks, and ``unique``.

        Raises:
            ArgumentTypeError: Something is of a type that makes no sense there.
            ArgumentValueError: No worker could find the function, or a value makes no sense.
        """
        wanted = read(options, AddManyOptions, before=_decorated(work))
        return self._add(work, [input_bytes(one, "an input") for one in several(inputs, "inputs")], wanted)

    def _add(self, work: Work, raws: list[bytes], wanted: Options) -> Numbers:
        refuse_while_imported_by_a_worker()
        if isinstance(work, Workflow):
            self._define(work, raws, wanted)
        plain = NewTask(
            action=actions.of(work, self._access.settings(), wanted),
            input=b"",
            queue=wanted.queue,
            priority=wanted.priority,
            title=wanted.title,
            description=wanted.description,
            not_before=wanted.at,
            needs=wanted.needs,
        )

        def make(start: int, stop: int) -> list[NewTask]:
            return [msgspec.structs.replace(plain, input=raw) for raw in raws[start:stop]]

        store, pieces = self._access.store, chunks(make, len(raws))
        with alone(self._access.home) if wanted.unique else nullcontext():
            numbers = add_all(store, pieces, len(raws), this_process(), unique=wanted.unique).ids
        self._access.ring()
        return numbers

    def _define(self, work: Workflow, raws: Sequence[bytes], wanted: Options) -> None:
        """Lay down the workflow of tasks that are about to be added."""
        if wanted.needs:
            raise ArgumentValueError(
                "needs and a workflow were given, and what is taken is a matter of its steps; nothing was added",
                hint='flow.step(function, resources={"gpu": 1})',
            )
        store, now, by = self._access.store, wiring.clock.now(), wiring.who()
        definition = work.definition
        if definition is None:
            configured = self._access.configured().workflows
            lay_down(store, actions.of(work, self._access.settings(), wanted), configured)
            definition = all_known(store, configured)[work.name].workflow
        else:
            store.define([definition], source=work.source, now=now, by=by)
        want_matching(definition, raws)

    # -- running -----------------------------------------------------------------------------

    def run(self, *, slots: int | None = None) -> RunResult:
        """Work until nothing is left in any queue, or a stop is asked for. Calls listeners meanwhile.

        The engine runs in a process of its own; it stops with this one.

        Args:
            slots: How many attempts run at a time; None: as the settings have it, else one a CPU.

        Raises:
            AlreadyRunningError: Another engine works in this home.
        """
        refuse_while_imported_by_a_worker()
        if slots is not None:
            whole(slots, "slots", least=1, most=4096)
        self._access.want_home()
        began = wiring.clock.monotonic()
        order = Order(os.fsencode(self._access.home.path), slots=slots)
        night.make_ready(self._access.home)
        self._runs = True
        try:
            finished = night.run(order, look=self._listen if self._listeners else None)
        finally:
            self._runs = False
        progress = finished.progress
        return RunResult(
            processed=progress.completed,
            failed=progress.failed,
            held=progress.held,
            cancelled=progress.cancelled,
            left=finished.left,
            elsewhere=finished.elsewhere,
            stopped_by=finished.stopped_by,
            seconds=wiring.clock.monotonic() - began,
        )

    def stop(self) -> None:
        """Ask whoever works in this home to stop: what runs may finish, nothing new begins.

        Comes back at once. From any thread or process, as often as you like; does nothing when nobody works.
        """
        night.stop(self._access, is_ours=self._runs)

    # -- looking -----------------------------------------------------------------------------

    def get(self, task_id: int) -> TaskRecord:
        """One task.

        Raises:
            NotFoundError: There is none with this number.
        """
        return self._records([self._task(task_id)])[0]

    def list(self, state: str | None = None, *, queue: str | None = None, limit: int = 100) -> Records:
        """Tasks, newest first.

        Args:
            state: Only those in this state.
            queue: Only those of this queue.
            limit: At most so many.
        """
        states = () if state is None else (_state(state),)
        whole(limit, "limit", least=0, most=_MOST_LISTED)
        if queue is not None:
            queue_name(queue)
        if not self._access.has_store():
            return []
        found: Tasks = []
        while len(found) < limit:
            before = found[-1].id if found else None
            page = self._access.store.tasks(
                Query(states=states, queue=queue, before=before, limit=min(_PAGE, limit - len(found)))
            )
            if not page:
                break
            found += page
        return self._records(found)

    def _task(self, task_id: int) -> Task:
        whole(task_id, "task_id", least=1, most=2**63 - 1)
        if not self._access.has_store():
            raise NotFoundError(f"there is no task {task_id}, and nothing was ever added", hint="add() returns numbers")
        return self._access.store.get(task_id)

    def _records(self, tasks: Sequence[Task]) -> Records:
        known: Mapping[int, Action] = self._access.store.actions({task.action_id for task in tasks}) if tasks else {}
        return [record_of(task, known.get(task.action_id)) for task in tasks]

    def steps(self, task_id: int) -> Records:
        """The steps of a workflow task in their order, as tasks; none while it has not been begun.

        Raises:
            NotFoundError: There is none with this number.
        """
        self._task(task_id)
        store = self._access.store
        family = store.family(task_id)
        if family is None:
            return []
        found = store.tasks(Query(parent=task_id, limit=_MOST_LISTED))
        return self._records([one for one in reversed(found) if one.id >= family.first_id])

    # -- waiting -----------------------------------------------------------------------------

    def wait(self, *task_ids: int, timeout: float | None = None) -> Records:
        """Wait until these tasks are finished or held, and return them. Calls listeners meanwhile.

        It does not run them: that is the work of an engine in another process.

        Args:
            task_ids: The tasks.
            timeout: Seconds after which to give up; None for as long as it takes.

        Raises:
            NotFoundError: One of them does not exist.
            NotRunningError: No engine runs that could finish them.
            WaitedTooLongError: They are not finished in time. It is a `TimeoutError`, too.
        """
        if timeout is not None:
            seconds(timeout, "timeout")
        for task_id in task_ids:
            self._task(task_id)
        store, clock = self._access.store, wiring.clock
        began = engine_seen = clock.monotonic()
        while left := self._unfinished(store, task_ids):
            self._listen()
            moment = clock.monotonic()
            if timeout is not None and moment - began >= timeout:
                raise WaitedTooLongError(
                    f"{left} of {len(task_ids)} tasks are not finished after {timeout:g} seconds; they go on",
                    hint="wait(..., timeout=None) waits as long as it takes, 'overnight status' shows how far they are",
                )
            if read_owner(self._access.home.lock) is not None:
                engine_seen = moment
            elif moment - engine_seen >= PATIENCE:
                raise NotRunningError(
                    f"no engine runs; {left} of these tasks will not be finished",
                    hint="run() in another process, or 'overnight run'",
                )
            time.sleep(LOOK_EVERY)
            wiring.keep_up(store)
        self._listen()
        return [self.get(task_id) for task_id in task_ids]

    def _unfinished(self, store: Store, task_ids: Sequence[int]) -> int:
        states = store.states(task_ids)
        return sum(states.get(task_id) not in _AT_REST for task_id in set(task_ids) & states.keys())

    def result(self, task_id: int) -> Any:  # noqa: ANN401 - whatever the function returned
        """What the function of a completed task returned, as JSON has it; None for a command.

        Raises:
            TaskFailedError: It failed, was cancelled or is held.
            NotRunningError: It is not finished yet; `wait` for it.
            NotFoundError: There is no such task, or its result was large and its file has been removed.
            StoreDamagedError: Its result was large, and its file is not what was written.
        """
        task = self._task(task_id)
        if task.state is TaskState.COMPLETED:
            result = results.read(self._access.home.results, task.result)
            return msgspec.json.decode(result) if result else None
        if task.state in _AT_REST:
            raise TaskFailedError(
                f"task {task_id} is {task.state} and has no result: {task.error or task.reason or 'by hand'}",
                hint=f"'overnight show {task_id}' shows its attempts, 'overnight retry {task_id}' runs it again",
            )
        raise NotRunningError(
            f"task {task_id} is {task.state} and has no result yet",
            hint=f"run(), or wait({task_id}) for another engine",
        )

    # -- events ------------------------------------------------------------------------------

    @overload
    def on(self, event: str) -> Callable[[Listener], Listener]: ...
    @overload
    def on(self, event: str, listener: Listener) -> Listener: ...
    def on(self, event: str, listener: Listener | None = None) -> Listener | Callable[[Listener], Listener]:
        """Call a function with each event of a kind, from now on, while `run` or `wait` is under way here.

        Also as a decorator: ``@night.on("file_failed")``. An error that it raises ends `run` or `wait`.

        Args:
            event: Its name, such as ``file_completed``; ``*`` for every event.
            listener: Called with a dictionary of the event's fields.
        """
        if words(event, "event") != EVERY and event not in list(EventName):
            _unknown(event, [name.value for name in EventName], "event", "nothing is listened to")

        def register(chosen: Listener) -> Listener:
            if not callable(chosen):
                raise ArgumentTypeError(
                    f"{quoted(chosen)} cannot be called; nothing is listened to", hint="night.on(event, function)"
                )
            journal = self._access.home.journal
            self._tail = self._tail or JournalTail(journal, after=last_seq(journal))
            self._listeners.append((event, chosen))
            return chosen

        return register if listener is None else register(listener)

    def _listen(self) -> None:
        if self._tail is None:
            return
        for news in self._tail.news():
            for event, listener in self._listeners:
                if event in (EVERY, news["event"]):
                    listener(news)


def _is_command(work: object) -> bool:
    return isinstance(work, Sequence) and not isinstance(work, str | bytes)


def _decorated(work: object) -> Options | None:
    """What was said where the function was decorated."""
    said = getattr(work, "options", None)
    return said if isinstance(said, Options) else None


def _state(state: object) -> TaskState:
    try:
        return TaskState(words(state, "state"))
    except ValueError:
        _unknown(str(state), [one.value for one in TaskState], "state", "nothing was looked up")


def _unknown(name: object, known: list[str], what: str, means: str) -> NoReturn:
    near = get_close_matches(str(name), known, 1)
    raise ArgumentValueError(
        f"there is no {what} {quoted(name)}; {means}",
        hint=f"did you mean {near[0]!r}?" if near else f"one of {', '.join(known)}",
    )
