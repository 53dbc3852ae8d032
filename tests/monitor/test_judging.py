"""Alerts are told once, whoever dies between two steps of telling them."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing, suppress
from pathlib import Path
from typing import Any

import msgspec
import pytest

from overnight.core.alert_messages import Message
from overnight.core.configuration import parse
from overnight.core.findings import Status
from overnight.core.health import Standing
from overnight.core.lanes import OPS_QUEUE
from overnight.core.schedules import Decision, Misses, Schedule, Scheduled, When, Why
from overnight.core.states import TaskState
from overnight.core.task import Action, ActionKind, NewTask
from overnight.engine.journal import Journal
from overnight.monitor.health import HealthBook
from overnight.monitor.history.alerting import Alerting, Book, Silence
from overnight.monitor.history.keeping import History
from overnight.monitor.judging import Judge, Wanted
from overnight.monitor.snapshot import take
from overnight.store.contract import Query, Selector, Verb
from overnight.store.sqlite import SqliteStore

NOON = 1_800_000_000.0
ACTION = Action(kind=ActionKind.COMMAND, cwd=b"/data", argv=(b"process", b"{}"))
DELIVERY = Action(kind=ActionKind.CALL, cwd=b"/data", call="m:deliver")
HELD = """
[alerts.held]
on = "task_held"
targets = "ops"
[targets.ops]
command = "true"
group = "0s"
hourly = "none"
"""


class KilledError(BaseException):
    """The process is gone: nothing may catch this."""


class Watch:
    """A home that is watched: a store, a history, a clock moved by hand, and processes that can die."""

    def __init__(self, place: Path, text: str = HELD) -> None:
        self.place = place
        self.at = NOON
        self.store = SqliteStore.open(place / "queue.db", create=True, migrate=True)
        self.journal = Journal(place / "events.jsonl", self.store)
        self.wanted = Wanted(parse(text).alerts, parse(text).targets, NOON - 60)
        self.measured: dict[str, float] = {}
        self.is_unique = True
        #: Called with the name of each step, before and after it.
        self.hook: Callable[[str], None] = lambda _: None
        self.begin()

    def begin(self) -> None:
        """A new process."""
        self.history = History(self.place / "history.db")
        self.judge = Judge(
            self.place,
            self.store,
            look=lambda: take(self.store, self.place, now=self.now()),
            wanted=lambda: self.wanted,
            hand_on=self.hand_on,
            clock=self,
        )

    def now(self) -> float:
        return self.at

    def monotonic(self) -> float:
        return self.at

    def hand_on(self, messages: list[Message]) -> dict[str, int]:
        self.hook("before adding")
        tasks = [NewTask(DELIVERY, msgspec.json.encode(one), queue=OPS_QUEUE) for one in messages]
        added = self.store.add(tasks, now=self.now(), unique=self.is_unique)
        self.hook("after adding")
        return {one.key: task for one, task in zip(messages, added.at, strict=True)}

    def round(self, seconds: float = 1.0, *, last: bool = False) -> None:
        self.at += seconds
        self.journal.pump()
        while self.judge.round(self.history, self.measured, last=last):
            pass

    def add(self, name: str) -> int:
        return self.store.add([NewTask(ACTION, name.encode())], now=self.now()).ids[0]

    def act(self, verb: Verb, task: int) -> None:
        self.store.act(verb, Selector(ids=(task,)), now=self.now(), by="me")

    def told(self) -> list[str]:
        """Everything that lies in the queue to be told, oldest first."""
        tasks = reversed(self.store.tasks(Query(queue=OPS_QUEUE, limit=1000)))
        messages = [msgspec.json.decode(task.input, type=Message) for task in tasks]
        return [f"{one.alert} {one.tells}" for message in messages for one in message.notices]

    def close(self) -> None:
        self.history.close()
        self.journal.close()
        self.store.close()


@pytest.fixture
def watch(tmp_path: Path) -> Iterator[Watch]:
    with closing(Watch(tmp_path)) as made:
        yield made


STEPS = ("before writing", "after writing", "before adding", "after adding", "before noting", "after noting")


def _hooked(watch: Watch, monkeypatch: pytest.MonkeyPatch) -> None:
    def hooked(what: str, plain: Callable[..., None]) -> Callable[..., None]:
        def call(*args: Any, **more: Any) -> None:
            watch.hook(f"before {what}")
            plain(*args, **more)
            watch.hook(f"after {what}")

        return call

    for name, what in (("write", "writing"), ("handed_on", "noting")):
        monkeypatch.setattr(Alerting, name, hooked(what, getattr(Alerting, name)))


def _struck(watch: Watch, step: str, nth: int) -> None:
    """A task is held and released, and the process dies at the nth occurrence of a step."""
    left = [nth]

    def strike(here: str) -> None:
        left[0] -= here == step
        if here == step and left[0] == 0:
            raise KilledError

    watch.hook = strike
    task = watch.add("a")
    script: list[Callable[[], None]] = [
        lambda: None,
        lambda: watch.act(Verb.HOLD, task),
        lambda: None,
        lambda: watch.act(Verb.RELEASE, task),
        lambda: None,
    ]
    for act in script:
        act()
        try:
            watch.round()
        except KilledError:
            watch.history.close()
            watch.begin()
    for _ in range(3):
        watch.round()


@pytest.mark.parametrize("nth", [1, 2, 3])
@pytest.mark.parametrize("step", STEPS)
def test_whoever_dies_at_any_step_it_is_told_once(
    watch: Watch, monkeypatch: pytest.MonkeyPatch, step: str, nth: int
) -> None:
    _hooked(watch, monkeypatch)
    _struck(watch, step, nth)
    assert watch.told() == ["held firing", "held resolved"]


def test_without_the_key_it_would_be_told_twice(watch: Watch, monkeypatch: pytest.MonkeyPatch) -> None:
    """The strikes reach what the key protects from."""
    _hooked(watch, monkeypatch)
    watch.is_unique = False
    _struck(watch, "after adding", 1)
    assert watch.told().count("held firing") == 2


def test_without_the_record_it_would_be_told_twice(watch: Watch, monkeypatch: pytest.MonkeyPatch) -> None:
    """And what the record protects from: a process that begins with nothing."""
    watch.act(Verb.HOLD, watch.add("a"))
    watch.round()
    monkeypatch.setattr(Alerting, "read", lambda _: Book({}, {}, None, None))
    watch.begin()
    watch.round()
    assert watch.told() == ["held firing"] * 2


def test_what_happened_while_nobody_watched_is_told(watch: Watch) -> None:
    watch.round()
    task = watch.add("a")
    watch.act(Verb.HOLD, task)
    watch.act(Verb.RELEASE, task)
    watch.round(600.0)
    assert watch.told() == ["held firing", "held resolved"]


def test_a_damaged_line_of_the_journal_stops_no_alert(watch: Watch) -> None:
    task = watch.add("a")
    watch.act(Verb.HOLD, task)
    watch.journal.pump()
    journal = watch.place / "events.jsonl"
    damaged, found = re.subn(rb'"file_added"(.*?)"id":1\b', rb'"file_held"\1"id":"?"', journal.read_bytes())
    assert found == 1
    journal.write_bytes(damaged)
    watch.round()
    assert watch.told() == ["held firing"]


@pytest.mark.parametrize(
    ("misses", "runs", "words"),
    [
        (
            Misses(Why.LATE, NOON, NOON + 7200, 3),
            (NOON + 7200,),
            "3 runs from 2027-01-15T08:00:00Z to 2027-01-15T10:00:00Z: nothing was there to start it; task 1 makes up",
        ),
        (Misses(Why.OVERLAP, NOON, NOON, 1), (), "a run of 2027-01-15T08:00:00Z: the one before was not done"),
    ],
)
def test_a_schedule_that_missed_its_time_is_told_of(
    watch: Watch, misses: Misses, runs: tuple[float, ...], words: str
) -> None:
    watch.wanted = Wanted(parse(HELD.replace("task_held", "schedule_missed")).alerts, watch.wanted.targets, NOON - 60)
    planned = Scheduled(
        Schedule("nightly", When(every=3600.0)),
        NewTask(ACTION, b"a"),
        "file",
        began_at=NOON,
        next_at=NOON,
        planned_at=NOON,
    )
    fence = watch.store.take_fence(now=NOON, by="me")
    watch.store.lay_schedules([planned], source="file", now=NOON, by="me")
    (found,) = watch.store.schedules()
    decision = Decision(runs, NOON + 10800, (misses,))
    watch.store.fire(found, decision, [found.task] * len(runs), fence=fence, now=NOON + 7200, by="schedule")
    watch.round()
    assert watch.told() == ["held happened"]
    (message,) = watch.store.tasks(Query(queue=OPS_QUEUE, limit=9))
    assert f"nightly has missed {words}" in message.input.decode()


def test_what_was_before_anybody_asked_is_not_told(watch: Watch) -> None:
    watch.wanted = watch.wanted._replace(since=NOON + 60)
    task = watch.add("a")
    watch.act(Verb.HOLD, task)
    watch.act(Verb.RELEASE, task)
    watch.round(100.0)
    assert watch.told() == []


def test_a_target_that_was_taken_out_and_named_again_goes_on_counting(watch: Watch) -> None:
    """A key that is given twice makes a second message one that its receiver believes to have."""
    task = watch.add("a")
    watch.act(Verb.HOLD, task)
    watch.round()
    wanted = watch.wanted
    other = parse(HELD.replace("ops", "phone"))
    watch.wanted = wanted._replace(rules=other.alerts, targets=other.targets)
    watch.round()
    watch.wanted = wanted
    watch.act(Verb.RELEASE, task)
    watch.round()
    assert watch.told() == ["held firing", "held resolved"]
    assert len({one.message.key for one in watch.history.alerting.newest(10)}) == 2


def test_what_was_before_somebody_asked_for_more_is_not_told(watch: Watch) -> None:
    wanted = watch.wanted
    watch.wanted = wanted._replace(rules=parse(HELD.replace("task_held", "clock_jumped")).alerts)
    watch.round()
    task = watch.add("a")
    watch.act(Verb.HOLD, task)
    watch.act(Verb.RELEASE, task)
    watch.round()
    watch.wanted = wanted._replace(since=watch.now() + 0.5)
    watch.round()
    assert watch.told() == []
    watch.act(Verb.HOLD, task)
    watch.round()
    assert watch.told() == ["held firing"]


def test_a_task_of_an_alert_is_no_reason_for_an_alert(tmp_path: Path) -> None:
    with closing(Watch(tmp_path, HELD)) as watch:
        own = watch.store.add([NewTask(DELIVERY, b"x", queue=OPS_QUEUE)], now=NOON).ids[0]
        watch.act(Verb.HOLD, own)
        watch.round()
        assert watch.store.get(own).state is TaskState.HELD
        assert watch.history.alerting.newest(10) == []


def test_a_figure_fires_after_its_time_and_comes_back(tmp_path: Path) -> None:
    text = """
