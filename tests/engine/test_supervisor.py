"""The supervisor as a real process, over engines of a few lines that crash, hang and leave things behind."""

from __future__ import annotations

import errno
import json
import os
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import msgspec
import psutil
import pytest
from supervised import HASTY, Guard, until

from overnight.core.errors import AlreadyRunningError
from overnight.core.supervision import GAVE_UP, Note, Policy, Ready, Refused, Report
from overnight.core.task import Backoff
from overnight.engine.watched import Watched
from overnight.host.interpreter import python_for
from overnight.host.lock import HomeLock, read_owner
from overnight.host.processes import identity
from overnight.testing import FakeClock

#: Waits longer than any test does.
PATIENT = Policy(Backoff(1000.0, 1.0, 1000.0))
WORKS = "up(); signal.pause()"


@pytest.fixture
def guard(tmp_path: Path) -> Iterator[Guard]:
    made = Guard(tmp_path)
    yield made
    made.close()


# -- starting again ---------------------------------------------------------------------------------


def test_what_an_engine_wants_people_to_know_is_passed_on(guard: Guard) -> None:
    """That a store was rebuilt, for instance; whoever typed ``start`` hears it before the engine is up."""
    assert guard.run("say(type='note', message='mended'); up(); sys.exit(0)", waiting=True) == 0
    assert guard.heard == [Note("mended"), Ready(guard.heard[-1].pid)]  # type: ignore[union-attr]
    assert "mended" in guard.log


def test_an_engine_that_crashes_is_started_again_until_the_budget_is_spent(guard: Guard) -> None:
    assert guard.run("up(); sys.exit(1)") == GAVE_UP
    assert len(guard.lines("lives")) == 3
    assert "(crash 1 of 3)" in guard.log
    assert "the engine crashed 3 times in a row; at last it ended with status 1" in guard.log
    assert read_owner(guard.home.lock) is None


def test_giving_up_is_told_in_the_info_file_and_to_a_command(guard: Guard) -> None:
    hook = (b"/bin/sh", b"-c", b'echo "$OVERNIGHT_WHY in $OVERNIGHT_HOME" >told')
    guard.home.engine_info.write_text('{"pid": 7, "version": "9"}')
    guard.run("up(); os.kill(os.getpid(), 9)", on_give_up=hook)
    why = "the engine crashed 3 times in a row; at last it was killed by SIGKILL"
    assert guard.info["state"] == "gave_up"
    assert guard.info["why"] == why
    assert guard.info["version"] == "9"
    report = guard.info["supervisor"]
    assert (report["gave_up"], report["restarts"], report["crashes"]) == (True, 2, 2)
    assert report["last_crash"] == "was killed by SIGKILL"
    (told,) = guard.lines("told")
    assert told.startswith(why)
    assert told.endswith(str(guard.home.path))


def test_whoever_has_gone_does_not_keep_the_command_from_being_run(guard: Guard) -> None:
    """Somebody typed start and closed the terminal before the engine was up."""
    hook = (b"/bin/sh", b"-c", b"echo told >told")
    supervisor = guard.start("sys.exit(1)", waiting=True, on_give_up=hook)
    guard._channel.close()
    assert supervisor.wait(20) == GAVE_UP
    assert guard.lines("told") == ["told"]


def test_whoever_waits_is_told_and_not_the_command(guard: Guard) -> None:
    guard.run("sys.exit(1)", waiting=True, on_give_up=(b"/bin/sh", b"-c", b"echo told >told"))
    assert isinstance(guard.heard[-1], Refused)
    assert guard.lines("told") == []


def test_what_the_command_leaves_running_stays(guard: Guard) -> None:
    """It may be a mail that takes its time. What the engine has left has been ended by then."""
    leaves = "sleep 50 </dev/null >/dev/null 2>&1 & echo $! >kept"
    guard.run("sys.exit(1)", on_give_up=(b"/bin/sh", b"-c", leaves.encode()))
    kept = int(guard.lines("kept")[0])
    assert identity(kept) is not None
    os.kill(kept, signal.SIGKILL)


