"""What is known of a cluster before Ray is asked: whether it may be used, and what its nodes are called."""

from __future__ import annotations

import socket
from pathlib import Path
from typing import Any

import pytest

from overnight.executors.nodes.agent_process import Errand, card_ids, facts_of
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


def test_a_node_has_what_ray_was_told_of_it_and_nothing_that_ray_counts_for_itself() -> None:
    there = {
        "CPU": 8.0,
        "GPU": 2.0,
        "memory": 1e10,
        "object_store_memory": 1e9,
        "node:127.0.0.1": 1.0,
        "node:__internal_head__": 1.0,
        "accelerator_type:A100": 1.0,
        "scanner": 1.0,
        "wide-paper": 2.5,
    }
    (node,) = nodes_in([row("a", "one", Resources=there, Labels={"zone": "west"})])
    assert (node.cpus, node.gpus) == (8, 2)
    assert node.resources == (("scanner", 1.0), ("wide-paper", 2.5))
    assert node.labels == (("zone", "west"),)


@pytest.mark.parametrize(
    ("count", "visible", "ids"),
    [
        (2, "3,5", ("3", "5")),
        (2, "GPU-8a, GPU-9b", ("GPU-8a", "GPU-9b")),
        (2, "", ("0", "1")),
        (2, "0,1,2,3", ("0", "1")),
        (2, "0,0", ("0", "1")),
        (0, "", ()),
    ],
)
def test_cards_are_called_what_ray_gave_its_actor_else_by_number(
    count: int, visible: str, ids: tuple[str, ...]
) -> None:
    assert card_ids(count, visible) == ids


def test_an_agent_says_what_its_node_has(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "4,6")
    facts = facts_of(Errand("a", "/x", "", gpus=2, labels={"zone": "west"}, resources={"scanner": 1.0}))
    assert (facts.ids, facts.resources, facts.labels) == ({"gpu": ("4", "6")}, {"scanner": 1.0}, {"zone": "west"})
    assert facts_of(Errand("a", "/x", "")).ids == {}
