"""All about one task: what it is, how its attempts went, why it is where it is, and what it prints, as it prints it."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterator
from itertools import chain, islice
from typing import ClassVar

from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.screen import Screen
from textual.widgets import Footer, Log, Static

from overnight.core.errors import OvernightError
from overnight.core.inputs import shown
from overnight.core.states import TaskState
from overnight.core.task import Attempt, Task
from overnight.executors.local.output import follow, read
from overnight.ui.cli import printing, shapes
from overnight.ui.tui.looking import Watcher

#: Lines of output that are kept on the screen; pieces that are taken in at one look.
LINES, _PIECES = 1000, 200
#: Characters of a line that are shown.
_LONGEST = 4000
#: No stream: all was read, and what was printed last may have had no end of its line.
_OVER = -1


class Detail(Screen[None]):
    """One task.

    Args:
        watcher: Looks at the home.
        task_id: Which one.
        act_on: Does something to a task: a verb, and its id.
    """

    CSS = "#facts { height: auto; max-height: 50%; padding: 0 1; } #log { height: 1fr; border-top: solid $accent; }"
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("escape,q", "leave", "back"),
        Binding("r", "do('retry')", "retry"),
        Binding("x", "do('cancel')", "cancel"),
        Binding("w", "do('why')", "why"),
    ]

    def __init__(self, watcher: Watcher, task_id: int, act_on: Callable[[str, int], None]) -> None:
        super().__init__()
        self._act_on = act_on
        self._watcher = watcher
        self._task_id = task_id
        self._said = ""
        self._attempt = 0
        self._output: Iterator[tuple[int, bytes]] = iter(())
        self._rest = b""

    def compose(self) -> ComposeResult:
        yield Static(id="facts", markup=False)
        yield Log(id="log", max_lines=LINES, auto_scroll=True)
        yield Footer(compact=True)

    def on_mount(self) -> None:
        self.look_again()
        self.set_interval(0.25, self.look_again)

    def look_again(self) -> None:
        """Draw what is different, and print on."""
        try:
            task = self._watcher.store.get(self._task_id)
            attempts = self._watcher.store.attempts(task.id)
            facts = list(self._facts(task, attempts))
        except OvernightError as error:
            self._tell([printing.clean(error.message)])
        else:
            self._tell(facts)
            self._print(task, attempts)

    def _tell(self, facts: list[str]) -> None:
        words = "\n".join(printing.fit(line, max(20, self.size.width - 2)) for line in facts)
        if words != self._said:
            self._said = words
            self.query_one("#facts", Static).update(words)

    def _facts(self, task: Task, attempts: list[Attempt]) -> Iterator[str]:
        action = self._watcher.store.actions({task.action_id}).get(task.action_id)
        reason = f" ({task.reason})" if task.reason else ""
        yield f"task {task.id}, {task.state}{reason}: {shapes.title(task, action)}"
        yield f"input {printing.clean(shown(task.input))}, queue {task.queue}, priority {task.priority}"
        if task.error:
            yield f"error: {printing.clean(task.error)}"
        for one in attempts[-5:]:
            more = f", {printing.clean(one.error)}" if one.error and one.error != task.error else ""
            yield f"attempt {one.number}: {one.outcome} after {printing.duration(one.seconds)}{more}"
        if task.state is TaskState.RUNNING:
            yield f"attempt {task.attempt} runs"

    # -- what it prints ----------------------------------------------------------------------

    def _print(self, task: Task, attempts: list[Attempt]) -> None:
        """What came since the last look; from the beginning when it is another attempt."""
        number = task.attempt if task.state is TaskState.RUNNING else attempts[-1].number if attempts else 0
        if number != self._attempt:
            self._attempt, self._rest = number, b""
            self.query_one("#log", Log).clear()
            self._output = chain(self._open(task, attempts, number), [(_OVER, b"\n")])
        self._take_in()

    def _open(self, task: Task, attempts: list[Attempt], number: int) -> Iterator[tuple[int, bytes]]:
        ended = next((one for one in attempts if one.number == number), None)
        output_dir = self._watcher.home / "output"
        if ended is None:
            return follow(output_dir, task.id, number) if number else iter(())
        if ended.output is None:
            return iter(())
        return iter(deque(read(output_dir, ended.output, task.id, number), maxlen=_PIECES))

    def _take_in(self) -> None:
        lines: list[bytes] = []
        try:
            for stream, data in islice(self._output, _PIECES):
                if not stream:
                    break  # no more at the moment
                if stream == _OVER and not self._rest:
                    continue
                *whole, self._rest = (self._rest + data).split(b"\n")
                lines += whole
        except OSError as error:
            lines.append(f"(the output is not there any more: {error.strerror})".encode())
        shown_lines = [printing.clean(line.decode("utf-8", "replace")[:_LONGEST]) for line in lines[-LINES:]]
        if shown_lines:
            self.query_one("#log", Log).write_lines(shown_lines)

    # -- doing -------------------------------------------------------------------------------

    def action_leave(self) -> None:
        """Back to the tasks."""
        self.dismiss(None)

    def action_do(self, verb: str) -> None:
        """Back to the tasks, and do it there, where one sees what it did."""
        self.dismiss(None)
        self._act_on(verb, self._task_id)
