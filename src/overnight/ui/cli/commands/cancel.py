"""``cancel``: end tasks for good, running ones included."""

from __future__ import annotations

import click

from overnight.store.contract import Selector, Verb
from overnight.ui.cli.acting import act
from overnight.ui.cli.group import Verb as Command
from overnight.ui.cli.selecting import selectors


@click.command(cls=Command)
@selectors
def cancel(*, selector: Selector) -> int:
    """Cancel tasks. Running ones are ended (TERM, then KILL), whole process trees.

    Finished tasks are left as they are. 'overnight retry ID' brings a cancelled task back.
    """
    return act(Verb.CANCEL, selector)
