"""An engine in a process of its own, for a program that runs it by the Python face.

An engine takes the signals of its process, must be in its main thread, and ends whatever it finds
below itself that it does not know. None of that may happen to a program that only called ``run()``
in one of its threads. So the program starts this, and the two talk over two pipes: a line of JSON for
each thing to tell, and an end of file that says that the program is gone, upon which the engine stops
at once and puts what it was working on back into the queue.
"""

from __future__ import annotations

import contextlib
import os
import signal
import sys
import threading
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any, cast

import msgspec

from overnight import wiring
from overnight.core.claims import Bind
from overnight.core.configuration import Configuration
from overnight.core.errors import OvernightError
from overnight.core.events import printable
from overnight.core.gates import Hold
from overnight.core.lanes import is_own
from overnight.core.settings import Settings, resolve
from overnight.core.states import TaskState
from overnight.core.stopping import Stopping
from overnight.core.task import Action, text
from overnight.core.verdict import Settlement
from overnight.engine.attempts import Running
from overnight.engine.goal import AT_REST, QueueEmpty
from overnight.host.beside import Beside
from overnight.host.home import Home
from overnight.store.contract import Claimed, Counts, Orders, Store, Turn
from overnight.wiring import watching
from overnight.wiring.configuration import read
from overnight.wiring.engine import holding, run_engine
from overnight.wiring.files import BY_DEFAULT, UNBOUND, is_unbound

#: Seconds between two reports of progress.
REPORT_EVERY = 0.1
#: Characters of a path in a report: a report must fit into a pipe in one piece (PIPE_BUF, 4096 bytes).
_LONGEST_PATH = 500


class Binding(msgspec.Struct, frozen=True):
    """What is done with files about which nothing else was said: the processor's workflow or handler."""

    #: The handler, ``module:function``; empty for a workflow.
    call: str
    #: Seconds for one attempt; None for no limit.
    timeout: float | None
    workflow: str = ""
    #: What the handler's decorator says of its tasks, by the names of an action's fields.
    said: dict[str, int | float | bool | None] = {}


class Order(msgspec.Struct, frozen=True):
    """What the program wants."""

    #: Bytes, since a directory's name need not be text.
    home: bytes
    #: None: as the settings have it.
    slots: int | None = None
    #: The one queue to work on; None for all.
    queue: str | None = None
    binding: Binding | None = None
    #: Finished files between two checkpoints; None: as the settings have it.
    checkpoint_every: int | None = None


class Progress(msgspec.Struct, frozen=True, tag="progress"):
    """How far it is: tasks come to rest since the start, by what became of them."""

    completed: int = 0
    failed: int = 0
    held: int = 0
    cancelled: int = 0
    #: The file begun first of those under way.
    current: str | None = None


class Finished(msgspec.Struct, frozen=True, tag="finished"):
    """The engine has ended as it should."""

    progress: Progress
    stopped_by: str
    #: Tasks that are not finished, and that nobody works on.
    left: int
    #: Tasks that other programs have popped.
    elsewhere: int


class Refused(msgspec.Struct, frozen=True, tag="refused"):
    """The engine has ended with an error for people."""

    error: str
    message: str
    hint: str


Message = Progress | Finished | Refused


class _Line:
    """The pipe to the program.

    Progress may be lost: a program that does not read must not stop the engine. The last word waits.
    """

    def __init__(self, descriptor: int) -> None:
        self._descriptor = descriptor
        os.set_blocking(descriptor, False)

    def send(self, message: Message) -> None:
        with contextlib.suppress(BlockingIOError, BrokenPipeError):
            os.write(self._descriptor, msgspec.json.encode(message) + b"\n")

    def end(self, message: Message) -> None:
        os.set_blocking(self._descriptor, True)
        self.send(message)
        os.close(self._descriptor)


class _Teller:
    """An observer that reports to the program."""

    def __init__(self, line: _Line) -> None:
        self._line = line
        self._tally: Counter[TaskState] = Counter()
        self._under_way: dict[int, bytes] = {}
        self._sent_at = 0.0
        self._sent = Progress()

    def progress(self) -> Progress:
        """How far it is now."""
        current = next(iter(self._under_way.values()), None)
        return Progress(
            self._tally[TaskState.COMPLETED],
            self._tally[TaskState.FAILED],
            self._tally[TaskState.HELD],
            self._tally[TaskState.CANCELLED],
            # What is not UTF-8 could not be written as JSON.
            None if current is None else text(current).encode("utf-8", "replace").decode()[:_LONGEST_PATH],
        )

    def began(self, claimed: Iterable[Claimed]) -> None:
        """These have been handed out."""
        self._under_way.update((one.id, one.input) for one in claimed)
        self._report()

    def settled(self, running: Running | None, settlement: Settlement) -> None:  # noqa: ARG002 - contract
        self._under_way.pop(settlement.task_id, None)
        if settlement.state in AT_REST and not settlement.step:
            self._tally[settlement.state] += 1
        self._report()

    def stopping(self, stopping: Stopping, still_running: int) -> None:
        """The program hears of it at the end."""

    def limits(self, holds: Sequence[Hold], slots: int) -> None:
        """``overnight status`` tells."""

    def ticked(self, counts: Counts, running: list[Running]) -> None:  # noqa: ARG002 - contract
        there = {one.claimed.id for one in running}
        self._under_way = {number: given for number, given in self._under_way.items() if number in there}
        self._report()

    def _report(self) -> None:
        moment = wiring.clock.monotonic()
        if moment - self._sent_at >= REPORT_EVERY and (progress := self.progress()) != self._sent:
            self._sent_at, self._sent = moment, progress
            self._line.send(progress)


