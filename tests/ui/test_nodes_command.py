"""`nodes`, and `run --on ray` where there is nothing to run on: what happened, what it means, what to type."""

from __future__ import annotations

import socket
from collections.abc import Callable
from pathlib import Path
from typing import Any

import msgspec
import pytest
from fake_nodes import FakeNodes

from overnight.core.errors import NotNowError
from overnight.core.nodes import Census, Change, Closing, NodeRow
from overnight.core.settings import resolve
from overnight.core.version import VERSION
from overnight.host.home import Home
from overnight.wiring.nodes import closed_nodes, on_nodes

Call = Callable[..., Any]


@pytest.fixture
def home(overnight: Call, place: Path) -> Home:
    """A home whose last engine had two nodes."""
    overnight("add", "--", "true")
    home = Home(place / ".overnight")
    up = NodeRow("a", "up", slots=4, held=2, cpus=4, memory_bytes=2**33, version="0.1.0", python="3.11.7")
    up = msgspec.structs.replace(up, resources={"gpu": 2.0, "disk": 0.5})
    away = NodeRow("b", "away", why="the node b was not heard for 16 s")
    home.nodes.write_bytes(msgspec.json.encode(Census(1_800_000_000.0, [up, away])))
    return home


def test_nodes_are_listed_with_what_is_wrong(overnight: Call, home: Home) -> None:
    said = overnight("nodes", "list")

    assert [line.split()[:2] for line in said.lines] == [["node", "state"], ["a", "up"], ["b", "away"]]
    assert "was not heard" in said.lines[2]
    assert "disk 0.5, gpu 2" in said.lines[1]
    assert home.nodes.exists()


def test_a_closed_node_is_closed_until_it_is_opened(overnight: Call, home: Home) -> None:
    assert overnight("nodes", "cordon", "a").status == 0
    assert closed_nodes(home) == {"a": Closing.CORDON}
    assert overnight("nodes", "drain", "b").status == 0
    assert overnight("nodes", "drain", "--now", "a").status == 0
    assert closed_nodes(home) == {"a": Closing.DRAIN_NOW, "b": Closing.DRAIN}
    rows = [msgspec.json.decode(line) for line in overnight("nodes", "list", "--json").lines]
    assert [(row["name"], row["closed"]) for row in rows] == [("a", "drain-now"), ("b", "drain")]

    for name in "ab":
        assert overnight("nodes", "uncordon", name).status == 0
    assert closed_nodes(home) == {}


def test_a_node_that_is_not_there_is_named_with_those_that_are(overnight: Call, home: Home) -> None:
    said = overnight("nodes", "cordon", "c")

    assert said.status == 4
    assert "there is no node 'c'; nothing was changed" in said.err
    assert "the nodes are: a, b" in said.err
    assert closed_nodes(home) == {}


def test_a_home_that_never_had_nodes_says_so(overnight: Call) -> None:
    overnight("add", "--", "true")

    said = overnight("nodes", "list")

    assert said.status == 4
    assert "has run on nodes" in said.err


def test_a_cluster_where_nobody_listens_is_told_of_at_once(overnight: Call) -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        address = f"127.0.0.1:{server.getsockname()[1]}"

    said = overnight("run", "--on", "ray", "--ray-address", address, ":::", "x", "--", "true")

    assert said.status == 75
    assert f"nothing listens at '{address}'; nothing was started" in said.err
    assert "ray start --head" in said.err
    assert overnight("status", "--json").json["counts"]["pending"] == 1


