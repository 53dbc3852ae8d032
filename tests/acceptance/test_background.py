"""The engine in the background, as a new user meets it: start, look, restart, stop."""

from __future__ import annotations

import os
import re
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import psutil
from terminal import Terminal

from overnight.core.errors import DiskFullError, NotNowError, StoreBusyError
from overnight.core.supervision import GAVE_UP, End, end_of
from overnight.engine.voice import HOOK_PATIENCE
from overnight.host.processes import identity

Until = Callable[[Callable[[], object]], None]

WAITS = "touch begun-$1; until test -e go; do sleep 0.02; done; echo $1 >>ledger"


def wait_for(terminal: Terminal, *names: str) -> None:
    """Add tasks that wait until somebody makes the file `go`."""
    terminal.run("add", *names, "--", "sh", "-c", WAITS, "sh")


def processes(terminal: Terminal) -> list[int]:
    """Living processes of ours that name this home, and those that carry its cookie."""
    found = terminal.cookies() if (terminal.cwd / ".overnight").exists() else []
    owner = terminal.owner()
    return [*found, *(owner[name] for name in ("pid", "supervisor") if name in owner)]


def test_what_is_queued_before_and_after_a_start_is_worked_on(terminal: Terminal, until: Until) -> None:
    terminal.run("add", "a", "--", "sh", "-c", "echo $1 >>ledger", "sh")
    said = terminal.run("start")
    owner = terminal.owner()
    assert said.startswith(f"the engine works (process {owner['pid']}); 'overnight status'")
    terminal.run("add", "b", "--", "sh", "-c", "echo $1 >>ledger", "sh")
    until(lambda: terminal.counts()["completed"] == 2)
    assert sorted((terminal.cwd / "ledger").read_text().split()) == ["a", "b"]
    assert terminal.owner() == owner  # it waits for more
    assert terminal.run("stop") == "stopped\n"
    assert processes(terminal) == []
    terminal.verify()


def test_it_has_a_session_of_its_own_and_no_terminal(terminal: Terminal) -> None:
    terminal.run("start")
    owner = terminal.owner()
    for pid in (owner["pid"], owner["supervisor"]):
        assert os.getsid(pid) == pid
        process = psutil.Process(pid)
        assert process.terminal() is None
        assert os.readlink(f"/proc/{pid}/fd/0") == "/dev/null"  # noqa: PTH115 - not a path of ours
        assert os.readlink(f"/proc/{pid}/fd/2").endswith("/.overnight/engine.log")  # noqa: PTH115 - the same
        assert process.cwd() == str(terminal.cwd)
    terminal.run("stop")


def test_a_second_start_says_who_is_there(terminal: Terminal) -> None:
    terminal.run("start")
    done = terminal.complete("start")
    assert done.returncode == 5
    assert f"locked by process {terminal.owner()['pid']}".encode() in done.stderr
    done = terminal.complete("run")
    assert done.returncode == 5
    terminal.run("stop")


def test_run_with_inputs_adds_to_it_and_follows(terminal: Terminal) -> None:
    terminal.run("start")
    assert terminal.run("run", "x", "--", "echo", "hello") == "hello x\n"
    terminal.run("stop")


def test_stop_without_anything_running_says_so(terminal: Terminal) -> None:
    terminal.run("add", "a", "--", "true")
    done = terminal.complete("stop", "--now")
    assert done.returncode == 3
    assert b"no engine runs here; nothing was stopped" in done.stderr
    assert not (terminal.cwd / ".overnight" / "STOP").exists()


def test_stop_waits_and_says_what_for(terminal: Terminal, until: Until) -> None:
    wait_for(terminal, "a", "b")
    terminal.run("start", "-j", "1")
    until((terminal.cwd / "begun-a").exists)
    stop = terminal.start("stop")
    until(lambda: terminal.json("status", "--json")["engine"]["state"] == "stopping")
    assert stop.poll() is None
    (terminal.cwd / "go").touch()
    out, err = stop.communicate(timeout=30)
    assert (stop.returncode, out) == (0, b"stopped\n")
    assert b"waiting for 1 running task" in err
    assert terminal.counts() | {"completed": 1, "pending": 1} == terminal.counts()
    assert processes(terminal) == []


