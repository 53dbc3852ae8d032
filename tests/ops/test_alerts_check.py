"""What the check of alerts says: those that fire, unless somebody wants to hear nothing of them."""

from __future__ import annotations

from pathlib import Path

from scenes import no_store

from overnight.core.alerts import Alert, Phase
from overnight.core.findings import Finding, Status
from overnight.core.settings import resolve
from overnight.host.home import Home, create
from overnight.monitor.history.alerting import Book, Silence
from overnight.monitor.history.keeping import History
from overnight.ops.checks.alerts import CHECK
from overnight.ops.checks.contract import Scene
from overnight.testing import FakeClock

NOON = 1_800_000_000.0


def findings(home: Home) -> list[Finding]:
    settings = resolve(flags={}, environ={}, configured={})
    return list(CHECK.run(Scene(home.path.parent, home, no_store, settings, FakeClock(NOON))))


def test_alerts_that_fire_are_named_unless_they_are_silenced(tmp_path: Path) -> None:
    home = create(tmp_path / ".overnight")
    assert findings(home) == []
    history = History(home.history)
    fires = Alert(phase=Phase.FIRING, fired_at=NOON, words="disk_free is 1.0 GB")
    history.alerting.write(Book({"disk": fires, "night.held": fires, "quiet": Alert()}, {}, 1, 1), [], now=NOON)
    [found] = findings(home)
    assert (found.status, found.value) == (Status.WARN, 2)
    assert "disk: disk_free is 1.0 GB" in found.summary
    for name in ("disk", "night"):
        history.alerting.silence(Silence(name, NOON + 60, "", "me"))
    history.close()
    [found] = findings(home)
    assert (found.status, found.summary) == (Status.OK, "of 3 alerts none fires")