def test_without_ray_the_extra_is_named(overnight: Call, place: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (place / "ray.py").write_text("raise ImportError('it is not here')\n")
    monkeypatch.syspath_prepend(str(place))
    with socket.create_server(("127.0.0.1", 0)) as server:
        address = f"127.0.0.1:{server.getsockname()[1]}"
        said = overnight("run", "--on", "ray", "--ray-address", address, ":::", "x", "--", "true")

    assert said.status == 75
    assert "Ray cannot be imported here (it is not here)" in said.err
    assert "pip install 'overnight[ray]'" in said.err


@pytest.mark.parametrize(
    ("mode", "raised", "said", "hint"),
    [
        ("token", "Failed to connect to Ray cluster", "did not take us", "is it the cluster's token?"),
        ("token", "Unauthenticated: invalid token", "invalid token", "have the token of the cluster in RAY_AUTH_TOKEN"),
        ("disabled", "Failed to connect to Ray cluster", "did not take us", "does the cluster ask for a token?"),
        ("disabled", "Version mismatch: Ray 2.60, Python 3.12", "Version mismatch", "the same Ray and the same Python"),
        ("disabled", "Could not find any running Ray instance", "Could not find", "ray start --head"),
    ],
)
def test_what_ray_says_of_a_token_or_a_version_is_told_with_what_to_do(
    overnight: Call, place: Path, monkeypatch: pytest.MonkeyPatch, mode: str, raised: str, said: str, hint: str
) -> None:
    """A token itself is never told of."""
    (place / "ray.py").write_text(f"def init(**_):\n    raise ConnectionError({raised!r})\n")
    monkeypatch.syspath_prepend(str(place))
    monkeypatch.setenv("RAY_AUTH_MODE", mode)
    monkeypatch.setenv("RAY_AUTH_TOKEN", "a-secret-of-ours")
    with socket.create_server(("127.0.0.1", 0)) as server:
        address = f"127.0.0.1:{server.getsockname()[1]}"
        told = overnight("run", "--on", "ray", "--ray-address", address, ":::", "x", "--", "true")

    assert told.status == 75
    assert said in told.err
    assert "nothing was started, and what is in the queue stays there" in told.err
    assert hint in told.err
    assert "a-secret-of-ours" not in told.err
    assert overnight("status", "--json").json["counts"]["pending"] == 1


def test_nodes_that_all_have_another_version_are_named_before_anything_starts(overnight: Call, place: Path) -> None:
    overnight("add", "--", "true")
    nodes = FakeNodes(place, versions=("0.0.1", "0.0.2"))
    home = Home(place / ".overnight")

    with pytest.raises(NotNowError) as caught:
        on_nodes(home, resolve(flags={}, environ={}, configured={}), lambda _words, _hint: None, nodes.carrier)

    assert "no node can be used (a: it has overnight 0.0.1" in caught.value.message
    assert "b: it has overnight 0.0.2" in caught.value.message
    assert "nothing was started" in caught.value.message
    assert caught.value.hint


def test_one_node_of_another_version_is_left_out_and_its_slots_are_not_counted(overnight: Call, place: Path) -> None:
    overnight("add", "--", "true")
    nodes = FakeNodes(place, versions=(VERSION, "0.0.2"))
    said: list[str] = []
    chosen = on_nodes(
        Home(place / ".overnight"),
        resolve(flags={}, environ={}, configured={}),
        lambda words, _hint: said.append(words),
        nodes.carrier,
    )

    assert chosen.slots == 4
    chosen.executor.open(fence=1, left_open=[])
    chosen.executor.events()
    assert [one.change for one in chosen.news() if one.node == "b"] == [Change.REFUSED]
    assert [words for words in said if "the node b is not used: it has overnight 0.0.2" in words]
    chosen.executor.close()


@pytest.mark.parametrize(
    ("said", "named"),
    [
        (["--ship"], "--ship"),
        (["--ray-address", "h:1"], "--ray-address"),
        (["--ship", "--ray-address", "h:1"], "--ship and --ray-address"),
    ],
)
def test_what_is_about_nodes_is_refused_where_nothing_runs_on_any(
    overnight: Call, place: Path, said: list[str], named: str
) -> None:
    told = overnight("run", *said, ":::", "x", "--", "true")

    assert told.status == 2
    assert f"{named}: that is about nodes, and attempts would run on this machine; nothing was added" in told.err
    assert f"add --on ray (or OVERNIGHT_ON=ray), or leave {named} away" in told.err
    assert not (place / ".overnight").exists()


def test_what_the_configuration_says_about_nodes_is_for_whoever_wants_them(overnight: Call, place: Path) -> None:
    (place / "overnight.toml").write_text("[nodes]\nship = true\n")
    assert overnight("run", ":::", "x", "--", "true").status == 0


def test_a_cluster_elsewhere_without_a_token_is_not_used(overnight: Call, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("RAY_AUTH_MODE", raising=False)

    said = overnight("run", "--on", "ray", "--ray-address", "192.0.2.99:6379", ":::", "x", "--", "true")

    assert said.status == 75
    assert "nothing says that it asks for a token" in said.err
