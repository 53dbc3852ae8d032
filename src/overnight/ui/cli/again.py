"""Saying something again and again, until somebody has seen enough."""

from __future__ import annotations

import select
from collections.abc import Callable, Iterable

import click

from overnight.host.signals import SignalWatch
from overnight.ui.cli import printing


def again_and_again(look: Callable[[], Iterable[str]], seconds: float) -> int:
    """Say the lines of a look each `seconds`, on a terminal in the place of those before.

    Returns 128 plus the number of the signal that ended it.
    """
    with SignalWatch() as signals:
        while True:
            lines = list(look())
            click.clear()  # only a terminal, and only when there is something to say in its place
            for line in lines:
                printing.say(line)
            printing.flush()
            select.select([signals], [], [], seconds)
            if taken := signals.take():
                return 128 + taken[0]
