"""An engine that goes on until it is told to stop, for the measurements that need an idle one.

    python benchmarks/forever.py SLOTS

Says "ready" when it works. Ended by SIGTERM.
"""

from __future__ import annotations

import sys

from overnight import wiring
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

    def disk(self, *, full: bool) -> None:
        """Nothing to say."""

    def ticked(self, counts: Counts, running: list[Running]) -> None:  # noqa: ARG002 - the contract's arguments
        """The first tick comes when everything is up."""
        if not self._said:
            self._said = True
            print("ready", flush=True)


if __name__ == "__main__":
    home = wiring.make_home()
    with holding(home) as store:
        run_engine(home, store, goal=Never(), observer=Herald(), slots=int(sys.argv[1]))
