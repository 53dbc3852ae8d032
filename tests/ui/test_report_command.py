"""``report`` and ``status`` on a home: hostile names, commands that do what they say, what is missing is left out."""

from __future__ import annotations

import os
import re
import shlex
import tempfile
from collections.abc import Callable, Sequence
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from overnight import wiring
from overnight.core.durations import iso
from overnight.core.states import ErrorClass, Outcome, Reason, TaskState
from overnight.core.task import Action, ActionKind, NewTask
from overnight.core.verdict import Settlement
from overnight.monitor.history.keeping import History
from overnight.monitor.machine import machine_view
from overnight.monitor.report import gathering
from overnight.monitor.report.gathering import gather
from overnight.monitor.snapshot import take
from overnight.store.contract import Claim, Store
from overnight.store.sqlite import SqliteStore
from overnight.ui.cli import printing
from overnight.ui.report.as_html import as_html
from overnight.ui.report.as_markdown import as_markdown
from overnight.ui.report.as_text import as_text
from overnight.ui.report.status_page import status_page

Call = Callable[..., Any]
NOON = 1_800_000_000.0
#: Everything that a terminal, a page or a note could take for more than text.
HOSTILE = "<script>alert(1)</script>\"'><img src=x onerror=y>`$(z)`\x1b[2J\x07\u202e|*_[a](b)\udcff\n# x"


def fail(store: Store, names: Sequence[bytes], now: float = NOON, **changes: Any) -> None:
    """Add tasks and have each of them fail for good."""
    action = Action(ActionKind.COMMAND, b"/", argv=(b"convert", b"{}"), timeout=300.0, retries=0)
    store.add([NewTask(action, name) for name in names], now=now)
    fence = store.take_fence(now=now, by="test")
    claim = Claim(count=1000, lanes={lane.id: {} for lane in store.orders().lanes}, pools={})
    claimed = store.turn(fence=fence, now=now, claim=claim).claimed
    plain: dict[str, Any] = {
        "state": TaskState.FAILED,
        "outcome": Outcome.FAILED,
        "failures": 1,
        "deaths": 0,
        "started_at": now,
        "seconds": 2.0,
        "reason": Reason.ERROR,
        "error_class": ErrorClass.UNKNOWN,
        "error": "bad",
        "fingerprint": "0123456789ab",
        "slot": 0,
    }
    settled = [Settlement(task_id=one.id, attempt=one.attempt, **plain | changes) for one in claimed]
    store.turn(fence=fence, now=now + 1, settlements=settled)
    store.stand_down(fence=fence, now=now + 2, why="done")


class Words(HTMLParser):
    """The tags of a page, and its text."""

    def __init__(self) -> None:
        super().__init__()
        self.tags: set[str] = set()
        self.attributes: set[str] = set()
        self.text = ""

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.add(tag)
        self.attributes |= {name for name, _ in attrs}

    def handle_data(self, data: str) -> None:
        self.text += data


@settings(max_examples=40, deadline=None)
@given(st.text(max_size=30) | st.just(HOSTILE), st.text(max_size=30) | st.just(HOSTILE))
def test_no_name_and_no_error_becomes_markup_or_steers_a_terminal(name: str, error: str) -> None:
    with tempfile.TemporaryDirectory() as directory:
        home = Path(directory)
        store = SqliteStore.open(home / "queue.db", create=True)
        fail(
            store,
            [name.encode("utf-8", "surrogateescape" if name == HOSTILE else "replace")],
            error=error.replace("\udcff", ""),
        )
        picture = take(store, home, now=NOON + 60)
        report = gather(store, home, picture, since=NOON - 60)
        page, plain, note = as_html(report), as_text(report), as_markdown(report)
        picture_page = status_page(picture, machine_view(home, now=NOON + 60))
        store.close()
    for markup in (page, picture_page):
        words = Words()
        words.feed(markup)
        assert not words.tags & {"script", "img", "a", "iframe", "object"}
        assert not any(one.startswith("on") for one in words.attributes)
    assert all(line == printing.clean(line) for line in plain)
    assert all(line == printing.clean(line) for line in note)
    assert not any(re.search(r"(?<!\\)<(?!$)", line) for line in note)


def test_the_page_shows_a_hostile_error_as_text(tmp_path: Path) -> None:
    """The counter-check: it stands there, and as text."""
    store = SqliteStore.open(tmp_path / "queue.db", create=True)
    fail(store, [b"a"], error="<script>alert(1)</script>")
    words = Words()
    words.feed(as_html(gather(store, tmp_path, take(store, tmp_path, now=NOON + 60), since=NOON - 60)))
    store.close()
    assert "<script>alert(1)</script>" in words.text


