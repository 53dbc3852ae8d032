"""A store that is no file of the home: where it is said to be, what is refused, and who may lead it."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path

import psycopg
import pytest

from overnight import wiring
from overnight.core.errors import (
    AlreadyRunningError,
    HomeUnusableError,
    NotNowError,
    StoreAwayError,
    StoreBusyError,
    UsageError,
)
from overnight.core.settings import resolve
from overnight.core.task import Action, ActionKind, NewTask
from overnight.host import home as homes
from overnight.host.clock import asleep_or_awake
from overnight.host.home import Home, elsewhere, has_tasks, need_file
from overnight.host.lock import HomeLock, about_me
from overnight.monitor.snapshot import EngineState, take
from overnight.store.postgres import PostgresStore
from overnight.store.postgres.lease import Lease
from overnight.wiring import engine, leading
from overnight.wiring.leading import Keeper
from overnight.wiring.stores import address_of, nobody_works

TASK = NewTask(action=Action(kind=ActionKind.COMMAND, cwd=b"/", argv=(b"true",)), input=b"x")


@pytest.fixture
def home(tmp_path: Path) -> Home:
    return homes.create(tmp_path / ".overnight")


def at(monkeypatch: pytest.MonkeyPatch, address: str) -> None:
    monkeypatch.setenv("OVERNIGHT_STORE", address)


def test_tasks_go_where_the_variable_says(home: Home, postgres: str, monkeypatch: pytest.MonkeyPatch) -> None:
    at(monkeypatch, postgres)
    assert not has_tasks(home)
    with closing(wiring.open_store(home, create=True)) as store:
        assert isinstance(store, PostgresStore)
        store.add([TASK], now=1.0)
    assert not home.store.exists()
    assert has_tasks(home)
    assert elsewhere(home) == postgres
    with closing(wiring.open_store(home, readonly=True)) as store:
        assert store.counts().pending == 1


def test_a_home_whose_tasks_are_elsewhere_is_not_begun_anew(
    home: Home, postgres: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    at(monkeypatch, postgres)
    wiring.open_store(home, create=True).close()
    monkeypatch.delenv("OVERNIGHT_STORE")
    with pytest.raises(UsageError, match="OVERNIGHT_STORE is not set; nothing was done"):
        wiring.open_store(home, create=True)
    assert not home.store.exists()


def test_tasks_of_a_home_are_not_hidden_by_the_variable(home: Home, monkeypatch: pytest.MonkeyPatch) -> None:
    wiring.open_store(home, create=True).close()
    at(monkeypatch, "postgresql://nobody@nowhere/none")
    with pytest.raises(UsageError, match="are in its own file"):
        wiring.open_store(home)


def test_another_store_is_not_taken_for_that_of_this_home(
    home: Home, postgres: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Results on their way are known by numbers: the same ones are other tasks there."""
    at(monkeypatch, postgres)
    wiring.open_store(home, create=True).close()
    there = f"{postgres}{'&' if '?' in postgres else '?'}options=-csearch_path%3D"
    at(monkeypatch, f"{there}none")
    with pytest.raises(UsageError, match="is not that one; nothing was done"):
        wiring.open_store(home, create=True)
    PostgresStore.open(f"{there}another", create=True).close()
    at(monkeypatch, f"{there}another")
    with pytest.raises(UsageError, match="is not that one; nothing was done"):
        wiring.open_store(home, readonly=True)
    at(monkeypatch, f"{there}overnight")  # the same one, in other words
    wiring.open_store(home).close()
    assert elsewhere(home) == f"{there}overnight"


@pytest.mark.parametrize(
    ("address", "words"),
    [
        ("postgresql://me:s3cret@@host/db", "cannot be read whole"),
        ("mysql://me:s3cret@host/db", "is no address of a database"),
        ("sqlite:/tmp/s3cret.db", "is no address of a PostgreSQL"),
    ],
)
def test_what_is_no_address_is_refused_without_its_password(
    home: Home, monkeypatch: pytest.MonkeyPatch, address: str, words: str
) -> None:
    at(monkeypatch, address)
    with pytest.raises(UsageError, match=words) as caught:
        address_of(home)
    assert "s3cret" not in f"{caught.value} {caught.value.hint}"


def test_what_needs_a_file_is_refused(home: Home, postgres: str, monkeypatch: pytest.MonkeyPatch) -> None:
    need_file(home, "no checkpoint is made")
    at(monkeypatch, postgres)
    wiring.open_store(home, create=True).close()
    with pytest.raises(UsageError, match="no checkpoint is made here; nothing was done"):
        need_file(home, "no checkpoint is made")


