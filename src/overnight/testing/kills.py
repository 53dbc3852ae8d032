"""Real runs whose processes are killed at random, and the checker that reads what the tasks wrote.

The ledger and the notes of process numbers are written by the tasks themselves. Moments are given by
the growth of the ledger, so a schedule with the same dice strikes at the same stages of a run on any
machine, though not at the same instruction.
"""

from __future__ import annotations

import contextlib
import functools
import json
import os
import random
import signal
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

import psutil

from overnight.core.states import Outcome
from overnight.core.task import Attempt
from overnight.host.clock import SystemClock
from overnight.store.contract import Query
from overnight.store.sqlite import SqliteStore
from overnight.testing.terminal import Terminal, clean_environment

#: Seconds after which a run is taken to hang.
PATIENCE = 90.0

#: At its begin each attempt looks for processes of earlier ones, which it knows by their environment.
COMMAND = r"""#!/bin/sh
me="$OVERNIGHT_TASK_ID $OVERNIGHT_ATTEMPT_ID"
notes=notes/$OVERNIGHT_TASK_ID
if [ -e "$notes" ]; then
    while read -r pid; do
        [ ! -e "/proc/$pid" ] || ! grep -zqx "OVERNIGHT_TASK_ID=$OVERNIGHT_TASK_ID" "/proc/$pid/environ" 2>/dev/null ||
            printf 'overlap %s %s\n' "$me" "$pid" >>ledger
    done <"$notes"
fi
echo $$ >>"$notes"
printf 'begin %s %s\n' "$me" "$1" >>ledger
case $1 in
    child-*) (trap '' TERM; exec sleep 55) & echo $! >>"$notes" ;;
    daemon-*) setsid sh -c 'trap "" TERM; echo $$ >>"$1"; exec sleep 55' sh "$notes" & sleep 0.02 ;;
    deaf-*) trap '' TERM; sleep 0.1 ;;
    slow-*) sleep 0.1 ;;
    wait-*) until [ -e go ]; do sleep 0.05; done ;;
esac
printf 'end %s %s\n' "$me" "$1" >>ledger
"""

FUNCTION = r"""
import os, subprocess, time

def write(path, line):
    file = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
    os.write(file, line.encode())
    os.fsync(file)
    os.close(file)

def light(name):
    me = f"{os.environ['OVERNIGHT_TASK_ID']} {os.environ['OVERNIGHT_ATTEMPT_ID']} {name}"
    file = os.open("ledger", os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
    os.write(file, f"begin {me}\nend {me}\n".encode())
    os.close(file)

def start_of(pid):
    try:
        with open(f"/proc/{pid}/stat") as file:
            words = file.read().rpartition(")")[2].split()
    except OSError:
        return None
    return None if words[0] in "ZX" else words[19]

def work(name):
    task, attempt = os.environ["OVERNIGHT_TASK_ID"], os.environ["OVERNIGHT_ATTEMPT_ID"]
    notes = f"notes/{task}"
    if os.path.exists(notes):
        for line in open(notes).read().splitlines():
            pid, start = line.split()
            if int(pid) != os.getpid() and start_of(pid) == start:
                write("ledger", f"overlap {task} {attempt} {pid}\n")
    write(notes, f"{os.getpid()} {start_of(os.getpid())}\n")
    write("ledger", f"begin {task} {attempt} {name}\n")
    if name.startswith("fslow"):
        time.sleep(0.05)
    if name.startswith("fchild"):
        child = subprocess.Popen(["sleep", "55"], start_new_session=True)
        write(notes, f"{child.pid} {start_of(child.pid)}\n")
        child.returncode = 0  # nobody waits for it, and nobody is to be warned
    write("ledger", f"end {task} {attempt} {name}\n")
"""

#: The defaults of a night on which much is killed: many tries, short waits.
CONFIGURATION = '[defaults]\nretries = 60\nbackoff = "50ms, x1, max 50ms"\n'

COMMANDS = ("quick", "slow", "child", "daemon", "deaf")
FUNCTIONS = ("fquick", "fslow", "fchild")
#: How likely each of them is to be struck at a time.
OFTEN = 0.4
#: Who can be killed.
VICTIMS = ("engine", "keeper", "runner", "task")