class _View:
    """The store as an engine of this order sees it: one queue, and the work bound to its files.

    The runner's own tasks belong to each engine, for nobody else would tell of an alert; the program hears nothing
    of them.
    Everything else is the store's own.
    """

    def __init__(self, store: Store, order: Order, teller: _Teller) -> None:
        self._store = store
        self._order = order
        self._teller = teller
        #: Numbers of the lanes of the runner's own tasks.
        self._own: frozenset[int] = frozenset()

    def __getattr__(self, name: str) -> Any:  # noqa: ANN401 - whatever the store has
        return getattr(self._store, name)

    def orders(self) -> Orders:
        orders = self._store.orders()
        wanted = self._order.queue
        self._own = frozenset(lane.id for lane in orders.lanes if is_own(lane.queue))
        if wanted is None:
            return orders
        lanes = [lane for lane in orders.lanes if lane.queue == wanted or lane.id in self._own]
        return msgspec.structs.replace(orders, lanes=lanes)

    def counts(self, *, queue: str | None = None, workflow: str | None = None) -> Counts:
        return self._store.counts(queue=queue if queue is not None else self._order.queue, workflow=workflow)

    def actions(self, ids: Iterable[int]) -> Mapping[int, Action]:
        return {number: self._bound(action) for number, action in self._store.actions(ids).items()}

    def _bound(self, action: Action) -> Action:
        binding = self._order.binding
        if binding is None or not binding.call or not is_unbound(action):
            return action
        return msgspec.structs.replace(action, call=binding.call, timeout=binding.timeout, **binding.said)

    def turn(self, **arguments: Any) -> Turn:  # noqa: ANN401 - handed on as they are
        turn = self._store.turn(**arguments)
        self._teller.began(one for one in turn.claimed if one.lane_id not in self._own)
        return turn


def main() -> None:
    """Be the engine that the last argument orders."""
    order = msgspec.json.decode(sys.argv[-1], type=Order)
    line = _Line(_take_over_stdout())
    threading.Thread(target=_end_with_the_program, daemon=True).start()
    try:
        finished = _work(order, line)
    except OvernightError as error:
        line.end(Refused(type(error).__name__, printable(error.message), printable(error.hint)))
    else:
        line.end(finished)


def _take_over_stdout() -> int:
    """The pipe to the program, for us alone: workers must not inherit it, or its end would never come."""
    line = os.dup(1)
    os.dup2(2, 1)
    return line


def _end_with_the_program() -> None:
    """Wait until the other end of stdin is gone; then this is no one's engine any more."""
    while os.read(0, 4096):
        pass
    os.kill(os.getpid(), signal.SIGTERM)


def _work(order: Order, line: _Line) -> Finished:
    home = Home(Path(os.fsdecode(order.home)))
    configured = read(home)
    said = {"slots": order.slots, "checkpoint_tasks": order.checkpoint_every}
    settings = resolve(flags=said, environ=os.environ, configured=configured.settings)
    beside = watching.beside(home, settings)
    with holding(home, settings=settings, beside=beside) as store:
        return _run(home, order, store, _Teller(line), settings, configured, beside)


def _bind(binding: Binding | None) -> Bind | None:
    """Which workflow an engine of this order begins files with; None: they are called as they are."""
    if binding is None:
        return BY_DEFAULT
    return None if binding.call else Bind(UNBOUND, binding.workflow, binding.timeout)


def _run(
    home: Home,
    order: Order,
    store: Store,
    teller: _Teller,
    settings: Settings,
    configured: Configuration,
    beside: Beside | None,
) -> Finished:
    view = cast(Store, _View(store, order, teller))
    result = run_engine(
        home,
        view,
        goal=QueueEmpty(),
        observer=teller,
        settings=settings,
        configured=configured,
        beside=beside,
        bind=_bind(order.binding),
    )
    return Finished(teller.progress(), str(result.stopped_by), result.left, result.elsewhere)
