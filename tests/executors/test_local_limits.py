"""Limits, cancels and what is left behind: real trees of processes that do not want to go."""

from __future__ import annotations

import os
import signal
import sys
import textwrap
from pathlib import Path

import pytest
from executor_bench import CLOCK, Bench

from overnight.core.endings import AttemptKey, Ending, Evidence

#: Ignores TERM, and so do its children; one is in a group of its own, one is a daemon, one has no environment.
HOSTILE = """
import os, signal, sys, time
for number in (signal.SIGTERM, signal.SIGHUP, signal.SIGINT):
    signal.signal(number, signal.SIG_IGN)
lock = os.open("alive", os.O_RDWR | os.O_CREAT)
def stay(name):
    file = os.open(name, os.O_WRONLY | os.O_CREAT | os.O_TRUNC)
    os.write(file, str(os.getpid()).encode())
    os.close(file)
    signal.alarm(120)  # a test that is killed itself leaves nothing for ever
    signal.pause()
ends = time.monotonic() + 120
if not os.fork():
    stay("child")
if not os.fork():
    os.setpgid(0, 0)
    stay("own-group")
for name, environment in (("daemon", None), ("daemon-without-environment", {})):
    if not os.fork():
        os.setsid()
        if os.fork():
            os._exit(0)
        if environment is None:
            stay(name)
        os.execve(sys.executable, [sys.executable, "-S", "envless.py"], {})
if not os.fork():
    os.setsid()
    while time.monotonic() < ends:  # the hopper: never the same number twice
        if os.fork():
            os._exit(0)
        time.sleep(0.005)
    os._exit(0)
stay("main")
"""
ENVLESS = """
import os, signal
signal.signal(signal.SIGTERM, signal.SIG_IGN)
with open("daemon-without-environment", "w") as file:
    file.write(str(os.getpid()))
signal.alarm(120)
signal.pause()
"""
NAMES = ("child", "own-group", "daemon", "daemon-without-environment", "main")


def hostile(bench: Bench, *, ends: bool = False, **fields: float) -> int:
    """An action with that tree; with `ends` the main process ends by itself when the tree stands."""
    (bench.root / "hostile.py").write_text(HOSTILE)
    (bench.root / "envless.py").write_text(ENVLESS)
    if not ends:
        return bench.command(sys.executable, "hostile.py", **fields)
    waits = " ".join(f'&& while [ ! -s "{name}" ]; do sleep 0.01; done' for name in NAMES)
    return bench.shell(f"{sys.executable} hostile.py & true {waits}", **fields)


def members(bench: Bench) -> list[int]:
    """The numbers of the tree, when all of it stands."""
    return [int(bench.until_there(name)) for name in NAMES]


