"""What an acceptance test starts with."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from terminal import Terminal


@pytest.fixture
def terminal(tmp_path: Path) -> Iterator[Terminal]:
    """A terminal in a new directory."""
    made = Terminal(tmp_path)
    yield made
    made.close()