class Note(NamedTuple):
    """A line of the ledger: a deed, which attempt, and its input (or a process number)."""

    deed: str
    task_id: int
    attempt: int
    about: str


class Site:
    """A directory with tasks of every kind, the real program, and a ledger.

    Args:
        directory: Where.
        program: The words after the interpreter that start the program.
        variables: Of the environment, for everything that is started.
        engine: The same as `program` for engines, when they are another one.
    """

    def __init__(
        self,
        directory: Path,
        program: Sequence[str],
        variables: Mapping[str, str] | None = None,
        *,
        engine: Sequence[str] = (),
    ) -> None:
        self.terminal = Terminal(directory, program, variables)
        self._environment = clean_environment() | dict(variables or {})
        self.directory = directory
        self.program = engine or program
        (directory / "notes").mkdir()
        (directory / "work").write_text(COMMAND)
        (directory / "work").chmod(0o755)
        (directory / "job.py").write_text(FUNCTION)
        (directory / "overnight.toml").write_text(CONFIGURATION)
        self.inputs: list[str] = []
        self._engines: list[subprocess.Popen[bytes]] = []

    def add(self, kinds: Sequence[str], count: int) -> None:
        """Add so many tasks, of each kind in turn."""
        known = len(self.inputs)
        inputs = [f"{kinds[number % len(kinds)]}-{known + number}" for number in range(count)]
        what = ["--call", "job:work"] if kinds[0] in FUNCTIONS else []
        command = [] if what else ["--", "./work"]
        self.terminal.run("add", *what, *inputs, *command)
        self.inputs += inputs

    def start(self, *words: str) -> subprocess.Popen[bytes]:
        """Start an engine that works until the queue is empty."""
        with (self.directory / "said").open("ab") as said:
            engine = subprocess.Popen(
                [sys.executable, *self.program, "run", "-j", "3", "--quiet", *words],
                cwd=self.directory,
                env=self._environment,
                stdin=subprocess.DEVNULL,
                stdout=said,
                stderr=said,
            )
        self._engines.append(engine)
        return engine

    def notes(self, deed: str = "") -> list[Note]:
        """The ledger, or the lines of one deed."""
        path = self.directory / "ledger"
        words = [line.split(" ") for line in path.read_text().splitlines()] if path.exists() else []
        return [Note(one[0], int(one[1]), int(one[2]), one[3]) for one in words if not deed or one[0] == deed]

    def until(self, holds: Callable[[], object]) -> None:
        """Wait for something that the tasks do. Raises AssertionError when it does not happen."""
        clock = SystemClock()
        deadline = clock.monotonic() + PATIENCE
        while not holds():
            if clock.monotonic() > deadline:
                raise AssertionError(f"it did not happen; {len(self.notes())} lines in the ledger")
            time.sleep(0.005)

    def attempts(self) -> dict[str, list[Attempt]]:
        """The books: the attempts on record by input."""
        store = SqliteStore.open(self.directory / ".overnight" / "queue.db", readonly=True)
        with contextlib.closing(store):
            return {task.input.decode(): store.attempts(task.id) for task in store.tasks(Query(limit=100_000))}

    def close(self) -> None:
        """End everything that may still be there, whatever the test has come to."""
        self.terminal.close()
        for engine in self._engines:
            if engine.poll() is None:
                self.terminal.kill_everything(engine)
        if (self.directory / ".overnight" / "home.json").exists():
            for pid in self.terminal.cookies():
                with contextlib.suppress(ProcessLookupError):
                    os.kill(pid, signal.SIGKILL)


# -- killing --------------------------------------------------------------------------------------


def family(engine: int) -> dict[str, list[int]]:
    """The living processes of a run, by what they are."""
    found: dict[str, list[int]] = {victim: [] for victim in VICTIMS}
    found["engine"].append(engine)
    with contextlib.suppress(psutil.Error):
        for process in psutil.Process(engine).children(recursive=True):
            found[_role(process)].append(process.pid)
    return found


def _role(process: psutil.Process) -> str:
    try:
        words = " ".join(process.cmdline())
    except psutil.Error:
        return "task"
    for role in ("keeper", "runner"):
        if f"overnight.executors.local.{role} import main" in words:
            return role
    return "task"


