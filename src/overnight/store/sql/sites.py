"""What a claim takes out of its pools, and at which node the tasks have their place that need one."""

from __future__ import annotations

from collections.abc import Mapping

from overnight.store.contract import Claim
from overnight.store.sql.statements import Row

#: What a pool may be overdrawn by: sums of floats are not exact.
SLACK = 1e-9


class Sites:
    """The places of one claim. Where no lane needs a node it only passes on.

    Args:
        wanted: The claim.
    """

    def __init__(self, wanted: Claim) -> None:
        self._at = wanted.at
        #: The node of each task that was taken and has one.
        self.nodes: dict[int, str] = {}

    def most(self, lane_id: int, takes: Mapping[str, float], pools: Mapping[str, float], count: int) -> int:
        """How many tasks of a lane the pools have room for if it is the only one; with nodes at most."""
        if lane_id not in self._at:
            return most(takes, pools, count)
        return min(most(takes, pools, count), sum(most(more, pools, count) for _, more in self._at[lane_id]))

    def is_one_pool(self, lane_id: int) -> bool:
        """Whether as many tasks of this lane can be taken as `most` says, wherever they have their place."""
        return lane_id not in self._at

    def take(self, row: Row, takes: Mapping[str, float], pools: dict[str, float]) -> bool:
        """Take the share of one task from the pools, or nothing when one of them does not last."""
        if (options := self._at.get(row[3])) is None:
            return take(takes, pools)
        for node, more in options:
            if take({**takes, **more}, pools):
                self.nodes[row[0]] = node
                return True
        return False

    def put_back(self, row: Row, takes: Mapping[str, float], pools: dict[str, float]) -> None:
        """What was taken for a task was not needed."""
        node = self.nodes.pop(row[0], None)
        more = {} if node is None else dict(self._at[row[3]])[node]
        for pool, amount in {**takes, **more}.items():
            pools[pool] += amount


def most(takes: Mapping[str, float], pools: Mapping[str, float], count: int) -> int:
    """How many times so much is in the pools, up to `count`."""
    for pool, amount in takes.items():
        if amount > 0:
            count = min(count, int((pools.get(pool, 0.0) + SLACK) / amount))
    return max(count, 0)


def take(takes: Mapping[str, float], pools: dict[str, float]) -> bool:
    """Take so much from the pools, or nothing when one of them does not last."""
    for pool, amount in takes.items():
        if amount > pools.get(pool, 0.0) + SLACK:
            return False
    for pool, amount in takes.items():
        pools[pool] = pools.get(pool, 0.0) - amount
    return True