[alerts.disk]
when = "disk_free < 2GB"
for = "1m"
recover = "0s"
targets = "ops"
[targets.ops]
command = "true"
group = "0s"
"""
    with closing(Watch(tmp_path, text)) as watch:
        watch.measured["disk_free"] = 1.5e9
        for _ in range(7):
            watch.round(10.0)
        assert watch.told() == ["disk firing"]
        watch.measured["disk_free"] = 3e9
        watch.round(10.0)
        assert watch.told() == ["disk firing", "disk resolved"]
        words = [one.message.notices[0].words for one in watch.history.alerting.newest(2)]
        assert words[1] == "disk_free is 1.5 GB (disk_free < 2GB)"
        assert words[0].startswith("after 10 s; disk_free is 3.0 GB")


def test_a_silence_of_somebody_else_is_heeded(watch: Watch) -> None:
    watch.round()
    other = History(watch.place / "history.db")
    other.alerting.silence(Silence("held", watch.now() + 100, "I know", "me"))
    other.close()
    watch.act(Verb.HOLD, watch.add("a"))
    watch.round()
    assert watch.told() == []
    watch.round(101.0)
    assert watch.told() == ["held firing"]


def test_notices_wait_for_company_but_not_at_the_end(tmp_path: Path) -> None:
    with closing(Watch(tmp_path, HELD.replace('group = "0s"', 'group = "1h"'))) as watch:
        watch.act(Verb.HOLD, watch.add("a"))
        watch.round()
        assert watch.told() == []
        watch.round(last=True)
        assert watch.told() == ["held firing"]


def test_alerts_that_were_taken_out_and_set_up_again_tell_nothing_old(watch: Watch) -> None:
    watch.round()
    wanted, watch.wanted = watch.wanted, Wanted({}, {})
    watch.round()
    task = watch.add("a")
    watch.act(Verb.HOLD, task)
    watch.act(Verb.RELEASE, task)
    watch.round()
    watch.wanted = wanted._replace(since=watch.now() + 0.5)
    watch.round()
    assert watch.told() == []


def test_a_store_that_cannot_be_had_is_tried_again(watch: Watch) -> None:
    def strike(step: str) -> None:
        if step == "before adding":
            raise OSError

    watch.hook = strike
    watch.act(Verb.HOLD, watch.add("a"))
    with suppress(OSError):
        watch.round()
    watch.hook = lambda _: None
    watch.round()
    assert watch.told() == ["held firing"]


# -- checks ------------------------------------------------------------------------------------

CHECKS = HELD.replace('[alerts.held]\non = "task_held"', '[alerts.checks]\non = "check_failed"')


def stands(watch: Watch, *, gone: Sequence[str] = (), **statuses: Status) -> None:
    """Somebody has asked the checks just now."""
    with closing(HealthBook(watch.place / "health.db")) as book:
        at = watch.now()
        standings = [Standing(name, status, "so it is", at, at, 60.0) for name, status in statuses.items()]
        book.note(standings, gone=gone, now=at)


@pytest.fixture
def checked(tmp_path: Path) -> Iterator[Watch]:
    with closing(Watch(tmp_path, CHECKS)) as made:
        yield made


def test_each_check_is_an_alert_of_its_own(checked: Watch) -> None:
    stands(checked, disk=Status.FAIL, git=Status.WARN)
    checked.round()
    stands(checked, disk=Status.FAIL, web=Status.FAIL)
    checked.round(60.0)
    stands(checked, disk=Status.OK, web=Status.FAIL)
    checked.round(60.0)
    assert checked.told() == ["checks.disk firing", "checks.web firing", "checks.disk resolved"]


def test_a_check_that_is_there_no_more_is_over_and_one_that_nobody_asks_stays_as_it_was(checked: Watch) -> None:
    stands(checked, disk=Status.FAIL)
    checked.round()
    checked.round(3600.0)
    assert checked.told() == ["checks.disk firing"]
    stands(checked, gone=["disk"])
    checked.round()
    assert checked.told() == ["checks.disk firing", "checks.disk resolved"]
    checked.round(3600.0)
    assert len(checked.told()) == 2


def test_whoever_wants_warnings_hears_of_what_is_not_known_too(checked: Watch) -> None:
    text = CHECKS.replace("check_failed", "check_warned")
    checked.wanted = Wanted(parse(text).alerts, parse(text).targets, NOON - 60)
    stands(checked, disk=Status.WARN, web=Status.UNKNOWN, git=Status.OK)
    checked.round()
    assert sorted(checked.told()) == ["checks.disk firing", "checks.web firing"]
