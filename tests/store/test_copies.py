"""Checkpoints as files: made beside the work, trusted only when every byte is what it was, thrown away in order."""

from __future__ import annotations

import errno
import signal
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

import msgspec
import pytest

from overnight.core.checkpoints import Keeping
from overnight.core.errors import StoreDamagedError
from overnight.core.states import Outcome, Reason, TaskState
from overnight.core.task import Action, ActionKind, NewTask
from overnight.core.verdict import Settlement
from overnight.store.contract import Claim
from overnight.store.copies import copier
from overnight.store.copies import manifest as manifests
from overnight.store.copies.making import Made, Order, make, prune
from overnight.store.copies.shelf import LATEST, ROUGH, Entry, Shelf, newest_whole, troubles
from overnight.store.copies.summary import Checkpoint, read_summary
from overnight.store.sqlite import SqliteStore
from overnight.testing import FakeClock

NOON = 1_800_000_000.0
HOME = "0123456789abcdef"
ACTION = Action(kind=ActionKind.COMMAND, cwd=b"/", argv=(b"true",))
#: Ranges of a file that are damaged one after the other.
RANGES = 256


def tasks(count: int, size: int = 20) -> list[NewTask]:
    return [NewTask(action=ACTION, input=b"%d-" % n + b"x" * size) for n in range(count)]


class Site:
    """A store, its shelf, and who makes checkpoints of it."""

    def __init__(self, directory: Path) -> None:
        self.path = directory / "queue.db"
        self.clock = FakeClock(NOON)
        self.store = SqliteStore.open(self.path, create=True)
        self.shelf = Shelf(directory / "checkpoints", HOME)
        self.second = directory / "second"

    def order(self, **changes: object) -> Order:
        plain = Order(store=str(self.path), shelf=str(self.shelf.directory), home=HOME, reason="cadence")
        return msgspec.structs.replace(plain, **changes)

    def make(self, **changes: object) -> Made:
        """One more, a minute later."""
        self.clock.advance(60)
        return make(self.order(**changes), clock=self.clock)

    def work(self) -> None:
        """Complete one task, fail another, leave one running and one waiting for its retry."""
        fence = self.store.take_fence(now=NOON, by="test")
        claim = Claim(count=4, lanes={lane.id: {} for lane in self.store.orders().lanes}, pools={})
        done, failed, waiting, _ = self.store.turn(fence=fence, now=NOON, claim=claim).claimed
        failure = Settlement(0, 1, TaskState.FAILED, Outcome.FAILED, 1, 0, NOON, reason=Reason.ERROR)
        settlements = [
            Settlement(done.id, 1, TaskState.COMPLETED, Outcome.COMPLETED, 0, 0, NOON, result=b'"fine"'),
            msgspec.structs.replace(failure, task_id=failed.id, error="no such codec", fingerprint="f00"),
            msgspec.structs.replace(
                failure, task_id=waiting.id, state=TaskState.WAITING, error="busy", not_before=NOON + 9
            ),
        ]
        self.store.turn(fence=fence, now=NOON + 1, settlements=settlements)


@pytest.fixture
def site(tmp_path: Path) -> Site:
    made = Site(tmp_path)
    made.store.add(tasks(40), now=NOON)
    return made


def whole(shelf: Shelf) -> list[Entry]:
    """All that can be used."""
    return [entry for entry in shelf.entries() if not troubles(entry, deep=True)]


# -- making -----------------------------------------------------------------------------------


def test_a_checkpoint_is_a_whole_copy_of_one_moment(site: Site) -> None:
    site.work()
    made = site.make()
    site.store.add(tasks(3), now=NOON)
    (entry,) = whole(site.shelf)
    assert entry.name == made.name == (site.shelf.directory / LATEST).readlink().name
    assert entry.manifest is not None
    assert entry.manifest.position == made.position == sum(row.count for row in site.store.outbox(1000)) - 3
    copy = SqliteStore.open(entry.store, readonly=True)
    assert copy.counts().total == 40
    assert copy.recount() == []
    copy.close()
    assert sorted(path.name for path in entry.path.iterdir()) == ["manifest.json", "queue.db", "summary.json"]
    assert {path.stat().st_mode & 0o077 for path in [entry.path, *entry.path.iterdir()]} == {0}


