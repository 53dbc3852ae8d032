"""Work on two nodes of a real Ray, of which one is killed, frozen, or outlives its engine; their ledger judges.

Starting Ray takes seconds and a gigabyte, so these are long proofs; faults in any order are tried in virtual time.
"""

from __future__ import annotations

import signal
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from ray_cluster import RayNodes, two_nodes
from terminal import Terminal

pytest.importorskip("ray", reason="the extra is not installed")
pytestmark = pytest.mark.prove

Until = Callable[[Callable[[], object]], None]

#: Seconds; short, so that a proof does not wait for long.
LEASE = 5.0
#: Appends a line when it begins and one when it ends: input, attempt, pid and time.
WORK = """#!/bin/sh
echo "begin $1 $OVERNIGHT_ATTEMPT $$ $(date +%s.%N)" >>ledger
sleep "${2:-0.05}"
echo "end $1 $OVERNIGHT_ATTEMPT $$ $(date +%s.%N)" >>ledger
"""


@pytest.fixture
def cluster(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RayNodes]:
    with two_nodes(tmp_path_factory.mktemp("ray")) as nodes:
        yield nodes


@pytest.fixture
def terminal(terminal: Terminal) -> Terminal:
    (terminal.cwd / "overnight.toml").write_text(f'[nodes]\nlease = "{LEASE:g}s"\n')
    (terminal.cwd / "work").write_text(WORK)
    (terminal.cwd / "work").chmod(0o755)
    return terminal


class Life:
    """One attempt, as it wrote it down itself."""

    def __init__(self, words: list[str]) -> None:
        self.input, attempt, pid, began = words[1:]
        self.attempt, self.pid, self.began = int(attempt), int(pid), float(began)
        self.ended: float | None = None


def lives(directory: Path) -> list[Life]:
    """All attempts that have begun, in order."""
    found: dict[tuple[str, str], Life] = {}
    path = directory / "ledger"
    for line in path.read_text().splitlines() if path.exists() else ():
        words = line.split()
        key = (words[1], words[2])
        if words[0] == "begin":
            assert key not in found, f"{key} has begun twice"
            found[key] = Life(words)
        else:
            found[key].ended = float(words[4])
    return list(found.values())


def judge(
    directory: Path, count: int, struck_at: float, *, still: tuple[float, float] = (0.0, 0.0)
) -> list[tuple[Life, Life]]:
    """Each input has ended, and none was run again while an attempt of it could go on.

    Args:
        directory: Where the ledger is.
        count: Of the inputs.
        struck_at: When something was done to a node, POSIX seconds.
        still: From when to when its processes stood still. Going on, one of them may do something before its
            guard does; nothing but time can keep it from that.

    Returns:
        The attempts that were run again, each with the one after it: what did not end, or had ended
        so shortly before the stroke that its word was still under way.
    """
    by_input: dict[str, list[Life]] = {}
    for life in lives(directory):
        by_input.setdefault(life.input, []).append(life)
    assert len(by_input) == count
    again = []
    for one in by_input.values():
        assert one[-1].ended is not None
        assert len(one) <= 2
        if len(one) == 2:
            first, second = one
            woken = first.ended is not None and still[1] <= first.ended < still[1] + 1.0
            assert woken or first.ended is None or struck_at - 0.2 < first.ended < second.began
            assert not Path(f"/proc/{one[0].pid}").exists()
            again.append((one[0], one[1]))
    return again


def line(cluster: RayNodes, names: list[str], *more: str) -> tuple[str, ...]:
    return ("run", "--on", "ray", "--ray-address", cluster.address, *names, "--", "./work", "{}", *more)


def test_a_thousand_files_and_a_node_that_is_killed_in_the_middle(
    terminal: Terminal, cluster: RayNodes, until: Until
) -> None:
    names = [f"{number:04d}.txt" for number in range(1000)]
    process = terminal.start(*line(cluster, names))
    until(lambda: len(lives(terminal.cwd)) >= 300 or process.poll() is not None)
    assert process.poll() is None, process.communicate()

    killed = time.time()
    cluster.tell("kill b")

    _, told = process.communicate(timeout=200)
    assert process.returncode == 0, told
    twice = judge(terminal.cwd, 1000, killed)
    assert 1 <= len(twice) <= 4
    for _, again in twice:
        assert again.began - killed < LEASE + 2.0
    assert b"the node b was not heard for 6 s" in told
    terminal.verify()
    assert terminal.counts()["completed"] == 1000


