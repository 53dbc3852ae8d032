"""Everything that a task can be, against everybody who is killed at once: what is left, and what is promised of it.

* The supervisor alone: all of it is left, rightly, for the engine works on.
* Any others, but not all: nothing is left, without a next start.
* Supervisor, engine and keepers: with a pid namespace nothing is left. Else nothing after the next start, but for a
  daemon that has emptied its environment where there is no control group.
"""

from __future__ import annotations

import itertools
import shutil
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import hostile
import psutil
import pytest
from killing import CARELESS, WHO, Site, family, kill_at_once
from terminal import Terminal

from overnight.host import cgroups, namespaces
from overnight.host.purge import strays

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="what is promised is promised for Linux")
CHOICES = [choice for count in (1, 2, 3) for choice in itertools.combinations(WHO, count)]
ISOLATIONS = [
    "none",
    pytest.param("cgroup", marks=pytest.mark.skipif(cgroups.usable() is None, reason="no control group may be made")),
    pytest.param("pidns", marks=pytest.mark.skipif(bool(namespaces.refusal()), reason="no pid namespaces here")),
]
#: Seconds for what is promised to be gone; what is left goes on for a minute. A busy machine is given time.
GONE_WITHIN = 30.0
SCRIPT = 'exec "$0" -S hostile.py "$1" "$1-$OVERNIGHT_ATTEMPT"'


@pytest.fixture
def terminal(tmp_path: Path) -> Iterator[Terminal]:
    made = Terminal(tmp_path)
    shutil.copy(hostile.__file__, tmp_path)
    yield made
    made.close()
    end_all(made.cwd)


def left(directory: Path, attempt: str = "*") -> set[str]:
    """Which kinds are still there, of one attempt or of any."""
    marks = [path.name.removesuffix(".alive") for path in directory.glob(f"*-{attempt}.alive")]
    return {mark.partition("-")[0] for mark in marks if hostile.is_there(str(directory / mark))}


def end_all(directory: Path) -> None:
    """Whoever is left, and what they left by the thousand where an earlier test has made us a subreaper."""
    (directory / "enough").touch()
    for process in psutil.process_iter():
        try:
            if process.cwd() == str(directory) and "hostile.py" in " ".join(process.cmdline()):
                process.kill()
        except psutil.Error:
            continue
    wait(lambda: not left(directory))
    strays()


def wait(holds: Callable[[], object], seconds: float = GONE_WITHIN) -> None:
    """Until something holds."""
    deadline = time.monotonic() + seconds
    while not holds():
        assert time.monotonic() < deadline, "it did not happen"
        time.sleep(0.01)


def add_all(terminal: Terminal) -> None:
    (terminal.cwd / "overnight.toml").write_text(
        '[defaults]\nbackoff = "50ms, x1, max 50ms"\n[supervisor]\nbackoff = "50ms, x1, max 50ms"\n'
    )
    terminal.run("add", "--retries", "20", "--", "sh", "-c", SCRIPT, sys.executable, "{}", ":::", *hostile.KINDS)


def all_began(directory: Path, attempt: int) -> None:
    wait(lambda: all((directory / f"{kind}-{attempt}").exists() for kind in hostile.KINDS), 60)


def strike(terminal: Terminal, choice: tuple[str, ...], isolation: str) -> None:
    """Kill these while one of each kind runs; what is promised holds, and every task comes to its end alone."""
    add_all(terminal)
    with (terminal.cwd / "overnight.toml").open("a") as file:
        file.write(f'[workers]\nisolation = "{isolation}"\n')
    terminal.run("start", "-j", str(len(hostile.KINDS)))
    all_began(terminal.cwd, 1)
    living = family(terminal)
    kill_at_once([pid for who in choice for pid in living[who]])
    may_stay: frozenset[str] = frozenset()
    if choice == ("supervisor",):
        assert left(terminal.cwd, "1") == set(hostile.KINDS)
    elif choice == WHO and isolation != "pidns":
        wait(lambda: terminal.owner() == {})
        terminal.run("start", "-j", str(len(hostile.KINDS)))
        may_stay = frozenset({"bare"}) if isolation == "none" else may_stay
        wait(lambda: left(terminal.cwd, "1") <= may_stay)
    else:
        wait(lambda: not left(terminal.cwd, "1"))
        if {"supervisor", "engine"} <= set(choice):
            wait(lambda: terminal.owner() == {})
            terminal.run("start", "-j", str(len(hostile.KINDS)))
    (terminal.cwd / "go").touch()
    wait(lambda: terminal.counts()["completed"] == len(hostile.KINDS), 60)
    terminal.run("stop", "--now")
    assert left(terminal.cwd) <= may_stay


@pytest.mark.parametrize("choice", [("engine",), WHO], ids="+".join)
def test_of_every_kind_of_task_nothing_is_left(terminal: Terminal, choice: tuple[str, ...]) -> None:
    strike(terminal, choice, "none")


@pytest.mark.prove
@pytest.mark.parametrize("isolation", ISOLATIONS)
@pytest.mark.parametrize("choice", CHOICES, ids="+".join)
def test_of_every_kind_of_task_nothing_is_left_whoever_dies(
    terminal: Terminal, choice: tuple[str, ...], isolation: str
) -> None:
    strike(terminal, choice, isolation)


@pytest.mark.parametrize("careful", [True, False])
def test_without_purge_and_sweep_every_kind_is_left(tmp_path: Path, careful: bool) -> None:  # noqa: FBT001 - parametrized
    """The control: the same kill of the same engine."""
    shutil.copy(hostile.__file__, tmp_path)
    site = Site(tmp_path, ("-m", "overnight") if careful else ("-c", CARELESS))
    try:
        site.terminal.run("add", "--", "sh", "-c", SCRIPT, sys.executable, "{}", ":::", *hostile.KINDS)
        engine = site.start("-j", str(len(hostile.KINDS)))
        all_began(tmp_path, 1)
        engine.kill()
        engine.wait()
        if careful:
            wait(lambda: not left(tmp_path, "1"))
        else:
            wait(lambda: not family(site.terminal)["keeper"])
            assert left(tmp_path, "1") == set(hostile.KINDS)
    finally:
        end_all(tmp_path)
        site.close()
