"""The one door to the database: its transactions, and what becomes of them when the server goes away.

Writers take turns. The first statement of a write changes the one row of ``meta``, and so waits for whoever writes, and
keeps the next one waiting: what the operations were written for, a store with one writer at a time, holds here too. It
also says that something has changed, and what the transaction is called: when the connection is lost on the way
of COMMIT, the server is asked afterwards what became of it.

A server that has crashed gives the names of transactions of which nothing was left another time, and would say
"committed" of somebody else's. So a write also has its number, which rises with what is committed, and each life of
the server has the number with which it began: what is above that was undone by the crash. A life ends when the one row
of ``alive`` is gone, for that table is unlogged.

Source: PostgreSQL, "Transaction Isolation" (READ COMMITTED: each statement sees what was committed before it began),
`pg_xact_status`, "CREATE TABLE" (UNLOGGED: emptied after a crash, and on a server that takes over).
"""

from __future__ import annotations

import contextlib
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager, nullcontext
from typing import Any

from overnight.core.errors import NotFoundError, StoreAwayError, StoreBusyError, StoreUnavailableError
from overnight.core.migrations.addresses import shown
from overnight.host.clock import SystemClock
from overnight.store.postgres import dialect, migrations
from overnight.store.postgres.answers import Answer
from overnight.store.postgres.link import Link
from overnight.store.postgres.meanings import StatementError
from overnight.store.sql.database import Transaction
from overnight.store.sql.statements import SQL, Row

_monotonic = SystemClock().monotonic

#: Called with the operation's name and "before_commit" or "after_commit". For fault tests.
Hooks = Callable[[str, str], None]

#: Seconds that a writer waits for the others, and for the server; and between two tries.
PATIENCE = 30.0
_NAP = 0.2
#: The schema of our tables, when the address names none.
SCHEMA = "overnight"
#: Whoever makes the tables; any number that nobody else takes.
_KEY = 0x4F766E74

#: A host that has gone without a word is noticed in some ten seconds, on both sides.
_KEEPALIVES = (
    "application_name=overnight connect_timeout=10 "
    "keepalives_idle=5 keepalives_interval=2 keepalives_count=3 tcp_user_timeout=10000"
)
_SETTINGS = (
    "SET client_encoding = 'UTF8'; SET standard_conforming_strings = on; SET bytea_output = 'hex'; "
    "SET tcp_keepalives_idle = 5; SET tcp_keepalives_interval = 2; SET tcp_keepalives_count = 3; "
    # A plan is made once; at that time the tables may have been empty, when to read all of one is as good as anything.
    "SET enable_seqscan = off; "
    # What is left of it looks dear then, and would be compiled: 100 ms a statement.
    "SET jit = off"
)
#: No row: a newer program has brought the tables forward since this one has looked.
_PEN = (
    f"UPDATE meta SET changes = changes + 1 WHERE schema_version = {migrations.VERSION}"  # noqa: S608 - a number of ours
    " RETURNING pg_current_xact_id()::text, changes"
)
#: The same for a turn, whose statements are the same each time: to plan each anew, for other numbers, gains nothing.
_PEN_OF_TURN = f"{_PEN}, set_config('plan_cache_mode', 'force_generic_plan', true)"
_ALIVE = "SELECT (SELECT life FROM alive), store_id FROM meta"
#: On a server that only follows another one nobody can look into `alive`, and nobody writes.
_WHO = "SELECT 0, store_id FROM meta"
_BEGIN_LIFE = """
WITH begun AS (INSERT INTO lives (began_with) SELECT changes FROM meta WHERE NOT EXISTS (SELECT 1 FROM alive)
               RETURNING number)
INSERT INTO alive (life) SELECT number FROM begun
"""
_LIFE_AFTER = "SELECT began_with FROM lives WHERE number > ? ORDER BY number LIMIT 1"
_CHANGES = "SELECT changes FROM meta"
#: Said to the engine once for each write: a notification wakes it, wherever the writer is.
_RING = "SELECT pg_notify('overnight_' || 'meta'::regclass::oid, '')"
#: What engines do.
_OF_ENGINES = frozenset(
    {"turn", "drained", "take_fence", "stand_down", "move_waits", "forget_finished", "drop_actions", "fire", "note"}
    | {"set_storm", "end_storm"}
)


