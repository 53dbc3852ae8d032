"""What status, show, list, why, monitor.json and the metrics say of an engine whose attempts run on nodes."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from contextlib import closing
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import msgspec
import pytest

from overnight.core.endings import AttemptKey
from overnight.core.nodes import Census, Closing, NodeRow
from overnight.executors.nodes.placements import Placements
from overnight.host.clock import SystemClock
from overnight.host.home import Home
from overnight.host.lock import HomeLock, about_me
from overnight.monitor.exposition import exposition
from overnight.monitor.snapshot import take
from overnight.monitor.status_file import describe
from overnight.store.contract import Claim
from overnight.store.sqlite import SqliteStore

Call = Callable[..., Any]
UP = NodeRow("a", "up", slots=2, held=1, version="0.1.0")


def tell(home: Home, *rows: NodeRow, at: float | None = None) -> None:
    """What the engine writes of its nodes."""
    now = SystemClock().now()
    home.nodes.write_bytes(msgspec.json.encode(Census(now if at is None else at, list(rows))))


@pytest.fixture
def home(overnight: Call, place: Path) -> Iterator[Home]:
    """An engine on two nodes, of which one is silent; task 1 runs on it, and task 2 waits."""
    overnight("add", "one", "two", "--", "true")
    home, now = Home(place / ".overnight"), SystemClock().now()
    with closing(SqliteStore.open(home.store)) as store:
        fence = store.take_fence(now=now, by="engine")
        lanes = {lane.id: {"work": 1.0} for lane in store.orders().lanes}
        assert store.turn(fence=fence, now=now, claim=Claim(count=1, lanes=lanes, pools={"work": 1.0})).claimed
    placements = Placements(home.placements, 16.0, dict)
    placements.begin()
    placements.note("b", [AttemptKey(1, 1)])
    me = about_me(home.path, now=now)
    written = {**me, "state": "running", "last_heartbeat": datetime.fromtimestamp(now, UTC), "slots": 4}
    home.engine_info.write_bytes(msgspec.json.encode(written))
    tell(home, UP, NodeRow("b", "silent", "its actor died", slots=2, held=1, over_at=now + 900, lost=3))
    lock = HomeLock(home.lock)
    lock.acquire(me)
    yield home
    lock.release()


def test_status_says_how_the_nodes_stand_and_where_a_task_runs(overnight: Call, home: Home) -> None:
    said = overnight("status").out
    assert "2 nodes, 1 of 2 slots busy; b silent, its lease runs for 1" in said
    assert "3 attempts lost with nodes, and run again" in said
    assert "on b" in said

    assert "2 nodes, 1 of 2 slots busy; b silent" in overnight("status", "--format", "html").out

    told = overnight("status", "--json").json
    assert [(one["name"], one["state"], one["slots"], one["busy"], one["lost"]) for one in told["nodes"]] == [
        ("a", "up", 2, 1, 0),
        ("b", "silent", 2, 1, 3),
    ]
    assert told["nodes"][1]["why"] == "its actor died"
    assert told["nodes"][1]["lease_until"].endswith("Z")
    assert [one["node"] for one in told["running"]] == ["b"]
    assert home.nodes.exists()


def test_one_task_says_on_which_node_it_runs(overnight: Call, home: Home) -> None:
    assert overnight("show", "1", "--json").json["node"] == "b"
    assert "node:        b" in overnight("show", "1").lines
    assert [json.loads(line)["node"] for line in overnight("list", "--json").lines] == [None, "b"]
    assert "(attempt 1 on node b), and its node is silent; when the lease" in overnight("why", "1").out
    assert home.nodes.exists()


def test_a_task_that_waits_for_a_node_says_for_what(overnight: Call, home: Home) -> None:
    assert "may start" in overnight("why", "2").out
    tell(home, msgspec.structs.replace(UP, held=2))
    assert "all 2 slots of the nodes that are given work are busy" in overnight("why", "2").out
    home.closed_nodes.write_bytes(msgspec.json.encode({"a": Closing.DRAIN}))
    tell(home, NodeRow("a", "closed"))
    said = overnight("why", "2").out
    assert "waits: people have closed all nodes (a drained)" in said
    assert "overnight nodes uncordon a" in said
    assert overnight("status").out.startswith("Nothing moves: people have closed all nodes (a drained)")


def test_an_engine_that_came_later_has_no_nodes(overnight: Call, home: Home) -> None:
    tell(home, UP, at=SystemClock().now() - 3600)
    assert overnight("status", "--json").json["nodes"] is None
    assert "node" not in overnight("status").out.replace("on b", "")


def test_monitor_and_metrics_count_them(home: Home) -> None:
    with closing(SqliteStore.open(home.store)) as store:
        picture = take(store, home.path, now=SystemClock().now())
        metrics = exposition(store, home.path, picture, totals=(), machine={}).text().decode()
    status = describe(picture, {}, None)
    assert (status.nodes, status.attempts_lost_with_nodes) == ({"up": 1, "silent": 1}, 3)
    assert 'overnight_nodes{state="silent"} 1.0' in metrics
    assert "overnight_node_slots_busy 1.0" in metrics


def test_a_home_of_one_machine_hears_nothing_of_nodes(overnight: Call, place: Path) -> None:
    overnight("run", "one", "--quiet", "--", "true")
    told = overnight("status", "--json").json
    assert told["nodes"] is None
    assert overnight("show", "1", "--json").json["attempts"][0]["node"] is None
    with closing(SqliteStore.open(place / ".overnight" / "queue.db")) as store:
        picture = take(store, place / ".overnight", now=SystemClock().now())
        metrics = exposition(store, place / ".overnight", picture, totals=(), machine={}).text()
    assert b"overnight_node" not in metrics
    assert not any(b'"node' in line for line in (place / ".overnight" / "events.jsonl").read_bytes().splitlines())


def test_what_no_node_can_ever_run_is_said(overnight: Call, home: Home) -> None:
    tell(home, msgspec.structs.replace(UP, resources={"gpu": 2.0}, held=0))
    overnight("add", "three", "--needs", "gpu=4", "--", "true")
    words = "needs 4 of 'gpu' on one node, and the most that a node has of it is 2 (a)"

    assert f"task 3 {words}, so it waits until that changes" in overnight("why", "3").out
    said = overnight("status").out
    assert f"1 node, 0 of 2 slots busy; what waits {words}" in said
    assert "Nothing moves" not in said, "another one may begin"

    overnight("cancel", "2")
    assert overnight("status").out.startswith(f"Nothing moves: what waits {words}")


def test_what_nodes_may_have_is_no_mistake_before_they_are_known(
    overnight: Call, place: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    step = 'resources = { gpu = 4, "zone:west" = 1, license = 2 }'
    (place / "overnight.toml").write_text(
        f'[resources]\ngpu = 1\nlicense = 2\n[[workflow.flow.step]]\nid = "one"\nrun = ["true"]\n{step}\n'
    )
    here = overnight("workflow", "check")
    assert (here.status, (here.out + here.err).count("so it waits for ever")) == (2, 2)
    assert "there is 1" in overnight("add", "x", "--needs", "gpu=4", "--", "true").err

    monkeypatch.setenv("OVERNIGHT_ON", "ray")

    assert overnight("workflow", "check").status == 0
    assert "warning" not in overnight("add", "y", "--needs", "gpu=4", "--needs", "zone:west", "--", "true").err
    assert "there is 2" in overnight("add", "z", "--needs", "license=3", "--", "true").err
    refused = overnight("run", "a", "--needs", "license=3", "--", "true")
    assert "so it would wait for ever; nothing was added" in refused.err
