"""The rows of the screen: as many as there is room for, one of them chosen, drawn line by line.

A table widget of the library lays out each cell of each row anew; here a line is one piece of text, and of
fifty lines only those are drawn that are others than before. It is most of what the screen costs. A line goes
from edge to edge, for the library cuts and joins each line anew of a widget with room at its sides.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import zip_longest
from typing import ClassVar

from rich.cells import set_cell_size
from rich.segment import Segment
from rich.style import Style
from textual import events
from textual.binding import Binding, BindingType
from textual.geometry import Region
from textual.message import Message
from textual.strip import Strip
from textual.widget import Widget

from overnight.ui.cli import printing
from overnight.ui.tui.looking import Row, bar

#: Columns of a row but for the last, which has the rest: heading and width.
COLUMNS = (("task", 8), ("state", 10), ("for, ago", 11), ("", 9))
_HEADING = "".join(name.ljust(wide) for name, wide in COLUMNS) + "what"
_BAR = 8
#: Where the state stands in a line, with a blank in front of it all.
_STATE_AT = 1 + COLUMNS[0][1]
_STATE_END = _STATE_AT + COLUMNS[1][1]
_HEAD, _CHOSEN = Style(bold=True, underline=True), Style(reverse=True)
_STATES = {
    "failed": Style(color="red"),
    "held": Style(color="yellow"),
    "frozen": Style(color="yellow"),
    "completed": Style(color="green"),
}


class Rows(Widget, can_focus=True):
    """Tasks, the newest first."""

    DEFAULT_CSS = "Rows { height: 1fr; }"
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("down,j", "move(1)", show=False),
        Binding("up,k", "move(-1)", show=False),
        Binding("home", "move(-1000000)", show=False),
        Binding("end", "move(1000000)", show=False),
        Binding("enter", "open", show=False),
    ]

    class Opened(Message):
        """Somebody wants to see all about the chosen task."""

    def __init__(self) -> None:
        super().__init__(id="rows")
        self.rows: Sequence[Row] = ()
        self.cursor = 0
        #: What stands in each line, to compare with.
        self._drawn: list[tuple[str, str, bool]] = []
        #: The lines themselves, the heading first, and how wide they are.
        self._strips: list[Strip] = []
        self._wide = -1
        #: The colours of the screen, as its style sheet has them.
        self._plain = Style()

    @property
    def room(self) -> int:
        """Rows that there is room for; at least one."""
        return max(1, self.size.height - 1)

    @property
    def chosen(self) -> int | None:
        """The id of the chosen task; None when there are none."""
        return self.rows[self.cursor].id if self.rows else None

    def show(self, rows: Sequence[Row]) -> None:
        """Show these; the chosen task stays chosen while it is there."""
        chosen = self.chosen
        self.rows = rows
        ids = [row.id for row in rows]
        self.cursor = ids.index(chosen) if chosen in ids else max(0, min(self.cursor, len(rows) - 1))
        self._draw()

    def on_resize(self, _event: events.Resize) -> None:
        self._draw()

    def on_click(self, event: events.Click) -> None:
        number = event.y - 1
        if 0 <= number < len(self.rows):
            self.cursor = number
            self._draw()

    def action_move(self, by: int) -> None:
        """Choose another one."""
        self.cursor = max(0, min(self.cursor + by, len(self.rows) - 1))
        self._draw()

    def action_open(self) -> None:
        """See all about it."""
        if self.rows:
            self.post_message(self.Opened())

    def _draw(self) -> None:
        """Have those lines drawn that are others than before."""
        width = self.size.width
        lines = [(line_of(row, width - 2), row.state, number == self.cursor) for number, row in enumerate(self.rows)]
        if width != self._wide:
            self._wide, self._plain = width, self.rich_style
            self._drawn, self._strips = [], [self._strip(_HEADING, 1, -1, _HEAD)]
        both = enumerate(zip_longest(lines, self._drawn), start=1)
        others = [number for number, (new, old) in both if new != old]
        blank = Strip.blank(width, self._plain)
        self._strips += [blank] * (1 + len(lines) - len(self._strips))
        for number in others:
            self._strips[number] = self._line(*lines[number - 1]) if number <= len(lines) else blank
        self._drawn = lines
        if others:
            self.refresh(*(Region(0, number, width, 1) for number in others))

    def render_lines(self, crop: Region) -> list[Strip]:
        """Lines as they were made: to ask the style sheet about each of them would cost more than all else."""
        blank = Strip.blank(crop.right, self._plain)
        strips = [self._strips[y] if y < len(self._strips) else blank for y in crop.line_range]
        background = self.background_colors[1]
        for one in self.get_line_filters():
            strips = [strip.apply_filter(one, background) for strip in strips]
        if crop.column_span == (0, self._wide):
            return strips
        return [strip.crop_extend(*crop.column_span, self._plain) for strip in strips]

    def _line(self, words: str, state: str, is_chosen: bool) -> Strip:  # noqa: FBT001 - as it is kept
        if is_chosen:
            return self._strip(words, 1, -1, _CHOSEN)
        return self._strip(words, _STATE_AT, _STATE_END, _STATES.get(state))

    def _strip(self, words: str, begin: int, end: int, style: Style | None) -> Strip:
        """A line with a blank at both ends, and some of it in a style of its own."""
        text, plain = f" {set_cell_size(words, self._wide - 2)} ", self._plain
        if style is None:
            return Strip([Segment(text, plain)], self._wide)
        parts = ((text[:begin], plain), (text[begin:end], plain + style), (text[end:], plain))
        return Strip([Segment(*part) for part in parts], self._wide)


def line_of(row: Row, columns: int) -> str:
    """A row as one line of at most so many characters."""
    cells = (str(row.id), row.state, row.since, bar(row.progress, _BAR))
    front = "".join(cell[: wide - 1].ljust(wide) for cell, (_, wide) in zip(cells, COLUMNS, strict=True))
    return front + together(row.what, row.said, max(8, columns - len(front)))


def together(what: str, said: str, columns: int) -> str:
    """What a task is and what it says; each has half of the room when both cannot have all."""
    if not said:
        return printing.fit(what, columns)
    room = max(columns // 2, columns - 2 - len(said))
    front = printing.fit(what, room)
    return f"{front}  {said}"[:columns]
