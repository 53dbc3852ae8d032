"""The live screen: one picture at most four times a second, and a key for everything that one does at night.

Drawn is what has changed, and of tasks only as many rows as there is room for. What a key does is done by the
command that it stands for, in a process of its own, and the command is shown: so that a screen can do nothing
that cannot be typed, and nobody has to wonder what it did.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from typing import ClassVar

from rich.text import Text
from textual import events
from textual.app import App, ComposeResult
from textual.binding import Binding, BindingType
from textual.widgets import Footer, Input, Static

from overnight.core.errors import OvernightError
from overnight.core.lanes import is_paused
from overnight.core.sentence import Level
from overnight.ui.cli import printing
from overnight.ui.cli.resources import FULL, GAUGES
from overnight.ui.cli.sparks import pieces, spark
from overnight.ui.tui import looking
from overnight.ui.tui.detail import Detail
from overnight.ui.tui.looking import CHOICES, Look, Watcher
from overnight.ui.tui.questions import Question, Told
from overnight.ui.tui.rows import Rows

#: What runs a command line of ours: its exit status, and what it said.
Act = Callable[[Sequence[str]], Awaitable[tuple[int, str]]]

#: Bars of a figure of the machine.
_SPARK = 6
#: Rows on which is shown what a command has said, and lines of it.
_SAID, _TOLD = 4, 8
#: The lines above and below the tasks.
LINES = ("sentence", "counts", "share", "causes", "machine", "health", "said")
#: Figures of the machine, and what they are called where there is little room.
_SHORT = {"cpu": "CPU", "memory_available": "memory", "disk_free": "disk", "load": "load"}
_STYLES = {
    Level.LOST: "bold red",
    Level.UNWATCHED: "bold red",
    Level.STALLED: "bold red",
    Level.NEEDS_YOU: "bold yellow",
    Level.RUNNING: "bold",
    Level.DONE: "bold green",
}
#: What keys do with the tasks that are shown.
_OF_TASKS = frozenset({"choose", "filter", "clear_filter", "older", "newer", "pause", "checkpoint", "keys"})
KEYS = """\
1 running   2 failed and held   3 queued   4 done   5 all
/ only tasks whose name or error contains ...
↑ ↓ choose a task     PgDn PgUp older and newer ones
Enter all about it, and what it prints     w why it is where it is
r retry it     x cancel it     p pause or go on     c checkpoint
? these keys     q leave; the work goes on"""


class Monitor(App[None]):
    """The screen.

    Args:
        watcher: Looks at the home.
        act: Runs a command line of ours.
        interval: Seconds between two looks, 0.25 at least.
    """

    CSS = """
    #sentence, #counts, #share, #machine, #health { height: auto; max-height: 2; padding: 0 1; }
    #share { height: 1; } #counts, #machine, #health, #causes { color: $text-muted; }
    #causes { height: auto; max-height: 7; padding: 0 1; }
    #filter { display: none; height: 1; border: none; padding: 0 1; }
    #said { height: auto; min-height: 1; max-height: 4; padding: 0 1; }
    """
    TITLE = "overnight"
    ENABLE_COMMAND_PALETTE = False
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("1", "choose('1')", "states", key_display="1-5"),
        *(Binding(key, f"choose('{key}')", show=False) for key in CHOICES if key != "1"),
        Binding("slash", "filter", "filter", key_display="/"),
        Binding("p", "pause", "pause"),
        Binding("r", "retry", "retry"),
        Binding("x", "cancel", "cancel"),
        Binding("c", "checkpoint", "checkpoint"),
        Binding("w", "why", "why"),
        Binding("question_mark", "keys", "keys", key_display="?"),
        Binding("q", "quit", "quit"),
        Binding("escape", "clear_filter", show=False),
        Binding("pagedown", "older", show=False, priority=True),
        Binding("pageup", "newer", show=False, priority=True),
    ]

    def __init__(self, watcher: Watcher, act: Act, *, interval: float = 0.25) -> None:
        super().__init__()
        self.watcher = watcher
        self._act = act
        self._interval = max(0.25, interval)
        self._choice = CHOICES["1"]
        self._filter = ""
        #: The first id of each page before this one.
        self._pages: list[int | None] = [None]
        self._look: Look | None = None
        #: The last look failed.
        self._is_blind = False
        self.table = Rows()
        self._field = Input(placeholder="only tasks whose name or error contains ...", id="filter", disabled=True)
        self._lines = {name: Static(id=name, markup=False) for name in LINES}
        #: What each line shows, to compare with.
        self._said: dict[str, str] = {}

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        """A screen on top of the tasks has keys of its own; those of the tasks would do there what nobody sees."""
        return super().check_action(action, parameters) if len(self.screen_stack) == 1 else action not in _OF_TASKS

    def compose(self) -> ComposeResult:
        yield from (self._lines[name] for name in ("sentence", "counts", "share"))
        yield self.table
        yield self._field
        yield from (self._lines[name] for name in ("causes", "machine", "health", "said"))
        yield Footer(compact=True)

    def on_mount(self) -> None:
        self.table.focus()
        self._lay_out()
        self.set_interval(self._interval, self.look_again)

    def on_unmount(self) -> None:
        self.watcher.close()

    def on_resize(self, _event: events.Resize) -> None:
        self._lay_out()

    # -- drawing -----------------------------------------------------------------------------

    def _lay_out(self) -> None:
        """Everything is drawn anew, once it is known how much room there is."""
        self._said = {}
        self.watcher.forget()
        self.call_after_refresh(self.look_again)

    def look_again(self) -> None:
        """Look, and draw what is different. That the store cannot be read now is said, and it is looked at again."""
        try:
            look = self.watcher.look(self._choice, self._filter, before=self._pages[-1], limit=self.table.room)
        except OvernightError as error:
            self._is_blind = True
            self.say(error.message)
            return
        if self._is_blind:
            self._is_blind = False
            self.say("")
        if look is not None:
            self._look = look
            self._draw(look)

    def _draw(self, look: Look) -> None:
        wide = max(20, self.size.width - 2)
        words = printing.clean(look.sentence.words)
        self._put("sentence", Text(words, style=_STYLES[look.sentence.level]))
        self._put("counts", looking.summary(look.picture))
        self._put("share", looking.share_bar(look.picture, wide))
        causes = look.causes if self.size.height >= 20 else look.causes[:2]  # noqa: PLR2004 - lines of a small terminal
        lines = [printing.fit(line, wide) for line in looking.cause_lines(causes)]
        self._put("causes", "\n".join(["failed, by cause", *lines]) if lines else "")
        self._put("machine", printing.fit(self._figures(look), wide))
        below = [line for line in (looking.health(look.picture), looking.nodes(look.picture)) if line]
        self._put("health", "\n".join(printing.fit(line, wide) for line in below))
        self.table.show(look.rows)

    def _put(self, name: str, words: str | Text) -> None:
        """Another text, where it is another one."""
        before = self._said.get(name)
        if str(words) != before:
            self._said[name] = str(words)
            # To lay the screen out again costs more than to draw it.
            self._lines[name].update(words, layout=before is None or self._high(before) != self._high(str(words)))

    def _high(self, words: str) -> int:
        """Lines that a text takes."""
        wide = max(1, self.size.width - 2)
        return sum(-(-len(line) // wide) for line in words.split("\n"))

    @staticmethod
    def _figures(look: Look) -> str:
        parts = []
        for name, points in look.machine.hour.items():
            _, form = GAUGES[name]
            bars = spark(pieces([point.mean for point in points], _SPARK), most=FULL.get(name, 0.0))
            parts.append(f"{_SHORT[name]} {bars} {form(look.machine.figures[name])}")
        return "  ".join(parts)

    def say(self, words: str) -> None:
        """Say it below, on as many rows as there are for it."""
        self._put("said", Text(printing.fit(printing.clean(words), _SAID * max(20, self.size.width - 3)), style="bold"))

    # -- choosing ----------------------------------------------------------------------------

    def action_choose(self, key: str) -> None:
        """Show tasks in other states."""
        self._choice, self._pages = CHOICES[key], [None]
        self.say(f"{self._choice.name}" + (f", with '{self._filter}'" if self._filter else ""))
        self.look_again()

    def action_filter(self) -> None:
        """Ask for words."""
        self._field.disabled = False
        self._field.display = True
        self._field.focus()

    def action_clear_filter(self) -> None:
        """Show all again."""
        self._set_filter("")

    def on_input_submitted(self, event: Input.Submitted) -> None:
        self._set_filter(event.value)

    def _set_filter(self, words: str) -> None:
        self._field.value = words
        self._field.display = False
        self._field.disabled = True
        self._filter, self._pages = words, [None]
        self.table.focus()
        self.say(f"with '{words}' in name or error; Esc shows all" if words else "")
        self.look_again()

    def action_older(self) -> None:
        """The next page of tasks."""
        if len(self.table.rows) >= self.table.room:
            self._pages.append(self.table.rows[-1].id)
            self.look_again()

    def action_newer(self) -> None:
        """The page before."""
        if len(self._pages) > 1:
            self._pages.pop()
            self.look_again()

    # -- doing -------------------------------------------------------------------------------

    def on_rows_opened(self, _event: Rows.Opened) -> None:
        self._with_task(lambda task_id: self.push_screen(Detail(self.watcher, task_id, self.act_on)))

    def action_retry(self) -> None:
        """Queue the task once more."""
        self._with_task(lambda task_id: self.act_on("retry", task_id))

    def action_cancel(self) -> None:
        """Cancel the task, after a question."""
        self._with_task(lambda task_id: self.act_on("cancel", task_id))

    def action_why(self) -> None:
        """Say why the task is where it is."""
        self._with_task(lambda task_id: self.act_on("why", task_id))

    def act_on(self, verb: str, task_id: int) -> None:
        """Do this to a task; what cannot be taken back is asked about first."""
        if verb == "cancel":
            asked = Question(f"Cancel task {task_id}?")
            self.push_screen(asked, lambda agreed: self.do(verb, str(task_id)) if agreed else None)
        else:
            self.do(verb, str(task_id))

    def action_pause(self) -> None:
        """Let nothing more start, or let it go on."""
        try:
            now = 0.0 if self._look is None else self._look.picture.at
            paused = any(is_paused(one, now) for one in self.watcher.store.queues())
        except OvernightError as error:
            self.say(error.message)
        else:
            self.do("unpause" if paused else "pause")

    def action_checkpoint(self) -> None:
        """Copy the store."""
        self.do("checkpoint", "save")

    def action_keys(self) -> None:
        """Show what each key does."""
        self.push_screen(Told(KEYS))

    def _with_task(self, act: Callable[[int], object]) -> None:
        if self.table.chosen is None:
            self.say("no task is chosen")
        else:
            act(self.table.chosen)

    def do(self, *words: str) -> None:
        """Run a command of ours beside the screen, and say how it went."""
        self.say(f"$ overnight {' '.join(words)}")
        self.run_worker(self._do(words), exclusive=False)

    async def _do(self, words: Sequence[str]) -> None:
        try:
            status, said = await self._act(words)
        except (OSError, TimeoutError) as error:
            status, said = 1, str(error)
        lines = [line for line in said.splitlines() if line.strip()]
        told = "; ".join(line.strip() for line in lines[:_TOLD]) or ("done" if status == 0 else f"exit status {status}")
        self.say(f"$ overnight {' '.join(words)}: {told}")
        self.look_again()
