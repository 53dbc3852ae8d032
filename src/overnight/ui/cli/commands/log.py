"""``log``: what a task printed.

Into a pipe or a file the bytes go exactly as they came, stdout to stdout and stderr to stderr. On a
terminal everything that could steer it is left out, but for colours.
"""

from __future__ import annotations

import time
from collections.abc import Iterable, Iterator
from contextlib import closing

import click

from overnight import wiring
from overnight.core.errors import NotFoundError
from overnight.core.states import TaskState
from overnight.core.task import Attempt, Task
from overnight.monitor.nodes import Whereabouts
from overnight.store.contract import Query
from overnight.ui.cli import printing
from overnight.ui.cli.group import Verb
from overnight.ui.cli.session import Session, opened
from overnight.ui.cli.values import TaskId

_LOOK_EVERY = 0.1
_MOST_STEPS = 100_000
_UNDER_WAY = (TaskState.WAITING, TaskState.PENDING, TaskState.RUNNING)


@click.command(cls=Verb)
@click.argument("task_id", type=TaskId(), metavar="ID")
@click.option(
    "--attempt",
    "number",
    type=click.IntRange(min=1),
    metavar="N",
    help="This attempt. [default: the last one that ended]",
)
@click.option("-f", "--follow", is_flag=True, help="Print on until the task has ended, every attempt.")
def log(*, task_id: int, number: int | None, follow: bool) -> None:
    """Print what a task printed: the last attempt, or attempt N. Of a workflow task, what each of its steps printed."""
    with opened(readonly=True) as session:
        if session.store.family(task_id) is not None:
            _steps(session, task_id, follow=follow)
        elif follow:
            _follow(session, task_id)
        else:
            _print(session, _choose(session, task_id, number))


def _steps(session: Session, task_id: int, *, follow: bool) -> None:
    """Print what the steps printed, each when its attempt has ended; `follow`: until the task has."""
    store = session.store
    seen: set[tuple[int, int]] = set()
    #: Of each step, how it stood when its attempts were asked for last; none ends without a change of that.
    stood: dict[int, tuple[TaskState, int]] = {}
    token: int | None = None
    while True:
        before, token = token, store.change_token()
        if token != before:
            task = store.get(task_id)
            for step in reversed(store.tasks(Query(parent=task_id, limit=_MOST_STEPS))):
                if stood.get(step.id) != (step.state, step.attempt):
                    stood[step.id] = step.state, step.attempt
                    _print_new(session, step, seen)
            if not follow or task.state not in _UNDER_WAY:
                return
        if _doze(session):
            token = None


def _print_new(session: Session, step: Task, seen: set[tuple[int, int]]) -> None:
    for attempt in session.store.attempts(step.id):
        if (step.id, attempt.number) not in seen:
            seen.add((step.id, attempt.number))
            _print_step(session, step, attempt)


def _print_step(session: Session, step: Task, attempt: Attempt) -> None:
    if attempt.output is not None:
        name = printing.clean(step.step)
        printing.note(f"overnight: step {name} (task {step.id}), attempt {attempt.number}")
        _print(session, attempt)


def _choose(session: Session, task_id: int, number: int | None) -> Attempt:
    """The attempt to print.

    Raises:
        NotFoundError: No such task, or no such attempt of it has ended.
    """
    task = session.store.get(task_id)
    attempts = session.store.attempts(task_id)
    chosen = [attempt for attempt in attempts if number is None or attempt.number == number]
    if chosen:
        return chosen[-1]
    if not attempts:
        raise NotFoundError(
            f"no attempt of task {task_id} has ended, it is {task.state}; there is no output yet",
            hint=f"'overnight log -f {task_id}' waits for it",
        )
    there = ", ".join(str(attempt.number) for attempt in attempts)
    raise NotFoundError(
        f"task {task_id} has no ended attempt {number}; it has {there}", hint=f"overnight show {task_id}"
    )


def _print(session: Session, attempt: Attempt) -> None:
    if attempt.node and printing.on_terminal():
        printing.note(f"overnight: attempt {attempt.number} ran on node {printing.clean(attempt.node)}")
    if attempt.output is None:
        printing.note(f"overnight: attempt {attempt.number} printed nothing")
        return
    pour(_read(session, attempt))
    kept, printed = attempt.output.length, attempt.output.printed
    if printed > kept:
        printing.note(f"overnight: {printing.size(printed)} were printed, of which head and tail were kept")


def _follow(session: Session, task_id: int) -> None:
    """Print every attempt, the running one as it prints, until the task has ended."""
    seen = 0
    while True:
        task = session.store.get(task_id)
        for attempt in session.store.attempts(task_id):
            if attempt.number > seen:
                seen = attempt.number
                _print(session, attempt)
        if task.state is TaskState.RUNNING and task.attempt > seen:
            seen = task.attempt
            if node := Whereabouts(session.home.path).of(task):
                _follow_on_node(session, task, node)
            else:
                pour(_live(session, task_id, seen))
        elif task.state not in _UNDER_WAY:
            return
        else:
            _doze(session)


def _follow_on_node(session: Session, task: Task, node: str) -> None:
    """Print what an attempt prints that runs elsewhere: the engine has it brought here for as long as we say so."""
    from overnight.host.following import Following
    from overnight.ui.cli.node_prints import live

    where = f"overnight: attempt {task.attempt} runs on node {printing.clean(node)}"
    try:
        following = Following(session.home.following, task.id, task.attempt)
    except OSError as error:
        printing.note(f"{where}; what it prints comes when it has ended ({error.strerror}: {session.home.following})")
        pour(_live(session, task.id, task.attempt))
        return
    with closing(following):
        printing.note(where)
        wiring.ring(session.home)
        pour(live(session, task, node, following.directory, lambda: _doze(session)))


def _live(session: Session, task_id: int, number: int) -> Iterator[tuple[int, bytes]]:
    """What a running attempt prints, until it has said its last word or has ended without one."""
    from overnight.executors.local.output import follow

    ended = False
    for stream, content in follow(session.home.output, task_id, number):
        if stream:
            yield stream, content
        elif ended:
            return
        else:
            ended = any(attempt.number == number for attempt in session.store.attempts(task_id))
            if not ended:
                _doze(session)


def _doze(session: Session) -> bool:
    """Until it is worth a look, at the store that is at its place then; whether that is another one."""
    time.sleep(_LOOK_EVERY)
    return wiring.keep_up(session.store)


def _read(session: Session, attempt: Attempt) -> Iterable[tuple[int, bytes]]:
    from overnight.executors.local.output import read

    if attempt.output is None:
        return ()
    return read(session.home.output, attempt.output, attempt.task_id, attempt.number)


def pour(chunks: Iterable[tuple[int, bytes]]) -> None:
    """Write pieces of output to the stream that they came from."""
    for stream, content in chunks:
        printing.pour(content, stream=stream)
