"""What a run shows below its outputs, on a terminal as it is: rows that wrap, wide letters, names that steer."""

from __future__ import annotations

import re

import pytest

from overnight.core.claims import Claimed
from overnight.core.rate import Rate
from overnight.core.task import Action, ActionKind
from overnight.engine.attempts import Running
from overnight.monitor.progress import Progress
from overnight.ui.cli import live

CALL = Action(ActionKind.CALL, b"/", call="job:work")
COMMAND = Action(ActionKind.COMMAND, b"/", argv=(b"sleep", b"60"))


class Glass:
    """As much of a terminal as a panel needs: rows that wrap, the cursor up, and everything below it wiped."""

    def __init__(self, columns: int) -> None:
        self.columns = columns
        self.rows = [""]
        self._at = 0

    def write(self, words: str) -> None:
        for steer, letters in re.findall(r"(\r|\n|\x1b\[\d*[AJ])|([^\r\n\x1b]+)", words):
            if steer == "\n":
                self._at += 1
                self.rows += [""] * (self._at == len(self.rows))
            elif steer.endswith("A"):
                self._at -= int(steer[2:-1])
            elif steer.endswith("J"):
                self.rows[self._at :] = [""]
            for letter in letters:
                if len(self.rows[self._at]) == self.columns:
                    self._at += 1
                    self.rows.append("")
                self.rows[self._at] += letter

    def become(self, columns: int) -> None:
        """Another width: rows that are too long wrap."""
        self.columns = columns
        self.rows = [row[at : at + columns] for row in self.rows for at in range(0, max(1, len(row)), columns)]
        self._at = len(self.rows) - 1


def running(
    slot: int, *, words: bytes = b"anna.wav", action: Action = CALL, since: float = 0.0, step: str = ""
) -> Running:
    claimed = Claimed(slot + 1, 1, 1, 1, words, 0, 0, 1, 0, step=step)
    return Running(claimed, action, slot, 1.0, since)


@pytest.mark.parametrize("after", [[], ["one"], ["a", "b", "c", "d"]])
def test_lines_take_the_place_of_those_before(after: list[str]) -> None:
    glass, panel = Glass(20), live.Panel()
    glass.write("an output\n" + panel.put(["first", "second", "third"], 20))
    assert glass.rows == ["an output", "first", "second", "third"]
    glass.write(panel.put(after, 20))
    assert glass.rows == ["an output", *(after or [""])]
    assert panel.is_drawn == bool(after)


def test_on_a_terminal_that_became_narrower_nothing_stays_behind() -> None:
    glass, panel = Glass(40), live.Panel()
    glass.write("out\n" + panel.put(["x" * 39, "y" * 30], 40))
    glass.become(20)
    glass.write(panel.put(["z"], 20))
    assert glass.rows == ["out", "z"]


def test_wide_letters_and_marks_are_counted_as_a_terminal_does() -> None:
    assert (live.cells("abc"), live.cells("日本"), live.cells("e\u0301")) == (3, 4, 1)
    short = live.narrow("日本語の長い名前のファイル.wav", 13)
    assert live.cells(short) <= 13
    assert short.endswith(".wav")


@pytest.mark.parametrize("columns", [-1, 0, 1, 2, 3])
def test_where_there_is_no_room_it_ends_all_the_same(columns: int) -> None:
    assert len(live.narrow("日本語.wav", columns)) <= max(0, columns)


def test_each_task_has_its_slot_its_time_and_what_it_says() -> None:
    lines = live.slots(
        [running(10, action=COMMAND, words=b""), running(1, since=40.0, step="probe")],
        {(2, 1): Progress(0.45, "page\x1b[2J 9\nof 20")},
        now=100.0,
        columns=60,
    )
    assert [line.split() for line in lines] == [
        ["2", "1", "min", "45%", "probe:", "anna.wav", "page\\x1b[2J", "9\\nof", "20"],
        ["11", "1", "min", "40", "s", "sleep", "60"],
    ]
    assert "\x1b" not in "".join(lines)


def test_one_that_stands_still_is_said_to() -> None:
    one = running(0)
    one.frozen = 1.0
    assert "frozen" in live.slots([one], {}, now=9.0, columns=60)[0]


@pytest.mark.parametrize(
    ("tasks", "done", "rows", "has_lines"),
    [(3, 1, 24, True), (0, 1, 24, False), (9, 1, 50, False), (3, 40, 24, False), (3, 1, 10, False), (2, 1, 10, True)],
)
def test_tasks_have_lines_while_they_are_few_and_slow_and_there_is_room(
    tasks: int, done: int, rows: int, *, has_lines: bool
) -> None:
    rate = Rate()
    rate.saw(done, 10.0)
    assert live.is_worth_lines([running(slot) for slot in range(tasks)], rate, rows) is has_lines


@pytest.mark.parametrize(
    ("least", "most", "words"),
    [
        (5.2, 21.3, "5 to 21 s to go"),
        (0.1, 0.4, "0 to 1 s to go"),
        (250.0, 480.0, "4 to 8 min to go"),
        (3400.0, 3900.0, "about 61 min to go"),
        (7300.0, 22000.0, "2 to 6 h to go"),
        (86400.0 * 3, 86400.0 * 5, "3 to 5 days to go"),
    ],
)
def test_the_time_left_is_a_span(least: float, most: float, words: str) -> None:
    assert live.to_go(least, most) == words


def test_all_of_it_is_one_line() -> None:
    rate = Rate()
    assert live.summary(rate, done=0, failed=0, left=9, running=0) == "0 done  9 left"
    rate.saw(400, 100.0)
    line = live.summary(rate, done=1400, failed=2, left=4000, running=4)
    assert line == "1,400 done  2 failed  4,000 left  4 running  4.0/s  about 17 min to go"
