"""An engine that goes on until it is told to stop, for the measurements that need an idle one.

    python benchmarks/forever.py SLOTS

Says "ready" when it works. Ended by SIGTERM.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence

from overnight import wiring
from overnight.core.configuration import Configuration
from overnight.core.gates import Hold
from overnight.core.settings import resolve
from overnight.core.stopping import Stopping
from overnight.core.verdict import Settlement
from overnight.engine.attempts import Running
from overnight.engine.goal import Never
from overnight.store.contract import Counts
from overnight.wiring.engine import holding, run_engine


class Herald:
    """An observer that says when the engine works."""

    def __init__(self) -> None:
        self._said = False

    def settled(self, running: Running | None, settlement: Settlement) -> None:
        """Nothing to say."""

    def stopping(self, stopping: Stopping, still_running: int) -> None:
        """Nothing to say."""

    def limits(self, holds: Sequence[Hold], slots: int) -> None:
        """Nothing to say."""

    def ticked(self, counts: Counts, running: list[Running]) -> None:  # noqa: ARG002 - the contract's arguments
        """The first tick comes when everything is up."""
        if not self._said:
            self._said = True
            print("ready", flush=True)


if __name__ == "__main__":
    home = wiring.make_home()
    settings = resolve(flags={"slots": sys.argv[1]}, environ=os.environ, configured={})
    with holding(home, settings=settings) as store:
        run_engine(home, store, goal=Never(), observer=Herald(), settings=settings, configured=Configuration())
