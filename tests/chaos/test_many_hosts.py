"""One store on PostgreSQL, two homes that stand for two hosts, and real deaths: of an engine, of the server.

Each task keeps writing that it lives, so a second copy beside the first would be seen.
"""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import tempfile
import time
from collections import defaultdict
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager, suppress
from itertools import pairwise
from pathlib import Path
from typing import NamedTuple

import postgres_server
import psycopg
import pytest
import socket_nodes
from postgres_server import why_not

from overnight.core.states import TaskState
from overnight.core.task import Action, ActionKind, NewTask
from overnight.store.contract import Counts, Query
from overnight.store.postgres import PostgresStore

pytestmark = pytest.mark.prove
TASKS = 12
#: Writes "id attempt time" twenty times a second for a second and a half; no longer than that whatever happens.
TASK = """
import os, sys, time
with open(sys.argv[1], "a", buffering=1) as ledger:
    for _ in range(30):
        print(os.environ["OVERNIGHT_TASK_ID"], os.environ["OVERNIGHT_ATTEMPT"], time.time(), file=ledger)
        time.sleep(0.05)
"""
#: The same for a minute.
LONG_TASK = TASK.replace("30", "1200")
#: The same until a file is there, for a minute at most.
UNTIL_TOLD = """
import os, sys, time
with open(sys.argv[1], "a", buffering=1) as ledger:
    for _ in range(1200):
        print(os.environ["OVERNIGHT_TASK_ID"], os.environ["OVERNIGHT_ATTEMPT"], time.time(), file=ledger)
        if os.path.exists(sys.argv[2]):
            break
        time.sleep(0.05)
"""


class Host(NamedTuple):
    """A home, and how to type commands in it."""

    path: Path
    address: str

    @property
    def environment(self) -> dict[str, str]:
        """Of its commands."""
        return {**os.environ, "OVERNIGHT_STORE": self.address, "OVERNIGHT_GATE_DISK": "0"}

    def run(self, *words: str) -> subprocess.CompletedProcess[str]:
        argv = [sys.executable, "-m", "overnight", *words]
        return subprocess.run(
            argv, cwd=self.path, env=self.environment, capture_output=True, text=True, timeout=90, check=False
        )

    def engine(self) -> tuple[int, int]:
        """Process ids of its engine and of its supervisor."""
        told = json.loads((self.path / ".overnight" / "lock").read_text())
        return told["pid"], told["supervisor"]


def until(true: Callable[[], bool], seconds: float = 60.0) -> float:
    """Wait until something is so. Returns how long that took."""
    began = time.monotonic()
    while not true():
        assert time.monotonic() - began < seconds
        time.sleep(0.05)
    return time.monotonic() - began


@contextmanager
def host(path: Path, address: str) -> Iterator[Host]:
    path.mkdir()
    made = Host(path, address)
    try:
        yield made
    finally:
        made.run("stop", "--now")


def lives(ledger: Path) -> dict[int, dict[int, tuple[float, float]]]:
    """When each attempt of each task wrote first and last."""
    found: dict[int, dict[int, tuple[float, float]]] = defaultdict(dict)
    for line in ledger.read_text().splitlines():
        task, attempt, at = line.split()
        first, _ = found[int(task)].get(int(attempt), (float(at), 0.0))
        found[int(task)][int(attempt)] = (first, float(at))
    return found


def counts(address: str) -> Counts:
    with closing(PostgresStore.open(address, readonly=True)) as store:
        return store.counts()


def is_whole(address: str) -> list[int]:
    """All tasks are completed and the books balance. Returns how many attempts each took."""
    with closing(PostgresStore.open(address, readonly=True)) as store:
        assert store.recount() == []
        tasks = store.tasks(Query(limit=1000))
        assert [task.state for task in tasks] == [TaskState.COMPLETED] * TASKS
        return [len(store.attempts(task.id)) for task in tasks]


