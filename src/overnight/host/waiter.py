"""Waiting for the first of several things, as a port, so that a simulation can let time pass instead."""

from __future__ import annotations

import selectors
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
    """Waits in the kernel. Keeps one selector for each set of sources that it was asked about."""

    def __init__(self) -> None:
        self._selectors: dict[tuple[int, ...], selectors.BaseSelector] = {}

    def wait(self, sources: Sequence[Source], seconds: float) -> list[Source]:
        selector = self._selector_for(sources)
        return [key.data for key, _ in selector.select(max(0.0, seconds))]

    def _selector_for(self, sources: Sequence[Source]) -> selectors.BaseSelector:
        filenos = tuple(source.fileno() for source in sources)
        if filenos not in self._selectors:
            selector = self._selectors[filenos] = selectors.DefaultSelector()
            for source in sources:
                selector.register(source.fileno(), selectors.EVENT_READ, source)
        return self._selectors[filenos]

    def close(self) -> None:
        """Let go of the selectors."""
        for selector in self._selectors.values():
            selector.close()
        self._selectors.clear()
