"""What is known of a cluster before Ray is asked: whether it may be used, and what its nodes are called."""

from __future__ import annotations

import socket
from typing import Any

import pytest

from overnight.executors.ray.addresses import answers, is_here, refusal
from overnight.executors.ray.naming import name_nodes, nodes_in
from overnight.executors.ray.shell import directory_of


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


def names(*rows: dict[str, Any]) -> list[str]:
    return [node.name for node in name_nodes(nodes_in(rows))]


def test_a_node_is_called_by_its_label_or_its_host() -> None:
    assert names(row("a", "one"), row("b", "two", Labels={"overnight-node": "big"})) == ["one", "big"]
    assert names(row("a", "one"), row("b", "one")) == ["one-aaaaaaaa", "one-bbbbbbbb"]
    assert names(row("a", "one"), row("b", "two", Alive=False)) == ["one"]


def test_a_name_leads_nowhere_else() -> None:
    [name] = names(row("a", "x", Labels={"overnight-node": "../../etc"}))
    assert directory_of("home", name).parent.name == "home"
    assert names(row("a", "..")) == ["node"]