def test_another_host_takes_over_from_an_engine_that_is_killed(tmp_path: Path, postgres: str) -> None:
    """Engine and supervisor of the first host are killed; nothing is lost, and nothing ever runs twice at once."""
    ledger, told = tmp_path / "ledger", tmp_path / "told"
    with host(tmp_path / "a", postgres) as first, host(tmp_path / "b", postgres) as second:
        for one in (first, second):  # both stand ready before there is anything to do
            started = one.run("start", "-j", "2")
            assert started.returncode == 0, started.stderr
        until(lambda: wanted(postgres))
        names = [str(n) for n in range(TASKS)]
        added = first.run("add", "--", sys.executable, "-c", UNTIL_TOLD, str(ledger), str(told), "{}", ":::", *names)
        assert added.returncode == 0, added.stderr
        until(lambda: ledger.exists() and len(lives(ledger)) == 2)
        with closing(PostgresStore.open(postgres, readonly=True)) as store:
            leader = store.leader()
            engine, supervisor = first.engine()
            assert f"process {engine}" in leader
            for pid in (supervisor, engine):
                os.kill(pid, signal.SIGKILL)
            took = until(lambda: store.leader() not in ("", leader))
        assert took < 10
        until(lambda: sum(len(attempts) for attempts in lives(ledger).values()) >= 4)
        told.touch()
        until(lambda: counts(postgres).completed == TASKS)
        assert sum(is_whole(postgres)) >= TASKS + 2  # two were running, and go on until they are told
        alone, together = second.run("verify"), second.run("verify", "--with", str(first.path / ".overnight"))
        assert "in homes of other hosts and could not be looked at" in alone.stderr
        assert (together.returncode, together.stderr) == (0, ""), together.stderr
        for attempts in lives(ledger).values():
            spans = [attempts[number] for number in sorted(attempts)]
            for (_, end), (begin, _) in pairwise(spans):
                assert end < begin


def test_what_a_stopped_engine_ran_is_ended_before_another_one_begins(tmp_path: Path, postgres: str) -> None:
    """Its workers live on while it is stopped: another process ends it, and with it them, before its lease is over."""
    ledger = tmp_path / "ledger"
    with host(tmp_path / "a", postgres) as first, host(tmp_path / "b", postgres) as second:
        added = first.run("add", "--", sys.executable, "-c", LONG_TASK, str(ledger), ":::", "x")
        assert added.returncode == 0, added.stderr
        assert first.run("start", "-j", "1").returncode == 0
        until(ledger.exists)
        assert second.run("start", "-j", "1").returncode == 0
        until(lambda: wanted(postgres))
        with closing(PostgresStore.open(postgres, readonly=True)) as store:
            leader = store.leader()
            engine, supervisor = first.engine()
            os.kill(supervisor, signal.SIGSTOP)  # else it begins the next engine here, which need not wait
            os.kill(engine, signal.SIGSTOP)
            assert until(lambda: store.leader() not in ("", leader)) < 12
            until(lambda: len(lives(ledger)[1]) > 1)
        os.kill(supervisor, signal.SIGCONT)
        attempts = lives(ledger)[1]
        (_, end), (begin, _) = (attempts[number] for number in sorted(attempts)[:2])
        assert end < begin


#: Seconds that nodes go on without their engine, and those of an engine's own lease: more than that, and not by little.
NODE_LEASE = 14.0


@contextmanager
def on_nodes(first: Host, nodes: Path, *words: str) -> Iterator[subprocess.Popen[bytes]]:
    """A run on that host whose attempts are on nodes."""
    environment = {**first.environment, "OVERNIGHT_NODE_LEASE": f"{NODE_LEASE:g}s"}
    argv = [sys.executable, *socket_nodes.program(nodes, *words)]
    run = subprocess.Popen(argv, cwd=first.path, env=environment, start_new_session=True)
    try:
        yield run
    finally:
        run.kill()
        run.wait()


@pytest.mark.parametrize("waits", [True, False])
def test_what_an_engine_had_on_nodes_has_ended_before_another_host_begins(
    tmp_path: Path,
    postgres: str,
    waits: bool,  # noqa: FBT001  # a parameter
) -> None:
    """The next engine is on a host that knows of no nodes and asks none. The control: nobody is kept out for longer."""
    ledger, told, nodes = tmp_path / "ledger", tmp_path / "told", tmp_path / "nodes"
    nodes.mkdir()
    names = ("x", "y")
    words = ("run", "--on", "ray", "--", sys.executable, "-c", UNTIL_TOLD, str(ledger), str(told), "{}", ":::", *names)
    with (
        socket_nodes.agents(nodes, slots=1),
        host(tmp_path / "a", postgres) as first,
        host(tmp_path / "b", postgres) as second,
        on_nodes(first, nodes, *(() if waits else ("unlingering",)), *words) as run,
    ):
        until(lambda: ledger.exists() and len(lives(ledger)) == len(names))
        started = second.run("start", "-j", "2")
        assert started.returncode == 0, started.stderr
        until(lambda: wanted(postgres, NODE_LEASE + 1.0 if waits else 0.0))
        killed = time.time()
        run.kill()
        until(lambda: all(len(attempts) == 2 for attempts in lives(ledger).values()))
        until(lambda: time.time() > killed + NODE_LEASE + 1.0)  # what is left of the first ones ends by itself
        told.touch()
        until(lambda: counts(postgres).completed == len(names))
        with closing(PostgresStore.open(postgres, readonly=True)) as store:
            assert store.recount() == []
    for attempts in lives(ledger).values():
        (_, end), (begin, _) = attempts[1], attempts[2]
        assert killed < end < killed + NODE_LEASE + 1.0
        assert (end < begin) is waits