@pytest.mark.parametrize("hook", [(b"/nonexistent",), (b"/bin/sh", b"-c", b"exit 3")])
def test_a_command_that_fails_changes_nothing(guard: Guard, hook: tuple[bytes, ...]) -> None:
    assert guard.run("up(); sys.exit(6)", on_give_up=hook) == 6
    assert "was told" in guard.log or "was to be told" in guard.log


@pytest.mark.parametrize("status", [0, 7, 129, 130, 143])
def test_a_clean_exit_stays_exited(guard: Guard, status: int) -> None:
    assert guard.run(f"up(); sys.exit({status})", on_give_up=(b"/bin/sh", b"-c", b"touch told")) == status
    assert len(guard.lines("lives")) == 1
    assert not (guard.directory / "told").exists()


@pytest.mark.parametrize("status", [2, 5, 6])
def test_what_a_restart_cannot_mend_is_told_and_not_restarted(guard: Guard, status: int) -> None:
    words = f"say(type='refused', status={status}, message='no; nothing was started', hint='mend it')"
    assert guard.run(f"{words}; sys.exit({status})", waiting=True) == status
    assert len(guard.lines("lives")) == 1
    assert guard.heard == [Refused(status, "no; nothing was started", "mend it")]
    assert guard.info["why"] == "no; nothing was started"


def test_a_full_disk_is_waited_for_once_an_engine_was_up(guard: Guard) -> None:
    assert guard.run("up(); sys.exit(75 if life < 20 else 0)") == 0
    assert len(guard.lines("lives")) == 20


def test_whoever_types_start_is_told_of_a_full_disk(guard: Guard) -> None:
    assert guard.run("sys.exit(75)", waiting=True) == 75
    assert len(guard.lines("lives")) == 1


def test_a_program_that_is_not_there_is_tried_again_and_told(guard: Guard) -> None:
    assert guard.run("", argv=["/nonexistent/python"], waiting=True) == GAVE_UP
    assert [type(word) for word in guard.heard] == [Note] * 5 + [Refused]
    assert "cannot be started: No such file" in guard.log


def test_whoever_waits_hears_when_the_engine_is_up_and_of_crashes_before(guard: Guard) -> None:
    supervisor = guard.start(f"sys.exit(1) if life == 1 else None\n{WORKS}", waiting=True)
    until(lambda: any(isinstance(word, Ready) for word in guard.listen()))
    note, ready = guard.heard
    assert isinstance(note, Note)
    assert "the engine ended with status 1; the next one starts in" in note.message
    assert ready == Ready(int(guard.lines("lives")[1]))
    supervisor.terminate()
    assert supervisor.wait(20) == 143


def test_the_engine_is_told_how_often_one_was_started_before(guard: Guard) -> None:
    guard.run("up(); note('reports', json.dumps(mission['supervisor'])); sys.exit(1)")
    reports = [json.loads(line) for line in guard.lines("reports")]
    assert [report["restarts"] for report in reports] == [0, 1, 2]
    assert reports[2]["last_crash"] == "ended with status 1"


# -- frozen engines ---------------------------------------------------------------------------------

QUICK_TO_DOUBT = msgspec.structs.replace(HASTY, frozen_after=0.6, most_crashes=1)
_DUMPS = "import faulthandler; faulthandler.enable(open('stacks', 'w')); up(); "


@pytest.mark.parametrize(
    "way", ["os.kill(os.getpid(), signal.SIGSTOP)", "signal.pthread_sigmask(0, [15, 1, 2]); signal.pause()"]
)
def test_a_frozen_engine_leaves_its_stacks_and_is_killed(guard: Guard, way: str) -> None:
    assert guard.run(f"def hang():\n    {way}\n{_DUMPS} hang()", policy=QUICK_TO_DOUBT) == GAVE_UP
    assert "in hang" in (guard.directory / "stacks").read_text()
    assert guard.info["why"] == "the engine crashed; at last it did not answer for 1 s and was killed"


def test_a_frozen_engine_that_does_not_even_abort_is_killed(guard: Guard) -> None:
    assert (
        guard.run("signal.signal(signal.SIGABRT, signal.SIG_IGN); up(); signal.pause()", policy=QUICK_TO_DOUBT)
        == GAVE_UP
    )
    assert "and was killed" in guard.info["why"]


