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
    store = session.store
    if selector.queue is not None and selector.queue not in {one.name for one in store.queues()}:
        raise NotFoundError(
            f"there is no queue {selector.queue!r}; nothing was changed", hint="'overnight queue names' lists them"
        )
    if selector.workflow is not None and selector.workflow not in {one.name for one in store.workflows()}:
        raise NotFoundError(
            f"there is no workflow {selector.workflow!r}; nothing was changed", hint="'overnight workflow list'"
        )
    if selector.cause is not None and not _was_met(session, selector.cause):
        raise NotFoundError(
            f"nothing has ever failed of {selector.cause!r}; nothing was changed",
            hint="'overnight report' names the causes with what is to be typed",
        )
    return need_known(store, selector.ids) if selector.ids else {}


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
