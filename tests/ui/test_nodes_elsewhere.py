"""Nodes of an engine whose store is used by many hosts: what it leaves there, and whose the agents are."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from overnight import wiring
from overnight.core.settings import Settings, resolve
from overnight.executors.nodes.placements import Placements
from overnight.host import home as homes
from overnight.host.home import Home
from overnight.store.postgres import PostgresStore
from overnight.store.postgres.lease import Lease
from overnight.wiring import leading, nodes


@pytest.fixture
def home(tmp_path: Path) -> Home:
    return homes.create(tmp_path / ".overnight")


def settings(on: str = "here", lease: str = "15s") -> Settings:
    return resolve(flags={"on": on, "node_lease": lease}, environ={}, configured={})


def place(home: Home, names: Sequence[str]) -> None:
    """An engine has left this behind, with a lease of two minutes."""
    placements = Placements(home.placements, 121.0, dict)
    placements.used(names)
    placements.begin()


def told(_words: str, _hint: str) -> None:
    """Said to nobody."""


def test_an_engine_without_nodes_keeps_nobody_out_for_longer(home: Home) -> None:
    assert nodes.linger_of(home, settings()) == 0
    place(home, [])
    assert nodes.linger_of(home, settings()) == 0


def test_an_engine_with_nodes_keeps_others_out_for_their_lease(home: Home) -> None:
    assert nodes.linger_of(home, settings("ray")) == 16
    assert nodes.linger_of(home, settings("ray", "1h")) == 3601


@pytest.mark.parametrize("on", ["here", "ray"])
def test_what_an_earlier_engine_has_left_counts_as_long_as_nobody_knows_what_became_of_it(home: Home, on: str) -> None:
    """The next one of this home takes the store at once, and may die before that is over."""
    place(home, ["a"])
    assert nodes.linger_of(home, settings(on)) == 121


@pytest.mark.parametrize(("left", "free"), [(["a"], False), ([], True)])
def test_an_engine_that_ends_keeps_others_out_until_its_nodes_are_over(
    home: Home,
    postgres: str,
    left: list[str],
    free: bool,  # noqa: FBT001  # a parameter
) -> None:
    PostgresStore.open(postgres, create=True).close()
    with leading.leading(home, postgres, told, None, linger=121.0):
        place(home, left)
    with closing(Lease(postgres, holder="other", home="other")) as other:
        assert (other.take() == "") is free


def test_engines_of_all_hosts_find_the_same_agents(
    tmp_path: Path, postgres: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each node has room for one agent: one with a name of its own would wait for the end of the last host's."""
    monkeypatch.setenv("OVERNIGHT_STORE", postgres)
    tasks = []

    def carrier(task: Any, *_: object) -> None:
        tasks.append((task.home, task.cookie))
        raise NotImplementedError

    monkeypatch.setattr(nodes, "RayCarrier", carrier)
    for name in "ab":
        home = homes.create(tmp_path / name)
        wiring.open_store(home, create=True).close()
        with pytest.raises(NotImplementedError):
            nodes.executor_of(home, settings("ray"), told, slots=1)
    monkeypatch.delenv("OVERNIGHT_STORE")
    for name in "cd":
        with pytest.raises(NotImplementedError):
            nodes.executor_of(homes.create(tmp_path / name), settings("ray"), told, slots=1)
    assert tasks[0] == tasks[1]
    assert len(set(tasks[1:])) == 3
