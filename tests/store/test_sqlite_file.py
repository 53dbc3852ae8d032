"""The file and what can happen to it: missing, foreign, newer, damaged, gone, full, busy."""

from __future__ import annotations

import re
import subprocess
import sys
from contextlib import nullcontext
from pathlib import Path

import apsw
import msgspec
import pytest
from old_stores import make_old

from overnight.core.errors import (
    DiskFullError,
    HomeUnusableError,
    NotFoundError,
    StoreBusyError,
    StoreDamagedError,
    StoreUnavailableError,
)
from overnight.core.states import Outcome, TaskState
from overnight.core.task import Action, ActionKind, NewTask
from overnight.core.verdict import Settlement
from overnight.host.clock import SystemClock
from overnight.store.contract import Claim, Query, Selector, Verb
from overnight.store.sql import adding, statements
from overnight.store.sqlite import SqliteStore, connection, migrations

NOON = 1_700_000_000.0
ACTION = Action(kind=ActionKind.COMMAND, cwd=b"/", argv=(b"true",))


def tasks(count: int) -> list[NewTask]:
    return [NewTask(action=ACTION, input=b"%d" % n) for n in range(count)]


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "queue.db"


def made(path: Path) -> SqliteStore:
    return SqliteStore.open(path, create=True)


def pragma(path: Path, words: str) -> None:
    """Change a file as another version of the program might."""
    other = apsw.Connection(str(path), vfs="cksmvfs")
    other.execute(f"PRAGMA {words}")
    other.close()


# -- opening ----------------------------------------------------------------------------------


def test_a_missing_store_is_not_made_by_chance(path: Path) -> None:
    with pytest.raises(NotFoundError, match=r"queue\.db"):
        SqliteStore.open(path)
    assert not path.exists()


def test_a_store_is_not_made_where_there_is_no_directory(tmp_path: Path) -> None:
    with pytest.raises((NotFoundError, HomeUnusableError)):
        made(tmp_path / "nowhere" / "queue.db")


def test_many_that_make_a_store_at_once_get_the_same(path: Path) -> None:
    """And each adds a task to it, so that nobody has worked in a file that was replaced."""
    script = (
        "import sys; from pathlib import Path; from overnight.store.sqlite import SqliteStore\n"
        "from overnight.core.task import *\n"
        "store = SqliteStore.open(Path(sys.argv[1]), create=True)\n"
        "store.add([NewTask(action=Action(kind=ActionKind.COMMAND, cwd=b'/'), input=b'x')], now=1.0)\n"
    )
    makers = [subprocess.Popen([sys.executable, "-c", script, str(path)]) for _ in range(6)]
    assert [maker.wait(30) for maker in makers] == [0] * 6
    store = SqliteStore.open(path)
    assert store.counts().pending == 6
    assert sorted(one.name for one in path.parent.iterdir()) == ["queue.db", "queue.db-shm", "queue.db-wal"]
    store.close()


def test_who_makes_a_store_too_late_leaves_the_one_that_is_there(path: Path) -> None:
    store = made(path)
    store.add(tasks(1), now=NOON)
    connection.create_file(path)
    store.check_file()
    assert [one.name for one in path.parent.glob("*new*")] == []
    store.close()


def test_only_its_owner_may_read_a_store(path: Path) -> None:
    made(path).close()
    assert path.stat().st_mode & 0o777 == 0o600


def test_what_is_set_up_is_in_force(path: Path) -> None:
    store = made(path)
    ask = store._database.connection.pragma
    assert ask("journal_mode") == "wal"
    assert ask("synchronous") == 2
    assert ask("checksum_verification") == "1"
    assert ask("wal_autocheckpoint") == 0
    assert ask("trusted_schema") == 0
    assert ask("cell_size_check") == 1
    assert ask("foreign_keys") == 1
    store.close()


def test_the_checksums_stay_out_of_other_files(path: Path) -> None:
    """The extension makes itself the default of the process; that is taken back."""
    made(path).close()
    assert apsw.Connection("").open_vfs != "cksmvfs"


def test_a_newer_store_is_refused_with_both_versions(path: Path) -> None:
    made(path).close()
    pragma(path, f"user_version = {migrations.VERSION + 1}")
    for migrate in (False, True):
        with pytest.raises(
            HomeUnusableError, match=rf"version {migrations.VERSION + 1} .* knows {migrations.VERSION};"
        ):
            SqliteStore.open(path, migrate=migrate)


