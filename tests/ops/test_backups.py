"""Backups: nothing is stored twice, nothing half made is taken for one, and what they give back balances."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import apsw
import msgspec
import pytest
from backing_up import Site
from damaging import flip, places

from overnight.core.backups import BESIDE, PIECE, File, Manifest, faults, is_safe, read
from overnight.core.checkpoints import AT_LEAST, DAY, Keeping
from overnight.core.errors import HomeUnusableError, NotNowError, StoreDamagedError
from overnight.core.sealed import seal
from overnight.core.states import TaskState
from overnight.host.files import sync_directory
from overnight.host.home import Home, past
from overnight.ops import rollback, verification
from overnight.ops.backups import pieces as pieces_room
from overnight.ops.backups.contract import Wanted
from overnight.ops.backups.making import create
from overnight.ops.backups.place import MANIFEST, BackupPlace, Trial
from overnight.ops.backups.proving import damage, prove
from overnight.ops.backups.pruning import plan, prune
from overnight.ops.backups.restoring import changes, check, restore_elsewhere, restore_here
from overnight.store.sqlite import SqliteStore, checksums

#: Ranges of a backup that are damaged one after the other.
RANGES = 256
#: Reaches further than any test's clock.
PATIENT = Keeping(10 * DAY, 10 * DAY, 10 * DAY, 1 << 40)


@pytest.fixture
def site(tmp_path: Path) -> Iterator[Site]:
    made = Site(tmp_path / "project")
    yield made
    made.kept.store.close()


def balances(home: Home) -> list[str]:
    """What `verify` finds in a home."""
    store = SqliteStore.open(home.store, readonly=True)
    try:
        return [trouble.sentence for trouble in verification.verify(home, store, []).troubles]
    finally:
        store.close()


def files_of(place: BackupPlace) -> list[Path]:
    """Every file of a backup and its pieces."""
    return sorted(path for path in place.directory.rglob("*") if path.is_file() and not path.name.startswith("."))


# -- making one -------------------------------------------------------------------------------


def test_what_is_in_a_backup(site: Site) -> None:
    made = site.back_up()
    names = {file.path for file in site.newest().manifest.files}  # type: ignore[union-attr]
    assert {"home/queue.db", "home/home.json", "home/events.jsonl", "project/overnight.toml"} <= names
    assert "project/data/words.txt" in names
    assert any(name.startswith("home/results/") for name in names)
    assert not made.left_out
    assert prove(site.place, site.newest(), now=site.now).troubles == []


def test_what_has_not_changed_is_stored_once(site: Site) -> None:
    """A full segment of the journal, the files of the project, and the store itself."""
    (site.home.path / "events-000000000000.jsonl").write_bytes(b"x" * 5000)
    first = site.back_up()
    assert first.stored_bytes == first.size_bytes
    assert site.back_up().stored_bytes == 0
    site.kept.add("more")
    site.kept.journal()
    third = site.back_up()
    assert 0 < (third.stored_bytes or 0) < third.size_bytes - 5000


@pytest.mark.parametrize("name", BESIDE)
def test_the_history_is_copied_as_it_is_at_one_moment(site: Site, name: str) -> None:
    history = apsw.Connection(str(site.home.path / name))
    list(history.execute("PRAGMA journal_mode = wal; CREATE TABLE t (x); INSERT INTO t VALUES (42)"))
    site.back_up()
    history.close()
    restored = restore_elsewhere(site.place.pieces, site.newest(), site.project.parent / "new" / ".overnight")
    copy = apsw.Connection(str(restored.home / name))
    assert copy.execute("SELECT x FROM t").get == 42
    copy.close()
    assert prove(site.place, site.newest(), now=site.now).whole


def test_a_history_that_is_none_is_left_out_and_said(site: Site) -> None:
    site.home.history.write_bytes(b"no database at all" * 100)
    (left,) = site.back_up().left_out
    assert left.path == "home/history.db"


def test_the_journal_is_cut_after_what_the_copy_knows(site: Site) -> None:
    """An engine works on while the backup is made; what it writes is of a later time."""

    def work_on(step: str) -> None:
        if step == "copied":
            site.kept.work(3)
            site.kept.add("later")
            site.kept.journal()

    site.back_up(step=work_on)
    assert prove(site.place, site.newest(), now=site.now).troubles == []


@pytest.mark.parametrize("rotated", [False, True])
def test_a_journal_that_is_set_aside_meanwhile(site: Site, rotated: bool) -> None:  # noqa: FBT001 - both ways
    def rotate(step: str) -> None:
        if step == "copied":
            site.kept.work(3)
            site.kept.journal()
            if rotated:
                site.home.journal.rename(site.home.path / f"events-{site.kept.store.journal_seq():012d}.jsonl")
                site.home.journal.touch()

    site.back_up(step=rotate)
    assert prove(site.place, site.newest(), now=site.now).troubles == []


def test_a_result_of_a_later_task_is_none_of_it(site: Site) -> None:
    def work_on(step: str) -> None:
        if step == "copied":
            (site.home.results / "999-1.json").write_text('"later"')

    site.back_up(step=work_on)
    assert prove(site.place, site.newest(), now=site.now).troubles == []


@pytest.mark.parametrize("what", ["link", "link above", "pipe", "socketless", "unreadable"])
def test_what_cannot_be_taken_is_left_out_and_said(site: Site, what: str) -> None:
    path = site.project / "data" / "odd"
    if what == "link":
        path.symlink_to("/etc/passwd")
    elif what == "link above":
        path.symlink_to("/etc", target_is_directory=True)
    elif what == "pipe":
        os.mkfifo(path)
    elif what == "socketless":
        path.symlink_to("/nowhere")
    else:
        path.mkdir()
        (path / ".overnight").mkdir()
        (path / ".overnight" / "x").write_text("of another home")
    left = site.back_up().left_out
    assert [one.path.startswith("project/data/odd") for one in left] == [True], left
    assert prove(site.place, site.newest(), now=site.now).whole


def test_names_of_every_byte_come_back(site: Site) -> None:
    names = [bytes([byte]) for byte in (*range(1, 128, 9), *range(128, 256, 17), 255)]
    for name in names:
        (site.project / "data" / os.fsdecode(b"n" + name)).write_bytes(name)
    site.back_up()
    target = site.project.parent / "new" / ".overnight"
    restore_elsewhere(site.place.pieces, site.newest(), target)
    there = {os.fsencode(path.name)[1:]: path.read_bytes() for path in (target.parent / "data").glob("n*")}
    assert there == {name: name for name in names}


@pytest.mark.parametrize("pattern", [".", "**", "d*", "./data/", "data/wo**ds.txt"])
def test_patterns_name_what_is_below_the_project(site: Site, pattern: str) -> None:
    """Never the home itself, whatever is said."""
    (site.project / ".hidden").write_text("")
    made = site.back_up(include=(pattern,))
    names = {file.path for file in site.newest().manifest.files}  # type: ignore[union-attr]
    assert "project/data/words.txt" in names
    assert ("project/.hidden" in names) == (pattern in {".", "**"})
    assert not [name for name in names if ".overnight" in name]
    assert made.left_out == []


def test_files_that_workflows_name_come_along(site: Site) -> None:
    from overnight.core.workflow.model import Step, Workflow

    (site.project / "jobs").mkdir()
    (site.project / "jobs" / "__init__.py").write_text("")
    (site.project / "jobs" / "audio.py").write_text("x = 1")
    (site.project / "check.sh").write_text("true")
    steps = (
        Step(id="a", run=("sh", "./check.sh", "{input}", "/etc/passwd", "../x")),
        Step(id="b", call="jobs.audio:f"),
    )
    flows = {"flow": Workflow(name="flow", steps=steps)}
    create(site.home, [site.place], Wanted(workflows=flows), clock=site.kept.clock)
    names = {file.path for file in site.newest().manifest.files}  # type: ignore[union-attr]
    assert {name for name in names if name.startswith("project/")} == {
        "project/overnight.toml",
        "project/check.sh",
        "project/jobs/audio.py",
    }


def test_two_at_the_same_time_do_not_meet(site: Site) -> None:
    def another(step: str) -> None:
        if step == "pieces":
            with pytest.raises(NotNowError):
                site.back_up()
            with pytest.raises(NotNowError):
                prune(site.place, PATIENT, now=site.now)

    site.back_up(step=another)
    assert len(site.place.entries()) == 1


def test_a_store_that_is_set_back_meanwhile_makes_no_backup(site: Site) -> None:
    from overnight.host.home import promise_restore

    def set_back(step: str) -> None:
        if step == "copied":
            promise_restore(site.home, "ready")

    with pytest.raises(NotNowError):
        site.back_up(step=set_back)
    assert site.place.entries() == []


def test_a_damaged_store_makes_no_backup(site: Site) -> None:
    site.kept.close()
    flip(site.home.store, site.home.store.stat().st_size // 2, 64)
    with pytest.raises(StoreDamagedError):
        create(site.home, [site.place], Wanted(), clock=site.kept.clock)
    assert site.place.entries() == []


def test_the_second_place_has_all_of_it(site: Site, tmp_path: Path) -> None:
    second = BackupPlace(tmp_path / "second", site.home.id)
    assert site.back_up(second).second_trouble == ""
    shutil.rmtree(site.home.backups)
    assert prove(second, second.whole()[0], now=site.now).whole


def test_a_second_place_that_cannot_be_written_is_said(site: Site, tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    made = site.back_up(BackupPlace(tmp_path / "file" / "second", site.home.id))
    assert "Not a directory" in made.second_trouble
    assert prove(site.place, site.newest(), now=site.now).whole


# -- killed on the way ------------------------------------------------------------------------

_KILLED = """
import os, signal, sys
from pathlib import Path
from overnight.core.backups import Manifest
from overnight.host.clock import SystemClock
from overnight.host.home import Home
from overnight.ops.backups.contract import Wanted
from overnight.ops.backups.making import create
from overnight.ops.backups.place import BackupPlace, Trial
home = Home(Path(sys.argv[1]))
places = [BackupPlace(home.backups, home.id), BackupPlace(Path(sys.argv[2]), home.id)]
def step(name):
    if name == sys.argv[3]:
        os.kill(os.getpid(), signal.SIGKILL)
