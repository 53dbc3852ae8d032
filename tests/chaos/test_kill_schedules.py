"""Real processes, really killed: engine, keepers, runners and tasks, at random, until all is done.

Nothing is lost, nothing runs beside an earlier attempt of itself, nothing is left behind, and the books
agree with what the tasks themselves have written down.
"""

from __future__ import annotations

import os
import sys
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pytest
from killing import CARELESS, COMMANDS, FUNCTIONS, Site, run_schedule, violations

#: How many there are in the long proof: as many as the time of all proofs has room for, unless somebody wants more.
NIGHTS = int(os.environ.get("NIGHTS", "60"))
pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="tasks look into /proc for their predecessors")


@pytest.fixture
def site(tmp_path: Path) -> Iterator[Site]:
    made = Site(tmp_path)
    yield made
    made.close()


def try_schedule(site: Site, seed: int, *, commands: int, functions: int) -> None:
    killed: Counter[str] = Counter()
    while killed.total() <= 2:  # on a busy machine everything may be done before the first strike
        site.add(COMMANDS, commands)
        site.add(FUNCTIONS, functions)
        killed += run_schedule(site, seed)
    print(dict(killed))  # noqa: T201 - shown when it fails
    assert violations(site) == [], f"seed {seed}, killed {dict(killed)}"


@pytest.mark.parametrize("seed", [1, 2])
def test_a_night_of_random_kills_loses_nothing_doubles_nothing_and_leaves_nothing(site: Site, seed: int) -> None:
    try_schedule(site, seed, commands=35, functions=35)


@pytest.mark.prove
@pytest.mark.parametrize("seed", range(100, 100 + NIGHTS))
def test_many_nights_of_random_kills_lose_nothing_double_nothing_and_leave_nothing(site: Site, seed: int) -> None:
    try_schedule(site, seed, commands=35, functions=35)


@pytest.mark.parametrize("careful", [True, False])
def test_without_the_purge_the_next_attempt_begins_beside_the_last_one(tmp_path: Path, careful: bool) -> None:  # noqa: FBT001 - parametrized
    """The control: the same kill of the same engine, with and without the protection."""
    site = Site(tmp_path, ("-m", "overnight") if careful else ("-c", CARELESS))
    try:
        site.add(("wait",), 1)
        engine = site.start()
        site.until(lambda: site.notes("begin"))
        engine.kill()
        engine.wait()
        engine = site.start()
        site.until(lambda: len(site.notes("begin")) == 2)
        (tmp_path / "go").touch()
        site.until(lambda: engine.poll() is not None)
        assert any("began beside process" in words for words in violations(site)) is not careful
    finally:
        site.close()
