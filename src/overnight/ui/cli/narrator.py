"""What a foreground run says while it works: outputs as they come, failures, and how far it is.

The output of a task is printed when its last attempt has ended, whole and never mixed with another
one's: stdout to stdout, stderr to stderr. How far it is stands below, only on a terminal,
and is taken away before anything else is printed.
"""

from __future__ import annotations

import sys
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

from overnight.core.gates import Gate, Hold
from overnight.core.inputs import shown
from overnight.core.rate import Rate
from overnight.core.states import FINAL, Outcome, TaskState
from overnight.core.stopping import Mode, StoppedBy, Stopping
from overnight.core.task import OutputRef
from overnight.core.verdict import Settlement
from overnight.engine.attempts import Running
from overnight.engine.goal import AT_REST
from overnight.engine.recovery import is_revival
from overnight.executors.local.output import read
from overnight.host.clock import Clock
from overnight.monitor.progress import Progress, reports
from overnight.store.contract import Counts, Store
from overnight.ui.cli import live, printing, shapes
from overnight.ui.cli.tagging import Tagged

#: Seconds between two updates of how far it is.
REDRAW = 0.25
#: What is said when a gate closes, after its figures, and when it opens.
_CLOSED = {
    Gate.DISK: "nothing new is started and nothing is lost\n  try: make room",
    Gate.MEMORY: "fewer tasks run at the same time until there is more",
}
_OPENED = {
    Gate.DISK: "there is room on the disk again; going on",
    Gate.MEMORY: "there is memory again; as many tasks as before run at the same time, by and by",
}


