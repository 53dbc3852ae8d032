"""Prune: what is old goes everywhere by one table, and nothing before somebody has said so."""

from __future__ import annotations

import fcntl
import json
import os
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from overnight.host.layout import Layout
from overnight.ops.logs.keeping import Cluster, LogStore

Call = Callable[..., Any]
CONFIG = """
[checkpoints]
keep_all = 0
keep_hourly = 0
keep_daily = 0
[logs]
files = ["logs/*.log"]
"""


@pytest.fixture
def old(overnight: Call, place: Path) -> Call:
    """A home with five checkpoints, four backups, an old log and a new one, and an error of long ago."""
    overnight("add", "--", "true")
    for _ in range(4):
        assert overnight("backup", "create").status == 0
    for _ in range(5):
        assert overnight("checkpoint", "save").status == 0
    (place / "overnight.toml").write_text(CONFIG)
    (place / "logs").mkdir()
    (place / "logs" / "old.log").write_text("x" * 1000)
    os.utime(place / "logs" / "old.log", (1e9, 1e9))
    (place / "logs" / "new.log").write_text("new")
    (place / "logs" / "link.log").symlink_to("old.log")
    with closing(LogStore(place / ".overnight" / "logs.db")) as store:
        error = Cluster(id=1, kind="line", template="e", sample="e", source="s", first_seen=1e9, last_seen=1e9)
        store.save([error], {}, [], journal_seq=0, now=1e9)
    return overnight


def shares(overnight: Call, *words: str) -> dict[str, dict[str, Any]]:
    lines = overnight("prune", "--json", *words).out.splitlines()
    return {share["kind"]: share for share in map(json.loads, lines)}


def state(place: Path) -> list[str]:
    return sorted(str(path.relative_to(place)) for path in place.rglob("*") if "-wal" not in path.name)


def test_without_yes_it_says_what_would_go_and_nothing_goes(old: Call, place: Path) -> None:
    before = state(place)
    found = shares(old)
    assert {kind: len(share["names"]) for kind, share in found.items() if share["names"]} == {
        "checkpoints": 2,
        "backups": 1,
        "logs": 1,
    }
    assert found["logs"]["freed_bytes"] == 1000
    assert found["checkpoints"]["freed_bytes"] > 100_000
    said = old("prune")
    assert "nothing was changed" in said.err
    assert "would be freed" in said.lines[-1]
    assert {path for path in state(place) if "-shm" not in path} == {path for path in before if "-shm" not in path}


def test_with_yes_each_goes_by_its_own_rule_and_nothing_is_left_to_go(old: Call, place: Path) -> None:
    found = shares(old, "--yes")
    assert all(share["pruned"] for kind, share in found.items() if kind in ("checkpoints", "backups", "logs"))
    assert not (place / "logs" / "old.log").exists()
    assert (place / "logs" / "new.log").exists()
    with closing(LogStore(place / ".overnight" / "logs.db", readonly=True)) as store:
        assert store.clusters() == []
    assert old("backup", "verify", "--all").status == 0
    assert old("checkpoint", "verify").status == 0
    assert not any(share["names"] for share in shares(old).values())
    assert old("verify").status == 0


def test_what_the_others_let_go_is_named_with_its_size(old: Call) -> None:
    rows = {line.split()[0]: line for line in old("prune").lines}
    assert "for ever" in rows["journal"]
    assert "kept" in rows["history"]
    assert "by the engine" in rows["output"]


#: What does not grow: of a fixed size, kept short, or gone when its use is over.
_BOUNDED = {
    *("fences", "placements", "nodes.json", "closed-nodes.json", "bridge.log", "following"),
    *("lock", "STOP", "COMING", "engine.json", "home.json", "adding", "doorbell", "marks", "reserve", "spool", "token"),
    *("monitor.json", "heartbeat.log", "engine.log", "work", "last-backup", "tests", "overnight.toml"),
}


def test_everything_that_grows_in_a_home_is_in_the_table(old: Call, place: Path) -> None:
    layout = Layout(place / ".overnight")
    paths = {getattr(layout, name) for name, kind in vars(Layout).items() if isinstance(kind, property)}
    found = [json.loads(line)["path"] for line in old("prune", "--json").lines]
    assert {path.name for path in paths if str(path) not in found} - _BOUNDED == set()
    assert {Path(path).name for path in found} & _BOUNDED == set()


def test_a_second_place_that_is_not_there_is_not_made(old: Call, place: Path, tmp_path: Path) -> None:
    """Its disk is not mounted, and what is written there would lie below the next time that it is."""
    elsewhere = tmp_path / "disk"
    more = f'second = "{elsewhere}"'
    (place / "overnight.toml").write_text(f"{CONFIG}[backup]\n{more}\n".replace("[logs]", f"{more}\n[logs]"))
    assert "perhaps not mounted" in old("prune", "--yes").out
    assert "is its disk mounted?" in old("backup", "prune", "--yes").err
    assert not elsewhere.exists()


@pytest.mark.parametrize("name", [".overnight/output/one", "logs/old.log"])
def test_what_goes_while_it_is_measured_is_not_counted(
    old: Call, place: Path, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    """An engine at work removes output, others rotate their logs, at any moment."""
    goes = place / name
    goes.parent.mkdir(exist_ok=True)
    goes.write_text("x")
    os.utime(goes, (1e9, 1e9))
    real = Path.lstat

    def vanishing(path: Path) -> os.stat_result:
        if path == goes:
            path.unlink(missing_ok=True)
        return real(path)

    monkeypatch.setattr(Path, "lstat", vanishing)
    assert old("prune").status == 0


def test_what_cannot_go_now_is_told_beside_what_went(old: Call, place: Path) -> None:
    """Somebody else at work on the backups holds up the backups alone, and what went is not kept from whoever asked."""
    lock = next((place / ".overnight" / "backups").glob(".lock*"))
    with lock.open() as held:
        fcntl.flock(held, fcntl.LOCK_EX)
        said = old("prune", "--yes", "--json")
    found = {share["kind"]: share for share in map(json.loads, said.lines)}
    assert {kind: found[kind]["pruned"] for kind in ("checkpoints", "backups", "logs")} == {
        "checkpoints": True,
        "backups": False,
        "logs": True,
    }
    assert (found["backups"]["names"], found["backups"]["freed_bytes"]) == ([], 0)
    assert not (place / "logs" / "old.log").exists()
    assert said.status == 75
    assert "another process is at work on the backups" in said.err


def test_without_a_home_it_says_so(overnight: Call) -> None:
    assert overnight("prune").status == 4
