"""The isolation of workers: what is taken, what is refused, what is said, and what the kernel does with it."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest
from executor_bench import CLOCK, Bench

from overnight.core.endings import AttemptKey, Ending
from overnight.core.limits import Limits
from overnight.executors.local import containment
from overnight.executors.local.containment import Containment, Isolation, IsolationError
from overnight.executors.local.walls import OURS_BYTES, Walls
from overnight.host import cgroups, namespaces
from overnight.host.processes import LINUX, children, identity

HAS_GROUPS = cgroups.usable() is not None
HAS_NAMESPACES = not namespaces.refusal()
needs_groups = pytest.mark.skipif(not HAS_GROUPS, reason="no control group may be made here")
needs_namespaces = pytest.mark.skipif(not HAS_NAMESPACES, reason="no pid namespaces here")
ISOLATIONS = [
    "none",
    pytest.param("cgroup", marks=needs_groups),
    pytest.param("pidns", marks=needs_namespaces),
]


@pytest.mark.parametrize("isolation", ISOLATIONS)
def test_commands_and_functions_run_and_end_the_same_in_every_isolation(tmp_path: Path, isolation: str) -> None:
    bench = Bench(tmp_path, slots=2, isolation=isolation)
    bench.open()
    daemon = "setsid env -i sleep 60 > /dev/null 2>&1 &"

    assert bench.run(bench.shell(f"{daemon} exit 3")).exit_code == 3
    assert bench.run(bench.call("ids:f", "import os\ndef f(value): return os.getppid()\n"), slot=1).ending == "returned"
    ended = bench.run(bench.shell(f"{daemon} {daemon} sleep 60", timeout=0.5))
    assert (ended.ending, ended.signal) == (Ending.TIMEOUT, signal.SIGTERM)
    assert ended.peak_memory_bytes is not None
    os.kill(bench.keeper(), signal.SIGKILL)
    bench.until(lambda: bench.executor._slots[0]._serial == 2)
    assert bench.run(bench.command("true")).exit_code == 0
    bench.close()

    assert bench.survivors() == []
    assert not (tmp_path / "cgroup").exists()


@needs_groups
def test_a_worker_is_in_a_group_of_its_own_and_everything_it_starts_too(tmp_path: Path) -> None:
    bench = Bench(tmp_path, slots=2, isolation="auto")
    bench.open()
    shown = [
        bench.printed(bench.run(bench.command("cat", "/proc/self/cgroup"), slot=slot))[1].rpartition(b"0::")[2]
        for slot in (0, 1)
    ]
    recorded = Path((tmp_path / "cgroup").read_text())
    bench.close()

    assert [os.fsdecode(path.strip()).split("/")[-2:] for path in shown] == [
        [recorded.name, "slot-0"],
        [recorded.name, "slot-1"],
    ]
    assert not recorded.exists()


ENGINE = """
import sys
from pathlib import Path
sys.path.insert(0, sys.argv[1])
from executor_bench import CLOCK, Bench
bench = Bench(Path(sys.argv[2]), isolation=sys.argv[3])
bench.open()
[key] = bench.start(bench.spec(bench.shell("sh daemon & sleep 60")))
bench.until_there("pid")
print(bench.keeper(), flush=True)
bench.until(lambda: False)
"""
#: Without an environment and out of every session, so that no cookie tells of it.
DAEMON = "exec setsid env -i sh -c 'trap \"\" TERM HUP; echo $$ > pid; exec sleep 60'\n"


def all_killed_at_once(root: Path, isolation: str) -> int:
    """Engine and keeper, stopped first so that none sees the other die; the number of the daemon, as seen from here."""
    (root / "daemon").write_text(DAEMON)
    support = str(Path(__file__).parents[1] / "support")
    with subprocess.Popen(
        [sys.executable, "-c", ENGINE, support, str(root), isolation], stdout=subprocess.PIPE
    ) as engine:
        assert engine.stdout is not None
        keeper = int(engine.stdout.readline())
        workers = [keeper, *(children(keeper) if isolation == "pidns" else [])]
        [daemon] = [pid for pid in below(workers[-1]) if "sleep 60" in words(pid) and os.getsid(pid) == pid][-1:]
        for number in (signal.SIGSTOP, signal.SIGKILL):
            for victim in (engine.pid, *workers):
                os.kill(victim, number)
    return daemon


def below(pid: int) -> list[int]:
    return [one for child in children(pid) for one in (child, *below(child))]


def words(pid: int) -> str:
    return Path(f"/proc/{pid}/cmdline").read_bytes().replace(b"\0", b" ").decode().strip()


@needs_groups
def test_what_no_cookie_tells_of_is_found_in_its_group(tmp_path: Path) -> None:
    daemon = all_killed_at_once(tmp_path, "cgroup")
    assert identity(daemon) is not None, "nobody was left to end it"

    bench = Bench(tmp_path, isolation="none")
    bench.open([AttemptKey(1, 1)])

    assert identity(daemon) is None
    bench.close()


@needs_namespaces
def test_in_a_namespace_nothing_is_left_when_everybody_is_killed(tmp_path: Path) -> None:
    """Without a next start."""
    daemon = all_killed_at_once(tmp_path, "pidns")
    deadline = CLOCK.monotonic() + 20
    while identity(daemon) is not None:
        assert CLOCK.monotonic() < deadline


# -- what is taken ---------------------------------------------------------------------------


def test_auto_goes_without_a_group_where_none_may_be_made(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(cgroups, "usable", lambda: None)
    mine = Containment("auto", "cookie", tmp_path / "cgroup")

    mine.open()

    assert mine.isolation is Isolation.NONE
    assert mine.group(0) is None
    assert not (tmp_path / "cgroup").exists()
    mine.close()


def test_auto_goes_without_a_group_into_which_nobody_may_be_put(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A directory that may be written to is not yet one that works."""
    parent = tmp_path / "groups"
    parent.mkdir()
    monkeypatch.setattr(cgroups, "usable", lambda: parent)
    monkeypatch.setattr(cgroups.Group, "enter", refuse)
    mine = Containment("auto", "cookie", tmp_path / "cgroup")

    mine.open()

    assert mine.isolation is Isolation.NONE
    assert list(parent.iterdir()) == []


