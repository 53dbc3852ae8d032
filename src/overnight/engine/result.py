"""How a run of the engine ended."""

from __future__ import annotations

import msgspec

from overnight.core.stopping import StoppedBy
from overnight.store.contract import Counts


class Result(msgspec.Struct, frozen=True):
    """How a run of the engine ended. `exit_code` None: as the tasks' outcomes say."""

    stopped_by: StoppedBy
    exit_code: int | None
    counts: Counts

    @property
    def elsewhere(self) -> int:
        """How much programs outside the engine have popped; that is theirs to end."""
        return self.counts.popped

    @property
    def left(self) -> int:
        """What is not finished and nobody works on."""
        return self.counts.unfinished - self.elsewhere
