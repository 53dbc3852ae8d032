"""Logs: each line once, however files are written, renamed, emptied, replaced, and nothing that lies there stops it."""

from __future__ import annotations

import os
from collections.abc import Iterator
from datetime import UTC
from pathlib import Path
from typing import Any

import apsw
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule
from keeping import NOON, Place

from overnight.core.states import TaskState
from overnight.core.templates import Templates
from overnight.executors.local.segments import HEADER, Recording, Segments, Stream
from overnight.host.files import open_regular
from overnight.host.home import Home, create
from overnight.ops.logs import following, scanning
from overnight.ops.logs.asking import errors, is_rising, trend
from overnight.ops.logs.keeping import Cluster, LogStore
from overnight.ops.logs.scanning import Scan, Scanned
from overnight.ops.logs.searching import last, lines, search, sources

DAY = 86400.0


class Desk:
    """A home beside logs, which are looked at again and again."""

    def __init__(self, directory: Path) -> None:
        directory.mkdir(exist_ok=True)
        self.project = directory
        self.home: Home = create(directory / ".overnight")
        self.log = directory / "app.log"
        self.now = NOON

    def look(self, *patterns: str) -> Scanned:
        store = LogStore(self.home.logs)
        scan = Scan(store, zone=UTC, now=self.now)
        found = scan.run(self.home, patterns or ("*.log",))
        scan.save(store)
        store.close()
        return found

    def clusters(self) -> list[Cluster]:
        store = LogStore(self.home.logs)
        found = store.clusters()
        store.close()
        return found

    def counts(self) -> dict[str, int]:
        return {one.template: one.n for one in self.clusters()}


@pytest.fixture
def desk(tmp_path: Path) -> Desk:
    return Desk(tmp_path / "project")


def write(path: Path, *words: str) -> None:
    with path.open("a") as file:
        file.writelines(f"{word}\n" for word in words)


# -- files ------------------------------------------------------------------------------------


def test_lines_that_say_the_same_are_one_and_each_counts_once(desk: Desk) -> None:
    write(desk.log, "ERROR lost 10.0.0.1 after 3 ms", "INFO fine", "ERROR lost 10.0.0.2 after 4 ms")
    assert desk.look().lines == 2
    assert desk.look().lines == 0
    write(desk.log, "ERROR lost 10.0.0.3 after 5 ms", "ERROR disk is full")
    found = desk.look()
    assert (found.lines, [one.template for one in found.new]) == (2, ["disk is full"])
    assert desk.counts() == {"lost <*> after <*> ms": 3, "disk is full": 1}


def test_of_two_looks_at_the_same_time_one_counts(desk: Desk) -> None:
    """Both have read from the same place on, and have given the same numbers to what is new."""
    write(desk.log, "ERROR lost 10.0.0.1 after 3 ms")
    desk.look()
    first, second = LogStore(desk.home.logs), LogStore(desk.home.logs)
    scans = [(store, Scan(store, zone=UTC, now=desk.now)) for store in (first, second)]
    for number, (_, scan) in enumerate(scans):
        write(desk.log, f"ERROR {'disk is full' if number else 'no such table'}")
        scan.run(desk.home, ["*.log"])
    for store, scan in scans:
        scan.save(store)
    assert sum(n for _, _, n in first.hours(since=0.0, until=desk.now)) == 2
    first.close()
    second.close()
    desk.look()
    assert desk.counts() == {"lost <*> after <*> ms": 1, "no such table": 1, "disk is full": 1}


def test_a_line_that_is_not_whole_waits(desk: Desk) -> None:
    desk.log.write_text("ERROR lo")
    assert desk.look().lines == 0
    write(desk.log, "st")
    assert desk.look().lines == 1
    assert desk.counts() == {"lost": 1}


@pytest.mark.parametrize("way", ["renamed", "renamed out of the pattern", "copied and emptied", "replaced"])
def test_nothing_is_lost_or_doubled_by_a_rotation(desk: Desk, way: str) -> None:
    write(desk.log, "ERROR first")
    desk.look()
    write(desk.log, "ERROR second")
    if way == "replaced":
        desk.look()
        desk.log.unlink()
    elif way == "copied and emptied":
        desk.look()
        (desk.project / "copy").write_bytes(desk.log.read_bytes())
        os.truncate(desk.log, 0)
    else:
        desk.log.rename(desk.project / ("app.log.1" if way == "renamed out of the pattern" else "app.log.1.log"))
    write(desk.log, "ERROR third, which is another one")
    desk.look()
    assert desk.counts() == {"first": 1, "second": 1, "third, which is another one": 1}


