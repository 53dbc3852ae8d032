"""Two nodes in network namespaces of their own; the link to one is cut for longer than its lease, and comes back.

The whole program with its real agents, and the kernel's own TCP, which keeps what was on its way and gives it later.
Each task keeps writing that it lives, so a copy that went on, or one beside another, would be seen.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from itertools import pairwise
from pathlib import Path
from typing import NamedTuple

import pytest
from cut_network import CutNetwork, two_nodes, why_not
from terminal import Terminal

pytestmark = pytest.mark.prove
#: Seconds; what a node runs goes on for so long after the last word, and the engine waits a second more.
LEASE, MARGIN = 5.0, 1.0
#: Writes "input attempt node time word" each 50 ms, for so many seconds that a cut falls into the middle.
TAKES = 10.0
WORK = f"""
import os, sys, time
home, began, word = os.environ["OVERNIGHT_HOME"], time.monotonic(), "begin"
node = next((name for name in "ab" if f"node-{{name}}" in home), "?")
with open("ledger", "a", buffering=1) as ledger:
    while word != "end":
        over = time.monotonic() - began >= {TAKES}
        print(sys.argv[1], os.environ["OVERNIGHT_ATTEMPT"], node, time.time(), word, file=ledger)
        word = "end" if over else "lives"
        time.sleep(0.05)
    print(sys.argv[1], os.environ["OVERNIGHT_ATTEMPT"], node, time.time(), "end", file=ledger)
"""

Until = Callable[[Callable[[], object]], None]


class Life(NamedTuple):
    """One attempt, as it wrote it down itself; instants are POSIX seconds."""

    input: str
    attempt: int
    node: str
    first: float
    last: float
    ended: bool


def lives(directory: Path) -> list[Life]:
    """All attempts, in the order in which they began."""
    found: dict[tuple[str, int], Life] = {}
    path = directory / "ledger"
    for line in path.read_text().splitlines() if path.exists() else ():
        name, attempt, node, at, word = line.split()
        known = found.get((name, int(attempt)))
        first = known.first if known else float(at)
        found[name, int(attempt)] = Life(name, int(attempt), node, first, float(at), word == "end")
    return sorted(found.values(), key=lambda life: life.first)


def violations(all_lives: list[Life], names: list[str], cut_at: float) -> list[str]:
    """What is against the promises: lost, doubled, or alive on the node that was cut off after its lease was over."""
    found = []
    for name in names:
        mine = [life for life in all_lives if life.input == name]
        if sum(life.ended for life in mine) != 1:
            found.append(f"{name} has ended {sum(life.ended for life in mine)} times")
        for before, after in pairwise(mine):
            if after.first <= before.last:
                found.append(f"attempt {after.attempt} of {name} begins beside attempt {before.attempt}")
    over_at = cut_at + LEASE + MARGIN
    cut_off = [life for life in all_lives if life.node == "b" and life.first < cut_at]
    found += [f"{life.input} lives on b, whose lease is over" for life in cut_off if life.last > over_at]
    return found


@pytest.fixture
def terminal(tmp_path: Path) -> Iterator[Terminal]:
    """The program; where nodes are is told by each test."""
    if reason := why_not():
        pytest.skip(reason)
    (tmp_path / "overnight.toml").write_text(f'[nodes]\nlease = "{LEASE:g}s"\n')
    (tmp_path / "work.py").write_text(WORK)
    made = Terminal(tmp_path)
    yield made
    made.close()


def cut_in_the_middle(terminal: Terminal, network: CutNetwork, until: Until, names: list[str]) -> float:
    """Run all of these, and cut the link to b when both nodes work, until what it had runs elsewhere.

    Returns:
        When the link was cut, POSIX seconds.
    """
    line = ("run", "--on", "ray", "-j", "6", *names, "--", "python3", "work.py", "{}")
    terminal = Terminal(terminal.cwd, network.program)
    process = terminal.start(*line)
    try:
        until(lambda: {life.node for life in lives(terminal.cwd)} == {"a", "b"} or process.poll() is not None)
        assert process.poll() is None, process.communicate()
        network.tell("cut b")
        cut_at = time.time()
        until(lambda: any(life.attempt == 2 for life in lives(terminal.cwd)) or process.poll() is not None)
        assert time.time() - cut_at > LEASE, "the link is cut for longer than the lease"
        network.tell("mend b")
        _, told = process.communicate(timeout=100)
        assert process.returncode == 0, told
        assert b"the node b was not heard for 6 s" in told
        return cut_at
    finally:
        terminal.close()


def test_a_link_that_is_cut_for_longer_than_the_lease(terminal: Terminal, until: Until) -> None:
    names = [f"{number:02}" for number in range(12)]
    with two_nodes(terminal.cwd) as network:
        cut_at = cut_in_the_middle(terminal, network, until, names)

    all_lives = lives(terminal.cwd)
    assert violations(all_lives, names, cut_at) == []
    again = [life for life in all_lives if life.attempt == 2]
    assert min(life.first for life in again) < cut_at + LEASE + MARGIN + 2.0
    assert any(life.node == "b" and life.first > cut_at for life in all_lives), "it works again"
    terminal.verify()
    assert terminal.counts()["completed"] == len(names)


def test_without_the_lease_a_copy_goes_on_beside_the_next_one(terminal: Terminal, until: Until) -> None:
    """The control of the test above: agents keep none, and their guards know of none."""
    names = [f"{number:02}" for number in range(6)]
    with two_nodes(terminal.cwd, leases=False) as network:
        cut_at = cut_in_the_middle(terminal, network, until, names)

    found = violations(lives(terminal.cwd), names, cut_at)
    assert any("begins beside" in one for one in found), found
    assert any("whose lease is over" in one for one in found), found
