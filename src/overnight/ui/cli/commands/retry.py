"""``retry``: finished tasks back into the queue, with all their retries again."""

from __future__ import annotations

from functools import partial
from typing import Any

import click
import msgspec

from overnight import wiring
from overnight.core.states import TaskState
from overnight.store.contract import Selector, Store, Verb
from overnight.ui.cli import printing
from overnight.ui.cli.acting import act
from overnight.ui.cli.group import Verb as Command
from overnight.ui.cli.limit_options import limit_options
from overnight.ui.cli.relimiting import give_limits, limits_of
from overnight.ui.cli.selecting import is_empty, selectors
from overnight.ui.cli.values import Duration

_FAILED = (TaskState.FAILED,)


@click.command(cls=Command)
@selectors
@click.option("--from", "restart", multiple=True, metavar="STEP", help="Of a workflow, run this step and what follows.")
@click.option("--timeout", type=Duration(endless=True), help="With this time limit from now on; 0 for none.")
@limit_options
def retry(*, selector: Selector, restart: tuple[str, ...], **said: Any) -> int:  # noqa: ANN401 - what was typed, by option
    """Queue finished tasks once more. Their failures count from zero again.

    Ids may be of any finished task, or of one that waits for its next attempt. Without ids only failed
    ones are taken, unless --state says otherwise: 'overnight retry --all' retries every failed task.
    Of a workflow only what failed is run again, and what comes after it; --from begins at a step that
    was completed. What failed because of a task is queued with it. Limits that are given here hold for what
    failed, from this attempt on; steps of workflows keep those of their definition.
    """
    if not selector.ids and not selector.states and not is_empty(selector):
        selector = msgspec.structs.replace(selector, states=_FAILED)
    limits = limits_of(said)
    first = partial(_give, selector=selector, limits=limits) if limits else None
    return act(Verb.RETRY, selector, restart=restart, first=first)


def _give(store: Store, selector: Selector, limits: dict[str, Any]) -> None:
    _, left = give_limits(store, selector, limits, now=wiring.clock.now(), by=wiring.who())
    if left:
        printing.note(f"overnight: {printing.count(left, 'workflow task keeps', 'workflow tasks keep')} its definition")


@click.command("retry-failed", cls=Command)
def retry_failed() -> int:
    """Queue all failed tasks once more. The same as 'retry --all'."""
    return act(Verb.RETRY, Selector(states=_FAILED, everything=True))
