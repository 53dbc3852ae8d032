"""A process that dies at a chosen moment: before or after a COMMIT of its store, or wherever it is asked."""

from __future__ import annotations


class CrashError(Exception):
    """The process dies here."""


class CrashPoints:
    """Every moment at which a process may be killed passes here; at the chosen ones it is.

    Give it to a store as its ``hooks``: it is then called before and after each COMMIT. A dead process does
    nothing: until `next_life`, whatever it still tries fails in the same way.

    Args:
        at: Numbers of moments, counted from 1 over all lives.
    """

    def __init__(self, *at: int) -> None:
        self._at = frozenset(at)
        self._dead = False
        #: Every moment that has passed, as "operation moment".
        self.names: list[str] = []

    def __call__(self, operation: str, moment: str) -> None:
        """A moment passes. Raises `CrashError` at a chosen one, and from then on."""
        if not self._dead:
            self.names.append(f"{operation} {moment}")
            self._dead = len(self.names) in self._at
        if self._dead:
            raise CrashError(f"{len(self.names)}: {self.names[-1]}")

    def next_life(self) -> None:
        """Another process goes on."""
        self._dead = False
