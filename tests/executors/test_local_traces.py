"""What one attempt does to its worker must not reach the next one: traces that functions and commands leave."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
from pathlib import Path

import pytest
from executor_bench import Bench

from overnight.core.endings import Ending, Evidence
from overnight.core.states import ErrorClass
from overnight.executors.local.marks import HALT_AT, PLACE_BYTES, START, STATE_AT, Mark, MarksFile, Ring, State, end_at
from overnight.executors.local.runner_watch import RunnerWatch
from overnight.executors.local.wire import Cancel
from overnight.host.processes import children

SOURCE = """
import os, signal, sys, time
def nothing(value): pass
def where(value): return os.getcwd()
def wander(value): os.chdir("/"); time.sleep(0.001)
def mask(value): os.umask(0o777); time.sleep(0.001)
def show_mask(value): mask = os.umask(0); os.umask(mask); return mask
def alarm(value): signal.setitimer(signal.ITIMER_REAL, 0.2); raise ValueError
def forgotten_alarm(value): signal.setitimer(signal.ITIMER_REAL, 0.2); time.sleep(0.001)
def wait(value): time.sleep(0.5)
def say(value): print(value); return 1
def close(value): sys.stdout.close()
class Broken:
    def flush(self): raise RuntimeError
    def write(self, words): pass
def replace(value): sys.stdout = Broken()
def deadline(value): return os.environ.get("OVERNIGHT_DEADLINE")
def leave(value): open("ran", "a").write(value); value == "leave" and os._exit(int(open("status").read()))
def fork(value):
    if not os.fork(): sys.exit(3)
    return os.waitstatus_to_exitcode(os.wait()[1])
def let_go(value): os.closerange(3, 256); open("closed", "w").write("1"); time.sleep(60)
def flood(value): os.posix_spawn("/bin/sh", ["sh", "-c", "exec yes"], os.environ); time.sleep(0.01); return 1
def orphans(value):
    for _ in range(20): os.system("true &")
    open("done", "w").write("1"); time.sleep(60)
def fail(value): raise ValueError
"""


def call(bench: Bench, name: str, **fields: float | bytes | None) -> int:
    written = (bench.root / "traces.py").exists()  # a changed source would make a new runner, without traces
    return bench.call(f"traces:{name}", "" if written else SOURCE, **fields)


@pytest.mark.parametrize(("first", "then"), [("wander", "where"), ("mask", "show_mask")])
def test_directory_and_mask_are_those_of_the_action_for_every_function(bench: Bench, first: str, then: str) -> None:
    before = bench.run(call(bench, then)).result
    bench.run(call(bench, first))

    assert bench.run(call(bench, then)).result == before


@pytest.mark.parametrize("first", ["alarm", "forgotten_alarm"])
def test_an_alarm_that_a_function_has_set_does_not_reach_the_next_one(bench: Bench, first: str) -> None:
    keys = bench.start(bench.spec(call(bench, first)), bench.spec(call(bench, "wait")))

    assert bench.ended(keys[1]).ending is Ending.RETURNED


def test_a_function_that_closes_its_stdout_does_not_take_it_from_the_next_one(bench: Bench) -> None:
    bench.run(call(bench, "close"))

    ended = bench.run(call(bench, "say"), "words")

    assert (ended.ending, bench.printed(ended)[1]) == (Ending.RETURNED, b"words\n")


def test_a_stdout_of_the_users_that_cannot_be_flushed_costs_nobody_his_outcome(bench: Bench) -> None:
    assert bench.run(call(bench, "replace")).ending is Ending.RETURNED
    assert bench.run(call(bench, "nothing")).ending is Ending.RETURNED


def test_a_function_without_a_limit_sees_no_deadline_of_the_one_before(bench: Bench) -> None:
    assert bench.run(call(bench, "deadline", timeout=50.0)).result
    assert bench.run(call(bench, "deadline", timeout=None)).result == b""


@pytest.mark.parametrize("status", [93, 94, 95])
def test_no_exit_status_of_a_function_is_taken_for_a_word_of_its_runner(bench: Bench, status: int) -> None:
    """Nothing runs a second time, and nothing is refused that has begun."""
    (bench.root / "status").write_text(str(status))
    action = call(bench, "leave")
    keys = bench.start(*(bench.spec(action, value) for value in ("a", "leave", "b")))

    assert [bench.ended(key).ending for key in (keys[0], keys[2])] == [Ending.RETURNED] * 2
    lost = bench.lost(keys[1])
    assert (lost.evidence, lost.worker_died) == (Evidence.STARTED, True)
    assert (bench.root / "ran").read_text() == "aleaveb"


def test_the_child_of_a_function_ends_with_the_status_that_it_asks_for(bench: Bench) -> None:
    assert bench.run(call(bench, "fork")).result == b"3"


def test_modules_of_the_user_hide_nothing_that_tells_of_his_errors(bench: Bench) -> None:
    for name in ("traceback", "linecache", "token", "tokenize", "textwrap"):
        (bench.root / f"{name}.py").write_text("raise RuntimeError('not me')\n")

    ended = bench.run(call(bench, "fail"))

    assert (ended.ending, ended.error_type) == (Ending.RAISED, "builtins.ValueError")
    assert "traces.py" in ended.detail


def test_after_a_failure_the_rest_of_its_frame_finds_what_its_module_counts_on(bench: Bench) -> None:
    """A pool of the module's dies with the failure of one attempt; the others must not fail for it."""
    source = """
import concurrent.futures
POOL = concurrent.futures.ProcessPoolExecutor(1)
def f(value):
    if POOL.submit(int, value).result() == 1:
        raise ValueError
"""
    action = bench.call("pooled:f", source)
    keys = bench.start(*(bench.spec(action, value) for value in ("0", "1", "2", "1", "3", "4")))

    endings = [bench.ended(key).ending for key in keys]

    expected = [Ending.RETURNED, Ending.RAISED] * 2 + [Ending.RETURNED] * 2
    assert endings == expected
    errors = [bench.ended(key).error_type for key in keys]
    assert errors[1] == errors[3] == "builtins.ValueError"


