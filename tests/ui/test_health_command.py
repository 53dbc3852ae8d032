"""Health: rounds of checks, here or by the engine, and what a week of them looks like."""

from __future__ import annotations

import random
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator, Mapping
from contextlib import closing
from pathlib import Path
from typing import Any

import msgspec
import pytest

from overnight import wiring
from overnight.core.check_tables import WantedCheck
from overnight.core.findings import Finding
from overnight.core.lanes import OPS_QUEUE
from overnight.core.states import TaskState
from overnight.core.task import Action, ActionKind, NewTask
from overnight.host.clock import Clock
from overnight.host.home import Home
from overnight.monitor.health import HealthBook
from overnight.ops.checks.contract import Check, Scene, fail, ok
from overnight.ops.plugins import check_of
from overnight.store.contract import Query, Selector, Verb
from overnight.testing import FakeClock
from overnight.wiring import health

Call = Callable[..., Any]
DAY, EVERY = 86400.0, 1800.0
CHECKED = '[check.beat]\nfile = "beat"\n'


class Week:
    """Checks of a week: a service is away for half of the fourth day, and gets slower; a disk fills up."""

    def __init__(self, clock: FakeClock) -> None:
        self._clock = clock
        self._start = clock.now()
        self._dice = random.Random(7)  # noqa: S311 - for figures, not for a secret

    def catalogue(self, _wanted: object) -> dict[str, Callable[[], Check]]:
        checks = (
            Check("service", "service", self._service),
            Check("disk", "disk", self._disk, more_is_better=True),
            Check("calm", "calm", self._calm),
        )
        return {check.id: (lambda check=check: check) for check in checks}  # type: ignore[misc]  # bound

    def _days(self) -> float:
        return (self._clock.now() - self._start) / DAY

    def _service(self, _scene: Scene) -> Iterator[Finding]:
        if 3.0 <= self._days() < 3.5:
            yield fail("service", "nobody answers")
        else:
            yield ok("service", "answers", value=0.1 + 0.02 * self._days() + self._dice.gauss(0, 0.01), unit="seconds")

    def _disk(self, _scene: Scene) -> Iterator[Finding]:
        yield ok("disk", "free", value=100e9 - 5e9 * self._days() + self._dice.gauss(0, 1e9), unit="bytes")

    def _calm(self, _scene: Scene) -> Iterator[Finding]:
        yield ok("calm", "calm", value=5.0 + self._dice.gauss(0, 1.0), unit="count")


