"""What every engine of backups must do, ours and those of other programs: make, list, prove, give back, let go."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest
from backing_up import Site
from keeping_backups import ALL_WITH_TIME, Depot, depot

from overnight.core.checkpoints import AT_LEAST, DAY, Keeping
from overnight.host.home import Home
from overnight.ops import verification
from overnight.ops.backups.by_program import ByProgram
from overnight.ops.backups.contract import BackupEngine, Made, Place, Wanted
from overnight.ops.backups.own import OwnEngine, OwnPlace
from overnight.ops.backups.restoring import check, restore_elsewhere, restore_here
from overnight.store.sqlite import SqliteStore


@pytest.fixture
def site(tmp_path: Path) -> Iterator[Site]:
    made = Site(tmp_path / "project")
    yield made
    made.kept.store.close()


@pytest.fixture(params=["own", *ALL_WITH_TIME], scope="module")
def kept_in(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Depot | None:
    """The repository of a program, one for all; None: our own way."""
    return depot(request.param, tmp_path_factory.mktemp("depots")) if request.param != "own" else None


@pytest.fixture
def engine(kept_in: Depot | None, site: Site) -> BackupEngine:
    """One with one place."""
    if kept_in is None:
        return OwnEngine([OwnPlace(site.home.backups, site.home.id)])
    return ByProgram([kept_in.of(site.home.backups, site.home.id)])


def back_up(engine: BackupEngine, site: Site) -> Made:
    """One more, a minute later."""
    site.kept.clock.advance(60)
    return engine.create(site.home, Wanted(("data",)), clock=site.kept.clock)


def balances(home: Home) -> list[str]:
    with closing(SqliteStore.open(home.store, readonly=True)) as store:
        return [trouble.sentence for trouble in verification.verify(home, store, []).troubles]


def completed(home: Home) -> int:
    with closing(SqliteStore.open(home.store, readonly=True)) as store:
        return store.counts().completed


def newest(place: Place) -> str:
    return place.whole()[0].name


def test_from_making_one_to_letting_it_go(engine: BackupEngine, site: Site) -> None:
    (place,) = engine.places
    odd = b"odd \xff\n name"
    (site.project / "data" / odd.decode("utf-8", "surrogateescape")).write_bytes(odd)
    assert place.entries() == []
    made = back_up(engine, site)
    assert (made.left_out, newest(place)) == ([], made.name)
    assert site.home.last_backup.read_text() == f"{made.name}\n"
    (entry,) = place.entries()
    assert engine.needed_bytes(site.home) > site.home.store.stat().st_size
    assert entry.manifest is not None
    assert {"home/queue.db", "home/events.jsonl", "project/data/words.txt"} <= {
        one.path for one in entry.manifest.files
    }
    assert entry.trial is None

    assert place.prove(entry, now=site.now, quick=False).troubles == []
    assert place.entries()[0].trial is not None

    done = completed(site.home)
    site.kept.work(3)
    site.kept.journal()
    (site.project / "data" / "words.txt").write_text("no\n")
    elsewhere = site.project.parent / "new" / ".overnight"
    with place.opened(entry) as (contents, opened):
        check(contents, opened)
        restored = restore_elsewhere(contents, opened, elsewhere)
    assert balances(Home(restored.home)) == []
    assert completed(Home(restored.home)) == done
    assert {path.read_bytes() for path in (elsewhere.parent / "data").iterdir()} == {b"yes\n", odd}

    site.kept.store.close()
    with place.opened(entry) as (contents, opened):
        back = restore_here(site.home, contents, opened, now=site.now, by="me/1")
    assert (completed(site.home), balances(site.home)) == (done, [])
    assert back.aside is not None
    assert (back.aside / "data" / "words.txt").read_text() == "no\n"

    later = [back_up(engine, site).name for _ in range(AT_LEAST)]
    tight = Keeping(0, 0, 0, 0)
    assert place.plan(tight, now=site.now + DAY).names == []  # the oldest is the only one that was proven
    assert place.prove(place.entries()[0], now=site.now, quick=False).whole
    assert place.plan(tight, now=site.now + DAY).names == [made.name]
    assert place.prune(tight, now=site.now + DAY).names == [made.name]
    assert [one.name for one in place.entries()] == later[::-1]
    assert place.get(made.name) is None
    assert place.prove(place.entries()[-1], now=site.now, quick=False).whole


def test_without_a_store_there_is_nothing_to_keep(engine: BackupEngine, site: Site) -> None:
    from overnight.core.errors import NotFoundError

    before = [entry.name for entry in engine.places[0].entries()]
    site.kept.store.close()
    site.home.store.unlink()
    with pytest.raises(NotFoundError, match="no backup was made"):
        engine.create(site.home, Wanted(), clock=site.kept.clock)
    assert [entry.name for entry in engine.places[0].entries()] == before
