"""Stall, memory, output, processes and open files: real trees that take too much, or nothing at all.

Each hostile process ends by itself after 120 seconds at most.
"""

from __future__ import annotations

import re
import resource
import socket
import sys
from pathlib import Path
from typing import Any

import pytest
from executor_bench import Bench, bench_without

from overnight.core.endings import Ended, Ending
from overnight.core.limits import FIRST_LOOK
from overnight.core.task import Action, ActionKind
from overnight.executors.local.command import Template
from overnight.executors.local.notify import Notifications
from overnight.executors.local.place import Place
from overnight.host.processes import identity

MB = 1_000_000
KINDS = pytest.mark.parametrize("kind", ["command", "function"])
#: What the control takes out of a keeper.
NO_LIMITS = """
from overnight.core.limits import Limits
from overnight.executors.local.command import Template
make = Template.__init__
def unlimited(self, *words):
    make(self, *words)
    self.limits, self.max_output = Limits(), float("inf")
Template.__init__ = unlimited
"""
#: The deeds of a task, by name; `sys.argv` or the input chooses. Each leaves its number in a file.
DEEDS = """
import os, signal, socket, subprocess, sys, time
signal.alarm(120)
def sleep(): time.sleep(100)
def print_now_and_then():
    for _ in range(14): print("still here", flush=True); time.sleep(0.1)
def burn():
    end = time.monotonic() + 1.4
    while time.monotonic() < end: pass
def report():
    for part in range(14):
        with open(os.environ["OVERNIGHT_CONTROL"], "a") as file: file.write('{"progress": %s}\\n' % (part / 14))
        time.sleep(0.1)
def notify():
    address = os.environ["NOTIFY_SOCKET"]
    line = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
    for part in range(14):
        line.sendto(b"STATUS=part %d" % part, "\\0" + address[1:] if address[0] == "@" else address)
        time.sleep(0.1)
def eat():
    food = []
    while True: food.append(b"x" * 5_000_000); time.sleep(0.005)
def eat_on():
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    eat()
def eat_together():
    children = [subprocess.Popen([sys.executable, "-S", "-c", HALF]) for _ in range(3)]
    [child.wait() for child in children]
HALF = "import signal, time; signal.alarm(120); food = b'x' * 90_000_000; time.sleep(100)"
def share():
    food = b"x" * 90_000_000
    children = []
    for _ in range(4):
        children.append(os.fork())
        if not children[-1]: signal.alarm(120); time.sleep(1.0); os._exit(0)
    for child in children: os.waitpid(child, 0)
def multiply():
    [subprocess.Popen(["sleep", "100"]) for _ in range(40)]
    time.sleep(100)
def flood():
    while True: print("x" * 10_000)
def open_many():
    files = []
    try:
        while True: files.append(open(os.devnull))
    except OSError as error:
        number = len(files) + 3
        del files[-10:]  # for whoever tells of it
        print("open", number, os.strerror(error.errno))
def ask_for_more():
    import resource
    while resource.getrlimit(resource.RLIMIT_NOFILE)[1] > 40: time.sleep(0.01)  # a moment after its start
    try: resource.setrlimit(resource.RLIMIT_NOFILE, (1000, 1000)); print("more")
    except (ValueError, OSError): print("refused")
    print("limit", *resource.getrlimit(resource.RLIMIT_NOFILE))
def do(name):
    if name not in ("share", "eat_together"): open("pid", "w").write(str(os.getpid()))
    globals()[name]()
if __name__ == "__main__": do(sys.argv[1])
"""


def run(bench: Bench, kind: str, deed: str, **fields: Any) -> Ended:
    """Do a deed under limits, to its end."""
    fields = {"stall": None, "memory": None} | fields
    if kind == "function":
        return bench.run(bench.call("deeds:do", DEEDS, **fields), deed)
    (bench.root / "deeds.py").write_text(DEEDS)
    return bench.run(bench.command(sys.executable, "deeds.py", **fields), deed)


def may_raise_limits() -> bool:
    """Whether we may do what a limit is there to keep others from: CAP_SYS_RESOURCE."""
    words = Path("/proc/self/status").read_text().partition("CapEff:")[2].split()
    return bool(int(words[0], 16) >> 24 & 1)


def the_next_one_works(bench: Bench) -> None:
    assert bench.run(bench.command("true")).exit_code == 0
    assert bench.run(bench.call("next:f", "def f(value): return 1\n")).result == b"1"


# -- stalled ---------------------------------------------------------------------------------