def test_a_week_has_the_right_uptime_and_trends(overnight: Call, place: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    overnight("add", "--", "true")
    clock = FakeClock()
    week = Week(clock)
    monkeypatch.setattr("overnight.wiring.health.catalogue", week.catalogue)
    monkeypatch.setattr(wiring, "clock", clock)
    until = clock.now() + 7 * DAY

    def wait(seconds: float) -> bool:
        clock.advance(seconds)
        return clock.now() >= until

    rounds = watch(place, EVERY, clock).go_on(wait)
    assert rounds == 7 * DAY / EVERY
    found = overnight("health", "report", "--since", "7d", "--json").json
    by = {one["id"]: one for one in found["checks"]}
    assert by["service"]["uptime"] == 1 - 0.5 / 7
    assert (by["disk"]["uptime"], by["calm"]["uptime"]) == (1.0, 1.0)
    assert found["uptime"] == pytest.approx(1 - 0.5 / 7 / 3)
    assert {name: one["course"] for name, one in by.items()} == {
        "service": "worsening",
        "disk": "worsening",
        "calm": "steady",
    }
    assert by["calm"]["mean"] == pytest.approx(5.0, abs=0.2)
    assert by["calm"]["p95"] == pytest.approx(5.0 + 1.645, abs=0.4)
    # The latest hundred are two days in which the service never failed.
    latest = {one["id"]: one for one in overnight("health", "report", "--json").json["checks"]}
    assert {(one["asked"], one["uptime"]) for one in latest.values()} == {(100, 1.0)}
    said = overnight("health", "report", "service", "--since", "7d")
    assert "92.86%" in said.out


def watch(place: Path, every: float = 60.0, clock: Clock = wiring.clock) -> health.Watch:
    return health.Watch(Home(place / ".overnight"), every, tell=lambda _: None, told=print, clock=clock)


@pytest.fixture
def only_ours(monkeypatch: pytest.MonkeyPatch) -> None:
    """Of all checks those of the configuration alone: the others are tried elsewhere, and take a while."""

    def few(wanted: Mapping[str, WantedCheck]) -> dict[str, Callable[[], Check]]:
        return {name: (lambda one=one: check_of(one)) for name, one in wanted.items()}  # type: ignore[misc]  # bound

    monkeypatch.setattr(health, "catalogue", few)


def rounds_of(place: Path, check: str) -> int:
    with closing(HealthBook(place / ".overnight" / "health.db", readonly=True)) as book:
        return len(book.latest(check, 1000))


def test_without_an_engine_it_goes_on_here_until_a_signal_and_ends_well(place: Path) -> None:
    (place / "overnight.toml").write_text(CHECKED)
    words = [sys.executable, "-m", "overnight", "health", "start", "1h"]
    with subprocess.Popen(words, cwd=place, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as child:
        assert child.stdout is not None
        first = child.stdout.readline()  # a round is over
        child.send_signal(signal.SIGTERM)
        _, err = child.communicate(timeout=60)
    assert b"beat" in first
    assert child.returncode == 128 + signal.SIGTERM
    assert b"1 round written down" in err
    assert rounds_of(place, "beat") == 1


@pytest.mark.usefixtures("only_ours")
def test_a_mistake_in_the_configuration_and_a_damaged_file_stop_no_round(
    overnight: Call, place: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (place / "overnight.toml").write_text(CHECKED)
    overnight("add", "--", "true")
    clock = FakeClock()
    steps: list[Callable[[], object]] = [
        lambda: (place / "overnight.toml").write_text("[check.beat"),
        lambda: (place / "overnight.toml").write_text(CHECKED),
        lambda: (place / ".overnight" / "health.db").write_bytes(b"no database" * 1000),
    ]

    def wait(seconds: float) -> bool:
        clock.advance(seconds)
        if not steps:
            return True
        steps.pop(0)()
        return False

    assert watch(place, 60.0, clock).go_on(wait) == 4
    assert rounds_of(place, "beat") == 1  # begun anew
    said = capsys.readouterr().out
    assert said.count("health.db: ") == 1
    assert "health.db is written again" in said


@pytest.mark.usefixtures("only_ours")
def test_how_each_stands_the_worst_first_and_since_when(overnight: Call, place: Path) -> None:
    (place / "overnight.toml").write_text(CHECKED)
    overnight("add", "--", "true")
    watch(place).go_on(lambda _: True)
    said = overnight("health", "status", "--json").json
    assert said["overall"] == "FAIL"
    assert (said["checks"][0]["id"], said["checks"][0]["current"]) == ("beat", True)
    assert said["every_seconds"] is None
    assert overnight("health", "status").lines[0].split()[:2] == ["FAIL", "beat"]


@pytest.mark.usefixtures("only_ours")
def test_what_nobody_asks_any_more_is_not_known_and_its_past_is_kept(overnight: Call, place: Path) -> None:
    (place / "overnight.toml").write_text(CHECKED)
    overnight("add", "--", "true")
    watch(place).go_on(lambda _: True)
    overnight("health", "stop")
    said = overnight("health", "status")
    assert "UNKNOWN: 0 checks" in said.out
    assert ("'overnight doctor' examines now" in said.err, "HEALTHY" in said.out) == (True, False)
    assert overnight("health", "status", "--json").json["overall"] == "UNKNOWN"
    assert [one["id"] for one in overnight("health", "report", "--json").json["checks"]] == ["beat"]
    assert overnight("health", "report", "beat", "--since", "7d").lines[1].split()[:2] == ["beat", "0.00%"]
    watch(place).go_on(lambda _: True)
    assert overnight("health", "status", "--json").json["overall"] == "FAIL"


@pytest.mark.usefixtures("only_ours")
def test_answers_that_are_long_past_say_nothing_of_now_and_no_reason_is_cut_off(overnight: Call, place: Path) -> None:
    name = "a-name-that-is-much-longer-than-what-fits-beside-the-rest-of-a-line-of-eighty-columns"
    (place / "overnight.toml").write_text(CHECKED.replace('"beat"', f'"{name}"'))
    overnight("add", "--", "true")
    watch(place).go_on(lambda _: True)
    assert name in overnight("health", "status").out
    with closing(HealthBook(place / ".overnight" / "health.db")) as book:
        (one,) = book.standings().values()
        book.note([msgspec.structs.replace(one, at=one.at - DAY)], now=one.at)
    assert overnight("health", "status", "--json").json["overall"] == "UNKNOWN"


def test_what_is_not_there_or_damaged_is_said(overnight: Call, place: Path) -> None:
    overnight("add", "--", "true")
    for words in (("health", "status"), ("health", "report")):
        said = overnight(*words)
        assert (said.status, "'overnight health start' begins" in said.err) == (4, True)
    (place / ".overnight" / "health.db").write_bytes(b"no database" * 1000)
    for words in (("health", "status"), ("health", "report")):
        said = overnight(*words)
        assert (said.status, "no task is concerned" in said.err) == (1, True), said
    assert overnight("health", "start", "0").status == 2
    (place / "overnight.toml").write_text("[check.beat")
    assert overnight("health", "start").status == 2
    assert "examined nothing" in overnight("health", "stop").out


@pytest.mark.usefixtures("only_ours")
def test_an_alert_is_judged_here_when_nobody_else_watches(
    overnight: Call, place: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The message is in the queue when the round is over, and somebody is sent for it."""
    sent: list[Home] = []
    monkeypatch.setattr(health, "send_what_is_left", sent.append)
    (place / "overnight.toml").write_text(
        CHECKED
        + '[alerts.checks]\non = "check_failed"\ntargets = "file"\n'
        + '[targets.file]\ncommand = "true"\ngroup = "0s"\n'
    )
    overnight("add", "--", "true")
    watch(place).go_on(lambda _: True)
    assert "checks.beat" in overnight("alerts", "list", "--messages").out
    [listed] = overnight("alerts", "list", "--json").out.splitlines()
    assert '"alert":"checks.beat"' in listed
    assert '"state":"firing"' in listed
    assert sent


@pytest.mark.usefixtures("only_ours")
def test_what_the_engine_has_called_writes_one_round_down(
    overnight: Call, place: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (place / "overnight.toml").write_text(CHECKED)
    overnight("add", "--", "true")
    monkeypatch.setenv("OVERNIGHT_HOME", str(place / ".overnight"))
    health.ask("60.0")
    assert rounds_of(place, "beat") == 1


def test_tasks_of_rounds_that_are_long_over_are_forgotten_and_others_are_not(
    overnight: Call, place: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    overnight("add", "--", "true")
    home = Home(place / ".overnight")
    with closing(wiring.open_store(home)) as store:
        health.lay_down(store, home, 60.0)
        assert not health.tidy(store)
        rounds = [store.run_schedule(health.NAME, health.found(store).task, now=1e9, by="test") for _ in range(3)]  # type: ignore[union-attr]  # it was laid down
        message = NewTask(Action(kind=ActionKind.CALL, cwd=b"/", call="m:deliver"), b"", queue=OPS_QUEUE)
        (other,) = store.add([message], now=1e9).ids
        store.act(Verb.CANCEL, Selector(ids=(*rounds, other)), now=1e9, by="test")
        monkeypatch.setattr(health, "KEPT", 1)
        assert health.tidy(store) == 2
        left = {task.id for task in store.tasks(Query(queue=OPS_QUEUE, states=(TaskState.CANCELLED,)))}
        assert left == {rounds[-1], other}
        assert health.take_away(store, home)
        assert health.found(store) is None
