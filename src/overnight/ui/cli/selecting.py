"""Which tasks a command is about: ids, or what they have in common. The same words everywhere."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import wraps

import click

from overnight import wiring
from overnight.core.errors import NotFoundError, UsageError
from overnight.core.states import TaskState
from overnight.store.contract import Query, Selector, Store
from overnight.ui.cli.session import Session
from overnight.ui.cli.values import Offered, TaskId
from overnight.wiring.queues import no_queue, no_workflow


def selectors(function: Callable[..., object]) -> Callable[..., object]:
    """Give a command the words that select tasks; it receives `selector`."""

    @wraps(function)
    def with_selector(
        *args: object,
        ids: tuple[int, ...],
        queue: str | None,
        workflow: str | None,
        state: tuple[str, ...],
        cause: str | None,
        everything: bool,
        **options: object,
    ) -> object:
        selector = Selector(
            ids=tuple(dict.fromkeys(ids)),
            queue=queue,
            workflow=workflow,
            states=tuple(TaskState(name) for name in dict.fromkeys(state)),
            cause=cause,
            everything=everything,
        )
        return function(*args, selector=selector, **options)

    for decorate in reversed(_OPTIONS):
        with_selector = decorate(with_selector)
    return with_selector


_OPTIONS: Sequence[Callable[[Callable[..., object]], Callable[..., object]]] = (
    click.argument("ids", nargs=-1, type=TaskId(), metavar="[ID]..."),
    click.option("-q", "--queue", type=Offered("queues"), help="Tasks of this queue."),
    click.option("-w", "--workflow", type=Offered("workflows"), help="Tasks of this workflow."),
    click.option(
        "--state", multiple=True, type=click.Choice([s.value for s in TaskState]), help="Tasks in this state."
    ),
    click.option("--cause", metavar="FINGERPRINT", help="Tasks that failed in this way."),
    click.option("--all", "everything", is_flag=True, help="All tasks."),
)


def is_empty(selector: Selector) -> bool:
    """Whether nothing at all was selected."""
    return selector == Selector()


def need_words(selector: Selector) -> None:
    """Refuse a selector without words.

    Raises:
        UsageError: Nothing was selected, which never means everything.
    """
    if is_empty(selector):
        raise UsageError(
            "no task is named; nothing was changed",
            hint="give ids, or select with -q, --state, --cause or --all",
        )


def need_there(session: Session, selector: Selector) -> dict[int, TaskState]:
    """The states of the tasks that are named by their ids; whatever else is named exists, too.

    Raises:
        NotFoundError: There is no such task, queue or workflow, or nothing ever failed of that cause; nothing was
            changed.
    """
    need_named(session, selector, done="nothing was changed")
    return need_known(session.store, selector.ids) if selector.ids else {}


def need_named(session: Session, named: Selector | Query, *, done: str) -> None:
    """Refuse a queue, a workflow or a cause that is not there. `done`: what that means.

    Raises:
        NotFoundError: It is not there.
    """
    if named.queue is not None:
        need_queue(session.store, named.queue, done=done)
    if named.workflow is not None:
        need_workflow(session.store, named.workflow, done=done)
    if named.cause is not None and not _was_met(session, named.cause):
        raise NotFoundError(
            f"nothing has ever failed of {named.cause!r}; {done}",
            hint="'overnight report' names the causes with what is to be typed",
        )


def need_queue(store: Store, name: str, *, done: str) -> None:
    """Refuse a queue that is not there.

    Raises:
        NotFoundError: It is not.
    """
    if name not in {one.name for one in store.queues()}:
        raise no_queue(name, done=done)


def need_workflow(store: Store, name: str, *, done: str) -> None:
    """Refuse a workflow that is not there: neither in the store, nor one by which tasks can be begun.

    Raises:
        NotFoundError: It is not.
        ConfigurationError: The file that might define it makes no sense.
    """
    if name in {one.name for one in store.workflows()}:
        return
    from overnight.ui.cli.settings import in_use  # who names one that has run needs none of this
    from overnight.wiring.workflows import all_known

    if name not in all_known(store, in_use()[1].workflows):
        raise no_workflow(name, done=done)


def _was_met(session: Session, cause: str) -> bool:
    """A task that was queued once more has no cause any more; the journal still knows it."""
    if session.store.tasks(Query(cause=cause, limit=1)):
        return True
    from overnight.monitor.report.journal import first_failures

    return bool(first_failures(session.home.journal, [cause], wiring.clock.now()))


def need_known(store: Store, ids: Sequence[int]) -> dict[int, TaskState]:
    """The states of these tasks.

    Raises:
        NotFoundError: One of them does not exist; nothing was changed.
    """
    states = store.states(ids)
    unknown = [task_id for task_id in ids if task_id not in states]
    if unknown:
        names = ", ".join(str(task_id) for task_id in unknown[:10]) + (" ..." if len(unknown) > 10 else "")  # noqa: PLR2004 - enough to see what is meant
        raise NotFoundError(
            f"there is no task {names}; nothing was changed", hint="'overnight list' shows the tasks and their ids"
        )
    return states
