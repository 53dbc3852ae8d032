"""The report of a night with known faults: every cause with its count, the crash, the pause, the storm, what to do."""

from __future__ import annotations

import re
import tempfile
from collections.abc import Iterator
from html.parser import HTMLParser
from pathlib import Path

import msgspec
import pytest
from simulated_night import CAUSES, CRASH, DISK, GOOD, OUTAGE, UPLOADS, SimulatedNight, report_of

from overnight.core.incidents import Kind
from overnight.core.sentence import Level
from overnight.core.states import TaskState
from overnight.monitor.report.gathering import MorningReport
from overnight.testing import START, Simulation
from overnight.ui.cli import shapes
from overnight.ui.report.as_html import as_html
from overnight.ui.report.as_json import as_json
from overnight.ui.report.as_markdown import as_markdown
from overnight.ui.report.as_text import as_text

FAST = "/dev/shm" if Path("/dev/shm").is_dir() else None  # noqa: S108 - a directory of one's own is made in it
FAILED = sum(number for _, number in CAUSES)
#: What the next step of each cause must speak of, in the order of the causes.
MENDS = ("df -h", "No further attempt", "time limit", "killed by a signal")


@pytest.fixture(scope="module")
def night() -> Iterator[SimulatedNight]:
    """A few seconds for all tests of this file: an engine that looks at everything each second of it."""
    with tempfile.TemporaryDirectory(dir=FAST) as directory:
        simulated = SimulatedNight(Path(directory))
        simulated.live()
        assert simulated.violations() == []
        yield simulated


@pytest.fixture(scope="module")
def report(night: SimulatedNight) -> MorningReport:
    return night.report()


def test_the_window_is_the_run_with_its_crash(report: MorningReport, night: SimulatedNight) -> None:
    assert report.since == pytest.approx(START, abs=1.0)
    assert report.until == pytest.approx(START + night.gone, abs=1.0)
    assert report.is_last_run


def test_the_sentence_needs_you(report: MorningReport) -> None:
    assert report.sentence.level is Level.NEEDS_YOU
    assert report.sentence.words == "Done, but needs you: 300 of 980 failed; nothing lost."


def test_failures_are_grouped_by_their_four_causes_with_the_right_counts(report: MorningReport) -> None:
    assert [one.alike.tasks for one in report.failed] == [number for _, number in CAUSES]
    assert len({one.alike.fingerprint for one in report.failed}) == len(CAUSES) == report.night.causes
    assert sum(sum(one.alike.spans) for one in report.failed) == FAILED
    assert all(one.is_new for one in report.failed)


def test_each_cause_has_a_next_step_of_its_own(report: MorningReport) -> None:
    for cause, mend in zip(report.failed, MENDS, strict=True):
        assert mend in cause.step.words
        assert cause.step.commands[-1].startswith(f"overnight retry --cause {cause.alike.fingerprint}")
    assert report.failed[2].step.commands[-1].endswith(" --timeout 40s")


def test_every_task_is_counted(report: MorningReport) -> None:
    assert report.night.finished == {TaskState.FAILED: FAILED, TaskState.COMPLETED: GOOD + UPLOADS}
    assert report.troubles == []
    assert sum(report.pace.completed) == GOOD + UPLOADS
    assert report.night.recovered > 0


def test_the_crash_the_full_disk_and_the_storm_are_told_with_their_times(report: MorningReport) -> None:
    found = {one.kind: one for one in report.incidents}
    assert len(found) == len(report.incidents) == 3
    crash, disk, storm = found[Kind.CRASH], found[Kind.DISK], found[Kind.STORM]
    assert crash.began_at <= START + CRASH + 1 <= (crash.ended_at or 0.0)
    assert report.crashes == 1
    assert disk.began_at == pytest.approx(START + DISK[0], abs=15)
    assert disk.ended_at == pytest.approx(START + DISK[1], abs=15)
    assert START + OUTAGE[0] < storm.began_at < START + OUTAGE[1]
    assert storm.ended_at is not None
    assert "Connection refused" in storm.words
    assert "queue upload" in storm.words


def test_the_machine_is_told_over_the_night(report: MorningReport) -> None:
    assert min(point.least for point in report.machine["disk_free"]) == pytest.approx(412e6)
    assert len(report.machine["cpu"]) > 50


def test_the_workers_are_idle_while_nothing_may_begin(report: MorningReport) -> None:
    length = report.night.span_seconds
    inside = range(int((DISK[0] + 30) / length), int((DISK[1] - 10) / length))
    assert len(report.strips) == 4
    for strip in report.strips:
        assert max(strip.busy[span] for span in inside) == 0.0
        assert sum(strip.busy) / len(strip.busy) > 0.5


