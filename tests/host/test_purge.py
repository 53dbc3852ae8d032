"""Leaving nothing behind, and touching nothing that is somebody else's."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import textwrap
import time
from pathlib import Path

import hostile
import pytest

from overnight.host import sweep as room
from overnight.host.processes import Exit, Identity, alive, boot_id, children, identity
from overnight.host.purge import strays
from overnight.host.sweep import sweep

SUBREAPER = """
import os, signal, sys, time
from overnight.host.processes import children, set_subreaper
from overnight.host.purge import forget, purge, spare, strays
set_subreaper()
def spawn(script):
    return os.posix_spawn("/bin/sh", ["sh", "-c", script], {})
def until(holds):
    end = time.monotonic() + 20
    while not holds():
        assert time.monotonic() < end
"""


def in_a_subreaper(body: str, **environ: str) -> str:
    """What a process of its own prints that may purge, with this in its environment."""
    words = [sys.executable, "-c", SUBREAPER + textwrap.dedent(body)]
    return subprocess.run(
        words, env=os.environ | environ, check=True, capture_output=True, text=True, timeout=60
    ).stdout


def test_purge_ends_everything_below_and_reaps_it() -> None:
    assert (
        in_a_subreaper("""
            main = spawn("(setsid sh -c 'trap \\"\\" TERM; sleep 60 & sleep 60') & sleep 60 & wait")
            until(lambda: len([1 for pid in children(main) for _ in children(pid)]) >= 2)
            print(purge(), children(os.getpid()))
            """)
        == "set() []\n"
    )


def test_purge_leaves_alone_what_is_kept_or_spared_and_what_is_below_it() -> None:
    assert (
        in_a_subreaper("""
            kept, spared, other = (spawn("sleep 60 & wait") for _ in range(3))
            until(lambda: all(children(pid) for pid in (kept, spared, other)))
            spare(spared)
            print(purge([kept]), children(os.getpid()) == [kept, spared], len(children(kept)), len(children(spared)))
            forget(spared)
            purge()
            """)
        == "set() True 1 1\n"
    )


def test_what_was_there_before_is_left_alone_and_what_comes_later_is_not() -> None:
    assert (
        in_a_subreaper("""
            from overnight.host.purge import spare_strangers
            before, ended = spawn("sleep 60 & wait"), spawn("exit 7")
            until(lambda: children(before) and os.waitid(os.P_PID, ended, os.WEXITED | os.WNOWAIT | os.WNOHANG))
            spare_strangers()
            later = spawn("sleep 60")
            print(strays() == [later], purge(), children(os.getpid()) == [before, ended], len(children(before)))
            print(os.waitstatus_to_exitcode(os.waitpid(ended, 0)[1]))
            os.kill(children(before)[0], signal.SIGKILL)
            """)
        == "True set() True 1\n7\n"
    )


def test_a_stranger_of_the_first_process_is_waited_for_when_it_has_ended() -> None:
    assert (
        in_a_subreaper("""
            from overnight.host.purge import spare_strangers
            ended = spawn("exit 7")
            until(lambda: os.waitid(os.P_PID, ended, os.WEXITED | os.WNOWAIT | os.WNOHANG))
            spare_strangers(reap=True)
            print(children(os.getpid()))
            """)
        == "[]\n"
    )


def test_purge_does_not_take_the_status_of_what_is_kept() -> None:
    """A stray waitpid(-1) once turned an exit status of 7 into a success."""
    assert (
        in_a_subreaper("""
            kept, other = spawn("exit 7"), spawn("exit 3")
            until(lambda: os.waitid(os.P_PID, kept, os.WEXITED | os.WNOWAIT | os.WNOHANG))
            purge([kept])
            print(os.waitstatus_to_exitcode(os.waitpid(kept, 0)[1]), children(os.getpid()))
            """)
        == "7 []\n"
    )


def test_purge_catches_what_forks_faster_than_it_can_be_named() -> None:
    assert (
        in_a_subreaper("""
            pid = os.fork()
            if not pid:
                os.setsid()
                while True:
                    if os.fork():
                        os._exit(0)
            os.waitpid(pid, 0)
            print(purge(), children(os.getpid()))
            """)
        == "set() []\n"
    )


def test_strays_are_the_living_that_nobody_owns() -> None:
    assert (
        in_a_subreaper("""
            kept, dead, stray = spawn("sleep 60"), spawn("true"), spawn("sleep 60")
            until(lambda: os.waitid(os.P_PID, dead, os.WEXITED | os.WNOWAIT | os.WNOHANG))
            print(strays([kept]) == [stray], dead in children(os.getpid()))
            purge()
            """)
        == "True False\n"
    )


def test_purge_kills_nobody_whose_number_was_read_before_it_was_given_to_him() -> None:
    """A grandchild may end, be waited for by its parent, and its number be given to a stranger."""
    with subprocess.Popen(["sleep", "60"]) as stranger:
        in_a_subreaper(f"""
            import overnight.host.purge as room
            main, lists = spawn("sleep 60"), [[{stranger.pid}]]
            room.children = lambda pid: lists.pop() if pid == main and lists else children(pid)
            print(purge(seconds=1.0))
            """)

        assert stranger.poll() is None
        stranger.kill()


def test_a_number_that_was_given_up_means_that_process_alone() -> None:
    """Whoever has it later is waited for like everybody else."""
    assert (
        in_a_subreaper("""
            import overnight.host.purge as room
            stuck, later = spawn("exec sleep 60"), spawn("exec sleep 60")
            room.give_up([stuck, later])
            room._given_up[later] -= 1
            room._reap = lambda pid: False
            print(strays() == [later], purge(seconds=0.0) == {later}, list(room._given_up) == [stuck])
            """)
        == "True True True\n"
    )


def test_a_process_that_was_left_on_purpose_is_left_alone_with_all_below_it() -> None:
    """Also when it is not right below whoever purges; its end is taken like that of any other stray."""
    assert (
        in_a_subreaper(
            """
            from overnight.host.kept import become_kept, honour, is_kept
            honour("home")
            middle = os.fork()
            if not middle:
                if not os.fork():
                    become_kept()
                    spawn("exec sleep 60")
                time.sleep(60)
                os._exit(0)
            until(lambda: any(is_kept(pid) and children(pid) for pid in children(middle)))
            [kept] = [pid for pid in children(middle) if is_kept(pid)]
            print(purge(), children(os.getpid()) == [kept], strays(), len(children(kept)))
            os.kill(children(kept)[0], signal.SIGKILL)
            os.kill(kept, signal.SIGKILL)
            until(lambda: not strays() and not children(os.getpid()))
            """,
            OVERNIGHT_ROLE="warden",
            OVERNIGHT_COOKIE="home",
        )
        == "set() True [] 1\n"
    )


@pytest.mark.parametrize(
    ("environ", "left"),
    [
        ({"OVERNIGHT_ROLE": "warden", "OVERNIGHT_COOKIE": "home"}, 1),
        ({"OVERNIGHT_ROLE": "warden", "OVERNIGHT_COOKIE": "another home"}, 0),
        ({"OVERNIGHT_COOKIE": "home"}, 0),
    ],
    ids=["the control", "of another home", "of a task"],
)
def test_a_name_alone_keeps_nobody(environ: dict[str, str], left: int) -> None:
    """A task may take any name, and one that runs Overnight itself ends with all that this has left."""
    assert (
        in_a_subreaper(
            """
            from overnight.host.kept import become_kept, honour
            honour("home")
            pid = os.fork()
            if not pid:
                become_kept()
                time.sleep(60)
                os._exit(0)
            until(lambda: open(f"/proc/{pid}/comm").read() == "overnight-kept\\n")
            print(len(purge()), len(children(os.getpid())))
            os.kill(pid, signal.SIGKILL) if children(os.getpid()) else None
            """,
            **environ,
        )
        == f"0 {left}\n"
    )


# -- sweep -----------------------------------------------------------------------------------


def carrier(cookie: str, **more: str) -> subprocess.Popen[bytes]:
    """A process that carries a cookie, and has it in its environment by now."""
    environ = {"PATH": os.environ["PATH"], "COOKIE": cookie} | more
    process = subprocess.Popen(["sh", "-c", "echo; exec sleep 60"], env=environ, stdout=subprocess.PIPE)
    assert process.stdout is not None
    process.stdout.readline()
    process.stdout.close()
    return process


def test_sweep_kills_who_carries_the_cookie_and_nobody_else(tmp_path: Path) -> None:
    with carrier(f"{tmp_path}") as target, carrier(f"{tmp_path}-longer") as longer:
        left = sweep(f"COOKIE={tmp_path}".encode(), seconds=10)

        assert left == []
        assert target.wait() == -signal.SIGKILL
        assert longer.poll() is None
        longer.kill()


def test_sweep_catches_what_is_in_no_list_of_numbers(tmp_path: Path) -> None:
    """It forks and exits all the time, and nobody is left whose child it could become."""
    environ = {"PATH": os.environ["PATH"], "COOKIE": str(tmp_path)}
    words = [sys.executable, "-S", hostile.__file__, "hopper", "hopper-1"]
    with subprocess.Popen(words, cwd=tmp_path, env=environ) as main:
        deadline = time.monotonic() + 30
        while not (tmp_path / "hopper-1").exists():
            assert time.monotonic() < deadline
        assert sweep(f"COOKIE={tmp_path}".encode(), seconds=30) == []
        assert main.wait() == -signal.SIGKILL
    strays()  # its dead are ours by the thousand where an earlier test has made us a subreaper
    assert not hostile.is_there(str(tmp_path / "hopper-1"))


def test_sweep_lets_those_finish_who_clean_up_by_themselves(tmp_path: Path) -> None:
    """Until the patience is over; then they are killed like the others."""
    with carrier(str(tmp_path), ROLE="keeper") as keeper:
        begin = time.monotonic()

        left = sweep(f"COOKIE={tmp_path}".encode(), seconds=10, patience=0.2, patient_with=b"ROLE=keeper")

        assert left == []
        assert time.monotonic() - begin >= 0.2
        assert keeper.wait() == -signal.SIGKILL


def test_sweep_never_kills_itself_or_its_ancestors(tmp_path: Path) -> None:
    """An engine may have been started by a task of its own home."""
    code = f"from overnight.host.sweep import sweep; print(sweep(b'COOKIE={tmp_path}', seconds=5))"
    environ = {**os.environ, "COOKIE": str(tmp_path), "CODE": code, "PYTHON": sys.executable}

    done = subprocess.run(
        ["sh", "-c", '"$PYTHON" -c "$CODE"; echo alive'], env=environ, capture_output=True, check=True
    )

    assert done.stdout == b"[]\nalive\n"


# -- who is who ------------------------------------------------------------------------------


def test_a_process_is_itself_until_it_ends() -> None:
    process = subprocess.Popen(["sleep", "60"])
    who = identity(process.pid)
    assert who is not None
    assert alive(who)
    assert not alive(who._replace(ticks=who.ticks + 1))
    assert not alive(who._replace(boot="another boot"))

    process.kill()
    os.waitid(os.P_PID, process.pid, os.WEXITED | os.WNOWAIT)
    assert not alive(who), "a zombie is dead"
    process.wait()
    assert not alive(who)
    assert identity(process.pid) is None


def test_boot_and_children_are_known() -> None:
    process = subprocess.Popen(["sleep", "60"])

    assert process.pid in children(os.getpid())
    assert identity(os.getpid()) == Identity(os.getpid(), identity(os.getpid()).ticks, boot_id())  # type: ignore[union-attr]  # we are alive
    process.kill()
    process.wait()


def test_an_exit_is_announced_and_not_reaped() -> None:
    process = subprocess.Popen(["sh", "-c", "exit 7"])
    watch = Exit(process.pid)

    assert watch.wait(20)
    watch.close()
    assert process.wait() == 7


@pytest.mark.parametrize("pid", [0, -1, 2**22 + 1])
def test_a_number_that_nobody_has_is_nobody(pid: int) -> None:
    assert identity(pid) is None or pid == 0
    assert children(pid) == []


def test_strangers_whose_environment_cannot_be_read_do_not_hold_up_a_sweep(monkeypatch: pytest.MonkeyPatch) -> None:
    """Each is stuck in the kernel and takes a second to find out; a hundred of them once took minutes, each round."""
    now, asked = [0.0], []

    def slow(pid: int, **_: object) -> bytes:
        asked.append(pid)
        now[0] += 1.0
        return b""

    monkeypatch.setattr(room, "_chase", lambda *_: False)
    monkeypatch.setattr(room, "monotonic", lambda: now[0])
    monkeypatch.setattr(room, "environment_in_time", slow)
    monkeypatch.setattr(room, "identity", lambda pid: Identity(pid, 1, "boot"))
    monkeypatch.setattr(room, "everybody", lambda: [10**7 + number for number in range(4)])
    assert sweep(b"COOKIE=x", seconds=10.0) == []
    assert len(asked) == 4  # once each, not in each round

    asked.clear()
    monkeypatch.setattr(room, "everybody", lambda: [10**7 + number for number in range(1000)])
    assert sweep(b"COOKIE=x", seconds=10.0) == []
    assert len(asked) <= 11