def test_restart_lets_what_runs_finish_and_goes_on_with_a_new_engine(terminal: Terminal, until: Until) -> None:
    wait_for(terminal, "a", "b")
    terminal.run("start", "-j", "1")
    before = terminal.owner()
    until((terminal.cwd / "begun-a").exists)
    restart = terminal.start("restart", "-j", "1")
    until(lambda: terminal.json("status", "--json")["engine"]["state"] == "stopping")
    (terminal.cwd / "go").touch()
    out, err = restart.communicate(timeout=30)
    assert restart.returncode == 0, err
    after = terminal.owner()
    assert f"process {after['pid']}".encode() in out
    assert not {before["pid"], before["supervisor"]} & {after["pid"], after["supervisor"]}
    until(lambda: terminal.counts()["completed"] == 2)
    assert (terminal.cwd / "ledger").read_text().split() == ["a", "b"]
    terminal.run("stop")


def test_a_restart_that_is_cut_off_takes_over_all_the_same(terminal: Terminal, until: Until) -> None:
    """The connection broke while a task of many hours was waited for."""
    wait_for(terminal, "a", "b")
    terminal.run("start", "-j", "1")
    before = terminal.owner()
    until((terminal.cwd / "begun-a").exists)
    restart = terminal.start("restart", "-j", "1")
    until(lambda: len(_supervisors(terminal)) == 2)
    until(lambda: terminal.json("status", "--json")["engine"]["state"] == "stopping")
    restart.kill()
    restart.communicate()
    (terminal.cwd / "go").touch()
    until(lambda: terminal.counts()["completed"] == 2)
    assert terminal.owner()["supervisor"] not in (before["supervisor"], None)
    terminal.run("stop")


def _supervisors(terminal: Terminal) -> list[int]:
    found = []
    for process in psutil.process_iter():
        try:
            words = " ".join(process.cmdline())
            if "overnight.engine.supervisor" in words and process.cwd() == str(terminal.cwd):
                found.append(process.pid)
        except psutil.Error:
            continue
    return found


def test_restart_now_goes_past_an_engine_that_is_frozen(terminal: Terminal) -> None:
    terminal.run("start")
    before = terminal.owner()
    os.kill(before["pid"], signal.SIGSTOP)
    done = terminal.complete("restart", "--now")
    assert done.returncode == 0, done.stderr
    assert b"does not answer and is killed" in done.stderr
    assert terminal.owner()["supervisor"] != before["supervisor"]
    terminal.run("stop")


def test_restart_starts_one_where_there_is_none(terminal: Terminal) -> None:
    terminal.run("restart")
    assert terminal.owner()
    terminal.run("stop")


def test_a_restart_with_a_mistake_in_the_configuration_stops_nothing(terminal: Terminal, until: Until) -> None:
    """It once ended the engine, and then found that no other one could start."""
    terminal.run("start")
    owner = terminal.owner()
    for mistake in ('[slots]\nmaxx = "3"\n', "[slots\n"):
        (terminal.cwd / "overnight.toml").write_text(mistake)
        done = terminal.complete("restart")
        assert (done.returncode, b"overnight.toml" in done.stderr) == (2, True)
    (terminal.cwd / "overnight.toml").unlink()
    terminal._environment["OVERNIGHT_GATE_DISK"] = "1000TB"
    assert terminal.complete("restart").returncode == 75
    del terminal._environment["OVERNIGHT_GATE_DISK"]
    terminal.run("add", "a", "--", "true")
    until(lambda: terminal.counts()["completed"] == 1)
    assert terminal.owner() == owner
    terminal.run("stop")


def test_a_restart_keeps_what_start_was_told(terminal: Terminal) -> None:
    terminal.run("start", "-j", "3")
    terminal.run("restart")
    engine = terminal.json("status", "--json")["engine"]
    assert engine["slots"]["now"] == 3
    assert "may be left" in engine["containment"]
    terminal.run("restart", "-j", "2")
    assert terminal.json("status", "--json")["engine"]["slots"]["now"] == 2
    terminal.run("stop")


def test_a_task_that_asks_for_an_end_does_not_wait_for_itself(terminal: Terminal, until: Until) -> None:
    script = 'for word in restart stop; do "$1" -m overnight $word >>said 2>&1; echo "$word: $?" >>said; done'
    terminal.run("add", sys.executable, "--", "sh", "-c", script, "sh")
    terminal.run("start")
    until(lambda: not terminal.owner())
    said = (terminal.cwd / "said").read_text()
    assert "this is a task of the engine that is to be restarted" in said
    assert "restart: 2\n" in said
    assert "it is not waited for\nstop: 0\n" in said
    assert terminal.counts()["completed"] == 1


def test_one_in_the_foreground_is_not_put_into_the_background(terminal: Terminal, until: Until) -> None:
    process = terminal.start("start", "--foreground")
    until(lambda: terminal.owner().get("supervisor") not in (None, terminal.owner().get("pid")))
    until((terminal.cwd / ".overnight" / "engine.json").exists)
    done = terminal.complete("restart")
    assert done.returncode == 2
    assert b"systemctl --user restart" in done.stderr
    assert terminal.owner()["supervisor"] == process.pid
    terminal.run("stop")
    assert process.wait(20) == 0


