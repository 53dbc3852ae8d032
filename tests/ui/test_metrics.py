"""``metrics``: what was measured, as people and programs get it."""

from __future__ import annotations

import json
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from prometheus_client.parser import text_string_to_metric_families

from overnight import wiring
from overnight.core.tallies import Ending, Key
from overnight.monitor.history.keeping import History

NOON = 1_800_000_000.0 // 3600 * 3600
Call = Callable[..., Any]


@pytest.fixture
def past(overnight: Call, place: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A home whose history knows of two hours: in the second one a step is slower, and fails with a cause."""

    class Still:
        def now(self) -> float:
            return NOON + 7200

        def monotonic(self) -> float:
            return 0.0

    overnight("add", "--", "true", ":::", "a", "b")
    monkeypatch.setattr(wiring, "clock", Still())
    monkeypatch.setattr("overnight.wiring.measuring.clock", Still())
    monkeypatch.setattr("overnight.host.clock.SystemClock", Still)
    scan = Key("default", "flow", "scan\x1b[2J", "completed")
    bad = scan._replace(outcome="failed", error_class="unknown", fingerprint="f00")
    with closing(History(place / ".overnight" / "history.db")) as history:
        history.tally([Ending(NOON + n, scan, 1.0) for n in range(100)], seq=1)
        history.tally([Ending(NOON + 3600 + n, scan, 2.0) for n in range(80)], seq=2)
        history.tally([Ending(NOON + 3700, bad, 5.0) for _ in range(20)], seq=3)
        for minute in range(121):
            up = float(not 30 <= minute < 35)
            history.sample({"cpu": minute / 120, "load": 1.0, "network_up": up}, now=NOON + minute * 60)
    return place


def shapes(overnight: Call, *words: str) -> list[dict[str, Any]]:
    said = overnight("metrics", *words, "--json")
    assert said.status == 0, said.err
    return [json.loads(line) for line in said.lines]


@pytest.mark.usefixtures("past")
def test_attempts_are_told_by_step_and_by_cause(overnight: Call) -> None:
    [step] = shapes(overnight, "attempts", "--since", "2h")
    assert (step["workflow"], step["attempts"], step["failed"], step["per_hour"]) == ("flow", 200, 20, 100.0)
    assert (step["mean_seconds"], step["longest_seconds"], step["failure_ratio"]) == (1.8, 5.0, 0.1)
    [cause] = shapes(overnight, "attempts", "--by", "cause")
    assert (cause["fingerprint"], cause["error_class"], cause["attempts"]) == ("f00", "unknown", 20)
    assert cause["first"] == "2027-01-15T09:01:00.000Z"
    assert shapes(overnight, "attempts", "--since", "2h", "--until", "1h")[0]["attempts"] == 100


@pytest.mark.usefixtures("past")
def test_people_get_a_table_that_steers_no_terminal(overnight: Call) -> None:
    said = overnight("metrics", "attempts", "--by", "step")
    assert "\x1b" not in said.out
    assert "scan\\x1b[2J" in said.out
    assert "20 (10.0%)" in said.out


@pytest.mark.usefixtures("past")
def test_two_periods_beside_each_other(overnight: Call) -> None:
    step, *figures = shapes(overnight, "compare", "--at", "1h", "--span", "1h")
    assert step["changes"] == ["slower", "fails more"]
    assert step["times_as_long"] == pytest.approx(2.6)
    assert (step["before"]["attempts"], step["after"]["attempts"]) == (100, 100)
    assert [one["figure"] for one in figures] == ["cpu", "load", "network_up"]
    [again, *_] = shapes(overnight, "compare", "--before", "2h", "1h", "--after", "1h", "now")
    assert again == step
    table = overnight("metrics", "compare", "--at", "1h", "--span", "1h").out
    assert "1.0 s → 2.6 s" in table
    assert "slower, fails more" in table
    assert "cpu" in table
    assert "load" not in table
    causes = overnight("metrics", "compare", "--at", "1h", "--span", "1h", "--by", "cause").out
    assert "f00" in causes
    assert "new" in causes


@pytest.mark.usefixtures("past")
@pytest.mark.parametrize("span", ["1h", "3d"])
def test_nothing_is_in_both_periods(overnight: Call, span: str) -> None:
    """The change lies within a minute, and within an hour."""
    [step, *_] = shapes(overnight, "compare", "--at", "2027-01-15T09:00:59Z", "--span", span)
    counts = [step[side]["attempts"] if step[side] else 0 for side in ("before", "after")]
    assert sum(counts) == 200


@pytest.mark.usefixtures("past")
def test_figures_and_when_there_was_no_network(overnight: Call) -> None:
    *figures, outage = shapes(overnight, "figures", "--since", "2h")
    cpu = next(one for one in figures if one["figure"] == "cpu")
    assert (cpu["unit"], cpu["least"], cpu["most"]) == ("ratio", 0.0, pytest.approx(119 / 120))
    assert outage["outage"] == "network"
    assert outage["since"] == "2027-01-15T08:30:00.000Z"
    assert "no network: " in overnight("metrics", "figures", "--since", "2h").out


@pytest.mark.usefixtures("past")
def test_periods_that_make_no_sense_are_refused(overnight: Call) -> None:
    assert overnight("metrics", "attempts", "--since", "1h", "--until", "2h").status == 2
    assert overnight("metrics", "compare", "--before", "2h", "1h").status == 2
    assert overnight("metrics", "attempts", "--since", "2099-01-01").status == 2


def test_without_a_history_is_said_how_to_get_one(overnight: Call) -> None:
    overnight("add", "--", "true", ":::", "a")
    said = overnight("metrics", "compare")
    assert said.status == 4
    assert "history.db is not there; no task was touched" in said.err
    assert "try: " in said.err


def test_a_damaged_history_is_named_and_left_where_it_is(overnight: Call, place: Path) -> None:
    overnight("add", "--", "true", ":::", "a")
    path = place / ".overnight" / "history.db"
    path.write_bytes(b"no database")
    said = overnight("metrics", "attempts")
    assert said.status == 4
    assert "cannot be read" in said.err
    assert path.read_bytes() == b"no database"


@pytest.mark.usefixtures("past")
def test_everything_is_printed_as_prometheus_reads_it(overnight: Call) -> None:
    families = {family.name: family for family in text_string_to_metric_families(overnight("metrics").out)}
    [pending] = [s for s in families["overnight_tasks"].samples if s.labels["state"] == "pending"]
    assert pending.value == 2
    attempts = {s.labels["outcome"]: s.value for s in families["overnight_attempts"].samples if s.value > 1}
    assert attempts == {"completed": 180, "failed": 20}