def wanted(address: str, linger: float = 0.0) -> bool:
    """Whether somebody stands by, and the lease is short for that but for what goes on elsewhere."""
    with psycopg.connect(address) as connection:
        sql = b"SELECT wanted_at > clock_timestamp() - interval '2 s'"
        sql += b" AND until < clock_timestamp() + make_interval(secs => %s) FROM overnight.lease"
        return bool(connection.execute(sql, (9.0 + linger,)).fetchall()[0][0])


@contextmanager
def server() -> Iterator[tuple[str, Callable[[], None], Callable[[], None]]]:
    """A server of our own: its address, how to kill it, and how to start it again."""
    if reason := why_not():
        pytest.skip(reason)
    programs = postgres_server.programs()
    if programs is None:
        pytest.skip("the server of somebody else is not killed")
    with tempfile.TemporaryDirectory(prefix="pg-") as place:
        folder = Path(place)
        postgres_server.make(programs, folder)
        running = [postgres_server.start(programs, folder)]

        def kill() -> None:
            children = subprocess.run(["pgrep", "-P", str(running[-1].pid)], capture_output=True, text=True, check=True)
            for pid in [running[-1].pid, *map(int, children.stdout.split())]:
                with suppress(ProcessLookupError):
                    os.kill(pid, signal.SIGKILL)
            running[-1].wait()

        try:
            yield (
                f"postgres://postgres@/postgres?host={folder}",
                kill,
                lambda: running.append(postgres_server.start(programs, folder)),
            )
        finally:
            running[-1].send_signal(signal.SIGINT)
            running[-1].wait()


def test_a_server_that_is_killed_costs_no_task_an_attempt(tmp_path: Path) -> None:
    """It comes back after some seconds: what ran meanwhile goes on, and is recorded then."""
    ledger = tmp_path / "ledger"
    with server() as (address, kill, again), host(tmp_path / "a", address) as only:
        names = [str(n) for n in range(TASKS)]
        added = only.run("add", "--", sys.executable, "-c", TASK, str(ledger), ":::", *names)
        assert added.returncode == 0, added.stderr
        assert only.run("start", "-j", "2").returncode == 0
        until(lambda: counts(address).completed >= 2)
        engine = only.engine()
        kill()
        time.sleep(3)
        again()
        until(lambda: counts(address).completed == TASKS)
        assert only.engine() == engine
        assert set(is_whole(address)) == {1}
        assert "answers again; going on" in (tmp_path / "a" / ".overnight" / "engine.log").read_text()


@pytest.mark.parametrize("taken", [True, False])
def test_a_crash_in_the_middle_of_commit_is_not_taken_for_a_commit(taken: bool) -> None:  # noqa: FBT001  # a parameter
    """Nothing of the transaction was on the disk: its name is given to the next one, or to nobody yet."""
    crashed: list[str] = []
    with server() as (address, kill, again):

        def hook(_: str, moment: str) -> None:
            if moment != "before_commit" or crashed:
                return
            crashed.append(moment)
            kill()
            again()
            if taken:
                with psycopg.connect(address, autocommit=True) as connection:
                    connection.execute("CREATE TABLE others ()")

        PostgresStore.open(address, create=True).close()
        with closing(PostgresStore.open(address, hooks=hook)) as store:
            action = Action(kind=ActionKind.COMMAND, cwd=b"/", argv=(b"true",))
            store.add([NewTask(action=action, input=b"x")], now=1.0)
            assert store.counts().pending == 1
            assert store.recount() == []