class Database:
    """`overnight.store.sql.database.Database` on PostgreSQL, for one thread.

    Args:
        address: Of the database, as libpq has it. Our tables are in the schema "overnight", or in what its
            ``options=-csearch_path=...`` names.
        create: Make the tables when they are missing; else that is a `NotFoundError`.
        migrate: Bring older tables forward: the caller leads the store.
        older: Older tables will do: the caller looks at nothing but the lease.
        readonly: Never write.
        hooks: Called around every COMMIT.
        told: Told once when the server is waited for, and once when it is there again.
        patience: Seconds that a write waits for the others, and everything for the server.
        answers: Seconds that an answer may take before the server counts as away; None: for ever.
    """

    def __init__(
        self,
        address: str,
        *,
        create: bool = False,
        migrate: bool = False,
        older: bool = False,
        readonly: bool = False,
        hooks: Hooks | None = None,
        told: Callable[[str], None] = lambda _: None,
        patience: float = PATIENCE,
        answers: float | None = None,
    ) -> None:
        self._told = told
        self._answers = answers
        self.shown = shown(address)
        self._address = address
        self._readonly = readonly
        self._hooks = hooks
        self._server_patience = self._lock_patience = patience
        self._is_open = False
        #: The life of the server in which our connection was made.
        self._life = 0
        #: Which store this is, wherever it is reached.
        self.id = ""
        #: Writes of this connection that were committed.
        self.own_changes = 0
        self.told = 0
        self.connection = self._reach()
        try:
            self._prepare_patiently(create=create and not readonly, migrate=migrate and not readonly, older=older)
        except BaseException:
            self.connection.close()
            raise

    def _prepare_patiently(self, *, create: bool, migrate: bool, older: bool) -> None:
        while True:
            try:
                self._prepare(create=create, migrate=migrate, older=older)
            except StoreAwayError:  # on the way, and then the tables are not made, or brought forward, by half
                self.wait_for_server()
            else:
                return

    def _connect(self) -> Link:
        link = Link(_with_keepalives(self._address), self.shown)
        link.patience = self._answers
        try:
            for setting in _SETTINGS.split("; "):
                link.execute(setting)
            if "search_path" not in self._address:
                link.execute(f"SET search_path = {SCHEMA}")
            link.execute(self._lock_timeout)
            if self._readonly:
                link.execute("SET default_transaction_read_only = on")
            link.settle()
        except BaseException:
            link.close()
            raise
        return link

    @property
    def patience(self) -> float:
        """Seconds that a write waits for the others."""
        return self._lock_patience

    @patience.setter
    def patience(self, seconds: float) -> None:
        self._lock_patience = seconds
        if not self.connection.is_lost:  # else the next one is told
            with contextlib.suppress(StoreAwayError):
                self.connection.execute(self._lock_timeout)
                self.connection.settle()

    @property
    def _lock_timeout(self) -> str:
        return f"SET lock_timeout = {int(self._lock_patience * 1000) or 1000}"

    def _prepare(self, *, create: bool, migrate: bool, older: bool) -> None:
        if not self._has_tables() and create:
            self._create()
        if not self._has_tables():
            raise NotFoundError(
                f"there is no store at {self.shown}, and so there are no tasks; nothing was changed",
                hint="'overnight add' or 'overnight run' makes one",
            )
        if not migrations.check(self.connection, older=migrate or older) and migrate:
            self._bring_forward()
        self._learn_life()

    def _bring_forward(self) -> None:
        """Make the newest tables of older ones, once: who comes at the same time waits and finds them."""
        until = _monotonic() + self._lock_patience
        while True:
            try:
                return self._try_to_bring_forward()
            except StoreAwayError:
                raise
            except StoreBusyError:  # a reader and we waited for each other, and the server has let him go on
                if _monotonic() >= until:
                    raise

    def _try_to_bring_forward(self) -> None:
        link = self.connection
        with self._transaction("BEGIN"):
            version = migrations.lock(link)
            if version < migrations.VERSION:
                self._told(
                    f"the store at {self.shown} is brought from schema {version} to {migrations.VERSION}, in one"
                    " transaction; what it was is in the backups of its server only"
                )
                migrations.bring_forward(link, version)
                link.settle()  # a server that has COMMIT already goes on to it when we have been killed long ago
                self._tell("migrate", "before_commit")
            self._end("COMMIT")
        if version < migrations.VERSION:
            self._tell("migrate", "after_commit")

    def _learn_life(self) -> None:
        """In which life of the server our connection is; who comes first after a crash writes down that one began."""
        link = self.connection
        life, self.id = link.execute(_WHO if self._readonly else _ALIVE).get
        if life is None:
            with self._transaction("BEGIN"):
                link.execute("SELECT one FROM meta FOR UPDATE").fetchall()  # one after the other
                link.execute(_BEGIN_LIFE)
                self._end("COMMIT")
            life, _ = link.execute(_ALIVE).get
        self._life = int(life)

    def _has_tables(self) -> bool:
        return self.connection.execute("SELECT to_regclass('meta')").get is not None

    def _create(self) -> None:
        """Make the tables, once: who comes at the same time waits and finds them."""
        link = self.connection
        with self._transaction("BEGIN"):
            link.execute(f"SELECT pg_advisory_xact_lock({_KEY})").fetchall()
            if not self._has_tables():
                link.execute(f"CREATE SCHEMA IF NOT EXISTS {self._schema()}")
                for statement in dialect.tables():
                    link.execute(statement)
                migrations.mark(link)
            self._end("COMMIT")

    def _schema(self) -> str:
        """The first of the search path, as it stands in a statement."""
        first = self.connection.execute("SELECT split_part(current_setting('search_path'), ',', 1)").get
        return str(first)

    # -- transactions ------------------------------------------------------------------------

    @contextmanager
    def write(self, operation: str, *, check: bool = True) -> Iterator[Transaction]:  # noqa: ARG002 - of a file
        """One transaction, alone among writers: durable when the block is left and undone when it raises."""
        link = self.connection
        transaction = Transaction(link)
        with self._transaction("BEGIN"):
            pen = link.execute(_PEN_OF_TURN if operation == "turn" else _PEN)
            try:
                yield transaction
                transaction.balance()
                transaction.spill()
                if operation not in _OF_ENGINES:
                    link.execute(_RING)
                self._tell(operation, "before_commit")
                link.settle_doubts()
                pen.fetchall()
            finally:
                self._want_ours(pen)
            self._commit(pen)
        self.own_changes += 1
        self.told += transaction.told
        self._tell(operation, "after_commit")

    @contextmanager
    def _transaction(self, begin: str) -> Iterator[None]:
        """A block in a transaction, which is undone when it is left otherwise than by `_end`."""
        link = self.connection
        self._is_open = True
        try:
            link.begin(begin)
            yield
        finally:
            if self._is_open:
                self._undo()

    def _want_ours(self, pen: Answer) -> None:
        """Raise when the tables are no more those that this program knows: nothing else that went wrong is the news."""
        if pen.rows == []:
            self._undo()
            raise migrations.newer(self.connection)

    def _commit(self, pen: Answer) -> None:
        name, number, *_ = pen.get
        life = self._life
        try:
            self._end("COMMIT")
        except StoreAwayError:
            self._ask_what_became_of(name, number, life)

    def _end(self, how: str) -> None:
        self.connection.end(how)
        self._is_open = False

    def _undo(self) -> None:
        try:
            if not self.connection.is_lost:
                self.connection.drop_doubts()
                self._end("ROLLBACK")
        except (StoreUnavailableError, StatementError):
            # It is undone by itself when the connection is gone; what led here is the news.
            self.connection.close()
        self._is_open = False

    def _ask_what_became_of(self, name: str, number: int, life: int) -> None:
        """The connection was lost on the way of COMMIT: raise unless it was committed."""
        became = self._asked_patiently(name, number, life)
        if became == "aborted":
            raise StoreAwayError(
                f"the store at {self.shown} went away while this was to be recorded; nothing was changed",
                hint="try again",
            )
        if became != "committed":
            # Not as one that is away: what may be recorded is not to be done again by itself.
            raise StoreUnavailableError(
                f"the store at {self.shown} went away in the middle of COMMIT and did not say afterwards what became of"
                " it; this is recorded whole, or nothing of it is",
                hint="'overnight list' shows which, when the server is there",
            )

    def _asked_patiently(self, name: str, number: int, life: int) -> str | None:
        """What became of a transaction; None when that was not to be learned within our patience."""
        until = _monotonic() + self._server_patience
        while True:
            with contextlib.suppress(StoreUnavailableError):
                self.wait_for_server()
                became = self._became(name, number, life)
                if became != "in progress":  # else the server has not yet noticed that we were gone
                    return became
            if _monotonic() > until:
                return None
            time.sleep(_NAP)

    def _became(self, name: str, number: int, life: int) -> str | None:
        later = self.connection.execute(_LIFE_AFTER, (life,)).get
        if later is not None and number > later:
            return "aborted"
        status = self.connection.execute("SELECT pg_xact_status(?::text::xid8)", (name,)).get
        return None if status is None else str(status)

    def _tell(self, operation: str, moment: str) -> None:
        if self._hooks is not None:
            self._hooks(operation, moment)

    @contextmanager
    def read(self) -> Iterator[Link]:
        """A block whose statements all see one state of the store."""
        with self._transaction("BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY"):
            yield self.connection

    def understood(self) -> AbstractContextManager[None]:
        """Nothing: `link` says everything in our words."""
        return nullcontext()

    def unchecked(self) -> AbstractContextManager[None]:
        """Nothing: there are no foreign keys here."""
        return nullcontext()

    def rows(self, name: str, bindings: Sequence[Any] = ()) -> list[Row]:
        """All rows of a named statement, outside of a write."""
        return self.connection.execute(SQL[name], bindings).fetchall()

    def ease(self) -> None:
        """Nothing: the server does by itself what there is to do."""

    # -- the server --------------------------------------------------------------------------

    def change_token(self) -> int:
        """A number that changes when another connection has changed the store."""
        return int(self.connection.execute(_CHANGES).get) - self.own_changes

    def wait_for_server(self) -> None:
        """Have a connection, a new one if need be, within our patience."""
        if self.connection.is_lost:
            self.connection = self._reach()
            if self.id:  # else the tables may not be there yet
                self._learn_life()

    def try_again(self, times: int) -> bool:
        """Wait for the server so that something can be done again, of which nothing has happened.

        Args:
            times: How often that has been done; a server that lets us in and goes away each time is let be.
        """
        if times >= self._tries:
            return False
        if times:
            time.sleep(_NAP)
        self.wait_for_server()
        return True

    @property
    def _tries(self) -> int:
        """How often something is tried that is given up when our patience is over."""
        return max(int(self._server_patience / _NAP), 1)

    def _reach(self) -> Link:
        """A new connection, within our patience."""
        tries = int(self._server_patience / _NAP)  # none for who has no patience
        for left in range(tries, 0, -1):
            try:
                link = self._connect()
            except StoreAwayError:
                if left == tries:
                    self._told(f"the store at {self.shown} does not answer; waiting for it, nothing is lost")
                time.sleep(_NAP)
                continue
            if left < tries:
                self._told(f"the store at {self.shown} answers again; going on")
            return link
        return self._connect()

    def reopen(self) -> None:
        """Go on by a new connection; without one this stays as it is."""
        fresh = self._connect()
        self.connection.close()
        self.connection = fresh
        self._learn_life()

    def close(self) -> None:
        """Let go; twice is as good as once."""
        self.connection.close()


def _with_keepalives(address: str) -> str:
    """An address that says how long a silent server is believed in; what it says itself goes before."""
    given = address.partition("?")[2]
    ours = [pair for pair in _KEEPALIVES.split() if pair.partition("=")[0] not in given]
    return f"{address}{'&' if given else '' if address.endswith('?') else '?'}{'&'.join(ours)}"
