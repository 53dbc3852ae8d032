"""Running attempts stand still by a person's wish, with all their processes and all their limits."""

from __future__ import annotations

import os
import signal
import sys
from pathlib import Path

import psutil
import pytest
from executor_bench import CLOCK, Bench, bench_without

from overnight.core.endings import Ending
from overnight.executors.contract import Froze
from overnight.host.freezing import Stillness

#: Each ends by itself after a minute. One is in a session of its own, and one forks all the time.
TREE = """
import os, signal, time
signal.alarm(60)
ends = time.monotonic() + 60
for name in ("child", "own-session"):
    if not os.fork():
        if name == "own-session":
            os.setsid()
        signal.alarm(60)
        with open(name, "w") as file:
            file.write(str(os.getpid()))
        while time.monotonic() < ends:
            pass
if not os.fork():
    while time.monotonic() < ends:
        if os.fork():
            os._exit(0)
    os._exit(0)
with open("main", "w") as file:
    file.write(str(os.getpid()))
while not os.path.exists("enough"):
    time.sleep(0.01)
"""
SLOW = """
import os, time

def work(value):
    with open("begun", "w") as file:
        file.write("1")
    ends = time.monotonic() + 30
    while not os.path.exists("enough") and time.monotonic() < ends:
        time.sleep(0.01)
    return "done"
"""


def tree(bench: Bench) -> list[psutil.Process]:
    """Everything below the keeper, but the dead."""
    found = []
    for process in psutil.Process(bench.keeper()).children(recursive=True):
        try:
            if process.status() != psutil.STATUS_ZOMBIE:
                found.append(process)
        except psutil.NoSuchProcess:
            continue
    return found


def stands_still(bench: Bench) -> bool:
    """Whether nobody below the keeper runs."""
    return all(process.status() == psutil.STATUS_STOPPED for process in tree(bench))


def pass_time(bench: Bench, seconds: float) -> None:
    """Wait, listening."""
    until = CLOCK.monotonic() + seconds
    bench.until(lambda: CLOCK.monotonic() > until)


def test_a_whole_tree_stands_still_and_goes_on(bench: Bench) -> None:
    """Also who left the session, and who forks all the time."""
    (bench.root / "tree.py").write_text(TREE)
    [key] = bench.start(bench.spec(bench.command(sys.executable, "tree.py")))
    for name in ("child", "own-session", "main"):
        bench.until_there(name)

    bench.freeze(key)
    before = {process.pid: sum(process.cpu_times()[:2]) for process in tree(bench)}
    assert len(before) >= 3
    assert stands_still(bench)
    pass_time(bench, 0.2)
    assert {process.pid: sum(process.cpu_times()[:2]) for process in tree(bench)} == before

    bench.freeze(key, frozen=False)
    bench.until(lambda: not stands_still(bench))
    (bench.root / "enough").touch()
    assert bench.ended(key).exit_code == 0


def test_what_stopped_itself_stays_stopped(bench: Bench) -> None:
    script = "sleep 30 & kill -STOP $!; echo $! > stopped; while [ ! -e enough ]; do sleep 0.01; done"
    [key] = bench.start(bench.spec(bench.shell(script)))
    stopped = psutil.Process(int(bench.until_there("stopped")))
    bench.until(lambda: stopped.status() == psutil.STATUS_STOPPED)
    bench.freeze(key)
    bench.freeze(key, frozen=False)
    assert stopped.status() == psutil.STATUS_STOPPED
    (bench.root / "enough").touch()
    assert bench.ended(key).ending is Ending.EXITED


@pytest.mark.parametrize("limits", [{"timeout": 2.0}, {"stall": 2.0}])
def test_the_limits_of_a_command_stand_still_with_it(bench: Bench, limits: dict[str, float]) -> None:
    script = "until test -e enough; do sleep 0.2; done"
    [key] = bench.start(bench.spec(bench.shell(script, kill_grace=0.2, **limits)))
    bench.until_begun(key)
    bench.freeze(key)
    pass_time(bench, 2.2)
    assert not [event for event in bench.seen if not isinstance(event, Froze)]
    (bench.root / "enough").touch()
    bench.freeze(key, frozen=False)
    assert bench.ended(key).exit_code == 0


def test_a_limit_holds_again_for_what_goes_on(bench: Bench) -> None:
    [key] = bench.start(bench.spec(bench.shell("sleep 30", timeout=2.0, kill_grace=0.2)))
    bench.until_begun(key)
    bench.freeze(key)
    bench.freeze(key, frozen=False)
    assert bench.ended(key).ending is Ending.TIMEOUT


def test_the_limit_of_a_function_stands_still_with_it(bench: Bench) -> None:
    [key] = bench.start(bench.spec(bench.call("slow:work", SLOW, timeout=2.0, kill_grace=0.2)))
    bench.until_there("begun")
    bench.freeze(key)
    assert stands_still(bench)
    pass_time(bench, 2.5)
    (bench.root / "enough").touch()
    bench.freeze(key, frozen=False)
    ended = bench.ended(key)
    assert (ended.ending, ended.result) == (Ending.RETURNED, b'"done"')