def test_an_older_store_is_brought_up_to_date_only_by_who_may(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    made(path).close()
    newer = migrations.VERSION + 1
    monkeypatch.setattr(migrations, "VERSION", newer)
    monkeypatch.setitem(migrations.MIGRATIONS, newer, "ALTER TABLE meta ADD COLUMN moon TEXT")
    with pytest.raises(HomeUnusableError, match=f"version {newer - 1} .* wants {newer}"):
        SqliteStore.open(path)
    SqliteStore.open(path, migrate=True).close()
    store = SqliteStore.open(path)
    assert store._database.connection.execute("SELECT moon FROM meta").get is None
    assert store.add(tasks(1), now=NOON).ids == [1]
    store.close()


def test_a_migration_that_fails_changes_nothing(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    made(path).close()
    newer = migrations.VERSION + 1
    with monkeypatch.context() as patch:
        patch.setattr(migrations, "VERSION", newer)
        patch.setitem(migrations.MIGRATIONS, newer, "CREATE TABLE moon (x); SELECT no_such_thing")
        with pytest.raises(apsw.SQLError):
            SqliteStore.open(path, migrate=True)
    store = SqliteStore.open(path)
    assert not store._database.connection.table_exists("main", "moon")
    store.close()


@pytest.mark.parametrize("content", [b"", b"hello, this is a letter and no database" * 200])
def test_a_file_of_somebody_else_is_not_touched(path: Path, content: bytes) -> None:
    path.write_bytes(content)
    with pytest.raises(StoreDamagedError):
        SqliteStore.open(path, create=True, migrate=True)
    assert path.read_bytes() == content


def test_a_reader_sees_everything_and_writes_nothing(path: Path) -> None:
    store = made(path)
    store.add(tasks(2), now=NOON)
    reader = SqliteStore.open(path, readonly=True)
    assert reader.counts().pending == 2
    with pytest.raises(HomeUnusableError):
        reader.add(tasks(1), now=NOON)
    store.add(tasks(1), now=NOON)
    assert reader.counts().pending == 3
    reader.close()
    store.close()


# -- damage -----------------------------------------------------------------------------------


def test_a_changed_byte_is_found_by_the_checksum_of_its_page(path: Path) -> None:
    """Inside a value, where SQLite's own checks see nothing."""
    store = made(path)
    store.add([NewTask(action=ACTION, input=b"precious" * 8)], now=NOON)
    store._database.tidy(0, give_back=0)
    store.close()
    content = path.read_bytes()
    place = content.index(b"precious")
    path.write_bytes(content[:place] + b"P" + content[place + 1 :])
    store = SqliteStore.open(path)
    with pytest.raises(StoreDamagedError):
        store.tasks(Query())
    store.close()


def test_an_add_into_a_deleted_store_is_not_acknowledged(path: Path) -> None:
    """The commit itself succeeds, into a file that nobody will ever see again."""
    store = made(path)
    path.unlink()
    with pytest.raises(StoreDamagedError, match="gone"):
        store.add(tasks(1), now=NOON)
    with pytest.raises(StoreDamagedError, match="gone"):
        store.check_file()
    store.close()


def test_an_add_into_a_replaced_store_is_not_acknowledged(path: Path) -> None:
    store = made(path)
    store.check_file()
    path.rename(path.with_name("aside"))
    made(path).close()
    with pytest.raises(StoreDamagedError, match="replaced"):
        store.add(tasks(1), now=NOON)
    store.close()


# -- full, busy, unknown ----------------------------------------------------------------------


def test_on_a_full_disk_nothing_is_recorded_and_work_goes_on_when_there_is_room(path: Path) -> None:
    store = made(path)
    store.add(tasks(10), now=NOON)
    sqlite = store._database.connection
    sqlite.pragma("max_page_count", sqlite.pragma("page_count"))
    with pytest.raises(DiskFullError):
        store.add([NewTask(action=ACTION, input=b"x" * 4000)] * 100, now=NOON)
    assert not sqlite.in_transaction
    assert store.counts().pending == 10
    sqlite.pragma("max_page_count", 10**6)
    store.add(tasks(1), now=NOON)
    assert store.recount() == []
    store.close()


def test_a_full_disk_at_commit_means_rolled_back(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """SQLite has undone it by itself then; an error after which the transaction is still open means unknown."""
    store = made(path)

    class Full:
        """A connection whose COMMIT finds no room."""

        def __init__(self, real: apsw.Connection, *, undone: bool) -> None:
            self.real, self.undone = real, undone

        def execute(self, sql: str, *arguments: object) -> object:
            if sql == "COMMIT":
                if self.undone:
                    self.real.execute("ROLLBACK")
                raise apsw.FullError("full")
            return self.real.execute(sql, *arguments)  # type: ignore[arg-type]  # passed on as it came

        def __getattr__(self, name: str) -> object:
            return getattr(self.real, name)

    real = store._database.connection
    for undone, expected in ((True, DiskFullError), (False, StoreUnavailableError)):
        monkeypatch.setattr(store._database, "connection", Full(real, undone=undone))
        with pytest.raises(StoreUnavailableError) as caught:
            store.ask("stop", now=NOON, by="me")
        assert type(caught.value) is expected
        assert not real.in_transaction
    monkeypatch.setattr(store._database, "connection", real)
    assert store.orders().controls == []
    store.close()


def test_any_error_out_of_commit_means_unknown(path: Path) -> None:
    store = made(path)
    store._database.connection.set_commit_hook(lambda: True)
    with pytest.raises(StoreUnavailableError, match="unknown"):
        store.add(tasks(1), now=NOON)
    store._database.connection.set_commit_hook(None)
    store.add(tasks(1), now=NOON)
    store.close()


def test_who_has_to_wait_rings_once_and_then_gets_through(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """However often it has to try again."""
    holder = made(path)
    happened = []

    def nap(_seconds: float) -> None:
        happened.append("nap")
        if len(happened) == 4:
            holder._database.connection.execute("COMMIT")

    monkeypatch.setattr("overnight.store.sqlite.connection.time.sleep", nap)
    waiting = SqliteStore.open(path, on_wait=lambda: happened.append("ring"))
    holder._database.connection.execute("BEGIN IMMEDIATE")
    assert waiting.add(tasks(1), now=NOON).ids == [1]
    assert happened == ["ring", "nap", "nap", "nap"]
    waiting.close()
    holder.close()


def test_who_has_other_things_to_do_waits_only_briefly(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    holder, waiting = made(path), SqliteStore.open(path, patience=0.01)
    naps: list[float] = []
    monkeypatch.setattr("overnight.store.sqlite.connection.time.sleep", naps.append)
    holder._database.connection.execute("BEGIN IMMEDIATE")
    for hurried in (True, False):
        naps.clear()
        with waiting.waiting(0.002) if hurried else nullcontext(), pytest.raises(StoreBusyError):
            waiting.add(tasks(1), now=NOON)
        assert len(naps) == (4 if hurried else 20)
    waiting.close()
    holder.close()


def test_who_has_waited_too_long_is_told_that_nothing_was_changed(path: Path) -> None:
    holder, waiting = made(path), SqliteStore.open(path, patience=0.002)
    holder._database.connection.execute("BEGIN IMMEDIATE")
    with pytest.raises(StoreBusyError, match="busy") as caught:
        waiting.add(tasks(1), now=NOON)
    assert caught.value.hint
    holder._database.connection.execute("ROLLBACK")
    assert waiting.counts().total == 0
    waiting.close()
    holder.close()


# -- the log ----------------------------------------------------------------------------------


def test_the_log_stays_bounded_when_it_is_tidied(path: Path) -> None:
    store = made(path)
    log = path.with_name("queue.db-wal")
    longest = 0
    for _ in range(12):
        store.add([NewTask(action=ACTION, input=b"x" * 2000)] * 1000, now=NOON)
        store.tidy()
        longest = max(longest, log.stat().st_size)
    assert longest < 24 * 2**20
    store.close()


def test_closing_does_not_move_the_log(path: Path) -> None:
    """A producer that is the last to leave would pay for it."""
    store = made(path)
    store.add(tasks(1), now=NOON)
    store.close()
    assert path.with_name("queue.db-wal").stat().st_size > 0
    store = SqliteStore.open(path)
    assert store.counts().pending == 1
    store.close()


def test_tidying_does_not_wait_for_a_reader(path: Path) -> None:
    """What it still needs is moved the next time."""
    store, reader = made(path), SqliteStore.open(path)
    store.add(tasks(1), now=NOON)
    with reader._database.read() as view:
        assert view.execute("SELECT count(*) FROM tasks").get == 1
        store.add(tasks(1), now=NOON)
        store._database.tidy(0, give_back=0)
        assert view.execute("SELECT count(*) FROM tasks").get == 1
    store._database.tidy(0, give_back=0)
    assert path.with_name("queue.db-wal").stat().st_size == 0
    reader.close()
    store.close()


def test_giving_room_back_does_not_wait_for_a_reader_either(path: Path) -> None:
    """This one has seen everything, so all pages can be moved, and yet the log cannot be cut."""
    made(path).close()
    rings: list[str] = []
    store, reader = SqliteStore.open(path, on_wait=lambda: rings.append("ring")), SqliteStore.open(path)
    store.add(tasks(1), now=NOON)
    with reader._database.read() as view:
        assert view.execute("SELECT count(*) FROM tasks").get == 1
        store._database.tidy(0, give_back=0)
    assert rings == []
    reader.close()
    store.close()


# -- statements -------------------------------------------------------------------------------


def test_every_statement_is_used_and_none_is_missing() -> None:
    rooms = (Path(adding.__file__).parent, Path(connection.__file__).parent)
    code = "".join(file.read_text() for room in rooms for file in room.glob("*.py"))
    for name in statements.SQL:
        assert f'"{name}"' in code or name.startswith("recount_"), f"nobody uses {name}"


def test_every_statement_can_be_prepared(path: Path) -> None:
    store = made(path)
    for sql in statements.SQL.values():
        store._database.connection.execute(f"EXPLAIN {sql}", _nothing(sql))
    store.close()


def _nothing(sql: str) -> list[None] | dict[str, None]:
    """A value for each parameter."""
    if ":ids" in sql:
        return {"ids": None, "now": None}
    numbered = [int(digit) for digit in re.findall(r"\?(\d+)", sql)]
    return [None] * (max(numbered) if numbered else sql.count("?"))


def test_a_claim_and_a_page_of_rare_tasks_are_read_from_an_index(path: Path) -> None:
    """In its order, without sorting: the cost is that of the rows taken."""
    store = made(path)
    ask = store._database.connection.execute
    plan = " ".join(row[3] for row in ask("EXPLAIN QUERY PLAN " + statements.SQL["head_of_lane"], (1, 1)))
    assert "tasks_claim" in plan
    assert "TEMP B-TREE" not in plan
    sql = "SELECT id FROM tasks WHERE state = 'failed' AND id < 9 ORDER BY id DESC LIMIT 9"
    plan = " ".join(row[3] for row in ask("EXPLAIN QUERY PLAN " + sql))
    assert "tasks_rare" in plan
    assert "TEMP B-TREE" not in plan
    store.close()


def test_publishing_changes_as_many_rows_for_a_large_batch_as_for_a_small_one(path: Path) -> None:
    changed = []
    store = made(path)
    for count in (1, 2000):
        batch = store.open_batch(now=NOON, owner="me")
        store.add(tasks(count), now=NOON, batch=batch)
        before = store._database.connection.total_changes()
        assert store.publish(batch, now=NOON) == count
        changed.append(store._database.connection.total_changes() - before)
    assert changed[0] == changed[1]
    store.close()


def test_tasks_whose_identities_collide_are_told_apart(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """64 bits are a way to the row, not the proof."""
    monkeypatch.setattr(adding, "task_identity", lambda _action, _input: 7)
    store = made(path)
    added = store.add(tasks(3), now=NOON, unique=True)
    assert len(added.ids) == 3
    assert [one.id for one in store.find(tasks(3))] == added.ids
    elsewhere = Action(kind=ActionKind.COMMAND, cwd=b"/elsewhere", argv=(b"true",))
    assert store.find([NewTask(action=elsewhere, input=b"0")]) == []
    store.close()


# -- the books --------------------------------------------------------------------------------

#: Each way to cook the books, and a word of what `recount` says about it.
FORGERIES = {
    "UPDATE counters SET n = n + 1": "tasks completed",
    "DELETE FROM running": "open attempt",
    "UPDATE running SET attempt = 2": "open attempt",
    "UPDATE tasks SET attempt = attempt + 1 WHERE state = 'completed'": "ended attempts",
    "DELETE FROM attempts": "ended attempts",
    "UPDATE attempts SET number = 5": "up to number 5",
    "UPDATE attempts SET outcome = 'failed'": "final attempt",
    "UPDATE attempts SET final = 0": "final attempt",
    "UPDATE attempts SET generation = 9": "generation",
    "INSERT INTO attempts SELECT 999, 1, 1, outcome, final, 1, 1, 1, NULL, NULL, '', '', NULL, NULL, NULL, NULL,"
    " NULL, NULL, NULL, NULL, NULL, NULL FROM attempts": "no such task",
    "INSERT INTO attempts SELECT task_id, 2, 1, outcome, final, 1, 1, 1, NULL, NULL, '', '', NULL, NULL, NULL, NULL,"
    " NULL, NULL, NULL, NULL, NULL, NULL FROM attempts": "final outcomes",
    "INSERT INTO running SELECT id, 1, 1, 1, 1, 0, 1, 1 FROM tasks WHERE state = 'completed'": "with an open attempt",
    "UPDATE tasks SET lane_id = 77": "no such lane",
    "UPDATE meta SET last_task_id = 1": "last task id",
    "INSERT INTO outbox (count, lines, batch_line_id) VALUES (1, x'', 5)": "batch row",
}


@pytest.mark.parametrize("forgery", FORGERIES)
def test_cooked_books_do_not_balance(path: Path, forgery: str) -> None:
    store = made(path)
    store.add(tasks(3), now=NOON)
    fence = store.take_fence(now=NOON, by="me")
    claim = Claim(count=2, lanes={1: {}}, pools={})
    first, _ = store.turn(fence=fence, now=NOON, claim=claim).claimed
    done = Settlement(first.id, 1, TaskState.COMPLETED, Outcome.COMPLETED, 0, 0, NOON)
    store.turn(fence=fence, now=NOON, settlements=[done])
    assert store.recount() == []
    store._database.connection.execute(forgery)
    said = " / ".join(f"{one.what}: {one.expected}, {one.found}" for one in store.recount())
    assert FORGERIES[forgery] in said
    store.close()


def test_the_lane_of_a_batch_goes_with_its_last_task(path: Path) -> None:
    """So lanes stay few over the years."""
    store = made(path)
    for _ in range(3):
        batch = store.open_batch(now=NOON, owner="me")
        store.add(tasks(2), now=NOON, batch=batch)
        store.publish(batch, now=NOON)
    everything = Selector(everything=True)
    store.act(Verb.CANCEL, everything, now=NOON, by="me")
    store.remove(everything, now=NOON, by="me")
    assert store._database.connection.execute("SELECT count(*) FROM lanes").get == 1
    assert store._database.connection.execute("SELECT count(*) FROM batches").get == 0
    assert store.counts().removed == 6
    store.close()


@pytest.mark.parametrize("version", [1, 2])
def test_an_older_store_becomes_what_a_new_one_is(tmp_path: Path, version: int) -> None:
    """Table for table, with what was in it. Version 1 had none for what programs outside the engine have taken."""
    new, old = tmp_path / "new.db", tmp_path / "old.db"
    made(new).close()
    make_old(old, version)

    store = SqliteStore.open(old, migrate=True)

    assert tables(old) == tables(new)
    assert store.recount() == []
    assert store.counts().completed == 1
    assert (store.get(1).state, store.get(1).queue) == (TaskState.COMPLETED, "q")
    assert len(store.find([msgspec.structs.replace(tasks(1)[0], input=b"old")])) == 0
    store.close()


def tables(path: Path) -> set[tuple[str, str]]:
    """Names and definitions, without the notes in them."""
    opened = apsw.Connection(str(path), vfs="cksmvfs")
    found = {
        (str(name), " ".join(re.sub(r"--.*", "", str(sql)).split()))
        for name, sql in opened.execute("SELECT name, sql FROM sqlite_schema WHERE sql IS NOT NULL")
    }
    opened.close()
    return found


def test_whoever_is_in_a_hurry_does_not_wait_for_the_store_for_long(path: Path) -> None:
    """A stop at once must get past an engine that hangs in the middle of a transaction."""
    made(path).close()
    blocker = apsw.Connection(str(path), vfs="cksmvfs")
    blocker.execute("BEGIN IMMEDIATE")
    store = SqliteStore.open(path, patience=0.05)
    began = SystemClock().monotonic()
    with pytest.raises(StoreBusyError, match="was busy for too long; nothing was changed"):
        store.ask("stop", now=NOON, by="person")
    assert SystemClock().monotonic() - began < 10
    store.close()
    blocker.close()