def strike(engine: subprocess.Popen[bytes], dice: random.Random) -> list[str]:
    """SIGKILL to a random choice of the processes of a run, in random order. Returns what they were."""
    living = family(engine.pid)
    chosen = [victim for victim in VICTIMS if dice.random() < OFTEN] or [dice.choice(VICTIMS)]
    targets = [
        (victim, pid)
        for victim in chosen
        for pid in dice.sample(living[victim], min(len(living[victim]), dice.choice((1, 1, 3))))
    ]
    dice.shuffle(targets)
    for _, pid in targets:
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)
    return [victim for victim, _ in targets]


def run_schedule(site: Site, seed: int) -> Counter[str]:
    """Work until every task is completed, with a strike whenever the ledger has grown by a random amount.

    Returns:
        How many of each were killed, and how many engines there were.
    """
    dice = random.Random(seed)  # noqa: S311 - dice, not a secret
    killed: Counter[str] = Counter(engines=1)
    engine, goal = site.start(), dice.randint(1, 20)
    while True:
        site.until(functools.partial(_has_come_to, site, engine, goal))
        if engine.poll() is None:
            killed.update(strike(engine, dice))
            goal = len(site.notes("begin")) + dice.randint(1, 30)
            _settle_down(engine)
            continue
        if engine.returncode >= 0 and not _release(site):
            return killed
        engine = site.start()
        killed["engines"] += 1


def _has_come_to(site: Site, engine: subprocess.Popen[bytes], begins: int) -> bool:
    return engine.poll() is not None or len(site.notes("begin")) >= begins


def _settle_down(engine: subprocess.Popen[bytes]) -> None:
    """Give a killed engine the moment that its death takes, so that the next strike is not for a corpse."""
    with contextlib.suppress(subprocess.TimeoutExpired):
        engine.wait(0.02)


def _release(site: Site) -> bool:
    """Let go what was held because three of its workers were killed; returns whether anything is left to be done."""
    counts = site.terminal.counts()
    if counts["held"]:
        site.terminal.run("release", "--state", "held")
    return counts["completed"] < len(site.inputs)


# -- the checker ----------------------------------------------------------------------------------


def violations(site: Site) -> list[str]:
    """Everything in which the books, the ledger and the processes of a finished run are at odds."""
    return [*_of_processes(site), *_of_ledger(site), *_of_books(site)]


def _of_processes(site: Site) -> Iterator[str]:
    for note in site.notes("overlap"):
        yield f"task {note.task_id}: attempt {note.attempt} began beside process {note.about} of an earlier one"
    if b"Traceback" in (said := (site.directory / "said").read_bytes()):
        yield f"an engine has stumbled: {said.decode(errors='replace')}"
    if survivors := site.terminal.cookies():
        yield f"{len(survivors)} processes have outlived the run"


def _of_ledger(site: Site) -> Iterator[str]:
    ended = {note.about for note in site.notes("end")}
    for lost in sorted(set(site.inputs) - ended):
        yield f"{lost} is lost: it never came to its end"
    begun = Counter((note.task_id, note.attempt) for note in site.notes("begin"))
    for key, times in begun.items():
        if times > 1:
            yield f"attempt {key} began {times} times"


def _of_books(site: Site) -> Iterator[str]:
    if not (found := json.loads(site.terminal.run("verify", "--json", code=None)))["balanced"]:
        yield f"the books do not balance: {found['findings']}"
    books = site.attempts()
    if (counts := site.terminal.counts())["completed"] != len(site.inputs) or len(books) != len(site.inputs):
        yield f"{len(site.inputs)} tasks, and the books have {counts}"
    begun = {(note.task_id, note.attempt) for note in site.notes("begin")}
    ended = {(note.task_id, note.attempt) for note in site.notes("end")}
    recorded = {(one.task_id, one.number): one for attempts in books.values() for one in attempts}
    for key in sorted(begun - recorded.keys()):
        yield f"attempt {key} ran and is not on record"
    for key, one in recorded.items():
        if one.outcome is Outcome.RECALLED and key in begun:
            yield f"attempt {key} ran and is said not to have begun"
        if one.outcome is Outcome.COMPLETED and key not in ended:
            yield f"attempt {key} is said to be completed and never came to its end"
    for name, attempts in books.items():
        if (times := sum(one.outcome is Outcome.COMPLETED for one in attempts)) != 1:
            yield f"{name} was completed {times} times"
