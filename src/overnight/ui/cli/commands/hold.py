"""``hold``: keep tasks from starting until a person releases them."""

from __future__ import annotations

import click

from overnight.store.contract import Selector, Verb
from overnight.ui.cli.acting import act
from overnight.ui.cli.group import Verb as Command
from overnight.ui.cli.selecting import selectors


@click.command(cls=Command)
@selectors
def hold(*, selector: Selector) -> int:
    """Hold tasks back until 'overnight release'. Running ones are ended first, without counting a failure."""
    return act(Verb.HOLD, selector)
