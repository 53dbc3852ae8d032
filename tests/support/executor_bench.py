"""A local executor on a test's bench: real processes, and waiting for words instead of for time."""

from __future__ import annotations

import os
import select
import shlex
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any

import pytest

from overnight.core.endings import AttemptKey, Ended, Lost
from overnight.core.task import Action, ActionKind
from overnight.executors.contract import Event, Froze, Over, Spec
from overnight.executors.local import LocalExecutor, keeper_process
from overnight.executors.local.output import read
from overnight.executors.local.place import Place, keeper_argv
from overnight.host.clock import SystemClock
from overnight.host.processes import children, environment, identity

#: Nothing that is waited for takes so long; only a test that fails does.
PATIENCE = 30.0
CLOCK = SystemClock()


class Bench:
    """An executor, and the tasks of one test. Use with `contextlib.closing`, or the fixture.

    Args:
        root: Directory for everything.
        slots: How many.
        cookie: Equal ones sweep each other.
        isolation: What holds the processes of a worker together.
    """

    def __init__(self, root: Path, *, slots: int = 1, cookie: str = "", isolation: str = "none") -> None:
        self.root = root
        self.cookie = cookie or f"test:{root}"
        self.executor = LocalExecutor(
            marks=root / "marks",
            spool=root / "spool",
            output=root / "output",
            work=root / "work",
            cookie=self.cookie,
            home=root,
            slots=slots,
            clock=CLOCK,
            isolation=isolation,
        )
        self.environ = {b"PATH": os.environb[b"PATH"]}
        self.actions: dict[int, Action] = {}
        self.seen: list[Event] = []
        self._ids = 0
        self.opened = False

    def open(self, left_open: Sequence[AttemptKey] = ()) -> list[Over]:
        """Open it."""
        events = self.executor.open(fence=1, left_open=left_open)
        self.opened = True
        return events

    def close(self) -> None:
        """Close it, once."""
        if self.opened:
            self.opened = False
            self.executor.close()

    # -- work --------------------------------------------------------------------------------

    def command(self, *argv: str | bytes, **fields: Any) -> int:
        """An action that runs a command; its id."""
        words = tuple(os.fsencode(word) for word in argv)
        return self._action(kind=ActionKind.COMMAND, argv=words, **fields)

    def shell(self, script: str, **fields: Any) -> int:
        """An action that runs a script; its id."""
        return self.command(script, shell=True, **fields)  # noqa: S604 - a field of an action

    def call(self, name: str, source: str = "", **fields: Any) -> int:
        """An action that calls a function, with the source of its module; its id."""
        module = self.root / (name.partition(":")[0] + ".py")
        # Never written twice: a runner may be reading it.
        if source and not module.exists():
            module.write_text(source, "utf-8")
        return self._action(kind=ActionKind.CALL, call=name, **fields)

    def _action(self, **fields: Any) -> int:
        number = len(self.actions) + 1
        fields = {"cwd": os.fsencode(self.root), "env": self.environ, "timeout": None} | fields
        self.actions[number] = Action(**fields)
        return number

    def spec(self, action: int, value: str | bytes = b"", *, attempt: int = 1) -> Spec:
        """An attempt of a new task."""
        self._ids += 1
        return Spec(self._ids, attempt, action, os.fsencode(value), "default")

    def start(self, *specs: Spec, slot: int = 0) -> list[AttemptKey]:
        """Hand attempts to a slot."""
        self.executor.submit(slot, specs, self.actions)
        return [spec.key for spec in specs]

    def run(self, action: int, value: str | bytes = b"", *, slot: int = 0) -> Ended:
        """Run one attempt to its end."""
        [key] = self.start(self.spec(action, value), slot=slot)
        return self.ended(key)

    # -- waiting -----------------------------------------------------------------------------

    def until(self, holds: Callable[[], object], *, listen: bool = True) -> None:
        """Take in events until something holds; looked at again whenever a worker says something, and at 100 Hz.

        Without `listen` what workers say is left where it is.
        """
        deadline = CLOCK.monotonic() + PATIENCE
        while not holds():
            assert CLOCK.monotonic() < deadline, f"waited too long; seen: {self.seen}"
            select.select([self.executor] if listen else [], [], [], 0.01)
            self.seen += self.executor.events() if listen else []

    def event(self, key: AttemptKey) -> Over:
        """What becomes of an attempt."""
        self.until(lambda: self._over(key))
        [found] = self._over(key)
        return found

    def _over(self, key: AttemptKey) -> list[Over]:
        return [event for event in self.seen if not isinstance(event, Froze) and event.key == key]

    def freeze(self, key: AttemptKey, *, frozen: bool = True) -> None:
        """Let an attempt stand still, or go on, and wait until its worker says so."""
        before = len(self.seen)
        self.executor.freeze(key, frozen=frozen)
        self.until(lambda: Froze(*key, frozen) in self.seen[before:])

    def ended(self, key: AttemptKey) -> Ended:
        """How an attempt ends; it must not be lost."""
        event = self.event(key)
        assert isinstance(event, Ended), event
        return event

    def lost(self, key: AttemptKey) -> Lost:
        """How an attempt is lost."""
        event = self.event(key)
        assert isinstance(event, Lost), event
        return event

    def until_begun(self, key: AttemptKey) -> float:
        """Wait until an attempt has begun; when it did."""
        self.until(lambda: self.executor.started(key) is not None)
        started = self.executor.started(key)
        assert started is not None
        return started

    def until_there(self, name: str) -> bytes:
        """Wait until a task has made a file with something in it; what is in it."""
        path = self.root / name
        self.until(lambda: path.exists() and path.stat().st_size)
        return path.read_bytes()

    def until_there_silently(self, name: str) -> bytes:
        """The same before it was opened, for what another engine's task makes."""
        path = self.root / name
        self.until(lambda: path.exists() and path.stat().st_size, listen=False)
        return path.read_bytes()

    # -- looking -----------------------------------------------------------------------------

    def printed(self, ended: Ended) -> dict[int, bytes]:
        """What an attempt printed, by stream."""
        streams = {1: b"", 2: b""}
        if ended.output is not None:
            for stream, data in read(self.root / "output", ended.output, ended.task_id, ended.attempt):
                streams[stream] += data
        return streams

    def keeper(self, slot: int = 0) -> int:
        """The number of a slot's keeper."""
        keeper = self.executor._slots[slot]._keeper
        assert keeper is not None
        return keeper.pid

    def runner(self, slot: int = 0) -> int:
        """The number of a slot's runner; it must have one."""
        mark = self.executor._slots[slot]._marks.current()
        assert mark.pid in children(self.keeper(slot))
        return mark.pid

    def survivors(self) -> list[int]:
        """Living processes that carry our cookie."""
        mark = f"OVERNIGHT_COOKIE={self.cookie}\0".encode()
        everybody = [int(path.name) for path in Path("/proc").iterdir() if path.name.isdigit()]
        return [pid for pid in everybody if mark in environment(pid) and identity(pid) is not None]


@contextmanager
def bench_without(root: Path, words: str) -> Iterator[Bench]:
    """An open bench whose keepers first run these words of Python, which take one of their protections out."""
    boot = "from overnight.executors.local.keeper "

    def careless(place: Place) -> list[str]:
        return [word.replace(boot, f"\n{words}\n{boot}", 1) for word in keeper_argv(place)]

    root.mkdir(exist_ok=True)
    with pytest.MonkeyPatch.context() as patch, closing(Bench(root)) as bench:
        patch.setattr(keeper_process, "keeper_argv", careless)
        bench.open()
        yield bench


def ledger(path: str) -> str:
    """A shell command that adds "$1" to a file for good: what really ran, whatever anybody says."""
    return f'printf "%s\\n" "$1" >> {shlex.quote(path)}; sync {shlex.quote(path)}'


LEDGER_SOURCE = """
import os
def write(value):
    file = os.open("ledger", os.O_WRONLY | os.O_CREAT | os.O_APPEND)
    os.write(file, value.encode() + b"\\n")
    os.fsync(file)
    os.close(file)
"""
