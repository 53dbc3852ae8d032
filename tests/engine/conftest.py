"""What a test of the engine starts with."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from night import Night


@pytest.fixture
def night(tmp_path: Path) -> Iterator[Night]:
    made = Night(tmp_path)
    yield made
    assert made.store.recount() == []
    made.store.close()
