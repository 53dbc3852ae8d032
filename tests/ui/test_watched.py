"""A watched folder whose files cannot be added at this moment: no reason to end anything, and nothing is forgotten."""

from __future__ import annotations

import os
import shutil
import signal
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path

import apsw
import pytest

from overnight import wiring
from overnight.host.home import Home
from overnight.host.lock import HomeLock
from overnight.store.contract import Counts
from overnight.ui.cli import watch_loop
from overnight.ui.cli.source_options import Sources
from overnight.ui.cli.task_options import BUILT_IN, Request
from overnight.ui.cli.watched import Watch, Watching, collect_watch


@pytest.fixture
def home(place: Path) -> Home:
    (place / "inbox").mkdir()
    made = wiring.make_home()
    wiring.open_store(made, create=True, migrate=True).close()
    return made


@pytest.fixture
def watch(home: Home) -> Watch:
    assert home
    request = Request(marked=("--", "true"))
    return collect_watch(request, Sources(watch="inbox", settle=0.0), now=0.0, defaults=BUILT_IN)


@pytest.fixture
def tick(home: Home, watch: Watch) -> Iterator[Callable[[], None]]:
    """Tick as an engine does that holds the home."""
    lock = HomeLock(home.lock)
    lock.acquire({})
    with closing(wiring.open_store(home, patience=0.0)) as store:
        observer = Watching(home, store, watch, changed=False)

        def ticked() -> None:
            watch.next_look = 0.0
            observer.ticked(Counts(), [])

        yield ticked
    lock.release()


def touch(name: str) -> None:
    Path("inbox", name).write_text(name)


def total(home: Home) -> int:
    with closing(wiring.open_store(home, readonly=True)) as store:
        return store.counts().total


def test_a_store_that_somebody_else_holds_is_waited_for(home: Home, tick: Callable[[], None]) -> None:
    touch("a")
    with closing(apsw.Connection(str(home.store))) as other:
        other.execute("BEGIN IMMEDIATE")
        tick()
        assert total(home) == 0
        other.execute("ROLLBACK")
    tick()
    assert total(home) == 1


def test_files_go_into_the_store_that_has_taken_the_place_of_the_old_one(home: Home, tick: Callable[[], None]) -> None:
    touch("a")
    tick()
    assert total(home) == 1
    with closing(apsw.Connection(str(home.store))) as store:
        store.pragma("wal_checkpoint(TRUNCATE)")
    shutil.copy(home.store, home.path / "copy")
    (home.path / "copy").replace(home.store)
    touch("b")
    tick()
    assert total(home) == 2


def test_while_the_engine_mends_its_store_files_wait(home: Home, tick: Callable[[], None]) -> None:
    touch("a")
    aside = home.store.rename(home.path / "aside")
    tick()
    aside.rename(home.store)
    tick()
    assert total(home) == 1


def test_who_only_adds_says_so_and_waits_as_well(
    home: Home, watch: Watch, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    waits = iter((lambda: None, lambda: os.kill(os.getpid(), signal.SIGTERM)))
    monkeypatch.setattr(watch_loop, "_wait", lambda *_: next(waits)())
    touch("a")
    with closing(wiring.open_store(home, patience=0.0)) as store, closing(apsw.Connection(str(home.store))) as other:
        other.execute("BEGIN IMMEDIATE")
        assert watch_loop._add_for_ever(home, store, watch, changed=False, as_json=False) == 128 + signal.SIGTERM
    assert capsys.readouterr().err.count("it is tried again each minute") == 1
    assert total(home) == 0