def test_a_flood_from_behind_a_function_does_not_keep_it_from_ending(bench: Bench) -> None:
    ended = bench.run(call(bench, "flood", timeout=20.0))

    assert ended.ending is Ending.RETURNED


def spent(pid: int) -> float:
    """Seconds of processor time that a process has used."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def test_a_function_that_closes_all_descriptors_does_not_keep_its_keeper_busy(bench: Bench) -> None:
    [key] = bench.start(bench.spec(call(bench, "let_go", timeout=3.0, kill_grace=0.0)))
    bench.until_there("closed")
    before = spent(bench.keeper())

    assert bench.ended(key).ending is Ending.TIMEOUT
    assert spent(bench.keeper()) - before < 0.5


@pytest.mark.parametrize("kind", ["command", "function"])
def test_dead_orphans_are_waited_for_while_the_attempt_runs(bench: Bench, kind: str) -> None:
    """Else a long one that leaves a daemon now and then fills the machine's table of processes."""
    script = "for i in 1 2 3 4 5 6 7 8 9; do sh -c 'true &'; done; echo > done; sleep 60"
    action = call(bench, "orphans") if kind == "function" else bench.shell(script)
    [key] = bench.start(bench.spec(action))
    bench.until_there("done")

    bench.until(lambda: len(children(bench.keeper())) == 1)
    bench.executor.cancel([key], grace=0.0)
    assert bench.ended(key).ending is Ending.CANCELLED


def test_the_second_cancel_of_a_function_hurries(bench: Bench) -> None:
    source = "import signal, time\ndef f(value):\n  signal.signal(15, signal.SIG_IGN)\n  open('on', 'w').write('1')\n"
    [key] = bench.start(bench.spec(bench.call("deaf:f", source + "  time.sleep(60)\n")))
    bench.until_there("on")

    bench.executor.cancel([key], grace=50.0)
    bench.executor.cancel([key], grace=0.0)

    assert bench.ended(key).ending is Ending.CANCELLED


def test_a_limit_of_a_lost_attempt_does_not_meet_the_next_runner(bench: Bench) -> None:
    """The runner's place of the moment is where its frame begins, not where another one once died."""
    (bench.root / "status").write_text("9")
    [key] = bench.start(bench.spec(call(bench, "leave", timeout=0.02), "leave"))
    bench.lost(key)

    assert bench.run(call(bench, "nothing")).ending is Ending.RETURNED
    assert not list((bench.root / "spool").glob("*-r3.a")), "the second runner has done it"


def test_what_a_lost_command_asked_for_is_not_taken_for_the_next_ones_wish(bench: Bench) -> None:
    script = """echo '{"retry_at": 1900000000}' > $OVERNIGHT_CONTROL; kill -9 $PPID; sleep 60"""
    [key] = bench.start(bench.spec(bench.shell(script)))
    bench.lost(key)

    assert bench.run(bench.command("true")).retry_at is None
    assert not list((bench.root / "spool").glob("control-*")), "it is gone, too"


# -- places that go away ---------------------------------------------------------------------


def test_an_output_directory_that_is_gone_costs_output_and_no_keeper(bench: Bench) -> None:
    keeper = bench.keeper()
    (bench.root / "output").rmdir()

    ended = bench.run(bench.shell("echo 1234567890", keep_output=4))

    assert ended.exit_code == 0
    assert bench.keeper() == keeper


def test_a_directory_of_its_own_that_cannot_be_made_is_no_death_of_a_worker(bench: Bench) -> None:
    (bench.root / "work").rmdir()
    (bench.root / "work").write_text("in the way")

    ended = bench.run(bench.command("sh", "-c", "cd $OVERNIGHT_WORK_DIR"))

    assert ended.ending is Ending.REFUSED
    assert "work" in ended.error


def test_a_spool_that_is_gone_is_made_again(bench: Bench) -> None:
    shutil.rmtree(bench.root / "spool")

    assert bench.run(bench.command("true")).exit_code == 0
    shutil.rmtree(bench.root / "spool")
    assert bench.run(call(bench, "nothing")).ending is Ending.RETURNED