def test_a_home_is_made_where_one_only_looks(tmp_path: Path, postgres: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Any host that knows the address can ask."""
    at(monkeypatch, postgres)
    monkeypatch.chdir(tmp_path)
    assert wiring.find_home().path == tmp_path / ".overnight"


def test_a_server_that_is_away_is_said_and_waited_for(
    home: Home, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    at(monkeypatch, "postgresql://me:s3cret@127.0.0.1:1/none")
    with pytest.raises(StoreAwayError, match="does not answer"):
        wiring.open_store(home, patience=0.3)
    told = capsys.readouterr().err
    assert "the store at postgresql://me:***@127.0.0.1:1/none does not answer; waiting for it" in told
    assert "s3cret" not in told


# -- who leads --------------------------------------------------------------------------------


class Told:
    """What was told."""

    def __init__(self) -> None:
        self.words: list[str] = []

    def __call__(self, words: str, hint: str) -> None:  # noqa: ARG002  # as it is told
        self.words.append(words)


@pytest.fixture
def other(postgres: str) -> Iterator[Lease]:
    """An engine on another host, which has the lease."""
    PostgresStore.open(postgres, create=True).close()
    with closing(Lease(postgres, holder="elsewhere, process 7", home="other")) as lease:
        lease.take()
        yield lease


def test_who_is_not_to_wait_is_told_who_leads(home: Home, postgres: str, other: Lease) -> None:
    with (
        pytest.raises(AlreadyRunningError, match="the engine of elsewhere, process 7 works on this store"),
        leading.leading(home, postgres, Told(), None),
    ):
        pass
    other.release()
    with leading.leading(home, postgres, Told(), None):
        assert other.take() != ""


def test_who_stands_by_says_so_once_and_takes_over(home: Home, postgres: str, other: Lease) -> None:
    told, asked = Told(), []

    def standing_by() -> None:
        asked.append(1)
        if len(asked) == 2:
            other.release()

    with leading.leading(home, postgres, told, standing_by):
        assert other.take() != ""
    assert len(told.words) == 1
    assert "stands by" in told.words[0]
    assert other.take() == ""  # it was given back


def test_who_stands_by_waits_while_an_engine_brings_the_store_forward(home: Home, postgres: str) -> None:
    """Whoever does that keeps everybody out, for as long as it takes."""
    PostgresStore.open(postgres, create=True).close()
    told = Told()
    with psycopg.connect(postgres) as migration:
        migration.execute("LOCK TABLE overnight.meta IN ACCESS EXCLUSIVE MODE")
        with leading.leading(home, postgres, told, migration.rollback):
            pass
    assert len(told.words) == 1
    assert told.words[0].endswith("was busy for too long; this engine waits for it")


def test_an_engine_begins_to_stand_by_while_another_brings_the_store_forward(
    home: Home, postgres: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    at(monkeypatch, postgres)
    PostgresStore.open(postgres, create=True).close()
    with psycopg.connect(postgres) as migration:
        migration.execute("LOCK TABLE overnight.meta IN ACCESS EXCLUSIVE MODE")
        settings = resolve(flags={"home": str(home.path)}, environ={}, configured={})
        with engine.holding(home, settings=settings, told=Told(), standing_by=migration.rollback) as store:
            assert store.counts().total == 0


def test_who_stands_by_can_be_told_to_stop(home: Home, postgres: str, other: Lease) -> None:  # noqa: ARG001
    with (
        pytest.raises(NotNowError, match="a stop was asked for while this engine stood by"),
        leading.leading(home, postgres, Told(), home.stop.touch),
    ):
        pass


def test_a_writer_on_another_host_rings_the_bell_here(
    home: Home, postgres: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    rung = threading.Event()
    monkeypatch.setattr(wiring, "ring", lambda _: rung.set())
    with closing(PostgresStore.open(postgres, create=True)) as store, leading.leading(home, postgres, Told(), None):
        while not rung.wait(0.2):  # until it listens
            store.add([TASK], now=1.0)


class Unsteady:
    """A lease whose server is away, or which another one has taken."""

    asked_for = 0.1

    def __init__(self, *, away: bool) -> None:
        self._away = away

    def renew(self) -> float | None:
        if self._away:
            raise StoreAwayError("gone")
        return None

    def listen(self, seconds: float) -> bool:  # noqa: ARG002  # as a lease does
        return False


@pytest.mark.parametrize(
    ("away", "words"), [(True, "has not answered for too long"), (False, "another engine has taken this store over")]
)
def test_an_engine_that_cannot_hold_its_lease_ends_at_once(
    home: Home,
    monkeypatch: pytest.MonkeyPatch,
    away: bool,  # noqa: FBT001  # a parameter
    words: str,
) -> None:
    told = Told()
    monkeypatch.setattr(leading, "SHORT", 0.1)
    ends(home, Unsteady(away=away), told, monkeypatch)
    assert words in told.words[0]


def ends(home: Home, lease: Unsteady, told: Callable[[str, str], None], monkeypatch: pytest.MonkeyPatch) -> None:
    """See that an engine with such a lease ends."""
    monkeypatch.setattr(leading, "Deadline", Undisturbed)
    ended = threading.Event()
    keeper = Keeper(lease, home, told, asleep_or_awake())  # type: ignore[arg-type]  # all that is asked of one

    def end(_: int) -> None:
        ended.set()
        keeper._ending.set()

    monkeypatch.setattr("os._exit", end)
    keeper.start()
    assert ended.wait(30)
    keeper.end()


class Undisturbed:
    """Nobody ends the process from outside."""

    def put_off(self, until: float) -> None:
        """Nothing."""

    def close(self) -> None:
        """Nothing."""


def test_an_engine_whose_last_word_nobody_hears_ends_all_the_same(home: Home, monkeypatch: pytest.MonkeyPatch) -> None:
    """Its stderr may be closed, or a pipe that nobody empties."""
    heard = threading.Event()
    monkeypatch.setattr(leading, "_LAST_WORD", 0.05)

    def unheard(*_: str) -> None:
        heard.wait(20)

    ends(home, Unsteady(away=False), unheard, monkeypatch)
    heard.set()

    def closed(*_: str) -> None:
        raise OSError("closed")

    monkeypatch.setattr(threading, "excepthook", lambda _: None)
    ends(home, Unsteady(away=False), closed, monkeypatch)


class Busy(Unsteady):
    """A lease whose server is too busy for once, and then renews."""

    def __init__(self) -> None:
        super().__init__(away=False)
        self.calls: list[float] = []
        self.again = threading.Event()

    def renew(self) -> float | None:
        self.calls.append(asleep_or_awake())
        if len(self.calls) == 1:
            raise StoreBusyError("busy")
        self.again.set()
        return 60.0


def test_a_lease_that_could_not_be_renewed_once_is_asked_for_again(home: Home, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(leading, "Deadline", Undisturbed)
    monkeypatch.setattr(leading, "RENEW_EVERY", 0.01)
    lease = Busy()
    keeper = Keeper(lease, home, Told(), asleep_or_awake())  # type: ignore[arg-type]
    keeper.start()
    assert lease.again.wait(30)
    keeper.end()


def test_a_renewal_without_an_answer_may_have_made_the_lease_shorter(
    home: Home, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It was long, somebody stands by, and the server has done what was asked for: it is over sooner than was said."""
    monkeypatch.setattr(leading, "Deadline", Undisturbed)
    lease = Unsteady(away=True)
    keeper = Keeper(lease, home, Told(), asked := asleep_or_awake())  # type: ignore[arg-type]
    keeper._held = keeper._held._replace(seconds=60.0)
    keeper._renew()
    assert keeper._held.over() < asked + 5
    lease.asked_for = 60.0  # and a later one that was lost makes it no longer
    before = keeper._held
    keeper._renew()
    assert keeper._held == before


def test_two_copies_of_a_machine_are_not_one(home: Home, postgres: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Their homes have the same cookie: the one that comes later waits for the other."""
    PostgresStore.open(postgres, create=True).close()
    with closing(leading.lease_of(home, postgres)) as one:
        one.take()
        monkeypatch.setattr(leading, "boot_id", lambda: "another machine")
        with closing(leading.lease_of(home, postgres)) as other:
            assert other.take() != ""


def test_a_lease_is_believed_in_from_when_it_was_asked_for(
    home: Home, postgres: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """An answer may take seconds, and the server counts from before it."""
    PostgresStore.open(postgres, create=True).close()
    clock = iter(range(1000))
    with closing(leading.lease_of(home, postgres)) as lease:
        take = lease.take
        monkeypatch.setattr(lease, "take", lambda: (next(clock), take())[1])
        monkeypatch.setattr(leading, "asleep_or_awake", lambda: next(clock))
        assert leading._take(lease, home, Told(), None) == 0


def test_whether_anybody_works_is_asked_of_the_store_too(
    home: Home, postgres: str, other: Lease, monkeypatch: pytest.MonkeyPatch
) -> None:
    at(monkeypatch, postgres)
    with closing(wiring.open_store(home)) as store:
        assert not nobody_works(home, store)
        other.release()
        assert nobody_works(home, store)
        lock = HomeLock(home.lock)
        lock.acquire(about_me(home.path, now=1.0))
        assert not nobody_works(home, store)
        lock.release()


def test_an_engine_on_another_host_is_seen_here(
    home: Home, postgres: str, other: Lease, monkeypatch: pytest.MonkeyPatch
) -> None:
    at(monkeypatch, postgres)
    with closing(wiring.open_store(home)) as store:
        seen = take(store, home.path, now=1.0).engine
        assert (seen.state, seen.why) == (EngineState.RUNNING, "on elsewhere, process 7")
        other.release()
        assert take(store, home.path, now=1.0).engine.state is EngineState.STOPPED


def test_a_user_who_is_not_let_in_is_told(home: Home, postgres: str, monkeypatch: pytest.MonkeyPatch) -> None:
    at(monkeypatch, postgres.replace("postgres@", "nobody:s3cret@", 1))
    with pytest.raises(HomeUnusableError, match="cannot be used"):
        wiring.open_store(home, create=True)
