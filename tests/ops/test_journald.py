"""The log of the system as a source of errors: each entry once, by a `journalctl` that stands for the real one."""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Callable
from contextlib import closing
from datetime import UTC
from pathlib import Path
from typing import Any

import apsw
import pytest

from overnight.host.clock import SystemClock
from overnight.host.home import Home, create
from overnight.ops.logs import journald
from overnight.ops.logs.journald import JournaldError, entries
from overnight.ops.logs.keeping import LogStore
from overnight.ops.logs.scanning import Scan, Scanned

NOON = 1_800_000_000.0
#: Gives the lines of a file, after the one with the cursor if one is said, and notes what it was asked.
PROGRAM = """#!{python}
import sys
here = {here!r}
open(here + "/asked", "a").write(" ".join(sys.argv[1:]) + "\\n")
lines = open(here + "/entries").read().splitlines()
after = [word.partition("=")[2] for word in sys.argv if word.startswith("--after-cursor=")]
if after:
    places = [n for n, line in enumerate(lines) if f'"{{after[0]}}"' in line]
    if not places:
        sys.exit("Failed to seek to cursor: Invalid argument")
    lines = lines[places[0] + 1:]
print("\\n".join(lines))
{more}
"""


class System:
    """A machine with a log, whose program is the first one on PATH."""

    def __init__(self, place: Path) -> None:
        self.place = place
        self.home: Home = create(place / ".overnight")
        self.count = 0
        self.seconds = 60.0
        (place / "entries").touch()
        self.install()

    def install(self, more: str = "") -> None:
        program = self.place / "bin" / "journalctl"
        program.parent.mkdir(exist_ok=True)
        program.write_text(PROGRAM.format(python=sys.executable, here=str(self.place), more=more))
        program.chmod(0o755)

    def tell(self, message: object, priority: int = 3, **more: Any) -> None:
        self.count += 1
        words = {"MESSAGE": message, "PRIORITY": str(priority), "__CURSOR": f"s=1;i={self.count}"}
        words |= {"__REALTIME_TIMESTAMP": str(int((NOON + self.count) * 1e6)), "_SYSTEMD_UNIT": "web.service", **more}
        with (self.place / "entries").open("a") as file:
            file.write(json.dumps(words) + "\n")

    def look(self) -> Scanned:
        with closing(LogStore(self.home.logs)) as store:
            scan = Scan(store, zone=UTC, now=NOON + 1000, seconds=self.seconds)
            found = scan.run(self.home, (), ["web.service", "db.service"])
            scan.save(store)
            return found

    def counts(self) -> dict[str, int]:
        with closing(LogStore(self.home.logs, readonly=True)) as store:
            return {one.template: one.n for one in store.clusters()}

    def asked(self) -> list[str]:
        return (self.place / "asked").read_text().splitlines()


@pytest.fixture
def system(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> System:
    monkeypatch.setenv("PATH", f"{tmp_path / 'bin'}{os.pathsep}{os.environ['PATH']}")
    return System(tmp_path)


def test_each_entry_counts_once_with_its_unit_and_its_instant(system: System) -> None:
    system.tell("lost 5 of 7 peers")
    system.tell("started", priority=6)
    assert system.look().lines == 1
    system.tell("lost 6 of 9 peers", priority=2)
    assert system.look().lines == 1
    assert system.look().lines == 0
    assert system.counts() == {"lost <*> of <*> peers": 2}
    with closing(LogStore(system.home.logs, readonly=True)) as store:
        [cluster] = store.clusters()
    assert (cluster.source, cluster.first_seen, cluster.last_seen) == ("web.service", NOON + 1, NOON + 3)
    first, second, _ = system.asked()
    assert first.endswith("--lines=10000 --unit=web.service --unit=db.service")
    assert "--after-cursor=s=1;i=2" in second


def test_what_a_service_prints_is_judged_like_any_line(system: System) -> None:
    system.tell("2026-03-01 12:00:00 ERROR no route", priority=6)
    system.tell("2026-03-01 12:00:00 INFO no error", priority=6)
    system.tell('{"level":"error","msg":"boom"}', priority=6)
    system.look()
    assert system.counts() == {"no route": 1, "boom": 1}


def test_a_message_that_is_no_text_or_missing_or_of_many_lines_is_read(system: System) -> None:
    system.tell([*b"broken \xff pipe"])
    system.tell(None)
    system.tell("first line\nsecond line")
    system.tell({"odd": 1})
    with (system.place / "entries").open("a") as file:
        file.write("nonsense\n")
    assert system.look().lines == 3
    assert set(system.counts()) == {"broken \ufffd pipe", "", "first line"}


def test_a_cursor_that_leads_nowhere_any_more_begins_with_the_newest(system: System) -> None:
    system.tell("one")
    system.look()
    (system.place / "entries").write_text("")
    system.tell("two")
    assert system.look().troubles == []
    assert system.counts() == {"one": 1, "two": 1}
    assert [("--after-cursor" in line) for line in system.asked()] == [False, True, False]


def test_what_was_read_before_it_failed_is_kept_and_not_read_again(system: System) -> None:
    system.tell("one")
    system.install(more="sys.exit(4)")
    assert system.look().troubles == [("journald", "journalctl ended with exit status 4")]
    system.install()
    assert system.look().lines == 0
    assert system.counts() == {"one": 1}


def test_without_journalctl_that_is_said_and_the_rest_is_read(system: System, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", "/nowhere")
    [(where, why)] = system.look().troubles
    assert (where, "cannot be started" in why) == ("journald", True)


def test_one_that_never_ends_is_ended(system: System, monkeypatch: pytest.MonkeyPatch) -> None:
    system.tell("one")
    system.install(more="import time; sys.stdout.flush(); time.sleep(50)")
    system.seconds, began = 0.5, SystemClock().monotonic()
    assert "not come to an end" in system.look().troubles[0][1]
    assert SystemClock().monotonic() - began < 40.0
    monkeypatch.setattr(journald, "MOST", 1)
    assert len(list(entries(["web.service"], "", SystemClock(), 60.0))) == 1


def test_an_entry_without_end_is_left_out(system: System, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(journald, "_BLOCK", 1000)
    system.tell("x" * 10_000)
    system.tell("short")
    assert system.look().lines == 1
    assert set(system.counts()) == {"short"}


def test_a_file_of_an_older_version_has_no_cursor(system: System) -> None:
    system.tell("one")
    system.look()
    with closing(apsw.Connection(str(system.home.logs))) as connection:
        connection.execute("DROP TABLE cursors")
    with closing(LogStore(system.home.logs, readonly=True)) as store:
        assert store.cursor() == ""


def test_nobody_asks_where_no_unit_is_named(system: System) -> None:
    with closing(LogStore(system.home.logs)) as store:
        Scan(store, zone=UTC, now=NOON).run(system.home, ())
    assert not (system.place / "asked").exists()


def test_a_failure_without_a_cursor_is_tried_once(system: System, monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[str] = []

    def fails(_units: object, after: str, *_: object) -> Callable[[], None]:
        asked.append(after)
        raise JournaldError("no")

    monkeypatch.setattr("overnight.ops.logs.scanning.entries", fails)
    assert system.look().troubles == [("journald", "no")]
    assert asked == [""]