class Narrator:
    """An observer that tells a person.

    Args:
        store: Looked into for tasks that were not claimed by this engine.
        output: Directory of the output segments.
        clock: Monotonic, for rates.
        quiet: Print no outputs and no progress.
        verbose: Tell about attempts that will be retried, too.
        order: Task ids in the order in which their outputs shall come; empty for as they end.
        tag: What stands before each line of output, a template with placeholders; None for nothing.
        wanted: Whether this task is one of those that are to be told of; the others are the business of who added them.
        spool: Where tasks say how far they are; None for nowhere.
    """

    def __init__(
        self,
        store: Store,
        output: Path,
        clock: Clock,
        *,
        quiet: bool = False,
        verbose: bool = False,
        order: Sequence[int] = (),
        tag: bytes | None = None,
        wanted: Callable[[int], bool] = lambda _: True,
        spool: Path | None = None,
    ) -> None:
        self._wanted = wanted
        self._store = store
        self._output = output
        self._clock = clock
        self._quiet = quiet
        self._verbose = verbose
        self._order = list(reversed(order))
        self._early: dict[int, tuple[Running | None, Settlement]] = {}
        self._kept_back = frozenset(order)
        #: Of tasks that are kept back, what their steps have to tell.
        self._of_steps: dict[int, list[tuple[Running | None, Settlement]]] = {}
        self._tag = tag
        self._live = not quiet and sys.stderr.isatty()
        self._panel = live.Panel()
        self._spool = spool
        self._running: Sequence[Running] = ()
        self._reports: Mapping[tuple[int, int], Progress] = {}
        #: Whether the cursor stands behind a task's output, which the progress line would wipe away.
        self._midline = False
        self._draw_at = 0.0
        self._rate = Rate()
        self._ticked_at = clock.monotonic()
        self._unfinished = 0
        #: Why outputs are no longer printed.
        self.unwritten: printing.UnwrittenError | None = None
        self._holds: dict[Gate, Hold] = {}
        self._slots: int | None = None
        #: Tasks by the state in which they came to rest.
        self.tally: Counter[TaskState] = Counter()

    # -- what the engine tells ---------------------------------------------------------------

    def settled(self, running: Running | None, settlement: Settlement) -> None:
        if 0 < len(self._running) <= live.FEW:
            self._running = [one for one in self._running if one is not running]
        if settlement.step:
            return self._step(running, settlement)
        if is_revival(settlement):
            return self._take_back()
        if settlement.state in AT_REST:
            self.tally[settlement.state] += 1
            self._rate.finished(settlement.seconds, completed=settlement.state is TaskState.COMPLETED)
            self._unfinished -= settlement.state in FINAL
        if not self._wanted(settlement.task_id):
            return self._progress()
        if self._quiet or (
            settlement.output is None and settlement.outcome is Outcome.COMPLETED and not self._kept_back
        ):
            return self._progress()
        if settlement.task_id in self._kept_back:
            self._early[settlement.task_id] = running, settlement
            self._tell_in_order()
        else:
            self._tell(running, settlement)
        return self._progress()

    def _take_back(self) -> None:
        """A failure that was told goes on; one of an earlier run was never counted here."""
        if self.tally[TaskState.FAILED]:
            self.tally[TaskState.FAILED] -= 1
        return self._progress()

    def _step(self, running: Running | None, settlement: Settlement) -> None:
        """What a step printed belongs to its task; how the task ended is told when it has."""
        parent = running.claimed.parent_id if running else None
        if not self._wanted(parent or settlement.task_id):
            return self._progress()
        if not self._quiet and parent in self._kept_back:
            self._of_steps.setdefault(parent or 0, []).append((running, settlement))
        elif not self._quiet:
            self._tell(running, settlement)
        return self._progress()

    def stopping(self, stopping: Stopping, still_running: int) -> None:
        if not still_running:
            return
        tasks = printing.count(still_running, "task")
        if stopping.mode is not Mode.DRAIN:
            self.note(f"overnight: ending {tasks} now; back in the queue, nothing counted against them")
        elif stopping.by is StoppedBy.QUEUE_EMPTY:
            others = printing.count(still_running, "task of somebody else", "tasks of somebody else")
            self.note(f"overnight: these are done; waiting for {others} to finish (Ctrl-C twice ends what runs)")
        else:
            self.note(f"overnight: stopping; {tasks} still running may finish (Ctrl-C once more ends them)")

    def limits(self, holds: Sequence[Hold], slots: int) -> None:
        before, self._holds = self._holds, {hold.gate: hold for hold in holds}
        for gate, hold in self._holds.items():
            if gate not in before:
                self.note(f"overnight: {hold.words()}; {_CLOSED[gate]}")
        for gate in before:
            if gate not in self._holds:
                self.note(f"overnight: {_OPENED[gate]}")
        if self._slots not in (None, slots) and self._verbose:
            self.note(f"overnight: {printing.count(slots, 'slot')} now")
        self._slots = slots

    def ticked(self, counts: Counts, running: list[Running]) -> None:
        moment = self._clock.monotonic()
        self._rate.passed(moment - self._ticked_at)
        self._ticked_at = moment
        self._unfinished = counts.unfinished
        self._running = running
        if self._live and self._spool is not None and self._has_lines():
            self._reports = reports(self._spool)
        self._progress()

    # -- printing ----------------------------------------------------------------------------

    def note(self, line: str) -> None:
        """A line beside the results, of its own."""
        self.clear()
        if self._midline:
            self._draw([])
        printing.note(line)

    def clear(self) -> None:
        """Take the progress line away."""
        if self._panel.is_drawn:
            self._draw([])

    def finish(self) -> None:
        """Tell what was kept back for the sake of order; what it waited for does not come any more."""
        for task_id in reversed(self._order):
            if (early := self._early.pop(task_id, None)) is not None:
                self._tell(*early)
        self._order = []
        self.clear()
        if self._midline:
            self._draw([])

    def _tell_in_order(self) -> None:
        while self._order and (early := self._early.get(self._order[-1])) is not None:
            if early[1].state not in AT_REST:
                return
            del self._early[self._order.pop()]
            self._tell(*early)

    def _tell(self, running: Running | None, settlement: Settlement) -> None:
        for early in self._of_steps.pop(settlement.task_id, ()):
            self._tell(*early)
        if settlement.state in AT_REST and settlement.output is not None:
            self._print_output(settlement.output, settlement, running)
        if settlement.step and settlement.state is not TaskState.WAITING:
            return
        if settlement.state is TaskState.FAILED:
            self._tell_failure(running, settlement)
        elif settlement.state is TaskState.HELD:
            self.note(f"overnight: task {settlement.task_id} is held ({settlement.reason})")
        elif settlement.state is TaskState.WAITING and self._verbose:
            self.note(f"overnight: task {settlement.task_id}: {printing.clean(settlement.error)}; will be tried again")

    def _tell_failure(self, running: Running | None, settlement: Settlement) -> None:
        name = printing.fit(self._name(running, settlement), 48)
        error = printing.clean(settlement.error)
        tries = f" after {printing.count(settlement.attempt, 'attempt')}" if settlement.attempt else ""
        self.note(f"overnight: task {settlement.task_id} ({name}) failed{tries}: {error}")

    def _name(self, running: Running | None, settlement: Settlement) -> str:
        """The input; what has none is called by its title or its command."""
        if words := printing.clean(shown(self._input(running, settlement))):
            return words
        task = self._store.get(settlement.task_id)
        return shapes.title(task, self._store.actions({task.action_id}).get(task.action_id))

    def _input(self, running: Running | None, settlement: Settlement) -> bytes:
        return running.claimed.input if running else self._store.get(settlement.task_id).input

    def _print_output(self, output: OutputRef, settlement: Settlement, running: Running | None) -> None:
        """Print what an attempt printed, each stream to its own."""
        self.clear()
        tagged = None
        if self._tag is not None:
            task_input, slot = self._input(running, settlement), (settlement.slot or 0) + 1
            tagged = Tagged(self._tag, task_input, seq=settlement.task_id, slot=slot)
        try:
            for stream, content in read(self._output, output, settlement.task_id, settlement.attempt):
                self._pour_or_lose(tagged.lines(stream, content) if tagged else content, stream)
        except OSError as error:  # somebody has removed it, which is no reason to end the night
            why = printing.clean(error.strerror or str(error))
            self.note(f"overnight: what task {settlement.task_id} printed cannot be read ({why}); the tasks go on")

    def _pour_or_lose(self, content: bytes, stream: int) -> None:
        try:
            self._pour(content, stream)
        except printing.UnwrittenError as error:
            self._lose(stream, error)

    def _pour(self, content: bytes, stream: int) -> None:
        printing.pour(content, stream=stream)
        if self._live and content and (sys.stdout if stream == 1 else sys.stderr).isatty():
            self._midline = not content.endswith(b"\n")

    def _lose(self, stream: int, error: printing.UnwrittenError) -> None:
        """Nobody takes our output any more; it is kept in the home, so that is no reason to end the night."""
        printing.silence(sys.stdout if stream == 1 else sys.stderr)
        self.unwritten = self.unwritten or error
        self.note(
            f"overnight: output cannot be printed any more ({error}); the tasks go on\n"
            "  try: 'overnight log ID' prints what a task printed"
        )

    def _progress(self) -> None:
        if not self._live:
            return
        moment = self._clock.monotonic()
        if moment < self._draw_at:
            return
        self._draw_at = moment + REDRAW
        self._draw(self._lines(live.size()[0] - 1))

    def _draw(self, lines: Sequence[str]) -> None:
        """Put these lines below everything else, also below an output that does not end its last line itself."""
        below, self._midline = "\n" if self._midline else "", False
        try:
            sys.stderr.write(below + self._panel.put(lines, live.size()[0]))
            sys.stderr.flush()
        except OSError:  # the terminal has gone away, which a signal tells the engine
            self._live = False

    def _has_lines(self) -> bool:
        return live.is_worth_lines(self._running, self._rate, live.size()[1])

    def _lines(self, columns: int) -> list[str]:
        line = live.summary(
            self._rate,
            done=self.tally[TaskState.COMPLETED],
            failed=self.tally[TaskState.FAILED] + self.tally[TaskState.HELD],
            left=max(0, self._unfinished),
            running=len(self._running),
        )
        tasks = self._running if self._has_lines() else ()
        now = self._clock.monotonic()
        return [*live.slots(tasks, self._reports, now=now, columns=columns), live.narrow(line, columns)]
