"""Damage of the store itself: whatever has changed in the file is found when it is opened and every page is read."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import apsw
import pytest

from overnight.core.errors import StoreDamagedError, StoreUnavailableError
from overnight.core.task import Action, ActionKind, NewTask
from overnight.store.sqlite.connection import Database, meaning
from overnight.store.sqlite.copying import open_copy
from overnight.store.sqlite.examining import examine, scan
from overnight.store.sqlite.salvaging import salvaging
from overnight.store.sqlite.store import SqliteStore

ACTION = Action(kind=ActionKind.COMMAND, cwd=b"/", argv=(b"true",))
RANGES = 256
PAGE = 4096


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """A store of some hundred pages, all of them in use, and nothing in its log."""
    made = tmp_path / "queue.db"
    database = Database(made, create=True)
    SqliteStore(database).add([NewTask(ACTION, b"%d" % n + b"x" * 300) for n in range(700)], now=1.0)
    database.tidy(0, give_back=0)
    database.close()
    for part in ("-wal", "-shm"):
        made.with_name(f"queue.db{part}").unlink(missing_ok=True)
    return made


def is_found(path: Path) -> bool:
    """Whether whoever opens the store and reads every page finds that something is wrong."""
    try:
        with closing(Database(path)) as database, database.understood():
            scan(database.connection, path)
    except StoreDamagedError:
        return True
    return False


def places(path: Path) -> Iterator[int]:
    size = path.stat().st_size
    return iter(range(0, size, max(1, size // RANGES)))


def free_pages(path: Path) -> set[int]:
    """Numbers, from 1, of the pages that hold nothing."""
    with closing(open_copy(path)) as connection:
        used = {row[0] for row in connection.execute("SELECT pageno FROM dbstat")}
    return set(range(1, path.stat().st_size // PAGE + 1)) - used


def test_a_whole_store_is_found_whole(path: Path) -> None:
    assert not is_found(path)


def test_each_of_256_changed_ranges_is_found(path: Path) -> None:
    """A page that is free holds nothing and is written anew before it is used again; all others are guarded."""
    good = path.read_bytes()
    free = free_pages(path)
    assert len(free) < 4
    missed = []
    for place in places(path):
        path.write_bytes(good[:place] + bytes(one ^ 0x5A for one in good[place : place + 16]) + good[place + 16 :])
        if not is_found(path) and place // PAGE + 1 not in free:
            missed.append(place)
    assert missed == []


def test_every_byte_of_the_header_is_guarded(path: Path) -> None:
    """One of them says that there are checksums at all."""
    good = path.read_bytes()
    missed = []
    for place in range(100):
        path.write_bytes(good[:place] + bytes([good[place] ^ 0x01]) + good[place + 1 :])
        if not is_found(path):
            missed.append(place)
    assert missed == []


def test_a_store_that_was_cut_off_anywhere_is_found(path: Path) -> None:
    good = path.read_bytes()
    for size in range(0, len(good), PAGE):
        path.write_bytes(good[:size])
        assert is_found(path), f"{size} of {len(good)} bytes"


def test_a_page_in_the_wrong_place_is_found(path: Path) -> None:
    """Its checksum is right; only the structure tells."""
    good = path.read_bytes()
    pages = [good[at : at + PAGE] for at in range(0, len(good), PAGE)]
    pages[10], pages[len(pages) // 2] = pages[len(pages) // 2], pages[10]
    path.write_bytes(b"".join(pages))
    assert examine(path, deep=True)


def test_while_a_store_is_salvaged_nobody_can_be_told_that_something_is_recorded_in_it(path: Path) -> None:
    """What a producer adds after the outbox was read would be left behind with the file."""
    producer = SqliteStore.open(path, patience=0.01)
    with salvaging(path) as found:
        assert found.whole
        assert sum(row.count for row in found.rows) == 700
        with pytest.raises(StoreUnavailableError, match="busy"):
            producer.add([NewTask(ACTION, b"late")], now=2.0)
    producer.add([NewTask(ACTION, b"after")], now=2.0)
    producer.close()


def test_of_what_is_no_store_nothing_is_salvaged(path: Path) -> None:
    path.write_bytes(b"text")
    with salvaging(path) as found:
        assert (found.whole, found.drained, found.rows) == (False, None, [])
    path.unlink()
    with salvaging(path) as found:
        assert not found.whole


def test_what_the_disk_cannot_read_is_damage_and_what_it_cannot_write_is_not(path: Path) -> None:
    for code, expected in ((apsw.SQLITE_IOERR_READ, True), (apsw.SQLITE_IOERR_FSYNC, False)):
        error = apsw.exception_for(code)
        assert isinstance(error, apsw.IOError)
        assert isinstance(meaning(error, path), StoreDamagedError) is expected