def test_an_engine_that_beats_is_not_frozen(guard: Guard) -> None:
    beats = "up()\nfor _ in range(60): say(type='pulse', proven=True); time.sleep(0.03)"
    assert guard.run(beats, policy=QUICK_TO_DOUBT) == 0
    assert len(guard.lines("lives")) == 1


def test_nonsense_on_the_line_does_no_harm(guard: Guard) -> None:
    assert guard.run("line.send(b'\\xff\\n[]\\n{}\\n'); up(); sys.exit(0)", waiting=True) == 0
    assert [type(word) for word in guard.heard] == [Ready]


def test_a_machine_that_was_suspended_is_not_taken_for_a_frozen_engine(guard: Guard) -> None:
    """It wakes after eight hours in which nobody ran: one look has passed, and not eight hours of silence."""
    clock = FakeClock()
    with HomeLock(guard.home.lock) as lock:
        lock.acquire({})
        sleeper = [b"/bin/sh", b"-c", b"exec sleep 100"]
        engine = Watched(
            sleeper, home=b"", lock=lock.fileno(), report=Report(os.getpid()), policy=Policy(), clock=clock
        )
        clock.advance(8 * 3600.0)
        engine.attend([])
        slept = engine._frozen_for
        for _ in range(61):
            clock.advance(10.0)
            engine.attend([])
        watched = engine._frozen_for
        engine.pass_on(signal.SIGKILL)
        engine.bury()
    assert (slept, watched is not None) == (None, True)


# -- what an engine leaves --------------------------------------------------------------------------

#: Leaves a daemon that ignores TERM, is in a session of its own, and has emptied its environment; then dies.
LEAVES = """
if life == 1:
    daemon = "trap '' TERM; echo $$ >daemon; exec sleep 100"
    subprocess.run(["env", "-i", "sh", "-c", 'setsid sh -c "$1" & exit', "sh", daemon], start_new_session=True)
    while not (os.path.exists("daemon") and open("daemon").read()): time.sleep(0.005)
    up()
    os.kill(os.getpid(), signal.SIGKILL)
note("beside" if os.path.exists("/proc/" + open("daemon").read().strip()) else "alone")
"""


@pytest.mark.parametrize("careful", [True, False])
def test_what_a_dead_engine_left_is_ended_before_the_next_one_starts(guard: Guard, careful: bool) -> None:  # noqa: FBT001 - parametrized
    """The second time the protection is taken out, and the same leftover is there beside the next engine."""
    patch = "" if careful else "from overnight.engine import watched, supervisor; watched.see_off = lambda **_: set()"
    patience = "from overnight.engine import watched; watched.PATIENCE = 0.1"
    guard.run(LEAVES, patch=patch or patience)
    assert (guard.lines("alone") != [], guard.lines("beside") != []) == (careful, not careful)
    assert not Path("/proc", guard.lines("daemon")[0]).exists()  # the supervisor's last purge, at the latest


def test_what_was_there_before_the_supervisor_is_left_alone(guard: Guard) -> None:
    """A shell that starts a helper and then becomes us leaves us a child that is not ours to end."""
    leaves = "subprocess.Popen(['sleep', '50'], start_new_session=True); up(); os.kill(os.getpid(), 9)"
    guard.run(leaves, before="sleep 50 & echo $! >helper")
    helper = int(guard.lines("helper")[0])
    assert identity(helper) is not None
    os.kill(helper, signal.SIGKILL)


def test_a_worker_that_cleans_up_by_itself_is_given_the_time(guard: Guard) -> None:
    """It notices the end of its engine by the end of a pipe, and has something to write down first."""
    leaves = """
    if life == 1:
        reader, writer = os.pipe()
        words = "import os, sys, time; os.read(0, 1); time.sleep(0.2); open('tidied', 'w').write('yes')"
        subprocess.Popen([sys.executable, "-S", "-c", words], stdin=reader, start_new_session=True)
        up()
        os.kill(os.getpid(), signal.SIGKILL)
    """
    guard.run(leaves)
    assert guard.lines("tidied") == ["yes"]


