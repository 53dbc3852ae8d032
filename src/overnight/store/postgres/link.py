"""One connection to a PostgreSQL server: statements out, rows back.

Statements go in pipeline mode: one whose answer nobody asks for is sent and not waited for, so a turn waits for the
server only as often as it reads. An error of such a statement is told by whatever is read next, at the latest by
COMMIT, which the server skips then.

psycopg's own cursors cost four times the CPU of this (43 µs a statement against 8), for types and rows in a generality
that nobody needs here; so only its libpq is used.
"""

from __future__ import annotations

import select
from collections.abc import Callable, Iterable, Sequence
from typing import Any

from overnight.core.errors import ConfigurationError, OvernightError
from overnight.store.postgres.answers import Answer, Prepared, Several
from overnight.store.postgres.columns import agreement, bound, can_be_columns, in_columns, is_update
from overnight.store.postgres.dialect import translated
from overnight.store.postgres.meanings import StatementError, away, meaning
from overnight.store.postgres.values import array, loaders, packed, rows
from overnight.store.sql.statements import SQL, unbalanced

try:
    from psycopg import OperationalError, pq
    from psycopg.adapt import Transformer
    from psycopg.pq.abc import PGresult
except ImportError as missing:
    raise ConfigurationError(
        f"a store on PostgreSQL needs psycopg, which cannot be loaded ({missing}); nothing was done",
        hint="pip install 'overnight[postgres]'",
    ) from None

_OK = (pq.ExecStatus.COMMAND_OK, pq.ExecStatus.TUPLES_OK, pq.ExecStatus.PIPELINE_SYNC)
#: Severities after which the server says nothing more on this connection.
_LAST_WORDS = (b"FATAL", b"PANIC")
#: Answers that are left unread; more could fill the way back while the way there is full.
_UNREAD = 400
#: Rows that go into one statement at most.
_TOGETHER = 1000
#: Ways in which the rows of many statements agree, each of which is prepared; beyond that they count as not agreeing.
_VARIANTS = 200
#: What changes nothing that is foreseen: it neither begins nor frees a task, nor lets one wait.
_LEAVES_IT = frozenset(SQL[name] for name in ("record_attempt", "complete", "complete_with_result", "close_attempts"))
#: Bytes of a parameter from which on a statement is sent at once; smaller ones go together, when an answer is wanted.
_WORTHWHILE = 200
_MILLISECONDS = 1000


