"""Short ways to write endings."""

from __future__ import annotations

from overnight.core.tallies import Ending, Key

NOON = 1_800_000_000.0


def ending(at: float = NOON, seconds: float = 1.0, outcome: str = "completed", **changes: str) -> Ending:
    """An attempt of the default queue."""
    return Ending(at, Key("default", "", "", outcome)._replace(**changes), seconds)
