from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest


@pytest.fixture
def descriptors() -> Callable[[], set[str]]:
    """Which descriptors this process has open."""
    return lambda: {entry.name for entry in Path("/dev/fd").iterdir()}
