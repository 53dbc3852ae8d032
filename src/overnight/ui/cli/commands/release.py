"""``release``: let held tasks go on."""

from __future__ import annotations

import click

from overnight.store.contract import Selector, Verb
from overnight.ui.cli.acting import act
from overnight.ui.cli.group import Verb as Command
from overnight.ui.cli.selecting import selectors


@click.command(cls=Command)
@selectors
def release(*, selector: Selector) -> int:
    """Let held tasks go on. 'overnight retry' is for a task that waits for its next attempt."""
    return act(Verb.RELEASE, selector)
