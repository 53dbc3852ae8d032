"""The first page of a store, spoilt by a power cut while the log is moved into the file; the log has it still."""

from __future__ import annotations

from contextlib import closing
from pathlib import Path

import pytest
from keeping import NOON, new_task

from overnight.core.errors import StoreDamagedError
from overnight.store.sqlite import SqliteStore
from overnight.store.sqlite.connection import Database
from overnight.store.sqlite.examining import examine


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """A store that has grown, and so has its first page in the log; noise where that page belongs in the file."""
    made = tmp_path / "queue.db"
    with closing(SqliteStore.open(made, create=True)) as store:
        store.add([new_task(str(number)) for number in range(500)], now=NOON)
    content = made.read_bytes()
    made.write_bytes(b"noise" * 100 + content[500:])
    return made


def test_a_spoilt_header_is_mended_out_of_the_log(path: Path) -> None:
    with closing(SqliteStore.open(path)) as store:
        assert store.counts().pending == 500
        store.add([new_task("more")], now=NOON)
    assert examine(path, deep=True) == []
    assert path.read_bytes().startswith(b"SQLite format 3\0")


def test_whoever_only_reads_changes_nothing(path: Path) -> None:
    with pytest.raises(StoreDamagedError):
        SqliteStore.open(path, readonly=True)
    assert path.read_bytes().startswith(b"noise")


def test_without_mending_the_store_is_taken_for_damaged(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The control."""
    monkeypatch.setattr(Database, "_mend_header", lambda _: False)
    with pytest.raises(StoreDamagedError, match="no checksums"):
        SqliteStore.open(path)