def test_a_start_that_cannot_be_says_why_and_leaves_nothing(terminal: Terminal) -> None:
    (terminal.cwd / "overnight.toml").write_text("[defaults]\nretires = 3\n")
    done = terminal.complete("start")
    assert done.returncode == 2, done.stderr
    assert b"did you mean 'retries'?" in done.stderr
    assert b"try: " in done.stderr
    assert terminal.owner() == {}
    assert _supervisors(terminal) == []


def test_a_damaged_store_is_told_at_the_start(terminal: Terminal) -> None:
    terminal.run("add", "a", "--", "true")
    store = terminal.cwd / ".overnight" / "queue.db"
    for extra in ("-wal", "-shm"):
        store.with_name(store.name + extra).unlink(missing_ok=True)
    store.write_bytes(b"this was a store " * 1000)
    done = terminal.complete("start")
    assert done.returncode == 6, done.stderr
    assert store.read_bytes().startswith(b"this was a store")


# -- crashes ------------------------------------------------------------------------------------------


def test_a_killed_engine_comes_back_and_the_night_goes_on(terminal: Terminal, until: Until) -> None:
    wait_for(terminal, "a", "b")
    terminal.run("start", "-j", "1")
    first = terminal.owner()
    until((terminal.cwd / "begun-a").exists)
    os.kill(first["pid"], signal.SIGKILL)
    until(lambda: terminal.json("status", "--json")["engine"]["pid"] not in (None, first["pid"]))
    (terminal.cwd / "go").touch()
    until(lambda: terminal.counts()["completed"] == 2)
    status = terminal.json("status", "--json")
    watch = status["engine"]["supervisor"]
    assert (watch["pid"], watch["alive"], watch["restarts"]) == (first["supervisor"], True, 1)
    assert watch["last_crash"] == "was killed by SIGKILL"
    assert "1 restart; an engine was killed by SIGKILL at" in terminal.run("status")
    shown = terminal.json("show", "1", "--json")
    assert [attempt["outcome"] for attempt in shown["attempts"]] == ["lost", "completed"]
    assert (terminal.cwd / ".overnight" / "heartbeat.log").exists()
    terminal.run("stop")
    terminal.verify()


def test_an_engine_that_cannot_live_is_given_up_loudly(terminal: Terminal, until: Until) -> None:
    (terminal.cwd / "overnight.toml").write_text(
        '[supervisor]\nbackoff = "10ms, x1, max 10ms"\nmax_crashes = 3\n'
        'on_give_up = ["sh", "-c", "echo $OVERNIGHT_WHY >told"]\n'
    )
    terminal.run("start")
    supervisor = terminal.owner()["supervisor"]
    seen: set[int] = set()

    def kill_again() -> bool:
        owner = terminal.owner()
        pid: int | None = owner.get("pid")
        if pid is not None and pid not in (supervisor, *seen):
            seen.add(pid)
            os.kill(pid, signal.SIGKILL)
        return not owner

    until(kill_again)
    until((terminal.cwd / "told").exists)
    assert len(seen) == 3
    status = terminal.run("status")
    assert "engine stopped: the engine crashed 3 times in a row; at last it was killed by SIGKILL" in status
    assert "its supervisor gave up, 2 restarts" in status
    assert "'overnight start' tries again" in status
    terminal.run("start")
    assert "gave up" not in terminal.run("status")
    terminal.run("stop")


def test_the_engine_of_a_killed_supervisor_goes_on_and_can_be_stopped(terminal: Terminal, until: Until) -> None:
    wait_for(terminal, "a")
    terminal.run("start", "-j", "1")
    owner = terminal.owner()
    until((terminal.cwd / "begun-a").exists)
    psutil.Process(owner["supervisor"]).kill()
    until(lambda: identity(owner["supervisor"]) is None)  # a zombie may be nobody's child
    assert "which is gone: nobody starts the engine again" in terminal.run("status")
    (terminal.cwd / "go").touch()
    until(lambda: terminal.counts()["completed"] == 1)
    terminal.run("stop")
    assert processes(terminal) == []


def test_a_frozen_engine_is_replaced_and_its_stacks_are_in_the_log(terminal: Terminal, until: Until) -> None:
    (terminal.cwd / "overnight.toml").write_text('[supervisor]\nfrozen_after = "5s"\nbackoff = "10ms, x1, max 10ms"\n')
    terminal.run("start")
    first = terminal.owner()["pid"]
    os.kill(first, signal.SIGSTOP)
    until(lambda: terminal.owner()["pid"] not in (first, terminal.owner()["supervisor"]))
    log = (terminal.cwd / ".overnight" / "engine.log").read_text()
    assert "Fatal Python error: Aborted" in log
    assert re.search(r'File ".*/overnight/.*", line \d+ in ', log)  # wherever it was
    assert "did not answer for 5 s and was killed" in log
    terminal.run("stop")


