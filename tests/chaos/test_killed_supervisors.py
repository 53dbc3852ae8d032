"""Supervisor and engine, really killed, started by the hundred, and started and stopped by the thousand.

What must hold is read from a ledger that the tasks write themselves, and from the processes that are there.
"""

from __future__ import annotations

import itertools
import random
import sys
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pytest
from killing import WHO, Site, family, kill_at_once, violations
from terminal import Terminal

from overnight.host.processes import identity

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="tasks look into /proc for their predecessors")

CONFIGURATION = """
[defaults]
retries = 60
backoff = "50ms, x1, max 50ms"
[supervisor]
backoff = "50ms, x1, max 50ms"
max_crashes = 1000
"""
#: Every choice of who is killed at once.
CHOICES = [choice for count in (1, 2, 3) for choice in itertools.combinations(WHO, count)]


@pytest.fixture
def site(tmp_path: Path) -> Iterator[Site]:
    made = Site(tmp_path)
    (tmp_path / "overnight.toml").write_text(CONFIGURATION)
    (tmp_path / "said").symlink_to(".overnight/engine.log")
    yield made
    (tmp_path / "go").touch()
    made.close()


def task_processes(site: Site) -> list[int]:
    """What the tasks have started and is still there."""
    notes = [line for path in (site.directory / "notes").iterdir() for line in path.read_text().split("\n") if line]
    return [int(line.split()[0]) for line in notes if identity(int(line.split()[0])) is not None]


@pytest.mark.parametrize("choice", CHOICES, ids="+".join)
def test_whoever_is_killed_no_attempt_runs_beside_an_earlier_one(site: Site, choice: tuple[str, ...]) -> None:
    """A task with a child that ignores TERM is under way when they die; it runs again, alone, and comes to its end."""
    site.add(("wait", "child", "daemon"), 3)
    site.terminal.run("start", "-j", "3")
    site.until(lambda: len(site.notes("begin")) == 3)
    before = family(site.terminal)
    left = task_processes(site)
    kill_at_once([pid for who in choice for pid in before[who]])
    if set(choice) >= {"supervisor", "engine"}:
        if "keeper" not in choice:  # they are there to clean up, and do
            site.until(lambda: not any(identity(pid) for pid in left) and not site.terminal.cookies())
        site.until(lambda: site.terminal.owner() == {})
        site.terminal.run("start", "-j", "3")
    elif choice == ("supervisor",):
        assert family(site.terminal)["engine"] == before["engine"]  # by design: it works on
    (site.directory / "go").touch()
    site.until(lambda: site.terminal.counts()["completed"] == 3)
    site.terminal.run("stop", "--now")
    assert violations(site) == []
    assert task_processes(site) == []


def supervised_night(site: Site, seed: int, tasks: int) -> Counter[str]:
    """Strike at random until every task is completed; returns who was killed."""
    dice = random.Random(seed)  # noqa: S311 - dice, not a secret
    killed: Counter[str] = Counter()
    site.add(("quick", "slow", "child", "daemon", "deaf"), tasks)
    goal = dice.randint(1, 8)
    while site.terminal.counts()["completed"] < tasks:
        if not site.terminal.owner():
            site.terminal.run("start", "-j", "3", code=None)
        if site.terminal.counts()["held"]:
            site.terminal.run("release", "--state", "held")
        if len(site.notes("begin")) >= goal:
            living = family(site.terminal)
            chosen = [who for who in WHO if living[who] and dice.random() < 0.4]
            kill_at_once([pid for who in chosen for pid in living[who][: dice.choice((1, 3))]])
            killed.update(chosen)
            goal = len(site.notes("begin")) + dice.randint(3, 12)
    site.terminal.run("stop", "--now", code=None)
    return killed


def test_a_supervised_night_of_random_kills_loses_and_doubles_nothing(site: Site) -> None:
    killed = supervised_night(site, 7, 40)
    assert violations(site) == []
    assert killed.total() > 1, killed


@pytest.mark.prove
@pytest.mark.parametrize("seed", range(20))
def test_twenty_supervised_nights_of_random_kills_lose_and_double_nothing(site: Site, seed: int) -> None:
    supervised_night(site, seed, 80)
    assert violations(site) == []


# -- many starts ------------------------------------------------------------------------------------------


def race(terminal: Terminal, count: int) -> None:
    """Many start at once, over what a dead holder left in the lock."""
    lock = terminal.cwd / ".overnight" / "lock"
    lock.write_text('{"pid": 1, "started_at": 5.0, "supervisor": 1}')
    starts = [terminal.start("start") for _ in range(count)]
    ends = [(*start.communicate(timeout=120), start.returncode) for start in starts]
    assert Counter(code for _, _, code in ends) == {0: 1, 5: count - 1}, ends
    living = family(terminal)
    assert (len(living["supervisor"]), len(living["engine"])) == (1, 1)
    assert f"process {living['engine'][0]}".encode() in b"".join(out for out, _, _ in ends)


def test_of_many_starts_at_once_exactly_one_wins(terminal: Terminal) -> None:
    terminal.run("add", "x", "--", "true")
    race(terminal, 12)
    terminal.run("stop")


@pytest.mark.prove
@pytest.mark.parametrize("_round", range(20))
def test_of_100_starts_at_once_exactly_one_wins_and_again_when_it_was_killed(terminal: Terminal, _round: int) -> None:
    terminal.run("add", "x", "--", "true")
    race(terminal, 100)
    living = family(terminal)
    kill_at_once(living["supervisor"] + living["engine"])
    race(terminal, 20)
    terminal.run("stop")


# -- many cycles --------------------------------------------------------------------------------------------


def cycles(terminal: Terminal, count: int) -> None:
    """Start, work, stop, again and again: what is there afterwards is what was there after the first ones."""
    seen = []
    for number in range(count):
        terminal.run("start", "-j", "1")
        terminal.run("run", "--again", "x", "--", "true")
        terminal.run("stop")
        if number in (2, count - 1):
            names = {path.name for path in (terminal.cwd / ".overnight").rglob("*") if "checkpoint" not in str(path)}
            seen.append(names)
            assert terminal.cookies() == []
            assert terminal.owner() == {}
    assert {name for name in seen[1] - seen[0] if not name.startswith(("s0", "events"))} == set()


def test_starting_and_stopping_leaves_nothing_behind(terminal: Terminal) -> None:
    cycles(terminal, 5)


@pytest.mark.prove
@pytest.mark.parametrize("_part", range(4))
def test_a_thousand_starts_and_stops_leave_nothing_behind(terminal: Terminal, _part: int) -> None:
    """A quarter of them in each of four homes."""
    cycles(terminal, 250)


@pytest.fixture
def terminal(tmp_path: Path) -> Iterator[Terminal]:
    made = Terminal(tmp_path)
    yield made
    made.close()