def gone(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return True
    return False


def test_a_limit_ends_a_tree_that_ignores_term(bench: Bench) -> None:
    [key] = bench.start(bench.spec(hostile(bench, timeout=1.0, kill_grace=0.2)))
    tree = members(bench)

    ended = bench.ended(key)

    assert (ended.ending, ended.signal) == (Ending.TIMEOUT, signal.SIGKILL)
    assert 1.2 <= ended.seconds < 20
    assert all(gone(pid) for pid in tree)


def test_what_a_command_leaves_behind_dies_with_it(bench: Bench) -> None:
    """The daemon, too, and the one that forks faster than it can be named; the exit status is the command's own."""
    [key] = bench.start(bench.spec(hostile(bench, ends=True)))
    tree = members(bench)

    ended = bench.ended(key)

    assert (ended.ending, ended.exit_code) == (Ending.EXITED, 0)
    assert all(gone(pid) for pid in tree)


@pytest.mark.parametrize("grace", [0.0, 0.3])
def test_a_cancel_ends_a_tree(bench: Bench, grace: float) -> None:
    [key] = bench.start(bench.spec(hostile(bench)))
    tree = members(bench)

    bench.executor.cancel([key], grace=grace)
    ended = bench.ended(key)

    assert ended.ending is Ending.CANCELLED
    assert all(gone(pid) for pid in tree)


def test_a_limit_ends_what_would_go_on(bench: Bench) -> None:
    ended = bench.run(bench.command("sleep", "60", timeout=0.3), "")

    assert ended.ending is Ending.TIMEOUT
    assert 0.3 <= ended.seconds < 20


def test_a_command_gets_its_grace_to_clean_up(bench: Bench) -> None:
    """The shell in front dies at once; the work behind it has a trap, and its time."""
    work = "trap 'sleep 0.1; echo cleaned > cleaned; exit 0' TERM; echo > ready; while true; do sleep 0.01; done"
    (bench.root / "work.sh").write_text(work)
    [key] = bench.start(bench.spec(bench.shell("sh work.sh; true", kill_grace=20.0)))
    bench.until_there("ready")

    bench.executor.cancel([key])
    ended = bench.ended(key)

    assert ended.ending is Ending.CANCELLED
    assert (bench.root / "cleaned").exists()
    assert ended.seconds < 10


def test_a_stopped_command_is_ended_too(bench: Bench) -> None:
    [key] = bench.start(bench.spec(bench.shell("echo $$ > pid; kill -STOP $$; true", kill_grace=20.0)))
    pid = int(bench.until_there("pid"))
    bench.until(lambda: Path(f"/proc/{pid}/stat").read_text().split()[2] == "T")

    begin = CLOCK.monotonic()
    bench.executor.cancel([key])

    assert bench.ended(key).ending is Ending.CANCELLED
    assert CLOCK.monotonic() - begin < 10


def test_a_cancel_of_what_has_ended_or_never_was_changes_nothing(bench: Bench) -> None:
    ended = bench.run(bench.command("true"))

    bench.executor.cancel([ended.key, AttemptKey(999, 1)])

    assert bench.run(bench.command("true")).exit_code == 0
    assert len(bench.seen) == 2


def test_one_that_ended_by_itself_before_the_cancel_came_says_so(bench: Bench) -> None:
    [key] = bench.start(bench.spec(bench.shell("exit 3")))
    spool = bench.root / "spool" / "s0-1-k.a"
    bench.until(lambda: spool.exists() and spool.stat().st_size, listen=False)

    bench.executor.cancel([key])

    assert bench.ended(key).exit_code == 3


def test_a_cancel_of_what_waits_behind_another_leaves_the_others_alone(bench: Bench) -> None:
    sleep, true = bench.command("sleep", "60"), bench.command("true")
    running, first, second = bench.start(bench.spec(sleep), bench.spec(true), bench.spec(true))
    bench.until_begun(running)

    bench.executor.cancel([first])
    lost = bench.lost(first)
    bench.executor.cancel([running], grace=0.0)

    assert lost.evidence is Evidence.NEVER_STARTED
    assert bench.ended(running).ending is Ending.CANCELLED
    assert bench.ended(second).exit_code == 0


# -- functions -------------------------------------------------------------------------------

STUBBORN = """
import signal, subprocess, time
def sleep(value):
    open("ready", "w").write("1")
    time.sleep(60)
def ignore(value):
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    child = subprocess.Popen(["sh", "-c", "trap '' TERM; setsid sleep 60 & echo $! > grandchild; wait"])
    open("ready", "w").write("1")
    while True:
        pass
def hold(value):
    "One call of C that never gives the interpreter back."
    open("ready", "w").write("1")
    signal.signal(signal.SIGTERM, lambda *_: None)
    return len(str(10 ** 10_000_000 % (10 ** 9_999_999 + 7)))
def polite(value):
    def stop(*_):
        open("cleaned", "w").write("1")
        raise SystemExit(0)
    signal.signal(signal.SIGTERM, stop)
    open("ready", "w").write("1")
    time.sleep(60)
def noop(value):
    pass
"""


@pytest.mark.parametrize("name", ["sleep", "ignore", "hold"])
def test_a_function_over_its_limit_ends_with_its_worker(bench: Bench, name: str) -> None:
    """Within a second of its limit, as the keeper looks once a second; the next one gets a new worker."""
    action = bench.call(f"stubborn:{name}", STUBBORN, timeout=1.0, kill_grace=0.2)
    key, after = bench.start(bench.spec(action), bench.spec(bench.call("stubborn:noop")))

    ended = bench.ended(key)

    assert ended.ending is Ending.TIMEOUT
    assert 1.0 <= ended.seconds < 30
    assert bench.ended(after).ending is Ending.RETURNED
    if name == "ignore":
        assert gone(int(bench.until_there("grandchild")))


def test_a_cancelled_function_gets_its_grace(bench: Bench) -> None:
    """It ended by itself within the grace, and says how."""
    [key] = bench.start(bench.spec(bench.call("stubborn:polite", STUBBORN, kill_grace=20.0)))
    bench.until_there("ready")

    bench.executor.cancel([key])
    ended = bench.ended(key)

    assert (bench.root / "cleaned").exists()
    assert (ended.ending, ended.error_type) == (Ending.RAISED, "builtins.SystemExit")
    assert bench.run(bench.call("stubborn:noop")).ending is Ending.RETURNED


def test_a_cancel_finds_an_attempt_deep_in_a_frame_of_tiny_ones(bench: Bench) -> None:
    """All of them are in one frame that the runner has read; only the one that was meant is ended."""
    source = textwrap.dedent("""
        import time
        def work(value):
            if value == "long":
                open("ready", "w").write("1")
                time.sleep(60)
            while value == "gate":
                try: open("gate"); break
                except FileNotFoundError: time.sleep(0.01)
        """)
    action = bench.call("deep:work", source)
    gate, long, after = bench.start(*(bench.spec(action, value) for value in ("gate", "long", "after")))
    bench.until_begun(gate)

    bench.executor.cancel([long], grace=0.0)
    (bench.root / "gate").touch()

    assert bench.ended(gate).ending is Ending.RETURNED
    assert bench.ended(long).ending is Ending.CANCELLED
    assert bench.ended(after).ending is Ending.RETURNED