def test_what_the_next_step_says_can_be_typed_and_reaches_these_tasks_alone(overnight: Call) -> None:
    overnight("add", "other", "--", "convert", "{}")
    home = wiring.find_home()
    store = wiring.open_store(home)
    now = wiring.clock.now()
    fail(store, [b"a", b"b"], now=now - 60, reason=Reason.TIMEOUT, error="over its time limit")
    store.close()
    told = overnight("report", "--json").json
    (cause,) = told["failed"]
    assert (cause["tasks"], cause["newest_id"]) == (3, 3)
    for command in cause["next_step"]["commands"]:
        program, *words = shlex.split(command)
        assert program == "overnight"
        assert overnight(*words).status == 0, command
    other, *_ = overnight("list", "--json", "--state", "failed").lines or [""]
    assert other == ""
    store = wiring.open_store(home)
    actions = [store.actions({store.get(one).action_id}) for one in (1, 2, 3)]
    states = store.states([1, 2, 3])
    store.close()
    assert [action.timeout for found in actions for action in found.values()] == [600.0] * 3
    assert set(states.values()) == {TaskState.PENDING}


def test_a_cause_is_as_old_as_its_first_failure_whatever_became_of_the_tasks(
    overnight: Call, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A retry takes its failure from a task, and not from the night."""
    monkeypatch.setattr(gathering, "SHORTEST", 0.0)  # or a window begins before the second run
    overnight("run", "--retries", "0", ":::", "1", "2", "--", "sh", "-c", "exit 3", "x")
    (first,) = overnight("report", "--since", "1h", "--json").json["failed"]
    between = wiring.clock.now()
    overnight("retry", "--all")
    overnight("run", "--quiet")
    (again,) = overnight("report", "--since", f"{wiring.clock.now() - between:.3f}", "--json").json["failed"]
    (whole,) = overnight("report", "--since", "1h", "--json").json["failed"]
    assert (first["is_new"], again["is_new"], whole["is_new"]) == (True, False, True)
    assert again["first_at"] == whole["first_at"] <= iso(between)


def test_what_failed_before_the_window_has_stopped(tmp_path: Path) -> None:
    store = SqliteStore.open(tmp_path / "queue.db", create=True)
    fail(store, [b"a", b"b"])
    report = gather(store, tmp_path, take(store, tmp_path, now=NOON + 90_000), since=NOON + 80_000)
    store.close()
    assert report.night.finished == {}
    (line,) = [line for line in as_text(report) if "2  bad" in line]
    assert re.search(r"2  bad  default  stopped \w{3} \d\d:\d\d$", line)


def test_a_pause_that_ended_when_the_window_begins_is_no_part_of_it(tmp_path: Path) -> None:
    store = SqliteStore.open(tmp_path / "queue.db", create=True)
    (tmp_path / "events.jsonl").write_text(
        "".join(
            f'{{"seq":{seq},"event":"processor_{event}","at":"{iso(NOON + at)}"}}\n'
            for seq, event, at in ((1, "started", 0), (2, "stopped", 5), (3, "started", 176), (4, "stopped", 180))
        )
    )
    picture = take(store, tmp_path, now=NOON + 300)
    last, both = (gather(store, tmp_path, picture, since=since) for since in (None, NOON - 1))
    store.close()
    assert (last.since, last.incidents) == (NOON + 176, [])
    assert [one.words for one in both.incidents] == ["no engine for 2 min 51 s"]


def test_the_report_is_written_as_a_page_beside_what_is_printed(overnight: Call, place: Path) -> None:
    overnight("add", "a", "--", "true")
    said = overnight("report", "--html", "night.html", "--json")
    assert said.json["counts"]["pending"] == 1
    assert "night.html" in said.err
    assert (place / "night.html").read_text("utf-8").startswith("<!DOCTYPE html>")
    quiet = overnight("report", "--html", "night.html")
    assert quiet.out == ""
    assert overnight("report", "--html", "-").out.startswith("<!DOCTYPE html>")


@pytest.mark.parametrize("name", ["no/such/folder/night.html", "."])
def test_a_page_that_cannot_be_written_is_an_error_of_three_parts(overnight: Call, name: str) -> None:
    overnight("add", "a", "--", "true")
    said = overnight("report", "--html", name)
    assert said.status == 1
    assert "no task was touched" in said.err
    assert "try:" in said.err


@pytest.mark.parametrize("since", ["yesterday", "-3h", ""])
def test_a_time_that_is_none_is_refused(overnight: Call, since: str) -> None:
    overnight("add", "a", "--", "true")
    said = overnight("report", "--since", since)
    assert said.status == 2
    assert "nothing was printed" in said.err


def test_a_time_may_be_one_of_the_clock(overnight: Call) -> None:
    overnight("add", "a", "--", "true")
    assert overnight("report", "--since", "2026-01-31T06:00:00Z", "--json").json["since"].startswith("2026-01-31T06:00")
    assert overnight("report", "--since", "06:00").status == 0
    assert overnight("logs", "errors", "--since", "06:00").status == 0


def test_a_home_where_nothing_ever_ran_has_a_report(overnight: Call) -> None:
    overnight("add", "a", "--", "true")
    for words in (("report",), ("report", "--since", "8h"), ("report", "--md")):
        said = overnight(*words)
        assert said.status == 0
        assert "Nothing moves: no engine runs; 1 of 1 task left; nothing lost." in said.out


def test_status_begins_with_the_sentence_in_every_form(overnight: Call) -> None:
    overnight("add", "a", "b", "--", "true")
    sentence = "Nothing moves: no engine runs; 2 of 2 tasks left; nothing lost."
    assert overnight("status").lines[0] == sentence
    told = overnight("status", "--format", "json").json
    assert (told["sentence"], told["level"], told["unaccounted"]) == (sentence, "stalled", 0)
    assert sentence in overnight("status", "--format", "html").out


def test_status_shows_the_machine_when_asked(overnight: Call) -> None:
    overnight("add", "a", "--", "true")
    home = wiring.find_home()
    now = wiring.clock.now()
    assert "no figures of the machine" in overnight("status", "--include-resources").out
    history = History(home.path / "history.db")
    for second in range(120):
        history.sample({"cpu": 0.63, "disk_free": 12e9, "network_up": 1.0, "running": 2.0}, now=now - 120 + second)
    history.close()
    plain = overnight("status", "--detailed", "--include-resources").out
    assert re.search(r"CPU +63% ", plain)
    assert re.search(r"Disk free +12.0 GB", plain)
    assert "Network up" in plain
    told = overnight("status", "--detailed", "--include-resources", "--format", "json").json
    assert told["resources"]["cpu"] == 0.63
    assert "running" not in told["resources"]
    assert "resources" not in overnight("status", "--json").json
    assert 'aria-label="CPU in the last hour"' in overnight("status", "--format", "html").out


def test_no_line_of_status_is_longer_than_a_terminal_is_wide(overnight: Call, monkeypatch: pytest.MonkeyPatch) -> None:
    names = (f"a rather long name of a file, number {number} of a long row" for number in range(3))
    overnight("add", *names, "--", "true")
    monkeypatch.setattr(printing, "on_terminal", lambda: True)
    for width in (80, 60):
        monkeypatch.setattr(printing, "width", lambda width=width: width)
        lines = overnight("status", "--detailed", "--include-resources").lines
        assert max(map(len, lines)) <= width


def test_causes_for_which_there_is_no_room_are_counted_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(gathering, "MOST_CAUSES", 2)
    store = SqliteStore.open(tmp_path / "queue.db", create=True)
    held: dict[str, Any] = {"state": TaskState.HELD, "reason": Reason.POISON}
    for number in range(4):
        changes = held if number == 1 else {}
        fail(store, [b"%d-%d" % (number, one) for one in range(9 - number)], fingerprint=f"{number:012x}", **changes)
    report = gather(store, tmp_path, take(store, tmp_path, now=NOON + 60), since=NOON - 60)
    store.close()
    assert (len(report.failed), len(report.held), report.night.causes) == (1, 1, 4)
    assert [as_html(report).count("more causes"), "\n".join(as_text(report)).count("and 2 more causes")] == [1, 1]


def test_a_page_goes_into_a_pipe_or_a_device_and_does_not_take_its_place(overnight: Call, place: Path) -> None:
    overnight("add", "a", "--", "true")
    pipe = place / "pipe"
    os.mkfifo(pipe)
    reader = os.open(pipe, os.O_RDONLY | os.O_NONBLOCK)
    assert overnight("report", "--html", str(pipe)).status == 0
    assert os.read(reader, 1 << 16).lower().startswith(b"<!doctype html>")
    os.close(reader)
    assert pipe.is_fifo()
