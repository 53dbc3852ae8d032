"""What a command leaves running on purpose: it goes on, whoever cleans up, and nothing else does."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from executor_bench import CLOCK, PATIENCE, Bench, bench_without

from overnight.core.endings import AttemptKey, Ended, Ending
from overnight.core.states import ErrorClass
from overnight.host import cgroups, kept, namespaces
from overnight.host.processes import children, identity, parent
from overnight.host.sweep import sweep

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="elsewhere it is refused")
#: Leaves a daemon that has a session of its own and no parent; its number is in the file. It ends by itself.
LEAVE = "(setsid sh -c 'echo $$ > pid; exec sleep 50' &); until [ -s pid ]; do sleep 0.01; done"


@pytest.fixture
def bench(tmp_path: Path) -> Iterator[Bench]:
    bench = Bench(tmp_path)
    bench.open()
    yield bench
    bench.close()
    end_all(bench)


def end_all(bench: Bench) -> None:
    """The daemons of a test."""
    for pid in bench.survivors():
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)


def leave(bench: Bench, script: str = LEAVE, **fields: object) -> tuple[int, Ended]:
    """Run a command that leaves something; the number of that, and the outcome."""
    ended = bench.run(bench.shell(script, keep_children=True, **fields))
    return int(bench.until_there("pid")), ended


def is_gone(pid: int) -> None:
    deadline = CLOCK.monotonic() + PATIENCE
    while identity(pid) is not None:
        assert CLOCK.monotonic() < deadline


def test_what_is_reported_after_the_end_goes_with_what_was_left(bench: Bench) -> None:
    """It makes the file of its attempt anew, which nobody else would remove while the keeper lives."""
    report = 'until [ -e go ]; do sleep 0.01; done; echo 1 >> "$OVERNIGHT_CONTROL"; ls -l "$OVERNIGHT_CONTROL" > said'
    leave(bench, f"(setsid sh -c 'echo $$ > pid; {report}' &); until [ -s pid ]; do sleep 0.01; done")
    (bench.root / "go").touch()

    bench.until(lambda: not children(bench.keeper()))

    assert b"control-0-1-1" in bench.until_there("said")
    assert list((bench.root / "spool").glob("control-*")) == []


def test_what_is_left_on_purpose_outlives_the_attempt_the_next_ones_and_the_executor(bench: Bench) -> None:
    pid, ended = leave(bench)
    assert (ended.ending, ended.exit_code) == (Ending.EXITED, 0)

    assert bench.run(bench.shell("(setsid sleep 60 &); exit 3")).exit_code == 3, "an ordinary one purges"
    assert bench.run(bench.call("one:f", "def f(value): return 1\n")).result == b"1"
    assert bench.run(bench.shell("sleep 60", timeout=0.2, kill_grace=0.1)).ending is Ending.TIMEOUT
    assert identity(pid) is not None
    bench.close()

    assert identity(pid) is not None
    assert set(bench.survivors()) == {pid, parent(pid)}, "it and its warden alone"
    assert sweep(f"OVERNIGHT_COOKIE={bench.cookie}".encode(), seconds=5) == []
    assert identity(pid) is not None


def test_without_the_wish_the_same_is_ended_with_its_attempt(bench: Bench) -> None:
    """The control."""
    assert bench.run(bench.shell(LEAVE)).exit_code == 0
    assert identity(int(bench.until_there("pid"))) is None


@pytest.mark.parametrize(
    ("tail", "fields", "ending"),
    [
        ("; exec sleep 60", {"timeout": 2.0, "kill_grace": 0.1}, Ending.TIMEOUT),
        ("; exec sleep 60", {"stall": 2.0, "kill_grace": 0.1}, Ending.STALLED),
        ("; yes", {"max_output": 10**6, "kill_grace": 0.1}, Ending.OUTPUT),
        ("; exit 3", {}, Ending.EXITED),
        ("; kill -9 $$", {}, Ending.SIGNALLED),
    ],
)
def test_an_attempt_that_fails_or_is_ended_leaves_nothing(
    bench: Bench, tail: str, fields: dict[str, float], ending: Ending
) -> None:
    """Its next attempt must not begin beside it."""
    pid, ended = leave(bench, LEAVE + tail, **fields)
    assert ended.ending is ending
    assert identity(pid) is None


def test_a_cancelled_attempt_leaves_nothing(bench: Bench) -> None:
    [key] = bench.start(bench.spec(bench.shell(LEAVE + "; exec sleep 60", keep_children=True)))
    pid = int(bench.until_there("pid"))
    bench.executor.cancel([key], grace=0.1)
    assert bench.ended(key).ending is Ending.CANCELLED
    assert identity(pid) is None


def test_term_reaches_the_command_and_its_last_words_are_kept(bench: Bench) -> None:
    script = "trap 'echo bye; exit 0' TERM; " + LEAVE + "; while :; do sleep 0.05; done"
    ended = bench.run(bench.shell(script, keep_children=True, timeout=2.0, kill_grace=2.0))
    assert (ended.ending, ended.exit_code) == (Ending.TIMEOUT, 0)
    assert bench.printed(ended)[1] == b"bye\n"
    assert identity(int(bench.until_there("pid"))) is None


def test_what_is_left_prints_into_nobodys_output_and_is_not_stopped_by_it(bench: Bench) -> None:
    script = (
        "(sh -c 'echo $$ > pid; until [ -e go ]; do sleep 0.01; done; yes | head -c 1000000; touch wrote; sleep 50' &)"
    )
    pid, ended = leave(bench, f"echo mine; {script}; until [ -s pid ]; do sleep 0.01; done")
    assert bench.printed(ended)[1] == b"mine\n"
    [key] = bench.start(bench.spec(bench.shell("until [ -e wrote ]; do sleep 0.01; done; echo next")))
    (bench.root / "go").touch()
    assert bench.printed(bench.ended(key))[1] == b"next\n"
    assert identity(pid) is not None


def test_a_command_that_leaves_nothing_costs_no_process_afterwards(bench: Bench) -> None:
    ended = bench.run(
        bench.shell("echo $PPID > parent; sh -c 'exit 5' & wait; echo out; echo err >&2", keep_children=True)
    )
    assert ended.exit_code == 0
    assert bench.printed(ended) == {1: b"out\n", 2: b"err\n"}
    is_gone(int(bench.until_there("parent")))
    assert bench.run(bench.command("true")).exit_code == 0


@pytest.mark.parametrize(
    ("words", "why"),
    [
        (("no-such-program",), "there is no program"),
        (("./not-there",), "does not exist"),
        (("./dull",), "cannot be run"),
    ],
)
def test_what_cannot_be_started_is_refused_as_ever(bench: Bench, words: tuple[str, ...], why: str) -> None:
    (bench.root / "dull").write_bytes(b"\0")
    (bench.root / "dull").chmod(0o700)
    for keep in (True, False):
        ended = bench.run(bench.command(*words, keep_children=keep))
        assert ended.ending is Ending.REFUSED
        assert why in ended.error


def test_a_script_without_a_first_line_is_one_of_the_shell(bench: Bench) -> None:
    (bench.root / "plain").write_text("echo from the shell\n")
    (bench.root / "plain").chmod(0o700)
    assert bench.printed(bench.run(bench.command("./plain", keep_children=True)))[1] == b"from the shell\n"


def test_it_sees_the_same_environment_and_no_more_files_than_without(bench: Bench) -> None:
    """But for its number."""
    look = "env | grep -v 'TASK_ID\\|WORK_DIR\\|CONTROL' | sort; ls -l /proc/self/fd | wc -l; pwd; ulimit -n"
    printed = [
        bench.printed(bench.run(bench.shell(look, keep_children=keep, open_files=99)))[1] for keep in (True, False)
    ]
    assert printed[0] == printed[1]


def test_a_dead_keeper_takes_nothing_along_that_was_left_before(bench: Bench) -> None:
    pid, _ = leave(bench)
    [key] = bench.start(bench.spec(bench.shell("(setsid sleep 60 &); echo $$ > later; exec sleep 60")))
    later = int(bench.until_there("later"))
    os.kill(bench.keeper(), signal.SIGKILL)
    bench.lost(key)
    assert identity(later) is None
    assert identity(pid) is not None
    assert bench.run(bench.command("true")).exit_code == 0


def test_a_task_that_calls_itself_kept_is_ended_with_its_attempt(bench: Bench) -> None:
    """Nobody has asked for it, and what has the name of a warden need not be one."""
    (bench.root / "named.py").write_text(
        "import ctypes, os, time\n"
        "ctypes.CDLL(None).prctl(15, b'overnight-kept', 0, 0, 0)\n"
        "open('pid.new', 'w').write(str(os.getpid()))\n"
        "os.rename('pid.new', 'pid')\n"
        "time.sleep(50)\n"
    )
    started = f"(setsid {sys.executable} named.py &); until [ -s pid ]; do sleep 0.01; done"
    assert bench.run(bench.shell(started)).exit_code == 0
    assert identity(int(bench.until_there("pid"))) is None


def test_what_was_left_ends_with_a_keeper_that_has_not_heard_of_the_end(bench: Bench) -> None:
    """Nor may its warden stumble over what the dead keeper has not read. Of the executor nothing is asked here."""
    script = "(setsid env -i sh -c 'echo $$ > pid; exec sleep 50' &); until [ -s pid ]; do sleep 0.01; done; "
    script += "echo $PPID > warden; until [ -e go ]; do sleep 0.01; done"
    bench.start(bench.spec(bench.shell(script, keep_children=True)))
    pid, warden = int(bench.until_there("pid")), int(bench.until_there("warden"))
    keeper = bench.keeper()
    os.kill(keeper, signal.SIGSTOP)
    (bench.root / "go").touch()
    bench.until(lambda: children(warden) == [pid], listen=False)
    os.kill(keeper, signal.SIGKILL)
    is_gone(warden)
    assert identity(pid) is None


WARDEN = """
import overnight.executors.local.behind_warden as behind
argv, boot = behind.warden_argv, b"from overnight.executors.local.warden "
worse = b"import os, signal, overnight.executors.local.warden as room; room.Warden.{method} = lambda *_: {does}; "
behind.warden_argv = lambda *words: [word.replace(boot, worse + boot) for word in argv(*words)]
behind.LET_GO_WITHIN = 0.1
"""


def test_what_a_warden_has_started_that_died_before_it_could_say_so_is_ended(tmp_path: Path) -> None:
    """The command counts as not started and will be tried again, which must not be beside it."""
    with bench_without(tmp_path, WARDEN.format(method="_say", does="os.kill(os.getpid(), signal.SIGKILL)")) as bench:
        ended = bench.run(bench.command("sleep", "50", keep_children=True))
        assert (ended.ending, ended.error_class) == (Ending.REFUSED, ErrorClass.RESOURCE)
        assert children(bench.keeper()) == []


def test_what_cannot_be_let_go_is_ended_before_the_next_command(tmp_path: Path) -> None:
    with bench_without(tmp_path, WARDEN.format(method="_let_go", does="None")) as bench:
        pid, ended = leave(bench)
        assert ended.exit_code == 0
        assert identity(pid) is None
        assert children(bench.keeper()) == []


def test_an_attempt_that_loses_its_keeper_leaves_nothing(bench: Bench) -> None:
    [key] = bench.start(bench.spec(bench.shell(LEAVE + "; exec sleep 60", keep_children=True)))
    pid = int(bench.until_there("pid"))
    os.kill(bench.keeper(), signal.SIGKILL)
    bench.lost(key)
    assert identity(pid) is None


ENGINE = """
import sys
from pathlib import Path
sys.path.insert(0, sys.argv[1])
from executor_bench import Bench
bench = Bench(Path(sys.argv[2]), slots=2, isolation=sys.argv[3])
bench.open()
bench.run(bench.shell(sys.argv[4], keep_children=True))
[key] = bench.start(bench.spec(bench.shell("echo $$ > running; exec sleep 60", keep_children=True)), slot=1)
bench.until_there("running")
print(bench.keeper(0), bench.keeper(1), flush=True)
bench.until(lambda: False)
"""
ISOLATIONS = [
    "none",
    pytest.param("cgroup", marks=pytest.mark.skipif(cgroups.usable() is None, reason="no control group may be made")),
]


@pytest.mark.parametrize("isolation", ISOLATIONS)
@pytest.mark.parametrize("who", ["engine", "all at once"])
def test_the_next_engine_sweeps_what_ran_and_not_what_was_left(tmp_path: Path, isolation: str, who: str) -> None:
    words = [sys.executable, "-c", ENGINE, str(Path(__file__).parents[1] / "support"), str(tmp_path), isolation, LEAVE]
    with subprocess.Popen(words, stdout=subprocess.PIPE) as engine:
        assert engine.stdout is not None
        keepers = [int(word) for word in engine.stdout.readline().split()]
        for number in (signal.SIGSTOP, signal.SIGKILL):
            for victim in (engine.pid, *(keepers if who != "engine" else [])):
                os.kill(victim, number)
    pid, running = (int((tmp_path / name).read_text()) for name in ("pid", "running"))
    is_gone(running)  # without a next start: keepers and wardens end what ran when they are alone

    bench = Bench(tmp_path, slots=2, isolation=isolation)
    bench.open([AttemptKey(2, 1)])
    assert identity(pid) is not None
    bench.close()
    assert identity(pid) is not None
    end_all(bench)
    is_gone(pid)
    again = Bench(tmp_path, isolation=isolation)
    again.open()
    again.close()
    assert not (tmp_path / "cgroup").exists(), "the group of what was left goes when nothing of it is left"


def test_a_sweep_ends_what_only_says_that_it_was_left(tmp_path: Path) -> None:
    """The control: the same processes below a parent that nobody has let go."""
    with subprocess.Popen(
        ["sh", "-c", "sleep 50 & echo $!; wait"],
        env={"COOKIE": str(tmp_path), "PATH": os.environ["PATH"]},
        stdout=subprocess.PIPE,
    ) as process:
        assert process.stdout is not None
        child = int(process.stdout.readline())
        assert sweep(f"COOKIE={tmp_path}".encode(), seconds=10) == []
        assert identity(child) is None


def test_what_was_left_by_another_home_protects_nobody_of_ours(bench: Bench) -> None:
    """A service that a task has left may run Overnight itself: what that must sweep lies below the same warden."""
    inner = f"inner:{bench.root}"
    pid, _ = leave(bench, LEAVE.replace("(setsid", f"(OVERNIGHT_COOKIE={inner} setsid"))
    assert sweep(f"OVERNIGHT_COOKIE={bench.cookie}".encode(), seconds=5) == []
    assert identity(pid) is not None
    assert sweep(f"OVERNIGHT_COOKIE={inner}".encode(), seconds=5) == []
    assert identity(pid) is None


def test_what_a_task_has_left_is_found_by_its_number(bench: Bench) -> None:
    pid, ended = leave(bench)
    [left] = kept.left_by(ended.task_id, bench.cookie)
    assert left.pids == [pid]
    assert kept.is_kept(left.warden)
    assert kept.left_by(ended.task_id + 1, bench.cookie) == []
    assert kept.left_by(ended.task_id, "another home") == []
    os.kill(pid, signal.SIGKILL)
    bench.until(lambda: kept.left_by(ended.task_id, bench.cookie) == [])


@pytest.mark.skipif(bool(namespaces.refusal()), reason="no pid namespaces here")
def test_in_a_namespace_it_is_refused_in_words(tmp_path: Path) -> None:
    bench = Bench(tmp_path, isolation="pidns")
    bench.open()
    ended = bench.run(bench.command("true", keep_children=True))
    bench.close()
    assert (ended.ending, ended.error_class) == (Ending.REFUSED, ErrorClass.PERMANENT)
    assert ended.error == "keep_children is asked for, and with isolation = 'pidns' nothing outlives its worker"
