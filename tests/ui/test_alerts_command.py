"""``alerts``: what stands in the file, how it stands, and whether anybody can be reached."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from receivers import Hook, serving

from overnight.core.alert_messages import Message
from overnight.core.alerts import Alert, Notice, Phase, Tells
from overnight.monitor.history.alerting import Book
from overnight.monitor.history.keeping import History
from overnight.monitor.history.standing import standing

NOON = 1_800_000_000.0
FILE = """
[alerts.disk]
when = "disk_free < 2GB"
targets = ["hook"]
[alerts.night]
on = ["run_finished", "task_held"]
targets = "hook"
[targets.hook]
webhook = "{address}?token=${{HOOK_TOKEN}}"
"""

Call = Callable[..., Any]


@pytest.fixture
def told(place: Path, overnight: Call) -> Path:
    """A home with alerts, one of which fires."""
    (place / "overnight.toml").write_text(FILE.format(address="http://127.0.0.1:9/x"))
    overnight("add", "--", "true")
    history = History(place / ".overnight" / "history.db")
    alert = Alert(phase=Phase.FIRING, fired_at=NOON, is_told=True, told_at=NOON, words="disk_free is 1.0 GB")
    message = Message("k-hook-1", "hook", NOON, "overnight: disk firing", "", (Notice("disk", Tells.FIRED, NOON),))
    history.alerting.write(Book({"disk": alert}, {}, 1, 1), [message], now=NOON)
    history.close()
    return place


def lines(said: Any) -> list[dict[str, object]]:
    return [json.loads(line) for line in said.out.splitlines()]


def test_it_lists_what_is_asked_for_and_how_it_stands(told: Path, overnight: Call) -> None:
    found = {one["alert"]: one for one in lines(overnight("alerts", "list", "--json"))}
    assert list(found) == ["disk", "night.run_finished", "night.task_held"]
    assert found["disk"]["state"] == "firing"
    assert found["disk"]["since"] == "2027-01-15T08:00:00.000Z"
    assert found["night.task_held"]["state"] == "inactive"
    shown = overnight("alerts", "list")
    assert "disk_free is 1.0 GB" in shown.out
    assert told.exists()


@pytest.mark.usefixtures("told")
def test_it_lists_what_was_told(overnight: Call) -> None:
    (one,) = lines(overnight("alerts", "list", "--messages", "--json"))
    assert (one["key"], one["target"], one["delivery"]) == ("k-hook-1", "hook", "on its way")


@pytest.mark.usefixtures("place")
def test_without_alerts_it_says_how_to_have_some(overnight: Call) -> None:
    said = overnight("alerts", "list")
    assert said.status == 0
    assert "[alerts.NAME]" in said.err


def test_a_target_is_tried_and_a_secret_never_shown(
    place: Path, overnight: Call, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HOOK_TOKEN", "hush-4711")
    with serving(Hook()) as hook:
        (place / "overnight.toml").write_text(FILE.format(address=hook.address))
        good = overnight("alerts", "test")
        assert good.status == 0
        assert "taken" in good.out
        assert hook.told() == [("test", "happened")]
        hook.status = 403
        bad = overnight("alerts", "test", "hook", "--json")
    assert bad.status == 1
    assert "status 403" in str(lines(bad)[0]["error"])
    assert "hush" not in good.out + good.err + bad.out + bad.err


def test_a_secret_that_is_missing_is_told_by_name(told: Path, overnight: Call) -> None:
    said = overnight("alerts", "test")
    assert said.status == 1
    assert "HOOK_TOKEN is not set" in said.out
    assert told.exists()


def test_an_alert_is_silenced_for_a_while_and_told_again(told: Path, overnight: Call) -> None:
    said = lines(overnight("alerts", "silence", "disk", "2h", "--reason", "I know", "--json"))[0]
    assert said["alert"] == "disk"
    (disk, *_) = lines(overnight("alerts", "list", "--json"))
    assert disk["silenced_until"] == said["silenced_until"]
    overnight("alerts", "silence", "disk", "--end")
    (disk, *_) = lines(overnight("alerts", "list", "--json"))
    assert disk["silenced_until"] is None
    assert standing(told / ".overnight" / "history.db", now=NOON, messages=1).book.alerts["disk"].is_told


@pytest.mark.usefixtures("told")
@pytest.mark.parametrize(
    ("words", "status", "what"),
    [
        (("silence", "disc", "2h"), 4, "there is no alert 'disc'"),
        (("silence", "disk"), 2, "for how long"),
        (("silence", "disk", "0s"), 2, "for how long"),
        (("silence", "disk", "2h", "--end"), 2, "for how long"),
        (("test", "hok"), 4, "there is no target 'hok'"),
    ],
)
def test_what_cannot_be_done_is_told(overnight: Call, words: tuple[str, ...], status: int, what: str) -> None:
    said = overnight("alerts", *words)
    assert said.status == status
    assert what in said.err


def test_bounds_are_proposed_from_what_was(told: Path, overnight: Call, monkeypatch: pytest.MonkeyPatch) -> None:
    assert "no history" in overnight("alerts", "propose").err
    history = History(told / ".overnight" / "history.db")
    history.sample({"disk_free": 9e9, "memory_available": 8e9}, now=NOON)
    history.close()
    monkeypatch.setattr("overnight.wiring.clock.now", lambda: NOON + 60)
    said = overnight("alerts", "propose")
    assert 'when = "disk_free < 4500MB"' in said.out
    assert 'targets = ["hook"]' in said.out
    assert [one["name"] for one in lines(overnight("alerts", "propose", "--json"))] == ["disk", "memory"]
