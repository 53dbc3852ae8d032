"""What tests of what watches have in common."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from overnight.store.sqlite import SqliteStore


@pytest.fixture
def store(tmp_path: Path) -> Iterator[SqliteStore]:
    """An empty one."""
    opened = SqliteStore.open(tmp_path / "queue.db", create=True, migrate=True)
    yield opened
    opened.close()
