"""Keepers that cannot be started, and keepers that do not answer: the night goes on, and says why it waited."""

from __future__ import annotations

import errno
import os
import select
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from executor_bench import Bench, bench_without
from small_disk import fill, small_disk

from overnight.core.endings import Ended, Ending, Evidence, Lost
from overnight.core.errors import DiskFullError
from overnight.core.states import ErrorClass
from overnight.executors.local import slot
from overnight.executors.local.pipes import Pipes
from overnight.host.processes import identity


@pytest.fixture
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(slot, "ASK_AFTER", 0.1)
    monkeypatch.setattr(slot, "ANSWER_WITHIN", 0.5)


@pytest.mark.usefixtures("impatient")
@pytest.mark.parametrize("kind", ["command", "function"])
def test_a_keeper_that_was_stopped_is_killed_and_everything_below_it(
    bench: Bench, kind: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Stopped it keeps no limit, and would for ever look like one that works."""
    source = "import subprocess\ndef f(value): subprocess.run(['sh', '-c', 'echo $$ > pid; exec sleep 60'])\n"
    action = bench.shell("echo $$ > pid; sleep 60") if kind == "command" else bench.call("long:f", source)
    [key] = bench.start(bench.spec(action))
    task = int(bench.until_there("pid"))

    os.kill(bench.keeper(), signal.SIGSTOP)
    lost = bench.lost(key)

    assert (lost.evidence, lost.worker_died) == (Evidence.STARTED, True)
    assert lost.error == "its keeper had not answered for 0.5 s and was killed"
    assert identity(task) is None
    monkeypatch.undo()  # the next one may take its time to come
    assert bench.run(bench.command("true")).exit_code == 0


def test_a_keeper_that_was_stopped_does_not_make_a_stop_wait(bench: Bench) -> None:
    """It took 18 to 39 s; the grace and two seconds are promised. One that answers is left to do its work."""
    [key] = bench.start(bench.spec(bench.shell("trap '' TERM; echo $$ > pid; sleep 60")))
    task = int(bench.until_there("pid"))
    os.kill(bench.keeper(), signal.SIGSTOP)

    bench.executor.cancel([key], grace=0.5)
    lost = bench.lost(key)  # which has no patience for the usual half minute

    assert lost.error == "its keeper had not answered for 1.5 s and was killed"
    assert identity(task) is None


@pytest.mark.usefixtures("impatient")
def test_a_keeper_that_answers_may_be_busy_for_as_long_as_it_likes(bench: Bench) -> None:
    first = bench.keeper()

    assert bench.run(bench.command("sleep", "2")).exit_code == 0
    assert bench.keeper() == first


HANGS_UP = """
import time
from overnight.executors.local import keeper
serve = keeper.Keeper.serve
def hang_up(self):
    if self.place.serial == 1:
        self._control.close()
        time.sleep(50)
    serve(self)
keeper.Keeper.serve = hang_up
"""


def test_a_keeper_that_hung_up_wakes_nobody_and_is_found_by_its_silence(tmp_path: Path) -> None:
    """Its line is ready for ever; that of a killed one is until the kernel tells of its end, and the engine spun."""
    with bench_without(tmp_path, HANGS_UP) as bench:
        it = bench.executor._slots[0]
        bench.until(lambda: select.select([it._control.line], [], [], 0)[0], listen=False)
        [key] = bench.start(bench.spec(bench.command("true")))

        bench.executor.events()

        assert select.select([bench.executor], [], [], 0)[0] == []
        it._ask_after = it._answer_within = 0.0
        bench.until(lambda: it._serial == 2)
        it._ask_after, it._answer_within = slot.ASK_AFTER, slot.ANSWER_WITHIN
        assert bench.ended(key).exit_code == 0


HANG_UP_CALLS = """
import os, socket, stat, time
def f(value):
    for number in map(int, os.listdir("/proc/self/fd")):
        try:
            if stat.S_ISSOCK(os.fstat(number).st_mode):
                socket.socket(fileno=os.dup(number)).shutdown(socket.SHUT_RDWR)
        except OSError:
            pass
    open("hung-up", "w").write("yes")
    while not os.path.exists("go"): time.sleep(0.01)
"""


def test_a_function_that_hangs_up_for_its_worker_wakes_nobody_and_the_slot_goes_on(bench: Bench) -> None:
    """The line belongs to all runners of a slot; nothing can be taken back from it then either."""
    [key] = bench.start(bench.spec(bench.call("rude:f", HANG_UP_CALLS)))
    bench.until_there("hung-up")

    bench.executor.events()

    assert select.select([bench.executor], [], [], 0)[0] == []
    assert bench.executor.recall(0) == []
    (bench.root / "go").touch()
    assert bench.ended(key).error == ""
    bench.until(lambda: bench.executor._slots[0]._serial == 2)  # this one's keeper cannot hear of functions any more
    assert bench.run(bench.call("good:f", "def f(value): return 1\n")).result == b"1"
    assert bench.run(bench.command("true")).exit_code == 0


NO_DESCRIPTOR = """
import os, time
from overnight.host import processes
real = processes._exit_descriptor
def none_left(pid):
    processes._exit_descriptor = real
    ends = time.monotonic() + 30
    while not os.path.exists({pid!r}) and time.monotonic() < ends:
        time.sleep(0.01)
    raise OSError(24, "Too many open files")
processes._exit_descriptor = none_left
"""


@pytest.mark.parametrize("kind", ["command", "function"])
def test_what_cannot_be_watched_does_not_go_on(tmp_path: Path, kind: str) -> None:
    """It would go on beside the next one, and beside its own next attempt. A function had begun, and that counts."""
    source = "import os, time\ndef f(v):\n  print(os.getpid(), file=open('pid', 'w'), flush=True)\n  time.sleep(50)\n"
    with bench_without(tmp_path, NO_DESCRIPTOR.format(pid=str(tmp_path / "pid"))) as bench:
        shell = bench.shell("echo $$ > pid; exec sleep 50")
        [key] = bench.start(bench.spec(shell if kind == "command" else bench.call("long:f", source)))
        event = bench.event(key)

        assert identity(int(bench.until_there("pid"))) is None
        if kind == "command":
            assert isinstance(event, Ended)
            assert (event.ending, event.error_class) == (Ending.REFUSED, ErrorClass.RESOURCE)
        else:
            assert isinstance(event, Lost)
            assert event.evidence is Evidence.STARTED
        assert bench.run(bench.command("true")).exit_code == 0
        assert bench.run(bench.call("short:f", "def f(value): return 1\n")).result == b"1"
        assert bench.executor._slots[0]._serial == 1


NO_PIPES = """
from overnight.executors.local import families
real = families.Pipes
def none_left():
    families.Pipes = real
    raise OSError(24, "Too many open files")
families.Pipes = none_left
"""


def test_no_room_for_pipes_of_its_own_refuses_a_command(tmp_path: Path) -> None:
    """It killed the keeper, and the attempt counted the death of its worker."""
    with bench_without(tmp_path, NO_PIPES) as bench:
        action = bench.command("true", keep_children=True)
        refused = bench.run(action)

        assert (refused.ending, refused.error_class) == (Ending.REFUSED, ErrorClass.RESOURCE)
        assert bench.run(action).exit_code == 0
        assert bench.executor._slots[0]._serial == 1


def test_pipes_are_made_in_pairs_or_not_at_all(monkeypatch: pytest.MonkeyPatch) -> None:
    real, made = os.pipe, list[tuple[int, int]]()

    def pipe() -> tuple[int, int]:
        if made:
            raise OSError(errno.EMFILE, "Too many open files")
        made.append(real())
        return made[0]

    monkeypatch.setattr(os, "pipe", pipe)
    with pytest.raises(OSError, match="Too many"):
        Pipes()
    for end in made[0]:
        with pytest.raises(OSError, match="Bad file descriptor"):
            os.fstat(end)


NO_ROOM_FOR_THE_SECOND = """
from overnight.executors.local.runner_care import RunnerCare
spawn = RunnerCare._spawn
def full(self, action, run, handover):
    if self._output is not None or handover.spool is not None:
        RunnerCare._spawn = spawn
        raise OSError(28, "No space left on device")
    spawn(self, action, run, handover)
RunnerCare._spawn = full
"""


def test_a_runner_that_cannot_be_handed_over_to_refuses_its_frame(tmp_path: Path) -> None:
    """Pipes that were closed were closed again, which killed the keeper or closed what had their numbers by then."""
    with bench_without(tmp_path, NO_ROOM_FOR_THE_SECOND) as bench:
        assert bench.run(bench.call("short:f", "def f(value): return 1\n")).result == b"1"
        another = bench.call("short:f", env={**bench.environ, b"ANOTHER": b"1"})
        refused = bench.run(another)

        assert (refused.ending, refused.error_class) == (Ending.REFUSED, ErrorClass.RESOURCE)
        assert bench.run(another).result == b"1"
        assert bench.executor._slots[0]._serial == 1


def test_a_child_that_was_there_before_outlives_the_death_of_a_keeper(tmp_path: Path) -> None:
    """A shell may have started it and then become the engine by exec; or the engine runs inside a program of yours."""
    with subprocess.Popen(["sleep", "50"]) as helper:
        bench = Bench(tmp_path)
        bench.open()
        [key] = bench.start(bench.spec(bench.command("sleep", "60")))
        bench.until_begun(key)
        os.kill(bench.keeper(), signal.SIGKILL)

        assert bench.lost(key).worker_died
        assert helper.poll() is None
        bench.close()
        helper.kill()


def refuse(monkeypatch: pytest.MonkeyPatch, times: int, number: int) -> list[int]:
    """Let so many starts of a process fail; returns a list that grows with each try."""
    tries: list[int] = []
    real = subprocess.Popen

    def popen(*words: Any, **options: Any) -> Any:
        if words[0][0] != sys.executable:
            return real(*words, **options)  # no keeper
        tries.append(number)
        if len(tries) <= times:
            raise OSError(number, os.strerror(number))
        return real(*words, **options)

    monkeypatch.setattr(subprocess, "Popen", popen)
    monkeypatch.setattr(slot, "START_AGAIN", 0.05)
    return tries


@pytest.mark.parametrize("number", [errno.EAGAIN, errno.ENOMEM, errno.EMFILE])
def test_when_no_more_processes_are_to_be_had_the_next_keeper_is_waited_for(
    bench: Bench, monkeypatch: pytest.MonkeyPatch, number: int
) -> None:
    """It once ended the engine. What the slot holds waits, and nothing more is put into it."""
    running, waiting = bench.start(bench.spec(bench.command("sleep", "60")), bench.spec(bench.command("true")))
    bench.until_begun(running)
    tries = refuse(monkeypatch, 3, number)
    descriptors = len(os.listdir("/dev/fd"))  # noqa: PTH208 - counted, not looked at

    os.kill(bench.keeper(), signal.SIGKILL)

    assert bench.ended(waiting).exit_code == 0
    assert bench.lost(running).worker_died
    assert len(tries) == 4
    assert len(os.listdir("/dev/fd")) == descriptors  # noqa: PTH208 - counted, not looked at


def test_a_slot_without_a_keeper_is_not_offered(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    bench = Bench(tmp_path)
    tries = refuse(monkeypatch, 1, errno.EAGAIN)
    bench.open()

    assert bench.executor.offers() == []
    bench.until(bench.executor.offers)
    assert bench.run(bench.command("true")).exit_code == 0
    assert len(tries) == 2
    bench.close()


def test_an_engine_that_never_got_a_keeper_closes_all_the_same(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    bench = Bench(tmp_path)
    refuse(monkeypatch, 1000, errno.EAGAIN)
    bench.open()
    bench.close()


def test_what_cannot_be_waited_for_is_raised(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    bench = Bench(tmp_path)
    refuse(monkeypatch, 1000, errno.ENOEXEC)

    with pytest.raises(OSError, match="Exec format error"):
        bench.open()
    bench.executor.close()


def test_a_disk_too_full_for_the_workers_says_so(tmp_path: Path) -> None:
    """With the exit status of 'not now'."""
    with small_disk(tmp_path / "disk", size_bytes=1024 * 1024) as disk:
        bench = Bench(disk)
        filler = fill(disk, leave_bytes=64 * 1024)

        with pytest.raises(DiskFullError, match="nothing was started") as refused:
            bench.open()
        bench.executor.close()
        filler.unlink()
        bench = Bench(disk)
        bench.open()
        assert bench.run(bench.command("true")).exit_code == 0
        bench.close()

    assert refused.value.exit_code == 75
