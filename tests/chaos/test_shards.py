"""The plan beyond one store, a small sample: `benchmarks/shards.py` has the large one, docs/scale.md its figures.

One shard in virtual time: nodes die and are cut off, engines die and stand still. Each protection is taken out once.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from pathlib import Path

import pytest

pytest.importorskip("psycopg", reason="the extra is not installed")  # the times of the lease are read there
from shard_night import LEASE, Shard, ShardEngine
from shard_parts import Store, Weather

from overnight.executors.nodes.agent import Agent
from overnight.executors.nodes.node import Node

NODES = 20
#: Attempts of a node that dies run elsewhere within the lease and this; seconds.
MORE = 2.0
#: An engine that dies has another one's attempts running after so long; seconds.
FAILOVER = 10.0


def troubled(root: Path, *, freeze: float = 0.0, engine_at: float = 31.0, placed: bool = True) -> Shard:
    """A night in which two nodes die, two are cut off for 17 s, and the engine dies or stands still."""
    shard = Shard(root, 7, nodes=NODES, placed=placed)
    shard.at(12.0, lambda: shard.strike_nodes(0.2, cut=17.0))
    shard.at(engine_at, lambda: shard.strike_engine(freeze=freeze))
    shard.run(50.0)
    return shard


@pytest.mark.parametrize("freeze", [0.0, 12.0])
def test_a_shard_loses_and_doubles_nothing_and_goes_on_in_time(tmp_path: Path, freeze: float) -> None:
    shard = troubled(tmp_path, freeze=freeze)

    assert shard.violations() == []
    assert shard.false_losses() == 0
    assert shard.engines == 2
    assert len(shard.elsewhere(since=12.0)) >= 2
    assert max(shard.elsewhere(since=12.0)) < LEASE.ttl + MORE
    assert shard.elsewhere(since=31.0)
    assert max(shard.elsewhere(since=31.0)) < FAILOVER


def test_the_same_seed_is_the_same_night(tmp_path: Path) -> None:
    first, second = (troubled(tmp_path / name) for name in "ab")

    assert first.began_at == second.began_at
    assert first.heard == second.heard


def test_an_engine_that_dies_with_nodes_waits_for_their_lease(tmp_path: Path) -> None:
    shard = troubled(tmp_path, engine_at=12.0)

    assert shard.violations() == []
    assert LEASE.over_after < max(shard.elsewhere(since=12.0)) < FAILOVER + LEASE.over_after + MORE


@pytest.fixture(params=["lease", "patience", "fence", "placements"])
def unprotected(request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Shard]:
    """A night with one protection taken out."""
    if request.param == "lease":  # nodes go on however long they hear nothing
        monkeypatch.setattr(Agent, "_extend", lambda agent, _: setattr(agent, "_until", math.inf))
        yield troubled(tmp_path)
    elif request.param == "patience":  # the engine gives nodes up before their lease is over
        monkeypatch.setattr(Node, "over_at", property(lambda node: node.heard_at + LEASE.ttl / 3))
        yield troubled(tmp_path)
    elif request.param == "fence":  # an engine that was replaced writes
        monkeypatch.setattr(Store, "holds", lambda _store, _fence: True)
        yield troubled(tmp_path, freeze=12.0)
    else:  # the next engine does not know what was with nodes
        yield troubled(tmp_path, engine_at=12.0, placed=False)


def test_without_a_protection_it_is_seen(unprotected: Shard) -> None:
    assert unprotected.violations()


def busiest(shard: Shard) -> int:
    """Words in the busiest tenth of a second while the second engine takes over."""
    took_over = range(round((shard.loop.now - 15.0) * 10), round(shard.loop.now * 10))
    return max(shard.heard[window] for window in took_over)


def test_lines_that_are_made_one_by_one_are_no_storm(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The control beside it: all at once. Looked at before anything is handed out, which is a storm of another kind."""
    monkeypatch.setattr(ShardEngine, "_commit", lambda *_: None)
    spread, at_once = (
        Shard(tmp_path / f"{joining}", 7, nodes=100, weather=Weather(joining=joining)) for joining in (2.5, 0.0)
    )
    for shard in (spread, at_once):
        shard.run(10.0)

    assert busiest(spread) < 20
    assert busiest(at_once) >= 100


def test_a_pause_shorter_than_the_lease_costs_nothing_and_a_longer_one_does(tmp_path: Path) -> None:
    short, long = (
        Shard(tmp_path / f"{pause:g}", 7, nodes=NODES, weather=Weather(pause=pause, pause_every=40.0))
        for pause in (LEASE.ttl * 2 / 3, LEASE.over_after + 4.0)
    )
    for shard in (short, long):
        shard.run(60.0)

    assert short.stood_still > 10
    assert short.false_losses() == 0
    assert long.false_losses() > 0
    assert short.violations() == long.violations() == []
    assert all(math.isfinite(moment) for moment in long.began_at.values())