class Link:
    """`overnight.store.sql.statements.Connection` on PostgreSQL.

    Args:
        address: For libpq; it may hold a password, which is in no message.
        shown: The same for people.

    Raises:
        StoreAwayError: The server does not answer.
        HomeUnusableError: It does not let us in.
    """

    def __init__(self, address: str, shown: str) -> None:
        self.shown = shown
        #: Seconds that an answer may take; None: for ever.
        self.patience: float | None = None
        self._changed = 0
        self._prepared: dict[str, Prepared] = {}
        self._several: dict[tuple[str, tuple[bool, ...]], str] = {}
        self._unread: list[Answer] = []
        self._reader = Transformer()
        #: How the columns of statements are read; found with the first answer.
        self._load: dict[bytes, list[Callable[[bytes], Any]]] = {}
        #: Statements whose parameters have been asked for, and of what types these are.
        self._kinds: dict[str, list[int]] = {}
        #: What was asked before anybody has asked, in this transaction.
        self._ahead: dict[tuple[str, Any], Answer] = {}
        #: Statements sent in this transaction; how many rows each of those answered has changed; what has to come true.
        self._sent = 0
        self._counts: list[int] = []
        self._wanted: list[tuple[int, int, int]] = []
        #: Statements whose preparation nobody has heard of yet.
        self._unheard: list[str] = []
        self._number = 0
        #: What the last statement outside of a transaction, or that has ended one, has done.
        self._tag = b""
        #: Within BEGIN and its end; else each statement is a transaction of its own.
        self.is_inside = False
        self._pg = pq.PGconn.connect(address.encode())
        if self._pg.status != pq.ConnStatus.OK:
            words = self._pg.error_message.decode(errors="replace")
            self._pg.finish()
            raise _not_let_in(words, shown)
        self._pg.enter_pipeline_mode()
        self._poll = select.poll()
        self._poll.register(self._pg.socket, select.POLLIN)

    # -- statements --------------------------------------------------------------------------

    def begin(self, statement: str) -> None:
        """Enter a transaction."""
        if self._unread:
            self.settle()
        self.is_inside = True
        self._forget()
        self.execute(statement)

    def end(self, how: str) -> None:
        """Leave a transaction, by COMMIT or ROLLBACK.

        Raises:
            StatementError: It was to be committed and had failed before, which somebody has passed over: the server
                undoes it then, and calls that no error.
        """
        self._ahead.clear()
        self.execute(how)
        self.is_inside = False
        self.settle()
        if self._tag != how.encode():
            raise StatementError(f"{self._tag.decode()} for {how}: the transaction had failed; nothing was changed")

    def execute(self, statement: str, bindings: Any = (), /) -> Answer:  # noqa: ANN401  # any that a column can have
        """Run a statement, SQLite's or our own."""
        prepared = self._prepared.get(statement) or self._prepare(statement)
        if self._ahead:
            if prepared.changes:
                self._pass(statement)
            elif type(bindings) is tuple and (found := self._ahead.pop((statement, bindings), None)):
                return found
        if prepared.names is not None:
            bindings = [bindings[name] for name in prepared.names]
        return self._send(prepared, bindings)

    def executemany(self, statement: str, many: Iterable[Any], /) -> Several:
        """Run a statement once for each of `many`; an ``UPDATE`` that says nothing of its rows once for all."""
        prepared = self._prepared.get(statement) or self._prepare(statement)
        if self._ahead and prepared.changes:
            self._pass(statement)
        if is_update(statement):
            self._write_all(statement, list(many))
            return Several([])
        return Several([self._send(prepared, bindings) for bindings in many])

    def insert_many(self, statement: str, many: Sequence[Sequence[Any]], /) -> None:
        """Run an ``INSERT ... VALUES (...)`` for each of `many`, a thousand together."""
        if self._ahead:
            self._pass(statement)
        self._write_all(statement, many)

    def _write_all(self, statement: str, many: Sequence[Sequence[Any]]) -> None:
        for at in range(0, len(many), _TOGETHER):
            self._write(statement, many[at : at + _TOGETHER])

    def _write(self, statement: str, rows: Sequence[Sequence[Any]]) -> None:
        kinds = self._kinds.get(statement) or self._ask_kinds(statement) if len(rows) > 1 else ()
        if not kinds or not can_be_columns(kinds):
            prepared = self._prepared.get(statement) or self._prepare(statement)
            for row in rows:
                self._send(prepared, row)
            return
        columns = list(zip(*rows, strict=True))
        agreed = agreement(columns)
        if len(self._several) >= _VARIANTS and (statement, agreed) not in self._several:
            agreed = (False,) * len(columns)
        words = self._several.get((statement, agreed))
        if words is None:
            words = self._several[statement, agreed] = in_columns(statement, kinds, agreed)
        prepared = self._prepared.get(words) or self._prepare(words)
        self._send(prepared, bound(columns, kinds, agreed))

    def _ask_kinds(self, statement: str) -> list[int]:
        """Of what types the parameters of a statement are."""
        prepared = self._prepared.get(statement) or self._prepare(statement)
        described = Answer(self, None)
        self._unread.append(described)
        self._told(lambda: self._pg.send_describe_prepared(prepared.name))
        self.settle()
        self._kinds[statement] = described.kinds
        return described.kinds

    @staticmethod
    def ids(ids: Iterable[int], /) -> bytes:
        """Ids as a parameter."""
        return array(ids)

    def total_changes(self) -> int:
        """How many rows statements have added, changed and deleted so far."""
        if self._unread:
            self.settle()
        return self._changed

    # -- what is asked ahead, and what has to come true ----------------------------------------

    travels = True

    def foresee(self, statement: str, bindings: Sequence[Any] = (), /) -> None:
        """Ask now what will be asked; whoever changes what that may look at undoes it."""
        prepared = self._prepared.get(statement) or self._prepare(statement)
        self._ahead[statement, bindings] = self._send(prepared, bindings)

    def _pass(self, statement: str) -> None:
        if statement not in _LEAVES_IT:
            self._ahead.clear()

    def mark(self) -> int:
        """See `overnight.store.sql.statements.Connection.mark`."""
        return self._sent

    def want(self, since: int, expected: int, /) -> None:
        """See `overnight.store.sql.statements.Connection.want`; nobody waits for it here."""
        self._wanted.append((since, self._sent, expected))

    def settle_doubts(self) -> None:
        """Have it come true, where that was not looked at yet."""
        if self._wanted:
            self.settle()

    def drop_doubts(self) -> None:
        """It no longer matters: what was done is undone."""
        self._wanted.clear()

    def _look(self) -> None:
        """Raise StoreDamagedError when a number of rows is not what it must be."""
        wanted, self._wanted = self._wanted, []
        for since, upto, expected in wanted:
            found = sum(self._counts[since:upto])
            if found != expected:
                raise unbalanced(expected, found)

    def _forget(self) -> None:
        self._ahead.clear()
        self._wanted.clear()
        self._counts.clear()
        self._sent = 0

    # -- sending -----------------------------------------------------------------------------

    def _prepare(self, statement: str) -> Prepared:
        sql, names, changes = translated(statement)
        self._number += 1
        prepared = Prepared(b"s%d" % self._number, names, changes)
        self._unread.append(Answer(self, None))
        self._told(lambda: self._pg.send_prepare(prepared.name, sql.encode()))
        self._prepared[statement] = prepared
        self._unheard.append(statement)
        return prepared

    def _send(self, prepared: Prepared, bindings: Iterable[Any]) -> Answer:
        values, formats = packed(bindings)
        answer = Answer(self, prepared)
        self._unread.append(answer)
        self._told(lambda: self._pg.send_query_prepared(prepared.name, values, formats))
        self._sent += self.is_inside
        if any(value and len(value) > _WORTHWHILE for value in values):
            self._told(self._pg.flush)  # the server works on it while the next one is made
        if len(self._unread) >= _UNREAD:
            self.settle()
        return answer

    def _told(self, send: Callable[[], object]) -> None:
        """Send something; psycopg raises of its own when there is nobody to send it to."""
        try:
            send()
        except OperationalError as error:
            raise self._lost(str(error)) from None
        except BaseException:  # a signal's: nobody would know any more which answer belongs to what
            self.close()
            raise

    # -- answers -----------------------------------------------------------------------------

    def settle(self) -> None:
        """Read all answers that are due. Raises what the first error among them means."""
        try:
            self._settle()
        except (OvernightError, StatementError):
            raise
        except BaseException:  # a signal's, half-way: nobody would know any more which answer belongs to what
            self.close()
            raise

    def _settle(self) -> None:
        if not self._unread:
            return
        self._told(self._pg.send_flush_request if self.is_inside else self._pg.pipeline_sync)
        unread, self._unread = self._unread, []
        for answer in unread:
            result = self._result()
            if result is None or result.status not in _OK:
                raise self._refused(result)
            self._take(answer, result)
            self._result()  # the end of this one
        if not self.is_inside:
            self._result()  # the sync itself
        self._unheard.clear()
        self._look()

    def _take(self, answer: Answer, result: PGresult) -> None:
        prepared = answer.prepared
        if prepared is None:
            answer.kinds = [result.param_type(number) for number in range(result.nparams)]
            return
        if result.nfields:
            load = self._load.get(prepared.name)
            if load is None:
                load = self._load[prepared.name] = loaders([result.ftype(n) for n in range(result.nfields)])
            answer.rows = rows(result, load, self._reader)
        else:
            answer.rows = []
        changed = result.command_tuples or 0 if prepared.changes else 0
        self._changed += changed
        if self.is_inside:
            self._counts.append(changed)
        else:
            self._tag = result.command_status or b""

    def _result(self) -> PGresult | None:
        pg = self._pg
        try:
            pg.flush()
            while pg.is_busy():
                if not self._poll.poll(None if self.patience is None else self.patience * _MILLISECONDS):
                    raise self._lost(f"no answer for {self.patience:g} s")
                pg.consume_input()
            return pg.get_result()
        except (OperationalError, OSError) as error:
            raise self._lost(str(error)) from None

    def _refused(self, result: PGresult | None) -> Exception:
        """What an error means; the connection can be used again afterwards, if there is one."""
        if result is None or self._pg.status != pq.ConnStatus.OK:
            return self._lost(self._pg.error_message.decode(errors="replace"))
        state = (result.error_field(pq.DiagnosticField.SQLSTATE) or b"").decode()
        words = result.error_message.decode(errors="replace")
        if state.startswith("57P") or result.error_field(pq.DiagnosticField.SEVERITY_NONLOCALIZED) in _LAST_WORDS:
            return self._lost(words)
        self._skip()
        return meaning(state, words, self.shown)

    def _skip(self) -> None:
        """Pass over what comes after an error, up to a sync."""
        self._unread.clear()
        self._forget()
        for statement in self._unheard:
            self._prepared.pop(statement, None)
        self._unheard.clear()
        if self.is_inside:
            self._told(self._pg.pipeline_sync)
        while True:
            result = self._result()
            if result is not None and result.status == pq.ExecStatus.PIPELINE_SYNC:
                return

    def _lost(self, words: str) -> Exception:
        self.close()
        return away(self.shown, words)

    def heard(self) -> bool:
        """Whether somebody has notified a channel that this connection listens to. Never waits."""
        try:
            self._pg.consume_input()
            found = False
            while self._pg.notifies() is not None:
                found = True
        except OperationalError as error:
            raise self._lost(str(error)) from None
        return found

    # -- the connection ----------------------------------------------------------------------

    @property
    def is_lost(self) -> bool:
        """Whether it has to be made anew."""
        return bool(self._pg.status != pq.ConnStatus.OK)

    @property
    def socket(self) -> int:
        """Its file descriptor, to be waited on."""
        return int(self._pg.socket)

    def close(self) -> None:
        """Let go; twice is as good as once."""
        self._prepared.clear()
        self._unread.clear()
        self._forget()
        self.is_inside = False
        self._pg.finish()


def _not_let_in(words: str, shown: str) -> Exception:
    """Libpq tells no SQLSTATE of a connection that was refused, only words, in English for what is no server's."""
    unusable = ("authentication failed", "does not exist", "no password supplied", "permission denied", "pg_hba.conf")
    return meaning("28000" if any(one in words for one in unusable) else "", words, shown)