def test_what_only_the_log_has_is_in_the_copy_with_its_checksums(site: Site) -> None:
    """Pages of the log carry none, and a copy larger than the cache is written before its first page is."""
    site.store.add(tasks(200, size=100_000), now=NOON)
    assert site.path.with_name("queue.db-wal").stat().st_size > 20 * 2**20
    site.make()
    assert len(whole(site.shelf)) == 1


def test_a_copy_is_made_while_others_write(site: Site) -> None:
    """What it sees is one state: its books balance, though thousands of transactions pass meanwhile."""
    script = """
import sys
from pathlib import Path
from overnight.core.task import *
from overnight.store.sqlite import SqliteStore
store = SqliteStore.open(Path(sys.argv[1]))
tasks = [NewTask(action=Action(kind=ActionKind.COMMAND, cwd=b"/"), input=b"%d" % n) for n in range(7)]
print("ready", flush=True)
for _ in range(20_000):
    store.add(tasks, now=1.0)
"""
    writer = subprocess.Popen([sys.executable, "-c", script, str(site.path)], stdout=subprocess.PIPE)
    assert writer.stdout is not None
    assert writer.stdout.readline() == b"ready\n"
    made = [site.make() for _ in range(5)]
    writer.kill()
    writer.communicate()
    assert len(whole(site.shelf)) == 5
    positions = [one.position for one in made]
    assert positions == sorted(positions)
    assert positions[0] < positions[-1]


