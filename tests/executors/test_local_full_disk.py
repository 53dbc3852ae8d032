"""Workers on a disk that is really full."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from executor_bench import Bench
from small_disk import fill, small_disk

from overnight.core.endings import Ending


@pytest.fixture
def disk(tmp_path: Path) -> Iterator[Path]:
    with small_disk(tmp_path / "disk", size_bytes=4 * 1024 * 1024) as directory:
        yield directory


def test_a_result_too_large_for_a_socket_is_told_though_the_disk_is_full(disk: Path) -> None:
    """And the worker lives, for the next one."""
    bench = Bench(disk)
    bench.open()
    action = bench.call("large:f", "def f(value): return 'x' * int(value)\n")
    assert bench.run(action, "1").result == b'"x"'
    fill(disk)

    ended = bench.run(action, "300000")

    assert (ended.ending, len(ended.result)) == (Ending.RETURNED, 300_002)
    assert bench.run(action, "1").result == b'"x"'
    bench.close()
    assert bench.survivors() == []
