"""When agents say that they live: in time, and not all in the same moment."""

from __future__ import annotations

import random
from itertools import pairwise
from pathlib import Path

from fake_nodes import LEASE, FakeNodes

from overnight.executors.nodes.agent import BEATS, SOONER

EVERY = LEASE.ttl / BEATS


def heard(nodes: FakeNodes, seconds: float) -> list[list[float]]:
    """When each node was heard, in so many seconds."""
    found: list[list[float]] = [[node.heard_at] for node in nodes.executor.nodes()]
    until = nodes.clock.monotonic() + seconds
    while nodes.clock.monotonic() < until:
        nodes.pass_time(0.05)
        for times, node in zip(found, nodes.executor.nodes(), strict=True):
            if node.heard_at != times[-1]:
                times.append(node.heard_at)
    return found


def test_nodes_that_begin_together_do_not_keep_step_and_none_is_late(tmp_path: Path) -> None:
    nodes = FakeNodes(tmp_path)
    for number, node in enumerate(nodes.carrier.nodes.values()):
        node.dice = random.Random(number).random  # noqa: S311 - dice
        node.renew()
    nodes.open()
    both = heard(nodes, 20 * EVERY)
    for times in both:
        gaps = [after - before for before, after in pairwise(times)]
        assert len(gaps) >= 20
        assert max(gaps) <= EVERY + 0.1
        assert min(gaps[1:]) >= EVERY * (1 - SOONER) - 0.1
    apart = [abs(one - other) for one, other in zip(*(times[-5:] for times in both), strict=True)]
    assert max(apart) > 0.2
