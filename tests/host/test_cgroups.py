"""Control groups: real ones where they may be made, and a directory that looks like one where they may not."""

from __future__ import annotations

import os
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from overnight.host import cgroups
from overnight.host.cgroups import Group
from overnight.host.processes import identity


@pytest.fixture
def group() -> Iterator[Group]:
    """A group of the test's own."""
    parent = cgroups.usable()
    if parent is None:
        pytest.skip("no control group may be made here")
    made = Group(parent / f"overnight-test-{os.getpid()}-{time.monotonic_ns()}")
    made.make()
    yield made
    made.end()
    assert made.remove()


def starts(*words: str, stdin: int = subprocess.DEVNULL) -> subprocess.Popen[bytes]:
    return subprocess.Popen(words, stdin=stdin)


def test_what_is_born_in_a_group_is_killed_with_it_wherever_it_goes(group: Group) -> None:
    """A daemon without an environment, in a session of its own."""
    group.make()
    with starts(
        "sh", "-c", "read x; setsid env -i sleep 60 & setsid sleep 60 & wait", stdin=subprocess.PIPE
    ) as process:
        group.enter(process.pid)
        assert process.stdin is not None
        process.stdin.write(b"\n")
        process.stdin.flush()
        while len(members := group.members()) < 3:
            assert process.poll() is None

        assert group.end() == []
        process.wait()

    assert all(identity(pid) is None for pid in members)


def test_groups_below_are_in_it_and_go_with_it(group: Group) -> None:
    inner = Group(group.path / "inner")
    inner.make()
    with starts("sleep", "60") as process:
        inner.enter(process.pid)
        assert group.members() == [process.pid]
        assert not group.remove()
        assert group.end() == []

    assert group.remove()


def test_a_forgotten_group_of_ours_is_tidied_away_and_no_other(group: Group, monkeypatch: pytest.MonkeyPatch) -> None:
    ours, young, others = (Group(group.path / name) for name in ("overnight-old", "overnight-young", "other"))
    for one in (ours, young, others):
        one.make()
    with starts("sleep", "60") as process:
        young.enter(process.pid)
        cgroups.tidy(group.path)
        assert ours.path.exists(), "it may be that of an engine that is just beginning"
        monkeypatch.setattr(cgroups, "FORGOTTEN_AFTER", -1.0)

        cgroups.tidy(group.path)

        assert [one.path.exists() for one in (ours, young, others)] == [False, True, True]
        process.kill()
    assert others.remove()


# -- what the kernel writes, written by a test -----------------------------------------------


@pytest.fixture
def looks(tmp_path: Path) -> Group:
    """A directory that looks like a group."""
    for name in ("cgroup.procs", "cgroup.subtree_control", "memory.max", "pids.max", "memory.events"):
        (tmp_path / name).write_text("")
    return Group(tmp_path)


def test_controllers_are_those_that_the_kernel_has_switched_on(looks: Group) -> None:
    assert looks.control() == frozenset()
    (looks.path / "cgroup.subtree_control").unlink()
    (looks.path / "cgroup.subtree_control").mkdir()  # cannot be written to
    assert looks.control() == frozenset()


def test_walls_and_who_has_met_them(looks: Group) -> None:
    looks.limit("memory.max", 1000)
    looks.limit("pids.max", None)
    (looks.path / "memory.events").write_text("low 0\nhigh 3\nmax 17\noom 2\noom_kill 2\noom_group_kill 0\n")

    assert (looks.path / "memory.max").read_text() == "1000"
    assert (looks.path / "pids.max").read_text() == "max"
    assert looks.out_of_memory() == 2
    (looks.path / "memory.events").unlink()
    assert looks.out_of_memory() == 0


def test_an_old_kernel_kills_one_by_one(looks: Group) -> None:
    with starts("sleep", "60") as process:
        (looks.path / "cgroup.procs").write_text(f"{process.pid}\n")
        (looks.path / "cgroup.kill").mkdir()

        looks.kill()

        assert process.wait() == -9


def test_without_control_groups_there_is_none(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(cgroups, "_mount", lambda: None)

    assert cgroups.own() is None
    assert cgroups.usable() is None


def test_a_delegated_group_above_is_used_because_ours_has_processes(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    mine = tmp_path / "unit" / "engine"
    mine.mkdir(parents=True)
    for path in (mine, mine.parent):
        (path / "cgroup.procs").write_text("")
    monkeypatch.setattr(cgroups, "own", lambda: mine)

    assert cgroups.usable() == mine
    os.setxattr(mine.parent, "user.delegate", b"1")
    assert cgroups.usable() == mine.parent