def test_a_node_that_stands_still_for_longer_than_its_lease(
    terminal: Terminal, cluster: RayNodes, until: Until
) -> None:
    names = [f"{number}.txt" for number in range(12)]
    process = terminal.start(*line(cluster, names, "4"))
    until(lambda: len(lives(terminal.cwd)) >= 4 or process.poll() is not None)

    stopped = time.time()
    cluster.tell("stop b")
    until(lambda: any(life.attempt == 2 for life in lives(terminal.cwd)) or process.poll() is not None)
    going = time.time()
    cluster.tell("go b")

    _, told = process.communicate(timeout=200)
    assert process.returncode == 0, told
    assert judge(terminal.cwd, 12, stopped, still=(stopped, going))
    terminal.verify()


def test_an_engine_that_is_killed_finds_its_agents_by_their_names(
    terminal: Terminal, cluster: RayNodes, until: Until
) -> None:
    names = [f"{number:03d}.txt" for number in range(100)]
    process = terminal.start(*line(cluster, names))
    until(lambda: len(lives(terminal.cwd)) >= 30 or process.poll() is not None)

    killed = time.time()
    process.send_signal(signal.SIGKILL)
    process.communicate()
    done = terminal.complete(*line(cluster, names))

    assert done.returncode == 0, done.stderr
    judge(terminal.cwd, 100, killed)
    terminal.verify()


def test_what_runs_when_the_engine_is_killed_goes_on_under_the_next_one(
    terminal: Terminal, cluster: RayNodes, until: Until
) -> None:
    """Its lease is long enough for another engine to come; so nothing of what was done is done again."""
    (terminal.cwd / "overnight.toml").write_text('[nodes]\nlease = "40s"\n')
    names = [f"{number}.txt" for number in range(4)]
    process = terminal.start(*line(cluster, names, "20"))
    until(lambda: len(lives(terminal.cwd)) == 4 or process.poll() is not None)

    process.send_signal(signal.SIGKILL)
    process.communicate()
    done = terminal.complete(*line(cluster, names, "20"))

    assert done.returncode == 0, done.stderr
    assert [life.attempt for life in lives(terminal.cwd)] == [1, 1, 1, 1]
    assert all(life.ended is not None for life in lives(terminal.cwd))
    assert terminal.counts()["completed"] == 4
    terminal.verify()


#: Says what it was given, and holds a lock on it while it runs.
CARD = """#!/bin/sh
exec 9>"card-$OVERNIGHT_GPU" && flock -n 9 || { echo taken; exit 1; }
echo "$OVERNIGHT_GPU $CUDA_VISIBLE_DEVICES"
sleep 0.3
"""


def test_a_task_that_needs_a_card_gets_one_of_its_node(terminal: Terminal, cluster: RayNodes) -> None:
    (terminal.cwd / "card").write_text(CARD)
    (terminal.cwd / "card").chmod(0o755)
    (terminal.cwd / "overnight.toml").write_text("[resources]\nscanner = 9\ngpu = 9\n")  # of this machine
    on = ("run", "--on", "ray", "--ray-address", cluster.address, "--retries", "0", "--quiet", *map(str, range(8)))
    terminal.run("add", "four", "--needs", "gpu=4", "--", "true")

    terminal.run(*on, "--needs", "gpu=1", "--needs", "zone:west", "--", "./card", "{}")

    tasks = {task["input"]: task for task in terminal.tasks()}
    assert tasks.pop("four")["state"] == "pending"
    assert {task["state"] for task in tasks.values()} == {"completed"}
    shown = [terminal.json("show", str(task["id"]), "--json") for task in tasks.values()]
    assert {one["attempts"][0]["node"] for one in shown} == {"b"}
    said = {terminal.run("log", str(tasks[str(n)]["id"])).strip() for n in range(8)}
    assert said == {"0 0", "1 1"}
    terminal.verify()