@KINDS
def test_silence_for_too_long_ends_the_tree(bench: Bench, kind: str) -> None:
    ended = run(bench, kind, "sleep", stall=0.6)

    assert ended.ending is Ending.STALLED
    assert 0.6 <= ended.seconds < 20
    assert identity(int((bench.root / "pid").read_text())) is None
    the_next_one_works(bench)


@KINDS
@pytest.mark.parametrize("deed", ["print_now_and_then", "burn", "report", "notify"])
def test_any_sign_of_life_is_enough(bench: Bench, kind: str, deed: str) -> None:
    ended = run(bench, kind, deed, stall=0.6)

    assert (ended.ending, ended.exit_code) in ((Ending.EXITED, 0), (Ending.RETURNED, None))
    assert ended.seconds > 1.2


def test_a_stopped_command_is_stalled(bench: Bench) -> None:
    """It has no CPU time, whatever it would do."""
    ended = bench.run(bench.shell("kill -STOP $$", stall=0.5, memory=None))

    assert ended.ending is Ending.STALLED


def test_notifications_that_say_nothing_of_life_do_not_count(tmp_path: Path) -> None:
    heard = Notifications(bytes(tmp_path / "notify"))
    speaker = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
    for words in (b"READY=1", b"WATCHDOG=1", b"X=1\nSTATUS=half way", b"WATCHDOG_USEC=1", b"", b"\xff" * 9000):
        speaker.sendto(words, heard.address)
    speaker.close()

    heard.take()
    heard.take()
    heard.close()

    assert heard.count == 2


@pytest.mark.skipif(sys.platform != "linux", reason="names that are nowhere on the disk")
def test_a_socket_whose_path_would_be_too_long_has_a_name_instead(tmp_path: Path) -> None:
    heard = Notifications(bytes(tmp_path / ("x" * 100) / "notify"))
    speaker = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
    speaker.sendto(b"WATCHDOG=1", b"\0" + heard.address[1:])
    speaker.close()

    heard.take()
    heard.close()

    assert (heard.address[:1], heard.count) == (b"@", 1)


def test_a_directory_in_which_no_socket_can_be_costs_nothing_but_the_socket(tmp_path: Path) -> None:
    heard = Notifications(bytes(tmp_path / "missing" / "notify"))
    heard.close()

    assert heard.address == b""


# -- memory ----------------------------------------------------------------------------------


@KINDS
@pytest.mark.parametrize("deed", ["eat", "eat_together"])
def test_too_much_memory_of_the_whole_tree_ends_it(bench: Bench, kind: str, deed: str) -> None:
    ended = run(bench, kind, deed, memory=200 * MB)

    assert ended.ending is Ending.MEMORY
    assert ended.peak_memory_bytes is not None
    assert 200 * MB < ended.peak_memory_bytes < 1000 * MB
    the_next_one_works(bench)


@KINDS
def test_memory_that_several_processes_share_counts_once(bench: Bench, kind: str) -> None:
    """Five of them have it, and together it is less than the limit."""
    ended = run(bench, kind, "share", memory=200 * MB)

    assert ended.ending in (Ending.EXITED, Ending.RETURNED), ended
    assert ended.exit_code in (0, None)


@KINDS
def test_who_eats_on_instead_of_cleaning_up_has_no_grace(bench: Bench, kind: str) -> None:
    ended = run(bench, kind, "eat_on", memory=200 * MB, kill_grace=60.0)

    assert ended.ending is Ending.MEMORY
    assert ended.seconds < 20
    assert ended.peak_memory_bytes is not None
    assert ended.peak_memory_bytes < 1500 * MB


def test_what_is_left_behind_by_who_has_eaten_has_no_grace_either(bench: Bench) -> None:
    """The shell in front dies at once; the work behind it ignores the request and goes on."""
    (bench.root / "deeds.py").write_text(DEEDS)
    script = f"{sys.executable} deeds.py eat_on & wait"

    ended = bench.run(bench.shell(script, memory=200 * MB, kill_grace=60.0))

    assert ended.ending is Ending.MEMORY
    assert identity(int((bench.root / "pid").read_text())) is None