# -- service managers ---------------------------------------------------------------------------------


def test_systemd_is_told_how_it_goes(terminal: Terminal, until: Until) -> None:
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as manager:
        manager.bind(bytes(terminal.cwd / "notify"))
        manager.settimeout(30)
        terminal._environment["NOTIFY_SOCKET"] = str(terminal.cwd / "notify")
        process = terminal.start("start", "--foreground")
        heard = [manager.recv(1000)]
        assert heard[0].startswith(b"READY=1\nSTATUS=engine ")
        terminal.run("add", "a", "--", "sh", "-c", 'echo "${NOTIFY_SOCKET-none}" >seen')
        until(lambda: terminal.counts()["completed"] == 1)
        process.send_signal(signal.SIGTERM)
        assert process.wait(30) == 143
        assert manager.recv(1000) == b"STOPPING=1"
    assert (terminal.cwd / "seen").read_text() != str(terminal.cwd / "notify")


def test_the_unit_that_is_written_starts_this_home(terminal: Terminal, tmp_path: Path) -> None:
    terminal._environment["XDG_CONFIG_HOME"] = str(tmp_path / "config")
    done = terminal.complete("start", "--install", "-j", "3")
    assert done.returncode == 0, done.stderr
    (unit,) = (tmp_path / "config" / "systemd" / "user").iterdir()
    assert unit.name in done.stdout.decode()
    assert f"systemctl --user enable --now {unit.name}".encode() in done.stderr
    assert terminal.owner() == {}
    (line,) = [line for line in unit.read_text().splitlines() if line.startswith("ExecStart=")]
    words = [word.strip('"').replace("$$", "$").replace("%%", "%") for word in line.removeprefix("ExecStart=").split()]
    assert words[-4:] == ["start", "--foreground", "--jobs", "3"]
    process = subprocess.Popen(words, cwd="/", env=terminal._environment, stderr=subprocess.DEVNULL)
    try:
        deadline = time.monotonic() + 30
        while terminal.owner().get("supervisor") != process.pid:
            assert time.monotonic() < deadline
    finally:
        process.terminate()
        process.wait(30)
    assert process.returncode == 143


def test_the_unit_can_be_looked_at_first(terminal: Terminal, tmp_path: Path) -> None:
    terminal._environment["XDG_CONFIG_HOME"] = str(tmp_path / "config")
    assert "ExecStart=" in terminal.run("start", "--install", "--dry-run")
    assert not (tmp_path / "config").exists()
    terminal.run("start", "--dry-run", code=2)


def test_the_unit_knows_every_status(terminal: Terminal, tmp_path: Path) -> None:
    """What a restart cannot mend is not restarted, and what somebody wanted is no failure."""
    terminal._environment["XDG_CONFIG_HOME"] = str(tmp_path / "config")
    lines = [line for line in terminal.run("start", "--install", "--dry-run").splitlines() if "=" in line]
    unit = dict(line.split("=", 1) for line in lines)
    hopeless, wanted = (set(map(int, unit[name].split())) for name in ("RestartPreventExitStatus", "SuccessExitStatus"))
    others = {error.exit_code for error in (DiskFullError, StoreBusyError, NotNowError)}
    ends = {status: end_of(status) for status in range(256)}
    assert {status for status, end in ends.items() if end is End.REFUSED} == hopeless - {GAVE_UP}
    assert {status for status, end in ends.items() if end is End.CLEAN} == wanted | {0}
    assert GAVE_UP in hopeless
    assert others & (hopeless | wanted) == set()
    assert unit["TimeoutStartSec"] == "infinity"
    assert int(unit["WatchdogSec"]) > HOOK_PATIENCE + 20  # and what is done before and after


def test_a_long_night_under_another_name(tmp_path: Path, until: Until) -> None:
    """A directory whose name is no text is as good as any other."""
    place = Path(os.fsdecode(bytes(tmp_path) + b"/caf\xe9 'n' %n $HOME"))
    place.mkdir()
    terminal = Terminal(place)
    try:
        terminal.run("start")
        terminal.run("add", "a", "--", "true")
        until(lambda: terminal.counts()["completed"] == 1)
        assert terminal.complete("start", "--install", "--dry-run").returncode == 2
        terminal.run("stop")
    finally:
        terminal.close()
