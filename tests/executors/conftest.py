from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from executor_bench import CLOCK, Bench

#: Seconds; a worker that hangs takes longer than this to be given up.
SOON = 5.0


@pytest.fixture
def bench(tmp_path: Path) -> Iterator[Bench]:
    """One slot; nothing with its cookie outlives the test."""
    bench = Bench(tmp_path)
    bench.open()
    yield bench
    begin = CLOCK.monotonic()
    bench.close()
    assert CLOCK.monotonic() - begin < SOON, "a worker did not go when it was told to, and was killed"
    assert bench.survivors() == []