def test_the_engine_of_a_killed_supervisor_works_on_and_keeps_the_home(guard: Guard) -> None:
    supervisor = guard.start(WORKS, waiting=True)
    until(guard.listen)
    supervisor.kill()
    supervisor.wait()
    (engine,) = guard.lines("lives")
    assert psutil.Process(int(engine)).is_running()
    with pytest.raises(AlreadyRunningError):
        HomeLock(guard.home.lock).acquire({})
    psutil.Process(int(engine)).kill()
    until(lambda: read_owner(guard.home.lock) is None)


# -- the home ---------------------------------------------------------------------------------------


def test_the_home_is_held_between_two_engines(guard: Guard) -> None:
    supervisor = guard.start("up(); sys.exit(1)", policy=PATIENT)
    until(lambda: "the next one starts" in guard.log)
    owner = read_owner(guard.home.lock)
    assert owner is not None
    assert owner.is_supervisor
    assert owner.who() == identity(supervisor.pid)
    until(lambda: guard.home.engine_info.exists() and guard.info["state"] == "restarting")
    with pytest.raises(AlreadyRunningError, match=f"process {supervisor.pid} "):
        HomeLock(guard.home.lock).acquire({})


def test_a_second_supervisor_refuses_and_touches_nothing(guard: Guard) -> None:
    with HomeLock(guard.home.lock) as lock:
        lock.acquire({"pid": 4711})
        assert guard.run(WORKS, waiting=True) == 5
    (refusal,) = guard.heard
    assert isinstance(refusal, Refused)
    assert "locked by process 4711" in refusal.message
    assert guard.lines("lives") == []


def test_one_that_takes_over_waits_until_the_home_is_free(guard: Guard) -> None:
    with HomeLock(guard.home.lock) as lock:
        lock.acquire({"pid": 4711})
        guard.home.stop.touch()  # for the one that is there
        supervisor = guard.start(WORKS, waiting=True, take_over=True)
        until(lambda: psutil.Process(supervisor.pid).num_ctx_switches().voluntary > 50)
        assert guard.lines("lives") == []
    until(guard.listen)
    assert isinstance(guard.heard[0], Ready)
    supervisor.terminate()
    assert supervisor.wait(20) == 143


def test_one_that_waits_for_a_home_goes_when_somebody_asks_for_a_stop_again(guard: Guard) -> None:
    with HomeLock(guard.home.lock) as lock:
        lock.acquire({"pid": 4711})
        guard.home.stop.touch()
        supervisor = guard.start(WORKS, take_over=True)
        until(lambda: psutil.Process(supervisor.pid).num_ctx_switches().voluntary > 50)
        os.utime(guard.home.stop, (1, 1))
        assert supervisor.wait(20) == 7
    assert guard.lines("lives") == []
    assert "a stop was asked for before the home was free" in guard.log


def test_of_many_that_would_take_over_one_does_and_the_others_refuse(guard: Guard) -> None:
    """Each of several restarts starts a supervisor; those that came too late once waited for ever, for the new one."""
    with HomeLock(guard.home.lock) as lock:
        lock.acquire({"pid": 4711})
        late = guard.start(WORKS, waiting=True, take_over=True)
        until(lambda: psutil.Process(late.pid).num_ctx_switches().voluntary > 50)
        lock.rewrite({"pid": 4712})
        assert late.wait(20) == 5
        guard.listen()
        assert guard.run(WORKS, waiting=True, take_over=True, instead_of=(4711, None)) == 5
    assert [type(word) for word in guard.heard] == [Refused] * 2
    assert guard.lines("lives") == []


# -- stopping ---------------------------------------------------------------------------------------

OBEYS = """
for number in (1, 2, 15):
    signal.signal(number, lambda number, _: note("signals", number) or (sys.exit(143) if number == 15 else None))
up()
while True: signal.pause()
"""


