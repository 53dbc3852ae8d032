"""Ten programs add file by file while an engine drains: nothing is lost, nothing is doubled.

Two books are compared that know nothing of each other: the ledger that the work itself writes, a line
for each call, and the store with its journal, by ``overnight verify``.
"""

from __future__ import annotations

import subprocess
import sys
from collections import Counter
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import pytest

from overnight import FileQueue, wiring

Python = Callable[..., subprocess.Popen[str]]

PRODUCERS = 10
#: Adds its files, one by one but for every tenth call, which adds ten at once; says so when each call has returned.
PRODUCER = """
import sys, overnight
name, count = sys.argv[1], int(sys.argv[2])
queue, done = overnight.FileQueue(), 0
while done < count:
    files = [f"{name}-{number}" for number in range(done, min(count, done + (10 if done % 19 == 9 else 1)))]
    if len(files) == 1:
        queue.add(files[0], priority=done % 3)
    else:
        queue.add_many(files)
    done += len(files)
    print(done, flush=True)
"""
#: Works on whatever is there until its stdin ends, and then on what is left.
ENGINE = """
import select, sys, overnight, work_for_workers
processor, over = overnight.AutonomousProcessor(handler=work_for_workers.ledger_of_its_own), False
while not over:
    over = bool(select.select([sys.stdin], [], [], 0)[0])
    print(processor.run(), flush=True)
"""


@pytest.mark.parametrize(
    "each",
    [
        80,
        pytest.param(10_000, marks=pytest.mark.prove),
    ],
)
def test_ten_producers_beside_an_engine_lose_nothing_and_double_nothing(
    here: Path, python: Python, until: Callable[[Callable[[], object]], None], each: int
) -> None:
    FileQueue().add("first")
    engine = python(ENGINE)
    until(lambda: FileQueue().is_empty())
    producers = [python(PRODUCER, str(number), str(each)) for number in range(PRODUCERS)]
    acknowledged = [int(one.communicate()[0].splitlines()[-1]) for one in producers]
    assert acknowledged == [each] * PRODUCERS
    said, errors = engine.communicate()
    assert (engine.returncode, errors) == (0, "")
    assert "'success': False" not in said

    expected = Counter([f"{name}-{number}" for name in range(PRODUCERS) for number in range(each)] + ["first"])
    calls: Counter[str] = Counter()
    for page in (here / "ledgers").iterdir():
        calls.update(page.read_text().splitlines())
    assert calls == expected
    with closing(wiring.open_store(wiring.find_home())) as store:
        counts = store.counts()
    assert (counts.completed, counts.total) == (len(expected), len(expected))
    verified = subprocess.run([sys.executable, "-m", "overnight", "verify"], capture_output=True, text=True, check=True)
    assert verified.stdout == f"The books balance: {len(expected):,} tasks, each accounted for.\n"