def refuse(*_: object) -> None:
    raise PermissionError(13, "Permission denied")


@pytest.mark.parametrize("wanted", ["cgroup", "pidns"])
def test_what_is_asked_for_and_not_to_be_had_is_refused_in_three_parts(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, wanted: str
) -> None:
    monkeypatch.setattr(cgroups, "usable", lambda: None)
    monkeypatch.setattr(namespaces, "refusal", lambda: "Operation not permitted")
    bench = Bench(tmp_path, isolation=wanted)

    with pytest.raises(
        IsolationError, match=f"isolation = '{wanted}' is asked for, .*; nothing was started"
    ) as refused:
        bench.open()
    bench.executor.close()

    assert (refused.value.exit_code, bool(refused.value.hint)) == (2, True)
    assert bench.survivors() == []


def test_nobodys_group_is_touched_because_a_file_names_it(tmp_path: Path) -> None:
    """The record may be wrong, or come from another home by way of a copy."""
    other = tmp_path / "overnight-of-somebody"
    other.mkdir()
    (other / "cgroup.procs").write_text(str(os.getppid()))
    (tmp_path / "cgroup").write_text(str(other))

    assert Containment("none", "cookie", tmp_path / "cgroup").end_left() == []
    assert other.exists()


# -- walls -----------------------------------------------------------------------------------


def looks_like_a_group(path: Path) -> Path:
    path.mkdir()
    (path / "memory.events").write_text("oom 0\noom_kill 0\n")
    return path


def test_walls_stand_behind_the_limits_and_are_moved_only_with_them(tmp_path: Path) -> None:
    group = looks_like_a_group(tmp_path / "group")
    walls = Walls(str(group))

    walls.set(Limits(memory_bytes=1000, processes=10))
    assert int((group / "memory.max").read_text()) == 1500 + OURS_BYTES
    assert (group / "pids.max").read_text() == "31"
    (group / "memory.max").unlink()
    walls.set(Limits(memory_bytes=1000, processes=10))
    assert not (group / "memory.max").exists(), "the same limits cost nothing"
    walls.set(Limits())
    assert (group / "memory.max").read_text() == "max"


def test_where_there_are_no_walls_nothing_is_written(tmp_path: Path) -> None:
    walls = Walls("")
    walls.set(Limits(memory_bytes=1000))

    assert not walls.met()
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("kind", ["command", "function"])
def test_who_meets_the_wall_has_had_too_much_memory(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, kind: str) -> None:
    """The kernel kills, and says so in a file; here it is the task itself that plays the kernel."""
    group = looks_like_a_group(tmp_path / "group")
    monkeypatch.setattr(Containment, "walls", lambda *_: str(group))
    bench = Bench(tmp_path)
    bench.open()
    met = f"echo oom_kill 1 > {group}/memory.events; kill -9 $$"
    source = f"def f(value): import os; os.system({met.replace('$$', '$PPID')!r})\n"

    ended = bench.run(bench.shell(met) if kind == "command" else bench.call("met:f", source))
    after = bench.run(bench.shell("kill -9 $$"))
    bench.close()

    assert ended.ending is Ending.MEMORY
    assert after.ending is Ending.SIGNALLED, "that was a death like others"


# -- what is said ----------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("wanted", "group", "left"),
    [
        ("auto", False, "a daemon that emptied its environment"),
        ("none", True, "a daemon that emptied its environment"),
        ("auto", True, "until the next start, a daemon"),
        ("cgroup", True, "until the next start, a daemon"),
        ("pidns", False, "nothing"),
    ],
)
def test_what_may_be_left_behind_is_said_for_this_machine(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    wanted: str,
    group: bool,  # noqa: FBT001 - parametrized
    left: str,
) -> None:
    monkeypatch.setattr(cgroups, "usable", lambda: tmp_path if group else None)
    monkeypatch.setattr(cgroups, "own", lambda: tmp_path)
    monkeypatch.setattr(namespaces, "refusal", lambda: "")

    layers = {layer.name: layer for layer in containment.containment(wanted)}

    assert layers["may be left"].words.startswith(left)
    assert layers["may be left"].holds is (wanted == "pidns")
    assert layers["cgroup"].holds is group
    assert layers["purge"].holds is LINUX


def test_elsewhere_it_is_said_that_orphans_are_not_handed_over(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(containment, "LINUX", False)
    monkeypatch.setattr(cgroups, "usable", lambda: None)
    monkeypatch.setattr(cgroups, "own", lambda: None)
    monkeypatch.setattr(sys, "platform", "darwin")

    layers = {layer.name: layer for layer in containment.containment()}

    assert not layers["purge"].holds
    assert layers["cgroup"].words == layers["pid namespace"].words == "only Linux has them"