def test_each_signal_is_passed_on_once(guard: Guard) -> None:
    supervisor = guard.start(OBEYS, waiting=True)
    until(guard.listen)
    for count, number in enumerate((signal.SIGINT, signal.SIGHUP, signal.SIGINT), start=1):
        supervisor.send_signal(number)
        until(lambda count=count: len(guard.lines("signals")) == count)  # type: ignore[misc]
    supervisor.terminate()
    assert supervisor.wait(20) == 143
    assert guard.lines("signals") == ["2", "1", "2", "15"]
    assert len(guard.lines("lives")) == 1


def test_ctrl_c_at_a_terminal_reaches_the_engine_once(guard: Guard) -> None:
    """The terminal sends it to the whole group; the engine is in a group of its own."""
    supervisor = guard.start(OBEYS, waiting=True)
    until(guard.listen)
    (engine,) = guard.lines("lives")
    assert os.getpgid(int(engine)) != os.getpgid(supervisor.pid)
    supervisor.terminate()
    supervisor.wait(20)


def test_an_engine_that_does_not_obey_is_killed(guard: Guard) -> None:
    deaf = "for number in (1, 2, 15): signal.signal(number, signal.SIG_IGN)\nup()\nwhile True: signal.pause()"
    supervisor = guard.start(
        deaf, waiting=True, patch="from overnight.engine import supervisor as s; s.STOP_PATIENCE = 0.3"
    )
    until(guard.listen)
    supervisor.terminate()
    assert supervisor.wait(20) == 143
    assert len(guard.lines("lives")) == 1


@pytest.mark.parametrize(("number", "status"), [(signal.SIGINT, 7), (signal.SIGTERM, 143), (signal.SIGHUP, 129)])
def test_a_supervisor_that_waits_ends_at_once_when_it_is_asked(
    guard: Guard, number: signal.Signals, status: int
) -> None:
    supervisor = guard.start("up(); sys.exit(1)", policy=PATIENT)
    until(lambda: "the next one starts" in guard.log)
    supervisor.send_signal(number)
    assert supervisor.wait(20) == status
    assert len(guard.lines("lives")) == 1


def test_a_stop_file_ends_a_supervisor_that_waits(guard: Guard) -> None:
    supervisor = guard.start("up(); sys.exit(1)", policy=PATIENT)
    until(lambda: "the next one starts" in guard.log)
    guard.home.stop.touch()
    assert supervisor.wait(20) == 7
    assert not guard.home.stop.exists()


def test_an_engine_that_crashes_while_it_stops_is_not_started_again(guard: Guard) -> None:
    assert guard.run("up(); open(mission['home'] + '/STOP', 'w').close(); os.kill(os.getpid(), 9)") == 7
    assert len(guard.lines("lives")) == 1
    assert not guard.home.stop.exists()


def test_a_stop_file_from_another_night_is_removed_with_a_notice(guard: Guard) -> None:
    guard.home.stop.touch()
    assert guard.run("note('stop', str(os.path.exists(mission['home'] + '/STOP'))); up(); sys.exit(0)") == 0
    assert guard.lines("stop") == ["False"]
    assert "removed a STOP file" in guard.log


@pytest.mark.parametrize("step", ["subprocess.Popen", "overnight.engine.watched.Exit"])
def test_an_engine_that_cannot_be_watched_does_not_live(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, step: str
) -> None:
    """No room for one more descriptor: it once lived on unseen, and the next one was started beside it."""

    def full(*_: object, **__: object) -> object:
        raise OSError(errno.ENFILE, "too many")

    monkeypatch.setattr(step, full)
    others = psutil.Process().children()
    clock, open_before = FakeClock(), len(os.listdir("/dev/fd"))  # noqa: PTH208 - counted, not looked at
    sleeper = [b"/bin/sleep", b"50"]  # a shell could be killed between its fork and its exec
    with (tmp_path / "lock").open("wb") as lock, pytest.raises(OSError, match="too many"):
        Watched(sleeper, home=b"/", lock=lock.fileno(), report=Report(1), policy=Policy(), clock=clock)
    assert len(os.listdir("/dev/fd")) == open_before  # noqa: PTH208 - the same
    assert set(psutil.Process().children()) <= set(others)


# -- what it is -------------------------------------------------------------------------------------


