"""Processes that are stuck in the kernel: their task waits for a person, and the night goes on."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import msgspec
import pytest
from executor_bench import CLOCK, Bench
from freezing import freezer

from overnight.core.endings import AttemptKey, Evidence, Lost
from overnight.executors.local import executor
from overnight.host import processes
from overnight.host.processes import environment_in_time, identity, is_stuck
from overnight.host.purge import forget, purge

Freeze = Callable[[int], None]


@pytest.fixture
def freeze() -> Iterator[Freeze]:
    with freezer() as freeze:
        yield freeze
    assert purge(seconds=20) == set()  # what was let go now dies; the next test shall not find it


@pytest.fixture
def bench(tmp_path: Path, freeze: Freeze) -> Iterator[Bench]:  # noqa: ARG001 - what is frozen is let go after the bench
    """One slot that does not wait long for what is stuck."""
    bench = impatient(Bench(tmp_path))
    bench.open()
    yield bench
    bench.close()


def impatient(bench: Bench) -> Bench:
    bench.executor._place = msgspec.structs.replace(bench.executor._place, stuck_after=0.5)
    return bench


def is_held(lost: Lost, pid: int) -> None:
    assert lost.evidence is Evidence.STUCK
    assert lost.error == f"process {pid} of it is stuck in the kernel, cannot be ended, and may still go on"
    assert identity(pid) is not None


def test_a_command_that_cannot_be_ended_is_given_up_and_the_slot_goes_on(bench: Bench, freeze: Freeze) -> None:
    [key] = bench.start(bench.spec(bench.shell("echo $$ > pid; exec sleep 60", timeout=2.0, kill_grace=0.1)))
    pid = int(bench.until_there("pid"))
    freeze(pid)

    is_held(bench.lost(key), pid)
    assert bench.run(bench.command("true")).exit_code == 0
    assert bench.run(bench.call("next:f", "def f(value): return 1\n")).result == b"1"
    assert identity(pid) is not None, "it is still there, and nobody waits for it"


def test_what_a_command_left_behind_holds_its_task_too(bench: Bench, freeze: Freeze) -> None:
    """Nobody knows what it will do when it goes on."""
    action = bench.shell("sh -c 'echo $$ > pid; exec setsid sleep 60' & until [ -e go ]; do sleep 0.01; done")
    [key] = bench.start(bench.spec(action))
    pid = int(bench.until_there("pid"))
    freeze(pid)
    (bench.root / "go").touch()

    is_held(bench.lost(key), pid)
    assert bench.run(bench.command("true")).exit_code == 0


def test_a_function_that_cannot_be_ended_is_given_up_and_the_slot_goes_on(bench: Bench, freeze: Freeze) -> None:
    source = "import time\ndef f(value):\n  if value: time.sleep(60)\n  return 1\n"
    [key] = bench.start(bench.spec(bench.call("long:f", source, timeout=1.0, kill_grace=0.1), "long"))
    bench.until_begun(key)
    pid = bench.runner()
    freeze(pid)

    is_held(bench.lost(key), pid)
    assert bench.run(bench.call("long:f")).result == b"1"


def test_a_keeper_that_cannot_be_ended_is_gone_on_without(bench: Bench, freeze: Freeze) -> None:
    """What was below it is dead, so the attempt may be tried again."""
    bench.executor._slots[0]._hurry(0.0)
    [key] = bench.start(bench.spec(bench.shell("echo $$ > pid; exec sleep 60")))
    pid, keeper = int(bench.until_there("pid")), bench.keeper()
    freeze(keeper)

    lost = bench.lost(key)

    assert (lost.evidence, lost.worker_died) == (Evidence.STARTED, True)
    assert identity(pid) is None
    assert bench.run(bench.command("true")).exit_code == 0
    assert is_stuck(keeper)
    forget(keeper)


def test_what_is_let_go_at_last_dies_and_is_waited_for(tmp_path: Path) -> None:
    bench = impatient(Bench(tmp_path))
    bench.open()
    with freezer() as freeze:
        [key] = bench.start(bench.spec(bench.shell("echo $$ > pid; exec sleep 60", timeout=2.0, kill_grace=0.1)))
        pid = int(bench.until_there("pid"))
        freeze(pid)
        bench.lost(key)

    os.kill(bench.keeper(), signal.SIGKILL)  # whoever purges next waits for it
    bench.until(lambda: bench.executor._slots[0]._serial == 3)
    assert identity(pid) is None
    assert bench.run(bench.command("true")).exit_code == 0
    bench.close()


# -- the next engine -------------------------------------------------------------------------


ENGINE = """
import sys
from pathlib import Path
sys.path.insert(0, sys.argv[1])
from executor_bench import Bench
bench = Bench(Path(sys.argv[2]), slots=2)
bench.open()
source = "import time\\ndef f(value): time.sleep(60)\\n"
action = bench.shell("exec sleep 60") if sys.argv[3] == "command" else bench.call("long:f", source)
keys = [key for slot in range(2) for key in bench.start(bench.spec(action, attempt=2), slot=slot)]
for key in keys:
    bench.until_begun(key)
