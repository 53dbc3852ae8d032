"""Agents as processes: what only processes can show."""

from __future__ import annotations

import os
import signal
from collections.abc import Iterator
from pathlib import Path

import pytest
from executor_bench import CLOCK
from nodes_bench import NodesBench

from overnight.core.endings import Ended, Ending, Evidence, Lost
from overnight.executors.nodes.node import Lease, State
from overnight.host import results

QUICK = Lease(1.0, 1.0)


@pytest.fixture
def bench(tmp_path: Path) -> Iterator[NodesBench]:
    """One slot, on one node."""
    bench = NodesBench(tmp_path, slots=1, names=("a",), lease=QUICK)
    bench.open()
    yield bench
    bench.close()
    assert bench.survivors() == []


@pytest.fixture
def calm(tmp_path: Path) -> Iterator[NodesBench]:
    """The same with a lease that no busy machine lets run out."""
    bench = NodesBench(tmp_path, slots=1, names=("a",), lease=Lease(60.0, 1.0))
    bench.open()
    yield bench
    bench.close()
    assert bench.survivors() == []


def test_what_is_printed_and_returned_there_is_here(calm: NodesBench) -> None:
    bench = calm
    shell = bench.shell("printf out; printf err >&2; head -c 3000000 /dev/zero")
    large = bench.call("large:f", "def f(value):\n    print('said')\n    return value * 100000\n", inline_result=1000)

    printed = bench.run(shell)
    returned = bench.run(large, "x")

    assert printed.output is not None
    assert printed.output.printed == 3_000_006
    assert bench.printed(printed)[1].startswith(b"out")
    assert len(bench.printed(printed)[1]) == 3_000_003
    assert bench.printed(printed)[2] == b"err"
    assert returned.ending is Ending.RETURNED
    assert bench.printed(returned)[1] == b"said\n"
    assert results.read(bench.root / "results", returned.result) == b'"' + b"x" * 100_000 + b'"'


def test_a_killed_node_is_noticed_and_given_up_in_time(bench: NodesBench) -> None:
    [key] = bench.start(bench.spec(bench.shell("sleep 600")))
    bench.until_begun(key)
    began = CLOCK.monotonic()

    bench.strike("a", signal.SIGKILL)
    lost = bench.lost(key)

    assert lost.evidence is Evidence.STARTED
    assert QUICK.ttl < CLOCK.monotonic() - began < QUICK.ttl + 5
    assert bench.nodes.nodes()[0].state is State.AWAY


def test_a_stopped_agent_is_ended_by_its_guard_and_what_it_ran_with_it(bench: NodesBench) -> None:
    [key] = bench.start(bench.spec(bench.shell("echo $$ > pid; exec sleep 600")))
    pid = int(bench.until_there("pid"))
    bench.until_begun(key)

    os.kill(bench.agents["a"].pid, signal.SIGSTOP)
    lost = bench.lost(key)

    assert isinstance(lost, Lost)
    assert not Path(f"/proc/{pid}").exists(), "it was dead before its end was told"


def test_another_agent_of_the_node_knows_what_the_last_one_ran(calm: NodesBench) -> None:
    bench = calm
    done, begun = bench.shell("echo over > over"), bench.shell("echo begun > begun; sleep 600")
    keys = bench.start(bench.spec(done), bench.spec(begun))
    bench.until_there_silently("over")
    bench.until_there_silently("begun")

    bench.strike("a", signal.SIGKILL)
    bench.agents["a"].wait(10)
    bench.start_agent("a")
    ended, lost = (bench.event(key) for key in keys)

    assert isinstance(ended, Ended)
    assert isinstance(lost, Lost)
    assert (lost.evidence, lost.started_at is not None) == (Evidence.STARTED, True)