def test_workers_are_called_as_everywhere_else(report: MorningReport) -> None:
    """By the number that a task finds in its environment."""
    for words in ("\n".join(as_text(report)), as_html(report)):
        assert re.findall(r"worker (\d)", words) == ["1", "2", "3", "4"]


def test_a_later_window_leaves_out_what_was_before(night: SimulatedNight) -> None:
    later = night.report(since=START + OUTAGE[1] + 120)
    assert later.incidents == []
    assert later.crashes == 0
    assert all(not one.is_new for one in later.failed)
    assert sum(one.alike.before + sum(one.alike.spans) for one in later.failed) == FAILED


def test_a_crash_is_told_of_an_engine_that_began_before_the_window(night: SimulatedNight) -> None:
    """One that has run for days crashes as well as one of tonight."""
    later = night.report(since=START + CRASH - 30)
    assert later.crashes == 1
    assert Kind.CRASH in {one.kind for one in later.incidents}


def test_the_text_fits_on_eighty_columns_and_says_all_of_it(report: MorningReport) -> None:
    lines = as_text(report)
    plain = "\n".join(lines)
    assert max(map(len, lines)) <= 80
    for cause in report.failed:
        assert f"$ overnight retry --cause {cause.alike.fingerprint}" in plain
        assert re.search(rf"^ +{cause.alike.tasks}  ", plain, re.MULTILINE)
    for words in ("crashes survived  1", "the engine crashed", "disk full", "storm in queue upload", "autonomy"):
        assert words in plain


@pytest.mark.parametrize("columns", [40, 60])
def test_only_what_is_to_be_typed_is_wider_than_a_narrow_terminal(report: MorningReport, columns: int) -> None:
    wide = [line for line in as_text(report, columns=columns) if len(line) > columns]
    assert [line for line in wide if not line.lstrip().startswith("$ ")] == []


def test_what_failed_tasks_say_is_told_whole(report: MorningReport) -> None:
    long = "line 7 of a report that goes on " + "and on " * 20 + "to its very end"
    alike = msgspec.structs.replace(report.failed[0].alike, error=long)
    lines = as_text(msgspec.structs.replace(report, failed=[msgspec.structs.replace(report.failed[0], alike=alike)]))
    assert long in " ".join(" ".join(lines).split())
    assert max(map(len, lines)) <= 80


def test_the_page_stands_alone_and_is_small(report: MorningReport) -> None:
    markup = as_html(report)
    assert len(markup.encode()) < 300_000
    assert not re.search(r"<script|<link|<img|<iframe|https?://|url\(|@import", markup)
    tags = Tags()
    tags.feed(markup)
    assert tags.open == []
    assert all(not name.startswith("on") for name in tags.attributes)
    for words in ("the engine crashed", "disk full for 4 min", "storm in queue upload", "prefers-color-scheme:dark"):
        assert words in markup
    assert "@media print" in markup


def test_the_object_and_the_markdown_say_the_same(report: MorningReport) -> None:
    told = msgspec.json.decode(shapes.line(as_json(report)))
    assert [one["tasks"] for one in told["failed"]] == [number for _, number in CAUSES]
    assert [one["kind"] for one in told["incidents"]] == ["crash", "disk", "storm"]
    assert (told["crashes_survived"], told["balanced"], told["level"]) == (1, True, "needs_you")
    markdown = "\n".join(as_markdown(report))
    assert all(f"**{number}**" in markdown for _, number in CAUSES)


def test_a_quiet_night_has_no_incidents_and_asks_for_nothing(tmp_path: Path) -> None:
    quiet = Simulation(tmp_path)
    quiet.queue("a", "b", "c")
    quiet.run()
    report = report_of(quiet)
    assert (report.incidents, report.failed, report.held, report.crashes) == ([], [], [], 0)
    assert report.sentence.words == "All done: 3 tasks completed; nothing lost."
    assert "FAILED" not in "\n".join(as_text(report))


class Tags(HTMLParser):
    """Which tags are open, and every attribute there was."""

    def __init__(self) -> None:
        super().__init__()
        self.open: list[str] = []
        self.attributes: set[str] = set()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.attributes |= {name for name, _ in attrs}
        if tag not in ("meta", "br"):
            self.open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:  # noqa: ARG002 - its signature
        self.attributes |= {name for name, _ in attrs}

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag
