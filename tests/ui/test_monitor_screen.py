"""The live screen: what it shows in three sizes, what its keys do, and that it draws only what has changed."""

from __future__ import annotations

import asyncio
import os
import sys
from collections.abc import Awaitable, Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import msgspec
import pytest
from keyboard import typing
from textual.pilot import Pilot

from overnight.core.durations import iso
from overnight.core.nodes import Census, NodeRow
from overnight.core.states import ErrorClass, Outcome, Reason, TaskState
from overnight.core.task import Action, ActionKind, NewTask
from overnight.core.verdict import Settlement
from overnight.executors.local.segments import Recording, Segments, Stream
from overnight.executors.nodes.placements import Placements
from overnight.host.home import Home
from overnight.host.lock import HomeLock
from overnight.monitor.history.keeping import History
from overnight.store.contract import Claim, Queue
from overnight.store.sqlite import SqliteStore
from overnight.ui.cli.commands.monitor import run_ours
from overnight.ui.tui.detail import Detail
from overnight.ui.tui.looking import CHOICES, Look, Watcher, bar, share_bar
from overnight.ui.tui.questions import Question, Told
from overnight.ui.tui.screen import Monitor

NOON = 1_800_000_000.0
#: Of 200 tasks 60 run, 12 failed, 28 are done, the rest waits.
RUNNING, FAILED, DONE, ALL = 60, 12, 28, 200
HOSTILE = "boom \x1b[2J\u202e[red]x[/]"

Body = Callable[[Monitor, Pilot[None]], Awaitable[None]]