def test_a_command_that_has_ended_by_the_first_look_was_never_looked_at(tmp_path: Path) -> None:
    """What a command costs that takes a millisecond is not a matter of limits."""
    here = bytes(tmp_path)
    place = Place(0, 1, -1, -1, -1, -1, here, here, here, here, "cookie", [])
    whole = Action(ActionKind.COMMAND, b"/", argv=(b"true",))

    assert Template(whole, place).first_due == FIRST_LOOK
    assert Template(Action(ActionKind.COMMAND, b"/", timeout=0.05), place).first_due == 0.05
    assert Template(Action(ActionKind.COMMAND, b"/", timeout=9.0, stall=None, memory=None), place).first_due == 9.0
    assert Template(Action(ActionKind.COMMAND, b"/", timeout=None, stall=None, memory=None), place).first_due is None


def test_the_peak_of_a_small_command_is_known_when_it_takes_its_time(bench: Bench) -> None:
    ended = bench.run(bench.command("sleep", "0.3"))

    assert ended.peak_memory_bytes is not None
    assert 100_000 < ended.peak_memory_bytes < 10 * MB


# -- output ----------------------------------------------------------------------------------


@KINDS
def test_too_much_output_ends_the_tree_and_what_is_kept_is_kept(bench: Bench, kind: str) -> None:
    ended = run(bench, kind, "flood", max_output=3 * MB, keep_output=1000)

    assert ended.ending is Ending.OUTPUT
    assert ended.output is not None
    assert ended.output.printed > 3 * MB
    assert len(bench.printed(ended)[1]) == 1000
    the_next_one_works(bench)


def test_output_up_to_the_limit_is_no_offence(bench: Bench) -> None:
    ended = bench.run(bench.shell("head -c 100000 /dev/zero", max_output=100_000))

    assert (ended.ending, ended.exit_code) == (Ending.EXITED, 0)


# -- processes and files ---------------------------------------------------------------------


@KINDS
def test_too_many_processes_end_the_tree(bench: Bench, kind: str) -> None:
    ended = run(bench, kind, "multiply", processes=20)

    assert ended.ending is Ending.PROCESSES
    the_next_one_works(bench)


@pytest.mark.parametrize(
    ("deed", "limits"),
    [
        ("eat_together", {"memory": 200 * MB}),
        ("flood", {"max_output": 3 * MB, "keep_output": 1000}),
        ("multiply", {"processes": 20}),
    ],
)
def test_without_its_limits_a_tree_takes_what_it_wants(tmp_path: Path, deed: str, limits: dict[str, Any]) -> None:
    """The control: the same deeds go on until their time is over."""
    with bench_without(tmp_path, NO_LIMITS) as bench:
        assert run(bench, "command", deed, timeout=1.0, **limits).ending is Ending.TIMEOUT


def test_a_bomb_is_ended_before_it_fills_the_machine(bench: Bench) -> None:
    """It forks twice as often with each round, ignores requests, and ends by itself after a while."""
    bomb = (
        "import os, signal, time\n"
        "for number in (signal.SIGTERM, signal.SIGHUP, signal.SIGINT): signal.signal(number, signal.SIG_IGN)\n"
        "end = time.monotonic() + 20\n"
        "while time.monotonic() < end:\n"
        "    try: os.fork()\n"
        "    except OSError: pass\n"
        "    signal.alarm(30); time.sleep(0.05)\n"
    )
    (bench.root / "bomb.py").write_text(bomb)

    ended = bench.run(bench.command(sys.executable, "-S", "bomb.py", processes=50, memory=None))

    assert ended.ending is Ending.PROCESSES
    assert ended.seconds < 15
    the_next_one_works(bench)


@KINDS
def test_open_files_are_limited_for_the_task_alone(bench: Bench, kind: str) -> None:
    before = resource.prlimit(bench.keeper(), resource.RLIMIT_NOFILE)

    opened = bench.printed(run(bench, kind, "open_many", open_files=40))[1]
    asked = bench.printed(run(bench, kind, "ask_for_more", open_files=40))[1]

    found = re.search(rb"open (\d+) Too many open files", opened)
    assert found is not None
    assert 30 <= int(found[1]) <= 40
    assert asked == (b"more\nlimit 1000 1000\n" if may_raise_limits() else b"refused\nlimit 40 40\n")
    assert resource.prlimit(bench.keeper(), resource.RLIMIT_NOFILE) == before


def test_more_open_files_than_the_system_allows_are_refused_in_words(bench: Bench) -> None:
    soft, hard = resource.prlimit(bench.keeper(), resource.RLIMIT_NOFILE)

    ended = bench.run(bench.command("true", open_files=hard + 1))

    assert ended.ending is Ending.REFUSED
    assert f"more than the {hard} that this system allows" in ended.error
    assert soft <= hard
