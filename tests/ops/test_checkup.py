"""Rounds of checks: who is due is asked, and what they say is kept."""

from __future__ import annotations

import threading
from collections.abc import Iterable, Iterator
from contextlib import closing
from pathlib import Path

import pytest
from scenes import no_store

from overnight.core.findings import Finding, Status
from overnight.core.health import KEPT, Standing
from overnight.core.settings import resolve
from overnight.monitor.health import HealthBook, Standings
from overnight.ops.checks.contract import Check, Cost, Scene, fail, ok
from overnight.ops.checkup import Checkup
from overnight.ops.examination import Examiner
from overnight.testing import FakeClock


@pytest.fixture
def scene(tmp_path: Path) -> Scene:
    return Scene(tmp_path, None, no_store, resolve(flags={}, environ={}, configured={}), FakeClock())


@pytest.fixture
def book(tmp_path: Path) -> Iterator[HealthBook]:
    with closing(HealthBook(tmp_path / "health.db")) as opened:
        yield opened


def checkup(*checks: Check, every: float = 60.0) -> Checkup:
    return Checkup({check.id: (lambda check=check: check) for check in checks}, Examiner(), every=every)  # type: ignore[misc]


def saying(name: str, said: list[Finding], cost: Cost = Cost.FAST, every: float | None = None) -> Check:
    """A check that answers with the next of these."""

    def run(_scene: Scene) -> Iterable[Finding]:
        return [said.pop(0)] if said else []

    return Check(name, name, run, cost, every=every)


def advance(scene: Scene, seconds: float) -> None:
    assert isinstance(scene.clock, FakeClock)
    scene.clock.advance(seconds)


def test_what_takes_long_is_asked_more_rarely_and_who_says_how_often_then(scene: Scene, book: HealthBook) -> None:
    checks = (
        saying("fast", [ok("fast", "")] * 100),
        saying("slow", [ok("slow", "")] * 100, Cost.SLOW),
        saying("own", [ok("own", "")] * 100, every=300.0),
        saying("hasty", [ok("hasty", "")] * 100, Cost.SLOW, every=60.0),
    )
    rounds = checkup(*checks)
    for _ in range(31):
        rounds.round(scene, book)
        advance(scene, 60.0)
    asked = {check.id: len(book.latest(check.id, 1000)) for check in checks}
    assert asked == {"fast": 31, "slow": 3, "own": 7, "hasty": 31}


def test_a_check_that_has_nothing_to_say_any_more_or_is_gone_is_forgotten(scene: Scene, book: HealthBook) -> None:
    silent, other = saying("silent", [fail("silent", "bad")]), saying("other", [ok("other", "well")] * 3)
    checkup(silent, other).round(scene, book)
    assert set(book.standings()) == {"silent", "other"}
    advance(scene, 60.0)
    checkup(silent, other).round(scene, book)
    assert set(book.standings()) == {"other"}
    advance(scene, 60.0)
    checkup(silent).round(scene, book)
    assert book.standings() == {}
    assert len(book.latest("other", 10)) == 2  # what was stays
    assert set(book.known()) == {"silent", "other"}
    advance(scene, KEPT + 60.0)
    checkup().round(scene, book)
    assert book.known() == {}


def test_what_is_old_goes(scene: Scene, book: HealthBook) -> None:
    rounds = checkup(saying("a", [ok("a", "")] * 3))
    rounds.round(scene, book)
    advance(scene, KEPT - 60.0)
    rounds.round(scene, book)
    assert len(book.latest("a", 10)) == 2
    advance(scene, 120.0)
    rounds.round(scene, book)
    assert len(book.latest("a", 10)) == 2


def test_a_check_that_is_stuck_is_not_asked_again_before_it_has_come_back(scene: Scene) -> None:
    over, asked = threading.Event(), []

    def stuck(_scene: Scene) -> Iterator[Finding]:
        asked.append(1)
        over.wait(60)
        yield ok("stuck", "back")

    examiner, check = Examiner(), Check("stuck", "A mount", stuck, timeout=0.02)
    for _ in range(3):
        [answer] = examiner.examine([check], scene)
        assert [finding.status for finding in answer.findings] == [Status.UNKNOWN]
    assert examiner.examine([], scene) == []  # a round in which it is not its turn
    examiner.examine([check], scene)
    assert len(asked) == 1
    over.set()
    patient = Check("stuck", "A mount", stuck, timeout=60.0)
    while examiner.examine([patient], scene)[0].findings[0].status is not Status.OK:
        pass


def test_who_looks_all_the_time_sees_each_round_and_survives_a_damaged_file(
    scene: Scene, book: HealthBook, tmp_path: Path
) -> None:
    standings = Standings(tmp_path / "health.db")
    rounds = checkup(saying("a", [ok("a", "well"), fail("a", "bad")]))
    rounds.round(scene, book)
    assert standings.look()["a"].status is Status.OK
    advance(scene, 60.0)
    rounds.round(scene, book)
    assert standings.look()["a"].status is Status.FAIL
    book.close()
    (tmp_path / "health.db").write_bytes(b"no database" * 1000)
    assert standings.look()["a"].status is Status.FAIL
    (tmp_path / "health.db").unlink()
    assert standings.look() == {}
    with closing(HealthBook(tmp_path / "health.db")) as anew:
        anew.note([Standing("b", Status.OK, "", 0.0, 0.0, 60.0)], now=0.0)
    assert set(standings.look()) == {"b"}