def test_only_the_copy_itself_is_made_at_full_speed(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    """While it is made the log of the store cannot be emptied; what follows gives way to the tasks."""
    seen: list[str] = []
    monkeypatch.setattr(copier, "give_way", lambda: seen.append("gave way"))

    def step(name: str) -> None:
        seen.append(name)
        copier.at_step(name)

    make(site.order(), clock=site.clock, step=step)
    assert seen[:4] == ["begun", "copied", "gave way", "read"]
    assert seen.count("gave way") == 1


def test_the_summary_says_what_is_in_the_copy(site: Site) -> None:
    site.work()
    site.make(state={"status": "running"}, processed=1)
    (entry,) = site.shelf.entries()
    summary = read_summary(entry.path)
    assert summary.version == 1
    assert summary.created_at.endswith("Z")
    assert summary.queue_snapshot["counts"]["completed"] == 1
    assert summary.queue_snapshot["counts"]["total"] == 40
    assert len(summary.queue_snapshot["pending"]) == 36
    assert summary.processor_state == {"status": "running"}
    assert summary.files_processed_since_start == 1
    assert str(summary.last_completed_file).startswith("0-")
    assert [one["id"] for one in summary.execution["running"]] == [4]
    assert summary.resources == {"slots": 1.0}
    assert summary.errors["causes"] == [{"fingerprint": "f00", "tasks": 1, "reason": "error", "error": "no such codec"}]
    assert [one["id"] for one in summary.errors["waiting_for_retry"]] == [3]
    assert {one["error"] for one in summary.error_log} == {"no such codec", "busy"}
    assert summary.recovery["last_task_id"] == 40
    assert {"version", "created_at", "queue_snapshot", "processor_state", "files_processed_since_start",
            "last_completed_file"} <= set(Checkpoint.__struct_fields__)  # fmt: skip


def test_names_that_are_not_text_are_in_the_summary_as_people_can_read_them(tmp_path: Path) -> None:
    site = Site(tmp_path)
    site.store.add([NewTask(action=ACTION, input=b"caf\xe9.wav")], now=NOON)
    site.make()
    summary = read_summary(site.shelf.entries()[0].path)
    assert summary.queue_snapshot["pending"][0]["file_path"] == "caf\\udce9.wav"


def test_two_of_the_same_second_have_names_of_their_own(site: Site) -> None:
    first = make(site.order(), clock=site.clock)
    second = make(site.order(), clock=site.clock)
    assert second.name == f"{first.name}.2"
    assert len(whole(site.shelf)) == 2


# -- damage of the store ----------------------------------------------------------------------


def damage(path: Path, place: int, content: bytes) -> None:
    with path.open("r+b") as file:
        file.seek(place)
        file.write(content)


def test_a_damaged_store_gets_no_checkpoint_and_the_older_ones_stay(site: Site) -> None:
    site.make()
    site.store._database.tidy(0, give_back=0)
    site.store.close()
    place = site.path.read_bytes().index(b"17-xxxxx")
    damage(site.path, place, b"71-xxxxx")
    with pytest.raises(StoreDamagedError, match="damaged"):
        site.make()
    assert len(whole(site.shelf)) == 1
    assert list(site.shelf.directory.glob(f"{ROUGH}*")) == []


def test_a_page_of_zeros_at_the_end_of_a_long_value_is_found(site: Site) -> None:
    """The checksum of zeros is zero, and the chain of pages has its length: only its use says that it is wrong."""
    site.store.add([NewTask(action=ACTION, input=b"y" * 6000)], now=NOON)
    connection = site.store._database.connection
    page = connection.execute("SELECT max(pageno) FROM dbstat WHERE pagetype = 'overflow' AND name = 'tasks'").get
    site.store._database.tidy(0, give_back=0)
    site.store.close()
    damage(site.path, (page - 1) * 4096, bytes(4096))
    with pytest.raises(StoreDamagedError, match=f"page {page} is in use and all zeros"):
        site.make()


# -- damage of a checkpoint -------------------------------------------------------------------


@pytest.mark.parametrize("name", ["queue.db", "summary.json", "manifest.json"])
def test_each_of_256_changed_ranges_of_a_checkpoint_is_found(site: Site, name: str) -> None:
    site.make()
    (entry,) = site.shelf.entries()
    path = entry.path / name
    good = path.read_bytes()
    step = max(1, len(good) // RANGES)
    for place in range(0, len(good), step):
        one = good[place] ^ 0x01
        path.write_bytes(good[:place] + bytes([one]) + good[place + 1 :])
        assert troubles(site.shelf.entry(entry.name)), f"byte {place} of {name}"
    path.write_bytes(good)
    assert not troubles(site.shelf.entry(entry.name))


@pytest.mark.parametrize("name", ["queue.db", "summary.json", "manifest.json"])
def test_a_checkpoint_that_was_cut_off_anywhere_is_found(site: Site, name: str) -> None:
    site.make()
    (entry,) = site.shelf.entries()
    path = entry.path / name
    good = path.read_bytes()
    for size in [*range(0, len(good), 4096), len(good) - 1]:
        path.write_bytes(good[:size])
        assert troubles(site.shelf.entry(entry.name)), f"{name} of {size} bytes"
    path.unlink()
    assert troubles(site.shelf.entry(entry.name))


def test_a_manifest_of_another_checkpoint_or_another_home_is_none(site: Site) -> None:
    first, second = site.make(), site.make()
    folders = [site.shelf.directory / one.name for one in (first, second)]
    contents = [(folder / manifests.NAME).read_bytes() for folder in folders]
    for folder, content in zip(folders, reversed(contents), strict=True):
        (folder / manifests.NAME).write_bytes(content)
    assert [entry.trouble for entry in site.shelf.entries()] == [
        f"its manifest is that of {first.name}",
        f"its manifest is that of {second.name}",
    ]
    for folder, content in zip(folders, contents, strict=True):
        (folder / manifests.NAME).write_bytes(content)
    strangers = Shelf(site.shelf.directory, "another")
    assert all("of another home" in entry.trouble for entry in strangers.entries())


def test_damaged_ones_are_passed_over_and_named(site: Site) -> None:
    old, newer, newest = site.make(), site.make(), site.make()
    damage(site.shelf.directory / newest.name / "queue.db", 5000, b"?")
    (site.shelf.directory / newer.name / "manifest.json").unlink()
    found, bad = newest_whole([site.shelf])
    assert found is not None
    assert found.name == old.name
    assert {entry.name for entry, _ in bad} == {newer.name, newest.name}


def test_the_second_copy_is_used_when_the_first_is_gone(site: Site) -> None:
    made = site.make(second=str(site.second))
    elsewhere = Shelf(site.second / HOME, HOME)
    assert len(whole(elsewhere)) == 1
    damage(site.shelf.directory / made.name / "queue.db", 5000, b"?")
    found, bad = newest_whole([site.shelf, elsewhere])
    assert found is not None
    assert found.path.parent == elsewhere.directory
    assert len(bad) == 1


def test_a_second_place_that_cannot_be_written_is_told_and_does_no_harm(site: Site) -> None:
    site.second.write_text("no directory")
    made = site.make(second=str(site.second))
    assert str(site.second) in made.second_trouble
    assert len(whole(site.shelf)) == 1


@pytest.mark.parametrize("where", ["first", "second"])
def test_what_cannot_be_removed_makes_no_failure_of_a_checkpoint_that_is_in_its_place(
    site: Site, monkeypatch: pytest.MonkeyPatch, where: str
) -> None:
    """A mount that has died, a folder that somebody else owns."""
    bad = site.shelf.directory if where == "first" else site.second / HOME

    def drop(shelf: Shelf, names: Sequence[str]) -> None:
        if shelf.directory == bad and names != [entry.name for entry in site.shelf.entries()][:1]:
            raise OSError(errno.ENOTCONN, "transport endpoint is not connected")

    monkeypatch.setattr(Shelf, "drop", drop)
    made = site.make(second=str(site.second))
    assert [entry.name for entry in whole(site.shelf)] == [made.name]
    assert ("not connected" in made.second_trouble) == (where == "second")


# -- throwing away ----------------------------------------------------------------------------


def test_old_ones_go_and_what_people_asked_for_stays(site: Site) -> None:
    asked = site.make(reason="asked")
    for _ in range(6):
        made = site.make()
    keeping = Keeping(all_seconds=120, hourly_seconds=0, daily_seconds=86400.0 * 30)
    gone = prune(site.shelf, keeping, now=site.clock.now())
    assert len(gone) == 3
    assert next(entry.name for entry in whole(site.shelf)) == made.name
    assert asked.name not in {copy.name for copy in gone}


def test_what_a_dead_process_left_half_made_is_removed_and_a_living_one_is_left_alone(site: Site) -> None:
    site.shelf.directory.mkdir()
    (site.shelf.directory / f"{ROUGH}4711-dead").mkdir()
    with site.shelf.making() as living:
        site.make()
        assert [path.name for path in site.shelf.directory.glob(f"{ROUGH}*")] == [living.name]
    assert list(site.shelf.directory.glob(f"{ROUGH}*")) == []


# -- killed while it makes one ----------------------------------------------------------------

KILLED = """
import os, signal, sys
import msgspec
from overnight.host.clock import SystemClock
from overnight.store.copies.making import Order, make
steps = iter(range(1000))
def step(name):
    if next(steps) == int(sys.argv[2]):
        os.kill(os.getpid(), signal.SIGKILL)
make(msgspec.json.decode(sys.argv[1], type=Order), clock=SystemClock(), step=step)
"""


def test_whoever_is_killed_at_any_step_leaves_a_whole_checkpoint_or_none(site: Site) -> None:
    before = site.make(second=str(site.second))
    order = site.order(second=str(site.second))
    elsewhere = Shelf(site.second / HOME, HOME)
    for number in range(1000):
        words = [sys.executable, "-c", KILLED, msgspec.json.encode(order).decode(), str(number)]
        ended = subprocess.run(words, check=False, timeout=60)
        for shelf in (site.shelf, elsewhere):
            assert len(whole(shelf)) == len(shelf.entries()) >= 1
        latest = site.shelf.directory / LATEST
        assert not troubles(site.shelf.entry(latest.readlink().name))
        if ended.returncode == 0:
            break
        assert ended.returncode == -signal.SIGKILL
    assert number > 10
    assert list(site.shelf.directory.glob(f"{ROUGH}*")) == []
    assert list(elsewhere.directory.glob(f"{ROUGH}*")) == []
    assert before.name in {entry.name for entry in site.shelf.entries()}