def test_a_runner_that_cannot_be_started_now_is_no_reason_to_give_the_task_up(bench: Bench) -> None:
    bench.run(bench.command("true"))
    shutil.rmtree(bench.root / "spool")
    (bench.root / "spool").write_text("in the way")

    ended = bench.run(call(bench, "nothing"))

    assert (ended.ending, ended.error_class) == (Ending.REFUSED, ErrorClass.RESOURCE)


# -- what the engine inherits ----------------------------------------------------------------

IGNORING = """
import signal, sys
signal.signal(signal.SIGCHLD, signal.SIG_IGN)
sys.path.insert(0, sys.argv[1])
from pathlib import Path
from executor_bench import Bench
bench = Bench(Path(sys.argv[2]))
bench.open()
print([bench.run(bench.shell(script)).exit_code for script in ("exit 7", "exit 0", "sh -c 'exit 5'")])
bench.close()
"""


def test_statuses_are_true_although_whoever_started_us_ignores_the_end_of_children(tmp_path: Path) -> None:
    """It is inherited, and then the kernel keeps no status for anybody."""
    support = str(Path(__file__).parents[1] / "support")
    done = subprocess.run(
        [sys.executable, "-c", IGNORING, support, str(tmp_path)],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )

    assert done.stdout == "[7, 0, 5]\n", done.stderr


def test_ctrl_c_at_the_terminal_reaches_no_worker(bench: Bench) -> None:
    """Keepers, runners and commands are in sessions of their own, where the terminal's signals do not come."""
    [key] = bench.start(bench.spec(call(bench, "wait")))
    bench.until_begun(key)
    workers = [bench.keeper(), bench.runner()]

    assert len({os.getsid(pid) for pid in [0, *workers]}) == 3
    assert bench.ended(key).ending is Ending.RETURNED


def test_many_children_are_left_behind_by_nobody(bench: Bench) -> None:
    ended = bench.run(bench.shell("i=0; while [ $i -lt 1000 ]; do sleep 60 & i=$((i+1)); done; exit 4"))

    assert ended.exit_code == 4
    assert children(bench.keeper()) == []


def test_an_end_mark_never_passes_through_a_moment_in_which_nothing_had_begun() -> None:
    """A kill just then would run it a second time: packing end and state in one go blanks the state first."""
    seen: list[int] = []

    class Watched(bytearray):
        """Memory that says what the state is whenever somebody writes."""

        def __setitem__(self, index: object, value: object) -> None:
            seen.append(self[STATE_AT])
            super().__setitem__(index, value)  # type: ignore[call-overload]  # passed on as it came

    memory = Watched(PLACE_BYTES)
    START.pack_into(memory, 0, 1, 1, 2, 3.0, 4.0, 5.0, 6.0, 0.0, State.STARTED)
    end_at(memory, 0, 7.0, State.TRIVIAL)

    assert seen == [State.STARTED]
    assert START.unpack_from(memory)[-2:] == (7.0, State.TRIVIAL)


def test_an_attempt_that_ends_just_as_it_is_to_be_ended_does_not_cost_the_next_one(tmp_path: Path) -> None:
    """The keeper has read that it runs; by the time of the signal another one would be hit."""
    file = MarksFile(tmp_path / "marks")
    file.grow(1)
    place = file.map(0)
    file.close()
    begun = Mark(1, 1, 99, 1000.0, 0.0, 0.5, 5.0, 0.0, State.STARTED)
    place.begin(Ring.RUNNER, 0, begun)
    signals: list[int] = []
    watch = RunnerWatch(None, place, signals.append, lambda: 0)  # type: ignore[arg-type]  # nobody is asked
    place.finish(Ring.RUNNER, 0, end=0.4, state=State.TRIVIAL)

    watch.end(Ending.TIMEOUT, begun, 0, 5.0, 1.0)

    assert (signals, watch.ending, place.memory[HALT_AT]) == ([], None, 0)
    place.close()


def test_a_cancel_that_is_repeated_is_one_cancel_and_takes_effect(tmp_path: Path) -> None:
    """The engine repeats it 20 times a second until the attempt has ended, which may be after hours."""
    file = MarksFile(tmp_path / "marks")
    file.grow(1)
    place = file.map(0)
    file.close()
    signals: list[int] = []
    watch = RunnerWatch(None, place, signals.append, lambda: 0)  # type: ignore[arg-type]  # nobody is asked
    for grace in [None, 5.0, 0.5, *[5.0] * 1000, None]:
        watch.cancel(Cancel(1, 1, Ring.RUNNER, 0, grace))
        watch.look(1.0, place.current(), 0)
    assert len(watch._cancels) == 1
    assert signals == []

    place.begin(Ring.RUNNER, 0, Mark(1, 1, 99, 1000.0, 2.0, -1.0, 9.0, 0.0, State.STARTED))
    watch.look(2.0, place.current(), 0)

    assert watch._cancels == {}
    assert signals == [signal.SIGTERM, signal.SIGCONT]
    assert watch.ending is not None
    assert (watch.ending.why, watch.ending.kill_at) == (Ending.CANCELLED, 2.5)
    place.close()