def test_it_loads_only_core_and_host_and_is_small(guard: Guard) -> None:
    words = (
        "import sys, overnight.engine.supervisor; print(*sorted(m for m in sys.modules if m.startswith('overnight.')))"
    )
    loaded = subprocess.run([sys.executable, "-c", words], capture_output=True, check=True).stdout.decode().split()
    assert {name.split(".")[1] for name in loaded} == {"core", "host", "engine"}
    assert {name for name in loaded if name.startswith("overnight.engine.")} == {
        f"overnight.engine.{part}" for part in ("supervisor", "stops", "voice", "watched")
    }
    supervisor = guard.start(WORKS, waiting=True)
    until(guard.listen)
    assert psutil.Process(supervisor.pid).memory_info().rss < 25_000_000
    assert psutil.Process(supervisor.pid).num_threads() == 1


def test_a_service_manager_is_told_and_the_engine_cannot_speak_in_our_name(guard: Guard) -> None:
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as manager:
        manager.bind(bytes(guard.directory / "notify"))
        manager.settimeout(20)
        environ = {"NOTIFY_SOCKET": str(guard.directory / "notify"), "WATCHDOG_USEC": "200000"}
        engine = "note('environ', str([name in os.environ for name in ('NOTIFY_SOCKET', 'WATCHDOG_USEC')]))\n"
        supervisor = guard.start(engine + WORKS, environ=environ, foreground=True)
        heard = [manager.recv(1000) for _ in range(4)]
        pid = guard.lines("lives")[0].encode()
        assert b"READY=1\nSTATUS=engine %b works" % pid in heard
        assert heard.count(b"WATCHDOG=1") >= 2
        os.kill(int(pid), signal.SIGKILL)
        until(lambda: b"the engine was killed by SIGKILL" in manager.recv(1000))
        supervisor.terminate()
        until(lambda: manager.recv(1000) == b"STOPPING=1")
    assert guard.lines("environ")[0] == "[False, False]"


def test_a_service_manager_is_told_of_the_end_when_it_comes_and_not_of_a_drain(guard: Guard) -> None:
    """From STOPPING on it counts the seconds, and kills; what runs may take hours."""
    heard: list[bytes] = []
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as manager:
        manager.bind(bytes(guard.directory / "notify"))
        manager.settimeout(20)
        environ = {"NOTIFY_SOCKET": str(guard.directory / "notify"), "WATCHDOG_USEC": "100000"}
        supervisor = guard.start(OBEYS, environ=environ)
        until(lambda: manager.recv(1000).startswith(b"READY=1"))
        supervisor.send_signal(signal.SIGINT)
        until(lambda: guard.lines("signals"))
        heard += [manager.recv(1000) for _ in range(4)]
        supervisor.terminate()
        until(lambda: manager.recv(1000) == b"STOPPING=1")
        supervisor.wait(20)
    assert set(heard) == {b"WATCHDOG=1"}


def test_a_long_log_is_set_aside(guard: Guard) -> None:
    guard.home.log.write_bytes(b"x" * 11_000_000)
    guard.run("print('from the engine', life, flush=True); up(); sys.exit(1)")
    log = guard.home.log.read_text()
    assert "from the engine 1" in log
    assert "from the engine 3" in log
    assert guard.home.log.with_name("engine.log.1").stat().st_size == 11_000_000


def test_in_the_foreground_it_speaks_to_people(guard: Guard) -> None:
    refusal = "say(type='refused', status=2, message='no; nothing was started', hint='mend it'); sys.exit(2)"
    assert guard.run(refusal, foreground=True) == 2
    assert guard.log == "overnight: no; nothing was started\n  try: mend it\n"


def test_a_python_for_a_part_of_ours_does_not_import_what_lies_about(tmp_path: Path) -> None:
    (tmp_path / "random.py").write_text("raise SystemExit('somebody else was imported')")
    done = subprocess.run(
        [*python_for("overnight.engine.supervisor"), "{}"], cwd=tmp_path, capture_output=True, check=False
    )
    assert b"somebody else" not in done.stderr
    assert b"ValidationError" in done.stderr
