"""Which of several engines on one store may run."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing

import psycopg
import pytest
from store_parts import NOON, task

from overnight.core.errors import StoreAwayError
from overnight.store.postgres import PostgresStore
from overnight.store.postgres.lease import LONG, SHORT, Lease


@pytest.fixture
def store(postgres: str) -> Iterator[PostgresStore]:
    with closing(PostgresStore.open(postgres, create=True)) as opened:
        yield opened


@pytest.fixture
def one(store: PostgresStore, postgres: str) -> Iterator[Lease]:  # noqa: ARG001  # it makes the tables
    with closing(Lease(postgres, holder="one", home="a")) as lease:
        yield lease


@pytest.fixture
def other(store: PostgresStore, postgres: str) -> Iterator[Lease]:  # noqa: ARG001
    with closing(Lease(postgres, holder="other", home="b")) as lease:
        yield lease


def change(postgres: str, what: str) -> None:
    with psycopg.connect(postgres) as connection:
        connection.execute(b"UPDATE overnight.lease SET " + what.encode())


def test_one_has_it_and_the_other_is_told_who(store: PostgresStore, one: Lease, other: Lease) -> None:
    assert store.leader() == ""
    assert one.take() == ""
    assert other.take() == "one"
    assert store.leader() == "one"
    assert other.renew() is None


def test_what_is_let_go_can_be_taken(store: PostgresStore, one: Lease, other: Lease) -> None:
    one.take()
    one.release()
    assert store.leader() == ""
    assert other.take() == ""
    one.release()  # late, and of another one's
    assert store.leader() == "other"


def test_who_is_not_heard_of_loses_it(postgres: str, one: Lease, other: Lease) -> None:
    one.take()
    change(postgres, "until = clock_timestamp() - interval '1 s'")
    assert one.renew() is None  # over is over, even if nobody else has it yet
    assert other.take() == ""
    assert one.renew() is None
    assert other.renew() is not None


def test_the_next_engine_of_a_home_does_not_wait(postgres: str, one: Lease) -> None:
    """Whoever holds the home knows that the one before is dead."""
    one.take()
    with closing(Lease(postgres, holder="next", home="a")) as following:
        assert following.take() == ""
    assert one.renew() is None


def test_it_is_short_while_somebody_stands_by(one: Lease, other: Lease) -> None:
    one.take()
    assert (one.renew() or 0) > SHORT
    other.take()
    assert SHORT - 1 < (one.renew() or 0) <= SHORT < LONG


def test_what_goes_on_elsewhere_is_waited_for_by_everybody_but_its_own_home(
    postgres: str, store: PostgresStore, other: Lease
) -> None:
    """The engine believes in no more than before, so it ends as early; whoever comes next is kept out for longer."""

    def left() -> float:
        with psycopg.connect(postgres) as connection:
            sql = b"SELECT extract(epoch FROM until - clock_timestamp())::float8 FROM overnight.lease"
            return float(connection.execute(sql).fetchall()[0][0])

    with closing(Lease(postgres, holder="one", home="a", linger=1000.0)) as one:
        one.take()
        assert SHORT + 900 < left() <= SHORT + 1000
        assert one.renew() == LONG
        assert LONG + 900 < left() <= LONG + 1000
        assert other.take() == "one"
        assert one.renew() == SHORT
        assert SHORT + 900 < left() <= SHORT + 1000
        one.release(500.0)
        assert 400 < left() <= 500
        assert other.take() == "one"
    with closing(Lease(postgres, holder="next", home="a", linger=500.0)) as following:
        assert following.take() == ""
        assert left() > 500, "what was left behind by the one before is not over yet"
        following.release()
    assert store.leader() == ""


def test_writes_of_others_are_heard_and_those_of_engines_are_not(store: PostgresStore, one: Lease) -> None:
    assert not one.listen(0.0)
    store.add([task()], now=NOON)
    assert one.listen(5.0)
    fence = store.take_fence(now=NOON, by="engine")
    store.turn(fence=fence, now=NOON)
    assert not one.listen(0.05)


def test_a_connection_that_is_lost_is_made_anew(postgres: str, one: Lease) -> None:
    one.take()
    one.listen(0.0)
    with psycopg.connect(postgres, autocommit=True) as connection:
        connection.execute(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
            " WHERE application_name = 'overnight' AND datname = current_database()"
        )
    with pytest.raises(StoreAwayError):
        one.renew()
    assert one.renew() is not None
    assert not one.listen(0.0)