print(bench.keeper(0), bench.keeper(1), flush=True)
bench.until(lambda: False)
"""


def left_behind(root: Path, freeze: Freeze, kind: str) -> int:
    """Tasks 1 and 2 as a killed engine leaves them, in two slots: the first one is stuck. Its process.

    Both had been claimed once and taken back before they began: the number of the attempt on record is 2, and what
    the task is told for people is 1.
    """
    support = str(Path(__file__).parents[1] / "support")
    with subprocess.Popen([sys.executable, "-c", ENGINE, support, str(root), kind], stdout=subprocess.PIPE) as engine:
        assert engine.stdout is not None
        keepers = [int(word) for word in engine.stdout.readline().split()]
        [pid] = processes.children(keepers[0])
        freeze(pid)
        for victim in (engine.pid, *keepers):
            os.kill(victim, signal.SIGKILL)
    return pid


@pytest.mark.parametrize("kind", ["command", "function"])
def test_the_next_engine_holds_what_is_stuck_and_nothing_else(
    tmp_path: Path, freeze: Freeze, monkeypatch: pytest.MonkeyPatch, kind: str
) -> None:
    monkeypatch.setattr(executor, "SWEEP", 3.0)
    stuck, dead = AttemptKey(1, 2), AttemptKey(2, 2)
    pid = left_behind(tmp_path, freeze, kind)

    bench = impatient(Bench(tmp_path, slots=2))
    begin = CLOCK.monotonic()
    events = {event.key: event for event in bench.open([stuck, dead])}

    assert CLOCK.monotonic() - begin < 40
    first, second = events[stuck], events[dead]
    assert isinstance(first, Lost)
    is_held(first, pid)
    assert isinstance(second, Lost)
    assert second.evidence is Evidence.STARTED
    assert bench.run(bench.command("true")).exit_code == 0
    bench.close()


def test_an_environment_that_cannot_be_read_is_not_waited_for(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Reading it takes a lock that a stuck process may hold; so somebody else asks, and is left to wait."""
    (tmp_path / "cat").write_text("#!/bin/sh\nexec sleep 100\n")
    (tmp_path / "cat").chmod(0o755)
    monkeypatch.setattr(processes, "is_stuck", lambda _: True)
    assert b"PATH=" in environment_in_time(os.getppid())

    monkeypatch.setenv("PATH", f"{tmp_path}:{os.environ['PATH']}")
    begin = CLOCK.monotonic()

    assert environment_in_time(os.getppid(), seconds=0.2) == b""
    assert CLOCK.monotonic() - begin < 40
    assert purge(seconds=20) == set()


def test_whoever_asks_for_an_environment_has_time_to_come_to_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """On a busy machine a process may take long to begin; what was not asked for would count as nobody's."""
    (tmp_path / "cat").write_text(f"#!/bin/sh\nsleep 0.5\nPATH='{os.environ['PATH']}' exec cat \"$@\"\n")
    (tmp_path / "cat").chmod(0o755)
    monkeypatch.setattr(processes, "is_stuck", lambda pid: pid == os.getppid())
    monkeypatch.setenv("PATH", f"{tmp_path}:{os.environ['PATH']}")

    assert b"PATH=" in environment_in_time(os.getppid(), seconds=0.1)