class Night:
    """A home at work, with a clock that stands still, and the commands that keys stand for."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.now = NOON
        self.acted: list[list[str]] = []
        #: What each of them says.
        self.answer = "it was done\n  try: something"
        self.store = SqliteStore.open(path / "queue.db", create=True)
        self._fill()
        self.lock = HomeLock(path / "lock")
        self.lock.acquire({"pid": os.getpid()})
        self._tell()

    def _fill(self) -> None:
        action = Action(ActionKind.COMMAND, b"/data", argv=(b"convert", b"{}"))
        self.store.add([NewTask(action, b"scan-%03d.tif" % n) for n in range(1, ALL + 1)], now=NOON - 3600)
        self.fence = self.store.take_fence(now=NOON - 600, by="test")
        claim = Claim(count=RUNNING + FAILED + DONE, lanes={1: {}}, pools={})
        claimed = self.store.turn(fence=self.fence, now=NOON - 120, claim=claim).claimed
        self.running = claimed[FAILED + DONE :]
        plain: dict[str, Any] = {"deaths": 0, "started_at": NOON - 120, "seconds": 60.0}
        failed: dict[str, Any] = {
            "state": TaskState.FAILED,
            "outcome": Outcome.FAILED,
            "failures": 1,
            "reason": Reason.ERROR,
            "error_class": ErrorClass.UNKNOWN,
            "error": HOSTILE,
            "fingerprint": "0123456789ab",
        }
        done: dict[str, Any] = {"state": TaskState.COMPLETED, "outcome": Outcome.COMPLETED, "failures": 0}
        settled = [
            Settlement(task_id=one.id, attempt=one.attempt, **plain, **(failed if number < FAILED else done))
            for number, one in enumerate(claimed[: FAILED + DONE])
        ]
        self.store.turn(fence=self.fence, now=NOON - 60, settlements=settled)

    def _tell(self) -> None:
        words = {
            "pid": os.getpid(),
            "last_heartbeat": iso(NOON),
            "slots": 60,
            "active": 60,
            "rate_per_second": 2.5,
            "seconds_left": 2460.0,
            "state": "working",
        }
        (self.path / "engine.json").write_bytes(msgspec.json.encode(words))
        for folder in ("spool", "output"):
            (self.path / folder).mkdir()
        newest = self.running[-1]
        report = {"progress": 0.5, "message": "page 4 of 8", "task": newest.id, "attempt": newest.attempt}
        (self.path / "spool" / "control-0").write_bytes(msgspec.json.encode(report) + b"\n")
        history = History(self.path / "history.db")
        for second in range(120):
            history.sample({"cpu": 0.63, "memory_available": 4.1e9, "disk_free": 12e9}, now=NOON - 120 + second)
        history.close()

    def finish(self, number: int) -> None:
        """A running task is done."""
        one = self.running[number]
        plain = Settlement(one.id, one.attempt, TaskState.COMPLETED, Outcome.COMPLETED, 0, 0, NOON, seconds=1.0)
        self.store.turn(fence=self.fence, now=NOON, settlements=[plain])

    def app(self) -> Monitor:
        async def act(words: Sequence[str]) -> tuple[int, str]:
            self.acted.append(list(words))
            return 0, self.answer

        return Monitor(Watcher(self.path, self.opened, self.clock), act)

    def opened(self) -> SqliteStore:
        return SqliteStore.open(self.path / "queue.db", readonly=True)

    def clock(self) -> float:
        return self.now

    def play(self, body: Body, size: tuple[int, int] = (100, 30)) -> None:
        """Run the screen in a terminal of this size, and this with it."""

        async def run() -> None:
            app = self.app()
            async with app.run_test(size=size) as pilot:
                await pilot.pause()
                await pilot.pause()
                for _ in range(400):  # a box that grows takes room from the rows; the next look, soon after, knows
                    if app.watcher._asked[-1:] == (app.table.room,):
                        break
                    await pilot.pause(0.05)
                await body(app, pilot)

        asyncio.run(run())


@pytest.fixture
def night(tmp_path: Path) -> Iterator[Night]:
    made = Night(tmp_path)
    yield made
    made.lock.release()
    made.store.close()


def shown(app: Monitor) -> str:
    """All text on the screen."""
    return "\n".join(strip.text for strip in app.screen._compositor.render_strips())


@pytest.mark.parametrize("size", [(80, 24), (120, 40), (200, 60)])
def test_all_of_it_is_there_in_every_size(night: Night, size: tuple[int, int]) -> None:
    async def body(app: Monitor, _: Pilot[None]) -> None:
        words = shown(app)
        assert "Still running, needs you: 12 of 200 failed; about 41 min left; nothing lost." in words
        for part in ("100 pending", "60 running", "28 completed", "12 failed", "2.5/s", "page 4 of 8", "████░░░░"):
            assert part in words
        assert "boom \\x1b[2J\\u202e[red]x[/]" in words
        assert "60 of 60 slots busy" in words
        assert "63%" in words
        assert "12.0 GB" in words
        for key in ("1-5", "/ filter", "p pause", "r retry", "x cancel", "c checkpoint", "w why", "? keys", "q quit"):
            assert key in words
        assert len(app.table.rows) == min(RUNNING, app.table.room)
        assert all(len(line) <= size[0] for line in words.splitlines())

    night.play(body, size)


def test_nodes_are_on_it_and_on_which_one_a_task_runs(night: Night) -> None:
    """Where there are any: all of them in a line, whoever is amiss by name."""
    engine = msgspec.json.decode((night.path / "engine.json").read_bytes())
    (night.path / "engine.json").write_bytes(msgspec.json.encode({**engine, "started_at": NOON - 600}))
    newest = night.running[-1]
    placements = Placements(night.path / "placements", 16.0, dict)
    placements.begin()
    placements.note("b\x1b[2J", [(newest.id, newest.attempt)])
    rows = [NodeRow("a", "up", slots=2, held=1), NodeRow("b\x1b[2J", "silent", slots=2, held=1, over_at=NOON + 12)]
    (night.path / "nodes.json").write_bytes(msgspec.json.encode(Census(NOON, rows)))

    async def body(app: Monitor, _: Pilot[None]) -> None:
        words = shown(app)
        assert "2 nodes, 1 of 2 slots busy; b\\x1b[2J silent, its lease runs for 12 s more" in words
        assert "60 of 60 slots busy" in words
        assert words.count("(on b\\x1b[2J) page 4 of 8") == 1

    night.play(body)


def test_the_number_keys_choose_states_and_pages_follow_each_other(night: Night) -> None:
    async def body(app: Monitor, pilot: Pilot[None]) -> None:
        seen: dict[str, int] = {}
        for key, number in (("2", FAILED), ("4", DONE), ("3", 100), ("5", ALL), ("1", RUNNING)):
            await pilot.press(key)
            ids = {row.id for row in app.table.rows}
            while True:
                before = len(ids)
                await pilot.press("pagedown")
                ids |= {row.id for row in app.table.rows}
                if len(ids) == before:
                    break
            seen[CHOICES[key].name] = len(ids)
            assert len(ids) == number, key
            while len(app._pages) > 1:
                await pilot.press("pageup")
            assert len(app.table.rows) == min(number, app.table.room)

    night.play(body)


def test_a_filter_goes_through_all_of_them_and_is_taken_away(night: Night) -> None:
    async def body(app: Monitor, pilot: Pilot[None]) -> None:
        await pilot.press("5", "slash", *"SCAN-007")
        assert app.focused is app._field
        await pilot.press("enter")
        assert [row.what for row in app.table.rows] == ["convert  scan-007.tif"]
        await pilot.press("escape")
        assert len(app.table.rows) > 10

    night.play(body)


def test_the_keys_do_what_their_commands_do_and_say_so(night: Night) -> None:
    async def body(app: Monitor, pilot: Pilot[None]) -> None:
        await pilot.press("2", "down")
        chosen = str(app.table.rows[1].id)
        for key in ("r", "w", "p", "c"):
            await pilot.press(key)
            await app.workers.wait_for_complete()
        assert night.acted == [["retry", chosen], ["why", chosen], ["pause"], ["checkpoint", "save"]]
        await pilot.pause()
        assert "$ overnight checkpoint save: it was done; try: something" in shown(app)
        night.store.set_queue(Queue("", paused=True, paused_until=NOON - 1), now=NOON, by="me")
        await pilot.press("p")
        await app.workers.wait_for_complete()
        assert night.acted[-1] == ["pause"], "that pause was over"
        night.store.set_queue(Queue("", paused=True), now=NOON, by="me")
        await pilot.press("p")
        await app.workers.wait_for_complete()
        assert night.acted[-1] == ["unpause"]

    night.play(body)


def test_a_long_answer_is_read_to_its_end_where_there_is_little_room(night: Night) -> None:
    night.answer = "task 7 waits:\n" + "\n".join(f"  - {number}: {'so it is, ' * 4}" for number in range(5)) + "the end"

    async def body(app: Monitor, pilot: Pilot[None]) -> None:
        await pilot.press("w")
        await pilot.pause()
        await pilot.pause()
        assert "the end" in shown(app)
        await pilot.press("1")
        await pilot.pause()
        assert "the end" not in shown(app)

    night.play(body, (80, 24))


def test_nothing_is_cancelled_without_a_yes(night: Night) -> None:
    async def body(app: Monitor, pilot: Pilot[None]) -> None:
        await pilot.press("x")
        assert isinstance(app.screen, Question)
        await pilot.press("n", "x", "escape", "x", "z")
        assert night.acted == []
        await pilot.press("y")
        await app.workers.wait_for_complete()
        assert night.acted == [["cancel", str(night.running[-1].id)]]

    night.play(body)


def test_enter_shows_a_task_and_what_it_prints_as_it_prints_it(night: Night) -> None:
    task = night.running[-1]
    output = Recording(Segments(str(night.path / "output"), 0), task.id, task.attempt, 1_000_000)
    output.write(Stream.STDOUT, b"first line\nsecond \x1b[31mline\n", NOON)

    async def body(app: Monitor, pilot: Pilot[None]) -> None:
        app.look_again()
        await pilot.press("enter")
        await pilot.pause(0.1)
        assert isinstance(app.screen, Detail)
        words = shown(app)
        assert f"task {task.id}, running" in words
        assert "first line" in words
        assert "second \\x1b[31mline" in words
        output.write(Stream.STDERR, b"third line\n", NOON)
        app.screen.look_again()
        await pilot.pause()
        assert "third line" in shown(app)
        output.write(Stream.STDOUT, b"no newline", NOON)
        output.end(NOON)
        app.screen.look_again()
        app.screen.look_again()
        await pilot.pause()
        assert "no newline" in shown(app)
        await pilot.press("escape")
        assert not isinstance(app.screen, Detail)

    night.play(body)


def test_over_a_task_the_keys_of_the_list_are_neither_shown_nor_heard(night: Night) -> None:
    async def body(app: Monitor, pilot: Pilot[None]) -> None:
        app.look_again()
        await pilot.press("enter")
        await pilot.pause(0.1)
        assert isinstance(app.screen, Detail)
        shown_keys = {active.binding.description for active in app.screen.active_bindings.values() if active.enabled}
        assert {"back", "retry", "cancel", "why"} <= shown_keys
        assert not shown_keys & {"states", "filter", "pause", "checkpoint", "keys"}
        await pilot.press("2", "p", "slash", "c", "question_mark")
        assert isinstance(app.screen, Detail)
        assert night.acted == []
        await pilot.press("escape")
        assert app._choice is CHOICES["1"]

    night.play(body)


def test_a_failed_task_says_its_error_once(night: Night) -> None:
    async def body(app: Monitor, pilot: Pilot[None]) -> None:
        await pilot.press("2", "enter")
        await pilot.pause(0.1)
        assert isinstance(app.screen, Detail)
        facts = [line for line in shown(app).splitlines() if line.strip().startswith(("error:", "attempt 1:"))]
        assert len(facts) == 2
        assert ["boom" in line for line in facts] == [True, False]

    night.play(body)


def test_the_last_line_of_a_task_that_reports_nothing_stands_beside_it(night: Night) -> None:
    task = night.running[-2]
    output = Recording(Segments(str(night.path / "output"), 3), task.id, task.attempt, 1_000_000)
    output.write(Stream.STDOUT, b"reading\rframe 12\nframe 13\n\n", NOON)

    async def body(app: Monitor, _: Pilot[None]) -> None:
        assert f"scan-{task.id:03d}.tif  frame 13" in shown(app)

    night.play(body)


def test_question_mark_lists_the_keys_and_any_key_goes_on(night: Night) -> None:
    async def body(app: Monitor, pilot: Pilot[None]) -> None:
        await pilot.press("question_mark")
        assert isinstance(app.screen, Told)
        assert "failed and held" in shown(app)
        await pilot.press("z")
        assert not isinstance(app.screen, Told)

    night.play(body)


def test_nothing_is_read_or_drawn_while_nothing_changes_and_what_has_is_shown(
    night: Night, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def body(app: Monitor, pilot: Pilot[None]) -> None:
        drawn: list[int] = []
        plain = app._draw

        def counted(look: Look) -> None:
            drawn.append(1)
            plain(look)

        monkeypatch.setattr(app, "_draw", counted)
        for _ in range(20):
            app.look_again()
        assert drawn == []
        night.finish(0)
        app.look_again()
        await pilot.pause()
        assert drawn == [1]
        assert "29 completed" in shown(app)
        night.now += 1.5
        app.look_again()
        assert len(drawn) == 2

    night.play(body)


def test_no_more_than_four_looks_a_second(night: Night) -> None:
    assert Monitor(Watcher(night.path, lambda: night.store, night.clock), run_nothing, interval=0.01)._interval == 0.25


def test_another_store_in_its_place_is_followed(night: Night) -> None:
    """After a rollback the file is another one; a screen that reads on in the old one would show what is undone."""

    async def body(app: Monitor, pilot: Pilot[None]) -> None:
        night.store.copy_to(night.path / "copy.db")
        other = SqliteStore.open(night.path / "copy.db")
        other.add([NewTask(Action(ActionKind.COMMAND, b"/", argv=(b"true",)), b"new")], now=NOON)
        other.close()
        for name in ("queue.db-wal", "queue.db-shm"):
            (night.path / name).rename(night.path / f"old-{name}")
        (night.path / "copy.db").replace(night.path / "queue.db")
        app.watcher.forget()
        app.look_again()
        await pilot.pause()
        assert "101 pending" in shown(app)

    night.play(body)


def test_a_store_that_cannot_be_read_is_said_and_the_screen_goes_on(night: Night) -> None:
    """While it is set back or mended, say; a screen that goes away with it would have to be called again."""

    async def body(app: Monitor, pilot: Pilot[None]) -> None:
        store, aside = night.path / "queue.db", night.path / "aside.db"
        store.rename(aside)
        store.write_bytes(b"rubbish " * 4096)
        await pilot.press("5", "p")
        assert "ing was changed" in shown(app)
        await pilot.press("enter")
        await pilot.pause()
        assert isinstance(app.screen, Detail)
        assert "ing was changed" in shown(app)
        await pilot.press("escape")
        aside.replace(store)
        app.look_again()
        await pilot.pause()
        assert "ing was changed" not in shown(app)
        await pilot.press("2")
        assert len(app.table.rows) == FAILED

    night.play(body)


async def run_nothing(_: Sequence[str]) -> tuple[int, str]:
    """A command that does nothing."""
    return 0, ""


def test_a_command_of_ours_runs_as_a_process_and_says_what_it_said(overnight: Callable[..., Any], place: Path) -> None:
    overnight("add", "a", "--", "true")
    status, said = asyncio.run(run_ours(Home(place / ".overnight"), ["why", "1"]))
    assert (status, said.splitlines()[0].startswith("task 1 ")) == (0, True)
    status, said = asyncio.run(run_ours(Home(place / ".overnight"), ["retry", "99"]))
    assert status == 4
    assert "there is no task 99" in said


def test_once_prints_the_fields_of_the_status_file(overnight: Callable[..., Any]) -> None:
    overnight("add", "a", "b", "--", "true")
    for words in (("monitor", "--once"), ("monitor",)):
        told = overnight(*words).json
        assert (told["status"], told["files_in_queue"], told["files_processed"]) == ("stopped", 2, 0)
        assert told["schema"] == "overnight.monitor/1"


def test_bars() -> None:
    assert [bar(one, 4) for one in (None, 0.0, 0.5, 1.0, 7.0)] == ["    ", "░░░░", "██░░", "████", "████"]


def test_a_share_of_one_is_seen_beside_thousands(night: Night) -> None:
    async def body(app: Monitor, _: Pilot[None]) -> None:
        assert app._look is not None
        picture = msgspec.structs.replace(
            app._look.picture, counts=msgspec.structs.replace(app._look.picture.counts, completed=99_999, failed=1)
        )
        drawn = share_bar(picture, 60)
        assert "X" in drawn
        assert len(drawn) == 60

    night.play(body)


def test_on_a_real_terminal_without_colours_it_shows_and_leaves(overnight: Callable[..., Any], place: Path) -> None:
    overnight("add", "a", "--", "true")
    program = (
        "env",
        "TERM=xterm",
        "NO_COLOR=1",
        "COLUMNS=80",
        "LINES=24",
        sys.executable,
        "-m",
        "overnight",
        "monitor",
    )
    with typing(place, *program) as keyboard:
        keyboard.see(b"Nothing moves: no engine runs")
        keyboard.press(b"q")
        assert keyboard.end() == 0
    assert overnight("status", "--json").json["counts"]["pending"] == 1
