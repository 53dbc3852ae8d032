"""What is known of a cluster before Ray is asked: whether it may be used, and what its nodes are called."""

from __future__ import annotations

import socket
from pathlib import Path
from typing import Any

import pytest

from overnight.executors.ray.addresses import answers, is_here, refusal
from overnight.executors.ray.carrier import RayCarrier
from overnight.executors.ray.naming import name_nodes, nodes_in
from overnight.executors.ray.shell import directory_of
from overnight.executors.ray.words import Task
from overnight.testing import FakeClock


@pytest.mark.parametrize("address", ["127.0.0.1:6379", "localhost:6379", "[::1]:6379", "ray://127.0.0.1:10001", "auto"])
def test_a_cluster_on_loopback_needs_no_token(address: str) -> None:
    assert is_here(address)
    assert refusal(address, {}) is None


@pytest.mark.parametrize("address", ["192.0.2.7:6379", "head.example:6379", "0.0.0.0:6379", "127.0.0.1.example:6379"])
def test_any_other_is_used_in_token_mode_alone(address: str) -> None:
    assert refusal(address, {"RAY_AUTH_MODE": "token"}) is None
    for environ in ({}, {"RAY_AUTH_MODE": "disabled"}, {"RAY_AUTH_TOKEN": "secret"}):
        found = refusal(address, environ)
        assert found is not None
        assert "RAY_AUTH_MODE=token" in found.hint
        assert "secret" not in found.why + found.hint


def test_nobody_at_an_address_is_seen_at_once() -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
        assert answers(f"127.0.0.1:{port}")
    assert not answers(f"127.0.0.1:{port}")
    assert answers("auto")


def row(number: str, host: str, **more: Any) -> dict[str, Any]:
    """One node as Ray tells of it."""
    return {"NodeID": number * 8, "NodeManagerHostname": host, "Alive": True, "Resources": {"CPU": 2.0}} | more


def names(*rows: dict[str, Any], known: dict[str, str] | None = None) -> list[str]:
    return [node.name for node in name_nodes(nodes_in(rows), known)]


def test_a_node_is_called_by_its_label_or_its_host() -> None:
    assert names(row("a", "one"), row("b", "two", Labels={"overnight-node": "big"})) == ["one", "big"]
    assert names(row("a", "one"), row("b", "one")) == ["one-aaaaaaaa", "one-bbbbbbbb"]
    assert names(row("a", "one"), row("b", "two", Alive=False)) == ["one"]


def test_names_that_are_alike_when_they_are_safe_are_told_apart() -> None:
    labels = [{"overnight-node": name} for name in ("x/y", "x y")]
    assert len(set(names(row("a", "one", Labels=labels[0]), row("b", "two", Labels=labels[1])))) == 2


def test_whoever_has_a_name_keeps_it_when_another_one_joins_or_leaves() -> None:
    """An agent under one name has the CPUs that one under another name would wait for."""
    known = {"aaaaaaaa": "one"}
    assert names(row("a", "one"), row("b", "one"), known=known) == ["one", "one-bbbbbbbb"]
    assert names(row("b", "one"), known={"bbbbbbbb": "one-bbbbbbbb"}) == ["one-bbbbbbbb"]
    assert names(row("c", "one"), row("b", "two"), known=known) == ["one", "two"]


def test_a_bridge_that_cannot_be_started_now_is_tried_again_later(tmp_path: Path) -> None:
    """The night goes on: what nodes have they go on with, and another try is made."""
    clock = FakeClock()
    task = Task("127.0.0.1:1", "home", "cookie", "", "none", -1)
    carrier = RayCarrier(task, clock, tmp_path / "away" / "bridge.log")

    carrier.open()
    clock.advance(5.0)
    assert carrier.receive() == []

    assert carrier.trouble is not None
    assert "bridge" in carrier.trouble.why
    carrier.close()


def test_a_name_leads_nowhere_else() -> None:
    [name] = names(row("a", "x", Labels={"overnight-node": "../../etc"}))
    assert directory_of("home", name).parent.name == "home"
    assert names(row("a", "..")) == ["node"]