def test_an_inode_that_is_given_to_another_file_is_read_from_its_beginning(desk: Desk) -> None:
    write(desk.log, "ERROR old one")
    desk.look()
    content = b"2026-03-01 ERROR new one, which is longer\n"
    with desk.log.open("r+b") as file:
        file.write(content)
    desk.look()
    assert desk.counts() == {"old one": 1, "new one, which is longer": 1}


class Rotating(RuleBasedStateMachine):
    """A program writes numbered errors, logrotate does what it does, and somebody looks now and then."""

    def __init__(self) -> None:
        super().__init__()
        import tempfile

        self._directory = tempfile.TemporaryDirectory()
        self.desk = Desk(Path(self._directory.name) / "project")
        self.written = self.rotations = 0

    @rule(count=st.integers(1, 5))
    def write(self, count: int) -> None:
        write(self.desk.log, *(f"ERROR number {self.written + n}" for n in range(count)))
        self.written += count

    @rule()
    def rotate(self) -> None:
        if self.desk.log.exists():
            self.rotations += 1
            self.desk.log.rename(self.desk.project / f"app.log.{self.rotations}")

    @rule()
    def look(self) -> None:
        self.desk.look("*.log", "*.log.*")

    @invariant()
    def each_counts_at_most_once(self) -> None:
        if self.desk.home.logs.exists():
            assert sum(self.desk.counts().values()) <= self.written

    def teardown(self) -> None:
        self.desk.look("*.log", "*.log.*")
        assert sum(self.desk.counts().values()) == self.written
        self._directory.cleanup()


TestRotating = Rotating.TestCase
TestRotating.settings = settings(
    max_examples=8, stateful_step_count=15, deadline=None, suppress_health_check=list(HealthCheck)
)


@given(st.lists(st.binary(max_size=40).map(lambda line: line.replace(b"\n", b"")), max_size=20), st.integers(1, 30))
@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.too_slow])
def test_blocks_hold_every_line_whatever_their_size(found: list[bytes], size: int) -> None:
    import tempfile

    content = b"".join(line + b"\n" for line in found)
    with tempfile.TemporaryDirectory() as directory, pytest.MonkeyPatch.context() as patch:
        path = Path(directory) / "x"
        path.write_bytes(content)
        patch.setattr(following, "BLOCK", size)
        with path.open("rb") as file:
            position = following.Position(path=b"x", device=0, inode=0, offset=0)
            parts = list(following.blocks(following.Part(file, position, 0, len(content))))
    seen = b"".join(block for block, _ in parts)
    if all(len(line) < size for line in found):
        assert seen == content
    else:  # lines longer than a block are left out, and no other is cut in two
        assert set(seen.split(b"\n")) <= {*found, b""}
    assert all(end <= len(content) for _, end in parts)


