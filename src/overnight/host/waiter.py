"""Waiting for the first of several things, as a port, so that a simulation can let time pass instead."""

from __future__ import annotations

import math
import select
from collections.abc import Sequence
from typing import Protocol


class Source(Protocol):
    """Something that becomes readable."""

    def fileno(self) -> int:
        """The descriptor to watch."""


class Waiter(Protocol):
    """Waits."""

    def wait(self, sources: Sequence[Source], seconds: float) -> list[Source]:
        """Return the sources that are readable, at the latest after `seconds`; 0 only looks."""


class KernelWaiter:
    """Waits in the kernel. Keeps nothing from one wait to the next.

    A selector that is kept remembers numbers, and a number may be given to another source while nobody
    waits; then the old source would be told of what happens to the new one.
    """

    def wait(self, sources: Sequence[Source], seconds: float) -> list[Source]:
        numbers = {source.fileno(): source for source in sources}
        poll = select.poll()
        for number in numbers:
            poll.register(number, select.POLLIN)
        # Rounded up: waking a little early would only mean to look twice.
        patience = None if seconds == math.inf else math.ceil(max(0.0, seconds) * 1000)
        return [numbers[number] for number, _ in poll.poll(patience)]

    def close(self) -> None:
        """Nothing is kept."""