create(home, places, Wanted(("data",)), clock=SystemClock(), step=step)
"""


@pytest.mark.parametrize(
    ("step", "made"),
    [("begun", 0), ("copied", 0), ("pieces", 0), ("manifest", 0), ("placed", 1), ("second pieces", 1)],
)
def test_killed_in_the_middle_it_leaves_nothing_that_is_taken_for_a_backup(
    site: Site, tmp_path: Path, step: str, made: int
) -> None:
    second = tmp_path / "second"
    done = subprocess.run(
        [sys.executable, "-c", _KILLED, str(site.home.path), str(second), step], check=False, timeout=60
    )
    assert done.returncode == -signal.SIGKILL
    assert len(site.place.entries()) == made
    assert BackupPlace(second, site.home.id).entries() == []
    site.kept.clock.step_wall(2e9)  # after the clock by which the others were made
    site.back_up(BackupPlace(second, site.home.id))
    assert prove(site.place, site.newest(), now=site.now).whole
    prune(site.place, PATIENT, now=site.now)
    assert [path.name for path in site.place.directory.glob(".making-*")] == []
    assert prove(site.place, site.newest(), now=site.now).whole


def test_the_manifest_comes_last(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    """When the backup gets its name, every piece is on the disk, and so is every name of one."""
    synced: list[Path] = []

    def sync(path: Path) -> None:
        synced.append(path)
        sync_directory(path)

    monkeypatch.setattr(pieces_room, "sync_directory", sync)

    def look(step: str) -> None:
        if step == "pieces":
            assert {path.parent for path in site.place.directory.glob("objects/??/*")} <= set(synced)
            assert site.place.directory / "objects" in synced
        if step in ("pieces", "manifest"):
            assert site.place.entries() == []

    site.back_up(step=look)
    assert len(site.place.entries()) == 1


# -- damage -----------------------------------------------------------------------------------


def test_each_of_256_damaged_ranges_is_found(site: Site) -> None:
    site.back_up()
    entry = site.newest()
    sizes = [(path, path.stat().st_size) for path in files_of(site.place)]
    found = 0
    for at in places(sum(size for _, size in sizes), RANGES):
        path, place = where(sizes, at)
        content = path.read_bytes()
        flip(path, place, 1)
        found += bool(damage(site.place.pieces, site.place.entry(entry.name)))
        path.with_name(f"{path.name}.damaged").unlink(missing_ok=True)
        path.write_bytes(content)
    assert found == RANGES
    assert damage(site.place.pieces, site.place.entry(entry.name)) == []


def where(sizes: list[tuple[Path, int]], at: int) -> tuple[Path, int]:
    """The file, and the place in it, of one byte of all of them."""
    for path, size in sizes:
        if at < size:
            return path, at
        at -= size
    raise AssertionError


@pytest.mark.parametrize("what", ["gone", "cut", "longer", "link", "folder", "pipe"])
def test_a_piece_that_is_no_piece_is_found(site: Site, what: str) -> None:
    site.back_up()
    manifest = site.newest().manifest
    assert manifest is not None
    stored = manifest.file(b"home/queue.db")
    assert stored is not None
    path = site.place.pieces.path(stored.pieces[0])
    content = path.read_bytes()
    path.unlink()
    match what:
        case "cut":
            path.write_bytes(content[:-1])
        case "longer":
            path.write_bytes(content + b"x")
        case "link":
            (path.parent / "other").write_bytes(content)
            path.symlink_to("other")
        case "folder":
            path.mkdir()
        case "pipe":
            os.mkfifo(path)
    assert not prove(site.place, site.newest(), now=site.now).whole
    with pytest.raises(StoreDamagedError, match="nothing was changed"):
        check(site.place.pieces, site.newest())


def test_the_next_backup_does_not_rely_on_what_was_found_damaged(site: Site) -> None:
    site.back_up()
    largest = max(site.place.directory.glob("objects/??/*"), key=lambda path: path.stat().st_size)
    flip(largest, 100)
    assert not prove(site.place, site.newest(), now=site.now, quick=True).whole
    assert site.newest().trial is not None
    site.back_up()
    assert prove(site.place, site.newest(), now=site.now).whole


def test_hashes_are_not_all_that_is_looked_at(site: Site) -> None:
    """A backup of books that do not balance is told by the trial alone."""
    site.kept.store.close()
    checksums.register()
    connection = apsw.Connection(str(site.home.store), vfs=checksums.VFS)
    connection.execute("UPDATE counters SET n = n + 1 WHERE n > 0")
    connection.close()
    site.back_up()
    assert prove(site.place, site.newest(), now=site.now, quick=True).whole
    assert not prove(site.place, site.newest(), now=site.now).whole


def test_a_backup_of_another_home_is_none(site: Site) -> None:
    site.back_up()
    other = BackupPlace(site.home.backups, "0123456789abcdef")
    assert "another home" in other.entries()[0].trouble


@pytest.mark.parametrize(
    "name",
    [
        "/etc/passwd",
        "project/../x",
        "project//x",
        "project/./x",
        "project/",
        "project",
        "home/lock",
        "home/../queue.db",
        "home/results/../../x",
        "home/results/1-1.json/x",
        "home/.",
        "elsewhere/x",
        "",
        "project/.overnight/queue.db",
        "project/a\0b",
    ],
)
def test_names_that_lead_elsewhere_are_refused(name: str) -> None:
    assert not is_safe(name.encode())


@pytest.mark.parametrize(
    ("file", "words"),
    [
        (File(path="project/../../x", size_bytes=0), "no backup writes"),
        (File(path="project/x", path_b64="L2V0Yy9wYXNzd2Q=", size_bytes=0), "no backup writes"),
        (File(path="project/x", path_b64="?", size_bytes=0), "no name"),
        (File(path="project/x", size_bytes=1, pieces=["../../../etc/passwd"]), "no sense"),
        (File(path="project/x", size_bytes=0, mode=0o4755), "no sense"),
        (File(path="project/x", size_bytes=PIECE + 1, pieces=["0" * 64]), "too many or too few"),
        (File(path="project/x", size_bytes=-1), "too many or too few"),
        (File(path="project/overnight.toml", size_bytes=0), "twice"),
        (File(path="project/overnight.toml/x", size_bytes=0), "lie in a file"),
    ],
)
def test_a_manifest_that_names_what_no_backup_holds_is_refused(site: Site, file: File, words: str) -> None:
    """However well it is sealed."""
    site.back_up()
    entry = site.newest()
    assert entry.manifest is not None
    changed = msgspec.structs.replace(entry.manifest, files=[*entry.manifest.files, file])
    assert any(words in fault for fault in faults(changed))
    (entry.path / MANIFEST).write_bytes(seal(changed))
    assert site.place.entry(entry.name).manifest is None
    with pytest.raises(StoreDamagedError):
        check(site.place.pieces, site.place.entry(entry.name))


def test_a_manifest_is_read_as_bytes(site: Site) -> None:
    site.back_up()
    content = (site.newest().path / MANIFEST).read_bytes()
    assert isinstance(read(content, site.newest().name), Manifest)
    for wrong in (
        content[:-1],
        content + b" ",
        b"",
        b"[]",
        b"\xff",
        b"[" * 100_000,
        content.replace(b'"mode"', b'"made"'),
    ):
        with pytest.raises(ValueError, match="damaged"):
            read(wrong, site.newest().name)
    with pytest.raises(ValueError, match="that of"):
        read(content, "another")


def test_a_manifest_that_is_a_link_is_none(site: Site) -> None:
    site.back_up()
    entry = site.newest()
    (entry.path / MANIFEST).rename(entry.path / "elsewhere")
    (entry.path / MANIFEST).symlink_to("elsewhere")
    assert "cannot be read" in site.place.entry(entry.name).trouble


# -- giving back ------------------------------------------------------------------------------


def test_it_restores_where_there_is_no_home(site: Site) -> None:
    site.back_up()
    (site.project / "data" / "words.txt").chmod(0o640)
    site.back_up()
    shutil.rmtree(site.project / "data")
    target = site.project.parent / "new" / ".overnight"
    restored = restore_elsewhere(site.place.pieces, site.newest(), target)
    assert restored.aside is None
    assert balances(Home(target)) == []
    words = target.parent / "data" / "words.txt"
    assert (words.read_text(), words.stat().st_mode & 0o777) == ("yes\n", 0o640)
    assert target.stat().st_mode & 0o777 == 0o700


def test_where_something_is_nothing_is_made(site: Site) -> None:
    site.back_up()
    target = site.project.parent / "new" / ".overnight"
    target.mkdir(parents=True)
    (target / "x").touch()
    with pytest.raises(HomeUnusableError, match="nothing was changed"):
        restore_elsewhere(site.place.pieces, site.newest(), target)
    assert [path.name for path in target.parent.iterdir()] == [".overnight"]


def test_files_that_are_in_the_way_are_set_aside(site: Site) -> None:
    site.back_up()
    target = site.project.parent / "new" / ".overnight"
    (target.parent / "data").mkdir(parents=True)
    (target.parent / "data" / "words.txt").write_text("mine\n")
    (target.parent / "overnight.toml").symlink_to("/nowhere")
    restored = restore_elsewhere(site.place.pieces, site.newest(), target)
    assert restored.aside is not None
    assert (restored.aside / "data" / "words.txt").read_text() == "mine\n"
    assert (restored.aside / "overnight.toml").readlink() == Path("/nowhere")
    assert (target.parent / "data" / "words.txt").read_text() == "yes\n"
    assert "retries" in (target.parent / "overnight.toml").read_text()


def test_a_link_on_the_way_is_never_followed(site: Site) -> None:
    site.back_up()
    outside = site.project.parent / "outside"
    outside.mkdir()
    target = site.project.parent / "new" / ".overnight"
    target.parent.mkdir()
    (target.parent / "data").symlink_to(outside, target_is_directory=True)
    with pytest.raises(HomeUnusableError, match="nothing was changed"):
        restore_elsewhere(site.place.pieces, site.newest(), target)
    assert list(outside.iterdir()) == []
    assert not (target.parent / "overnight.toml").exists()


def test_its_own_home_goes_back_and_nothing_is_deleted(site: Site) -> None:
    before = site.kept.states()
    site.back_up()
    site.kept.add("later")
    site.kept.work(9)
    site.kept.journal()
    (site.project / "overnight.toml").write_text("")
    for result in site.home.results.iterdir():
        result.unlink()
    site.kept.store.close()
    restored = restore_here(site.home, site.place.pieces, site.newest(), now=site.now, by="me/1")
    assert [(change.path, change.what) for change in restored.changes if change.what != "same"] == [
        ("overnight.toml", "replaced")
    ]
    assert restored.aside is not None
    assert (restored.aside / "overnight.toml").read_text() == ""
    assert restored.rolled is not None
    assert restored.rolled.aside is not None
    assert past(site.home).epoch == 1
    site.kept.reopen()
    assert site.kept.states() == before
    site.kept.journal()
    assert balances(site.home) == []
    assert site.kept.states()["file-0"] is TaskState.COMPLETED


def test_nothing_is_changed_by_looking(site: Site) -> None:
    site.back_up()
    (site.project / "overnight.toml").write_text("")
    (site.project / "data" / "words.txt").unlink()
    found = {change.path: change.what for change in changes(site.place.pieces, site.newest(), site.home.path)}
    assert found == {"overnight.toml": "replaced", "data/words.txt": "new"}
    assert (site.project / "overnight.toml").read_text() == ""


# -- letting go -------------------------------------------------------------------------------


def test_old_ones_go_and_what_others_need_stays(site: Site) -> None:
    for number in range(6):
        site.kept.add(f"more-{number}")
        site.back_up()
    tight = Keeping(0, 0, 0, 0)
    names = [entry.name for entry in site.place.whole()]
    planned = plan(site.place, tight, now=site.now + DAY)
    assert planned.names == names[AT_LEAST:]
    assert len(site.place.whole()) == 6
    pruned = prune(site.place, tight, now=site.now + DAY)
    assert (pruned.names, pruned.freed_bytes) == (planned.names, planned.freed_bytes)
    assert pruned.freed_bytes
    assert [entry.name for entry in site.place.whole()] == names[:AT_LEAST]
    for entry in site.place.whole():
        assert prove(site.place, entry, now=site.now).whole


def test_the_last_one_that_was_proven_stays(site: Site) -> None:
    site.back_up()
    oldest = site.newest()
    assert prove(site.place, oldest, now=site.now).whole
    for _ in range(4):
        site.back_up()
    prune(site.place, Keeping(0, 0, 0, 0), now=site.now + DAY)
    assert site.place.whole()[-1].name == oldest.name


def test_those_that_are_not_whole_take_no_place_of_one_that_may_be(site: Site) -> None:
    """Neither verified nor not: they are all that is left when the newest three are known to be bad."""
    for _ in range(8):
        site.back_up()
    entries = site.place.whole()
    for entry in entries[:4]:
        site.place.note(entry, Trial(site.now, whole=False, troubles=["a piece is missing"]))
    prune(site.place, Keeping(0, 0, 0, 0), now=site.now + DAY)
    left = [entry.name for entry in site.place.whole()]
    assert left == [entry.name for entry in (*entries[:3], *entries[4:7])]


def test_a_folder_of_somebody_else_stays_and_what_is_left_of_a_removed_backup_goes(site: Site) -> None:
    """Neither has a manifest; of a backup there is no more than what its last trial has found."""
    for _ in range(2):
        site.back_up()
    newest, older = site.place.whole()
    assert prove(site.place, older, now=site.now).whole
    (older.path / MANIFEST).unlink()
    theirs = site.place.directory / "photos"
    theirs.mkdir()
    (theirs / "one.jpg").write_bytes(b"one")
    prune(site.place, PATIENT, now=site.now)
    assert (theirs / "one.jpg").exists()
    assert not older.path.exists()
    assert prove(site.place, newest, now=site.now).whole


def test_while_one_cannot_be_read_no_piece_goes(site: Site) -> None:
    """It may need any of them."""
    for number in range(5):
        site.kept.add(f"more-{number}")
        site.back_up()
    flip(site.newest().path / MANIFEST, 200)
    pieces = sorted(site.place.directory.glob("objects/??/*"))
    pruned = prune(site.place, Keeping(0, 0, 0, 0), now=site.now + DAY)
    assert pruned.names
    assert pruned.trouble
    assert sorted(site.place.directory.glob("objects/??/*")) == pieces


def test_a_restore_that_ends_on_the_way_leaves_the_present_and_the_next_one_comes_to_its_end(
    site: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Files of the project were set aside and replaced by then; the store is as it was."""
    site.back_up()
    site.kept.add("later")
    site.kept.journal()
    (site.project / "overnight.toml").write_text("mine")
    site.kept.store.close()

    def full(*_: object, **__: object) -> None:
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr(rollback, "roll_back", full)
        with pytest.raises(OSError, match="No space"):
            restore_here(site.home, site.place.pieces, site.newest(), now=site.now, by="me/1")
    site.kept.reopen()
    assert "later" in site.kept.states()
    assert balances(site.home) == []
    (aside,) = site.home.aside.glob("project-*/overnight.toml")
    assert aside.read_text() == "mine"
    site.kept.store.close()
    restore_here(site.home, site.place.pieces, site.newest(), now=site.now, by="me/1")
    site.kept.reopen()
    assert "later" not in site.kept.states()
    assert aside.read_text() == "mine"
    assert list(site.home.path.glob(".restoring-*")) == []
