"""``retry``: finished tasks back into the queue, with all their retries again."""

from __future__ import annotations

import click
import msgspec

from overnight.core.states import TaskState
from overnight.store.contract import Selector, Verb
from overnight.ui.cli.acting import act
from overnight.ui.cli.group import Verb as Command
from overnight.ui.cli.selecting import is_empty, selectors

_FAILED = (TaskState.FAILED,)


@click.command(cls=Command)
@selectors
@click.option("--from", "restart", multiple=True, metavar="STEP", help="Of a workflow, run this step and what follows.")
def retry(*, selector: Selector, restart: tuple[str, ...]) -> int:
    """Queue finished tasks once more. Their failures count from zero again.

    Ids may be of any finished task, or of one that waits for its next attempt. Without ids only failed
    ones are taken, unless --state says otherwise: 'overnight retry --all' retries every failed task.
    Of a workflow only what failed is run again, and what comes after it; --from begins at a step that
    was completed. What failed because of a task is queued with it.
    """
    if not selector.ids and not selector.states and not is_empty(selector):
        selector = msgspec.structs.replace(selector, states=_FAILED)
    return act(Verb.RETRY, selector, restart=restart)


@click.command("retry-failed", cls=Command)
def retry_failed() -> int:
    """Queue all failed tasks once more. The same as 'retry --all'."""
    return act(Verb.RETRY, Selector(states=_FAILED, everything=True))