@pytest.mark.parametrize("what", ["binary", "folder", "pipe", "nowhere", "unreadable", "loop"])
def test_what_cannot_be_read_is_told_and_the_rest_is_read(
    desk: Desk, what: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    odd = desk.project / "odd.log"
    match what:
        case "binary":
            odd.write_bytes(b"ERROR\0" * 100)
        case "folder":
            odd.mkdir()
        case "pipe":
            os.mkfifo(odd)
        case "nowhere":
            odd.symlink_to("/nowhere/at/all")
        case "loop":
            odd.symlink_to(odd)
        case "unreadable":
            odd.touch()
            real = open_regular

            def refuse(path: Path) -> Any:
                if path.name == "odd.log":
                    raise PermissionError(13, "Permission denied")
                return real(path)

            monkeypatch.setattr(following, "open_regular", refuse)
    write(desk.log, "ERROR it is")
    found = desk.look()
    assert found.lines == 1
    assert [Path(path).name for path, _ in found.troubles] == ([] if what == "folder" else ["odd.log"])


def test_of_5_gb_the_newest_part_is_read_and_that_is_said(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(following, "MOST", 1024 * 1024)
    with desk.log.open("wb") as file:
        file.write(b"INFO it begins well\n" * 1000)
        file.seek(5_000_000_000)
        file.write(b"\nERROR at the end\n")
    found = desk.look()
    assert found.lines == 1
    assert "passed over" in found.troubles[0][1]
    assert desk.look().troubles == []


def test_a_line_without_end_is_left_out(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(following, "BLOCK", 1000)
    desk.log.write_bytes(b"ERROR before\n" + b"error " * 5000)
    assert desk.look().lines == 1
    write(desk.log, " its end", "ERROR after")
    assert desk.look().lines == 1
    assert desk.counts() == {"before": 1, "after": 1}


def test_a_flood_of_errors_that_have_nothing_in_common_stays_small(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(scanning, "MOST", 50)
    write(desk.log, *(f"ERROR {'x' * n}y{'z' * n} happened" for n in range(1, 300)))
    desk.look()
    found = desk.clusters()
    assert len(found) == 51
    assert sum(one.n for one in found) == 299
    write(desk.log, "ERROR and one more of a kind")
    desk.look()
    assert len(desk.clusters()) == 51


def test_templates_are_the_same_after_they_were_kept() -> None:
    lines_of = ["a b c d", "a b x d", "q r s", "17 b c", ""]
    first = Templates()
    numbers = [first.add(line) for line in lines_of]
    again = Templates(first.template(number) for number in range(len(first)))
    assert [again.add(line) for line in lines_of] == numbers


def test_an_instant_of_the_future_is_none(desk: Desk) -> None:
    write(desk.log, "2999-01-01 00:00:00 ERROR from far away")
    desk.look()
    (one,) = desk.clusters()
    assert one.last_seen == NOON


def test_what_is_known_begins_anew_when_it_is_damaged(desk: Desk) -> None:
    write(desk.log, "ERROR once")
    desk.look()
    desk.home.logs.write_bytes(b"no database" * 1000)
    assert desk.look().lines == 1


# -- what tasks print -------------------------------------------------------------------------


def test_what_tasks_print_is_read_as_it_comes(desk: Desk) -> None:
    segments = Segments(os.fspath(desk.home.output), 0)
    recording = Recording(segments, 7, 1, 1 << 20)
    recording.write(1, b"fine\nerror: bro", NOON)
    assert desk.look().lines == 0
    recording.write(2, b"error: other\n", NOON)
    recording.write(1, b"ken\nerror: last", NOON)
    assert desk.look().lines == 2
    recording.end(NOON + 5)
    assert desk.look().lines == 1
    found = desk.clusters()
    assert {(one.template, one.task_id, one.source) for one in found} == {
        ("error: broken", 7, "output"),
        ("error: other", 7, "output"),
        ("error: last", 7, "output"),
    } or sum(one.n for one in found) == 3
    assert desk.look().lines == 0


@given(st.binary(max_size=200))
@settings(max_examples=15, deadline=None, suppress_health_check=[HealthCheck.too_slow])
def test_no_segment_is_too_damaged_to_be_read(noise: bytes) -> None:
    import tempfile

    with tempfile.TemporaryDirectory() as directory:
        desk = Desk(Path(directory) / "project")
        desk.home.output.mkdir()
        frame = HEADER.pack(7, 1, Stream.STDOUT, NOON, 6) + b"error\n"
        (desk.home.output / "slot-0-000001.seg").write_bytes(frame + noise)
        assert desk.look().lines >= 1


# -- tasks ------------------------------------------------------------------------------------


@pytest.fixture
def place(tmp_path: Path) -> Iterator[Place]:
    made = Place(tmp_path / "worked")
    yield made
    made.store.close()


def test_failures_of_tasks_are_grouped_by_their_cause(place: Place) -> None:
    place.add("a", "b", "c")
    for one, cause in zip(place.claim(3), ("f1", "f1", "f2"), strict=True):
        place.settle(
            one, state=TaskState.FAILED, reason="error", error=f"cannot read {one.id}\nmore", fingerprint=cause
        )
    place.journal()
    store = LogStore(place.home.logs)
    scan = Scan(store, zone=UTC, now=NOON + 60)
    assert scan.run(place.home, ()).failures == 3
    scan.save(store)
    assert Scan(store, zone=UTC, now=NOON + 60).run(place.home, ()).failures == 0
    found = errors(store, since=NOON - DAY, now=NOON + 60)
    store.close()
    assert [(one.kind, one.key, one.n, one.template) for one in found] == [
        ("task", "f1", 2, "cannot read <*>"),
        ("task", "f2", 1, "cannot read <*>"),
    ]


def test_the_failure_of_a_step_is_counted_once_and_as_one_of_its_task(desk: Desk) -> None:
    """The task of a workflow ends with the words of its step, and has had no attempt of its own."""
    at, words = '"at":"2027-01-15T08:00:00.000Z"', '"outcome":"failed","error":"bad","fingerprint":"f1"'
    desk.home.journal.write_text(
        f'{{"seq":1,"event":"step_failed",{at},"id":2,{words},"started_at":"2027-01-15T07:59:00Z","parent":1}}\n'
        f'{{"seq":2,"event":"file_failed",{at},"id":1,{words}}}\n'
    )
    assert desk.look().failures == 1
    assert [(one.task_id, one.n) for one in desk.clusters()] == [(1, 1)]


def test_what_was_not_seen_since_is_not_listed_though_its_hour_is_counted(tmp_path: Path) -> None:
    store = LogStore(tmp_path / "logs.db")
    kind = Cluster(id=1, kind="line", template="x", sample="", source="x", first_seen=NOON, last_seen=NOON + 5, n=3)
    store.save([kind], {(1, int(NOON // 3600)): 3}, [], journal_seq=0, now=NOON)
    assert [one.n for one in errors(store, since=NOON + 5, now=NOON + 8)] == [3]
    assert errors(store, since=NOON + 6, now=NOON + 8) == []
    store.close()


def test_tasks_come_first_then_what_is_new_then_what_rises(tmp_path: Path) -> None:
    store = LogStore(tmp_path / "logs.db")
    now, day = NOON, NOON - DAY

    def cluster(number: int, kind: str, first: float) -> Cluster:
        return Cluster(
            id=number, kind=kind, key="f" * (kind == "task"), template=str(number), sample="", source="x",
            first_seen=first, last_seen=now, n=10,
        )  # fmt: skip

    old = NOON - 5 * DAY
    kinds = [cluster(1, "line", old), cluster(2, "line", old), cluster(3, "line", now - 60), cluster(4, "task", old)]
    hour = int(now // 3600)
    hours = {(1, hour): 90, (1, hour - 30): 80, (2, hour): 10, (2, hour - 30): 2, (3, hour): 1, (4, hour): 1}
    store.save([*kinds, cluster(5, "line", old)], hours, [], journal_seq=0, now=now)
    assert [one.id for one in errors(store, since=day, now=now)] == [4, 3, 2, 1]
    bars = trend(store, {1, 2}, since=day, now=now)
    assert (sum(bar.n for bar in bars), bars[-1].n) == (100, 100)
    assert len(bars) in (24, 25)
    assert {bar.seconds for bar in trend(store, {1}, since=NOON - 30 * DAY, now=now)} == {86400}
    assert store.forget(before=now + 1) == 5
    assert store.clusters() == []
    store.close()


@pytest.mark.parametrize(("n", "before", "rising"), [(5, 0, True), (4, 0, False), (10, 5, True), (9, 5, False)])
def test_rising_is_twice_as_many_and_not_a_few(n: int, before: int, rising: bool) -> None:  # noqa: FBT001 - a table
    assert is_rising(n, before) is rising


def test_a_scan_that_was_not_saved_counts_nothing_twice(desk: Desk) -> None:
    """Position and counts are one transaction: who is killed before it reads the same again."""
    write(desk.log, "ERROR once")
    store = LogStore(desk.home.logs)
    Scan(store, zone=UTC, now=NOON).run(desk.home, ["*.log"])
    scan = Scan(store, zone=UTC, now=NOON)
    scan.run(desk.home, ["*.log"])
    with pytest.raises(apsw.ConstraintError):
        store.save([msg_without_kind()], {(1, 1): 1}, scan._positions, journal_seq=9, now=NOON)
    assert (store.positions(), store.journal_seq()) == ({}, 0)
    store.close()


def msg_without_kind() -> Cluster:
    return Cluster(id=1, kind="odd", template="", sample="", source="", first_seen=0.0, last_seen=0.0)


# -- looking for words ------------------------------------------------------------------------


def test_words_are_found_with_what_is_around_them(desk: Desk) -> None:
    import re

    write(desk.log, "one", "two", "three", "two again", "five")
    write(desk.project / "other.log", "six two")
    everything = lines(desk.home, sources(desk.home, ["*.log"]), lambda _: None)
    found = list(search(everything, re.compile(b"two"), context=1))
    shown = [[line.content.decode() for line in (*one.before, one.line, *one.after)] for one in found]
    assert shown == [["one", "two", "three"], ["three", "two again", "five"], ["six two"]]


def test_the_last_lines_of_a_file(desk: Desk) -> None:
    write(desk.log, *map(str, range(100)))
    assert last(desk.log, 3) == [b"97", b"98", b"99"]
    assert last(desk.log, 0) == []
    desk.log.write_text("torn")
    assert last(desk.log, 3) == []
