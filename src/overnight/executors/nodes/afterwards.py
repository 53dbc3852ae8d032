"""This machine again, after an engine whose attempts were with nodes."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from pathlib import Path

from overnight.core.endings import AttemptKey, Evidence, Lost
from overnight.executors.contract import Over
from overnight.executors.local.executor import LocalExecutor
from overnight.executors.nodes.placements import read


class LocalAfterNodes(LocalExecutor):
    """A local executor that knows what the last engine has handed to nodes, and waits until nothing of it can run.

    It asks no node: the lease is over by itself. The arguments are those of `LocalExecutor`, by name, and

    Args:
        placements: File that says which attempt went where.
        told: What is said to people before it waits.
        pause: Waits so many seconds.
    """

    def __init__(
        self,
        *,
        placements: Path,
        told: Callable[[str, str], None],
        pause: Callable[[float], None] = time.sleep,
        **local: object,
    ) -> None:
        super().__init__(**local)  # type: ignore[arg-type]  # as they came
        self._placements = placements
        self._told = told
        self._pause = pause
        self._to_forget = False

    def open(self, *, fence: int, left_open: Sequence[AttemptKey]) -> list[Over]:
        placed = read(self._placements)
        away = [key for key in left_open if key in placed.by_key or (placed.nodes and not placed.whole)]
        here = [key for key in left_open if key not in away]
        self._to_forget = bool(placed.nodes)
        if away or placed.nodes:
            words = f"{len(away)} attempts of the last engine were with nodes; their lease is waited for"
            self._told(f"{words}, {placed.over_after:g} s", "'overnight run --on ray' would ask the nodes instead")
            self._pause(placed.over_after)
        lost = "it was with a node when its engine died, and nobody asked there"
        events = super().open(fence=fence, left_open=here)
        return [*events, *(Lost(*key, Evidence.UNKNOWN, error=lost) for key in away)]

    def ack(self) -> None:
        super().ack()
        if self._to_forget:
            self._to_forget = False
            self._placements.unlink(missing_ok=True)