def test_a_function_frozen_and_over_its_limit_later_is_ended(bench: Bench) -> None:
    [key] = bench.start(bench.spec(bench.call("slow:work", SLOW, timeout=2.0, kill_grace=0.2)))
    bench.until_there("begun")
    bench.freeze(key)
    bench.freeze(key, frozen=False)
    assert bench.ended(key).ending is Ending.TIMEOUT


@pytest.mark.parametrize("what", ["command", "function"])
def test_what_is_frozen_can_be_ended_and_cleans_up(bench: Bench, what: str) -> None:
    """All of it has to run for that, also who left its session."""
    script = (
        "trap 'touch asked; until test -e answered; do sleep 0.01; done; touch cleaned; exit 1' TERM; "
        "setsid sh -c 'echo 1 > begun; until test -e asked; do sleep 0.01; done; touch answered' & "
        "while :; do sleep 0.01; done"
    )
    action = bench.shell(script) if what == "command" else bench.call("slow:work", SLOW)
    [key] = bench.start(bench.spec(action))
    bench.until_there("begun")
    bench.freeze(key)
    bench.executor.cancel([key], grace=5.0)
    assert bench.ended(key).ending is Ending.CANCELLED
    assert (bench.root / "cleaned").exists() is (what == "command")


@pytest.mark.parametrize("what", ["command", "function"])
def test_what_is_frozen_does_not_outlive_its_worker(bench: Bench, what: str) -> None:
    (bench.root / "tree.py").write_text(TREE)
    command = bench.command(sys.executable, "tree.py")
    [key] = bench.start(bench.spec(command if what == "command" else bench.call("slow:work", SLOW)))
    bench.until_there("main" if what == "command" else "begun")
    bench.freeze(key)
    frozen = tree(bench)
    assert frozen
    os.kill(bench.keeper(), signal.SIGKILL)
    assert bench.lost(key).worker_died
    assert not [process for process in frozen if process.is_running() and process.status() != psutil.STATUS_ZOMBIE]


def test_what_is_frozen_does_not_outlive_a_close(bench: Bench) -> None:
    """The fixture looks for survivors, and at how long it took."""
    [key] = bench.start(bench.spec(bench.shell("trap '' HUP; sleep 60 & sleep 60")))
    bench.until_begun(key)
    bench.freeze(key)


def test_one_that_is_killed_while_it_is_frozen_has_ended(bench: Bench) -> None:
    [key] = bench.start(bench.spec(bench.shell("echo $$ > me; sleep 60 & wait")))
    me = int(bench.until_there("me"))
    bench.freeze(key)
    os.kill(me, signal.SIGKILL)
    assert bench.ended(key).signal == signal.SIGKILL


def test_nobody_is_told_of_what_has_ended_or_waits(bench: Bench) -> None:
    done = bench.run(bench.shell("true"))
    waits = bench.shell("while [ ! -e enough ]; do sleep 0.01; done")
    first, second = bench.start(bench.spec(waits), bench.spec(waits))
    bench.until_begun(first)
    bench.executor.freeze(done.key, frozen=True)
    bench.executor.freeze(second, frozen=True)
    bench.freeze(first)
    assert [event for event in bench.seen if isinstance(event, Froze)] == [Froze(*first, frozen=True)]
    bench.freeze(first, frozen=False)
    (bench.root / "enough").touch()
    bench.ended(first)
    bench.ended(second)


COUNTED = """
from overnight.executors.local import runner_care
class Counted(runner_care.Stillness):
    def __init__(self, *words):
        with open({path!r}, "a") as file:
            file.write("stopped;")
        super().__init__(*words)
runner_care.Stillness = Counted
"""


def test_asking_for_a_function_that_waits_neither_stops_nor_thaws_the_one_that_runs(tmp_path: Path) -> None:
    """The engine asks again many times a second for as long as it waits."""
    with bench_without(tmp_path, COUNTED.format(path=str(tmp_path / "stops"))) as bench:
        action = bench.call("slow:work", SLOW)
        first, second = bench.start(bench.spec(action), bench.spec(action))
        bench.until_there("begun")
        for _ in range(2):
            bench.executor.freeze(second, frozen=True)
            bench.freeze(first)
        bench.freeze(second, frozen=False)

        assert stands_still(bench)
        assert (tmp_path / "stops").read_text() == "stopped;"
        bench.freeze(first, frozen=False)
        (bench.root / "enough").touch()
        bench.ended(first)
        bench.ended(second)


def test_nobody_beside_the_tree_is_stopped(bench: Bench) -> None:
    """The root itself, and what is left out with all below it, go on."""
    [key] = bench.start(bench.spec(bench.shell("sleep 60 & echo $! > me; wait")))
    me = psutil.Process(int(bench.until_there("me")))
    shell = me.parent()
    assert shell is not None
    still = Stillness(bench.keeper(), leave=(shell.pid,))
    assert psutil.STATUS_STOPPED not in (me.status(), shell.status())
    still = Stillness(shell.pid)
    assert (me.status(), shell.status() == psutil.STATUS_STOPPED) == (psutil.STATUS_STOPPED, False)
    still.end()
    bench.until(lambda: me.status() != psutil.STATUS_STOPPED)
    bench.executor.cancel([key], grace=1.0)
    bench.ended(key)
