"""PostgreSQL, by psycopg: each migration is a transaction, and a rehearsal is one that is rolled back.

A rehearsal takes the locks that the real thing takes, until it is rolled back; `lock_timeout` bounds how long it
and everything else here waits for those of others. Sequences that it has moved stay moved.

Every name of ours stands with its schema, found before any statement of the user's has run: a dump that
begins with an empty search_path would otherwise hide the records from us.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import msgspec

from overnight.core.durations import format_duration
from overnight.core.errors import ConfigurationError, OvernightError
from overnight.core.migrations.addresses import Address
from overnight.core.migrations.schemas import Schema, Thing
from overnight.core.migrations.standing import COUNTS, COUNTS_NOT, Deed, Record, Records
from overnight.core.migrations.statements import Dialect
from overnight.ops.migrations.databases.contract import (
    LEFT_OPEN,
    LOG,
    VERSIONS,
    CannotRehearseError,
    Database,
    DatabaseUnavailableError,
    StatementError,
    need_ours,
)

try:
    import psycopg
    from psycopg import errors, sql
    from psycopg.pq import TransactionStatus
except ImportError as missing:
    raise ConfigurationError(
        f"PostgreSQL needs psycopg, which cannot be loaded ({missing}); nothing was done",
        hint="pip install 'overnight[postgres]'",
    ) from None

#: Of a server that asks for no password.
_REFUSALS = ("does not exist", "no pg_hba.conf entry", "authentication failed")
#: Whoever makes the tables of the records; any number that nobody else takes.
_KEY = 0x4F766E74
#: The tables of the records, and to be alone with them; dbmate, which does not ask, waits at its INSERT.
_HOLD = """
SELECT pg_advisory_xact_lock({key});
CREATE TABLE IF NOT EXISTS {versions} (version varchar(128) PRIMARY KEY);
CREATE TABLE IF NOT EXISTS {log} (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY, version text NOT NULL, deed text NOT NULL,
    filename text NOT NULL, checksum text NOT NULL, at double precision NOT NULL, who text NOT NULL,
    seconds double precision NOT NULL);
LOCK TABLE {versions} IN SHARE ROW EXCLUSIVE MODE
"""
_INSERT = "INSERT INTO {} (version, deed, filename, checksum, at, who, seconds) VALUES (%s, %s, %s, %s, %s, %s, %s)"
_READ = "SELECT version, deed, filename, checksum, at, who, seconds FROM {} ORDER BY id"
_PLACE = """
SELECT coalesce((SELECT n.nspname FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
                  WHERE c.oid = to_regclass(%s)), current_schema())
"""
_COLUMNS = "SELECT attname FROM pg_attribute WHERE attrelid = to_regclass(%s) AND attnum > 0 AND NOT attisdropped"
#: (thing, one of its lines or None, definition or None).
_SCHEMA = """
WITH ours AS (SELECT oid, nspname FROM pg_namespace
               WHERE nspname !~ '^pg_' AND nspname <> 'information_schema'),
tables AS (SELECT c.oid, c.relkind, ours.nspname || '.' || c.relname AS name
             FROM pg_class c JOIN ours ON ours.oid = c.relnamespace
            WHERE c.relname NOT IN ('schema_migrations', 'overnight_migrations'))
SELECT CASE relkind WHEN 'v' THEN 'view ' WHEN 'm' THEN 'materialized view ' WHEN 'S' THEN 'sequence '
                    WHEN 'f' THEN 'foreign table ' ELSE 'table ' END || name, NULL AS line,
       CASE WHEN relkind IN ('v', 'm') THEN pg_get_viewdef(oid) END AS definition, 0 AS place
  FROM tables WHERE relkind IN ('r', 'p', 'v', 'm', 'S', 'f') AND name NOT LIKE '%overnight_migrations_id_seq'
UNION ALL
SELECT 'table ' || name, a.attname || ' ' || format_type(a.atttypid, a.atttypmod)
       || CASE WHEN a.attnotnull THEN ' NOT NULL' ELSE '' END
       || coalesce(' DEFAULT ' || pg_get_expr(d.adbin, d.adrelid), ''), NULL, a.attnum
  FROM tables JOIN pg_attribute a ON a.attrelid = tables.oid AND a.attnum > 0 AND NOT a.attisdropped
  LEFT JOIN pg_attrdef d ON d.adrelid = a.attrelid AND d.adnum = a.attnum
 WHERE relkind IN ('r', 'p')
UNION ALL
SELECT 'table ' || name, k.conname || ' ' || pg_get_constraintdef(k.oid), NULL, 10000
  FROM tables JOIN pg_constraint k ON k.conrelid = tables.oid WHERE relkind IN ('r', 'p') AND k.contype <> 'n'
UNION ALL
SELECT 'index ' || i.indexrelid::regclass::text, NULL, pg_get_indexdef(i.indexrelid)
       || CASE WHEN i.indisvalid THEN '' ELSE ' (invalid)' END, 0
  FROM pg_index i JOIN tables ON tables.oid = i.indrelid
UNION ALL
SELECT 'trigger ' || t.tgname || ' on ' || name, NULL, pg_get_triggerdef(t.oid), 0
  FROM pg_trigger t JOIN tables ON tables.oid = t.tgrelid WHERE NOT t.tgisinternal
UNION ALL
SELECT 'function ' || p.oid::regprocedure::text, NULL, pg_get_functiondef(p.oid), 0
  FROM pg_proc p JOIN ours ON ours.oid = p.pronamespace WHERE p.prokind IN ('f', 'p')
UNION ALL
SELECT 'type ' || t.oid::regtype::text, e.enumlabel, NULL, e.enumsortorder
  FROM pg_type t JOIN ours ON ours.oid = t.typnamespace JOIN pg_enum e ON e.enumtypid = t.oid
UNION ALL
SELECT 'extension ' || extname, NULL, extversion, 0 FROM pg_extension
UNION ALL
SELECT 'schema ' || nspname, NULL, NULL, 0 FROM ours
 ORDER BY 1, 4, 2
"""


class PostgresDatabase:
    """See `Database`."""

    dialect = Dialect.POSTGRES
    rehearses_all = False
    is_there = True

    def __init__(self, address: Address, *, wait: float) -> None:
        self.shown = address.shown
        self._address = address
        self._wait = wait
        self._inside = False
        self._rehearsing = False
        self._connection = self._connect()
        try:
            with self._understood():
                self._bound()
                self._place = self._schema_of_records()
        except BaseException:
            self.close()
            raise

    def _connect(self) -> psycopg.Connection[Any]:
        try:
            return psycopg.connect(
                self._address.place,
                autocommit=True,
                connect_timeout=max(2, math.ceil(self._wait)),
                fallback_application_name="overnight migrate",
            )
        except psycopg.OperationalError as error:
            raise self._no_answer(error) from None
        except (psycopg.Error, ValueError, UnicodeError):  # what it says may quote all of the address
            raise ConfigurationError(
                f"{self.shown} makes no sense to psycopg; nothing was done",
                hint="write postgres://USER:${PASSWORD}@HOST:PORT/DATABASE, with %40 for an @ in a name or a password,"
                " %2F for a /",
            ) from None

    def _bound(self) -> None:
        """As a new connection is, but for how long it waits."""
        milliseconds = round(self._wait * 1000)
        self._connection.execute(f"RESET ROLE; RESET ALL; SET lock_timeout = {milliseconds}".encode())

    def _schema_of_records(self) -> str:
        row = self._connection.execute(_PLACE, (VERSIONS,)).fetchone()
        if row is None or row[0] is None:
            raise ConfigurationError(
                f"the search_path of {self.shown} names no schema that is there; nothing was done",
                hint="CREATE SCHEMA, or add ?options=-csearch_path%3Dpublic to [migrations] database",
            )
        return str(row[0])

    def _name(self, table: str) -> sql.Identifier:
        return sql.Identifier(self._place, table)

    # -- looking -----------------------------------------------------------------------------

    def records(self) -> Records:
        with self._understood():
            columns = self._columns(VERSIONS)
            need_ours(self.shown, columns)
            versions = self._rows("SELECT version FROM {}", VERSIONS) if columns else []
            rows = self._rows(_READ, LOG) if self._columns(LOG) else []
        log = tuple(Record(version, Deed(deed), *rest) for version, deed, *rest in rows)
        return Records(frozenset(str(version) for (version,) in versions), log)

    def _columns(self, table: str) -> list[str]:
        name = self._name(table).as_string(self._connection)
        return [str(column) for (column,) in self._connection.execute(_COLUMNS, (name,))]

    def _rows(self, query: str, table: str) -> list[tuple[Any, ...]]:
        return self._connection.execute(self._named(query, table)).fetchall()

    def _named(self, query: str, table: str) -> sql.Composed:
        return sql.SQL(query).format(self._name(table))

    def schema(self) -> Schema:
        found: dict[str, Thing] = {}
        with self._understood():
            for name, line, definition, _ in self._connection.execute(_SCHEMA.encode()).fetchall():
                old = found.get(name, Thing())
                lines = (*old.lines, line) if line is not None else old.lines
                found[name] = Thing(lines, " ".join((definition or old.definition).split()))
        return found

    # -- changing ----------------------------------------------------------------------------

    @contextmanager
    def transaction(self) -> Iterator[None]:
        with self._understood(), self._connection.transaction():
            self._inside = True
            try:
                self._hold_records()
                yield
                # What is looked at in the end is looked at here: a rehearsal has no end.
                self._connection.execute("SET CONSTRAINTS ALL IMMEDIATE")
            finally:
                self._inside = False

    def _hold_records(self) -> None:
        self._connection.execute(sql.SQL(_HOLD).format(key=_KEY, versions=self._name(VERSIONS), log=self._name(LOG)))

    def execute(self, statement: str) -> None:
        try:
            self._connection.execute(statement.encode("utf-8", "surrogateescape"))
        except errors.UnsafeNewEnumValueUsage as error:
            if self._rehearsing:
                raise CannotRehearseError("a new value of an enum can be used only after the COMMIT") from None
            raise self._failed(error) from None
        except psycopg.Error as error:
            if isinstance(error, errors.LockNotAvailable) or self._connection.broken:
                raise self._meaning(error) from None
            raise self._failed(error) from None

    def _failed(self, error: psycopg.Error) -> StatementError:
        place = error.diag.statement_position
        words = error.diag.message_primary or str(error).partition("\n")[0]
        detail = f" ({error.diag.message_detail})" if error.diag.message_detail else ""
        return StatementError(words + detail, int(place) - 1 if place else None)

    def settle(self) -> None:
        with self._understood():
            left_open = not self._inside and self._connection.info.transaction_status is not TransactionStatus.IDLE
            if left_open:
                self._connection.rollback()
            self._bound()
        if left_open:
            raise StatementError(LEFT_OPEN)

    def record(self, record: Record) -> None:
        self._connection.execute(self._named(_INSERT, LOG), msgspec.structs.astuple(record))
        if record.deed in COUNTS:
            query = "INSERT INTO {} (version) VALUES (%s) ON CONFLICT DO NOTHING"
            self._connection.execute(self._named(query, VERSIONS), (record.version,))
        elif record.deed in COUNTS_NOT:
            self._connection.execute(self._named("DELETE FROM {} WHERE version = %s", VERSIONS), (record.version,))

    # -- rehearsing --------------------------------------------------------------------------

    @contextmanager
    def rehearsal(self) -> Iterator[Database]:
        with self._understood(), self._connection.transaction(force_rollback=True):
            self._rehearsing = True
            try:
                yield self
            finally:
                self._rehearsing = False

    def close(self) -> None:
        self._connection.close()

    # -- errors ------------------------------------------------------------------------------

    @contextmanager
    def _understood(self) -> Iterator[None]:
        """What the server says of anything but a statement of the user's, in our words."""
        try:
            yield
        except errors.IntegrityError as error:
            raise StatementError(f"in the end, {self._failed(error).what}") from None
        except psycopg.Error as error:
            raise self._meaning(error) from None

    def _meaning(self, error: psycopg.Error) -> OvernightError:
        if isinstance(error, errors.LockNotAvailable):
            return DatabaseUnavailableError(
                f"others hold what is needed in {self.shown}, for longer than {format_duration(self._wait)};"
                " nothing of this was done",
                hint="see who: SELECT pid, query FROM pg_stat_activity WHERE state <> 'idle';"
                " or wait longer: OVERNIGHT_MIGRATIONS_WAIT=5m",
            )
        if self._connection.broken or isinstance(error, psycopg.OperationalError):
            return DatabaseUnavailableError(
                f"the server of {self.shown} has gone ({self._words(error)}); it undoes what was not committed",
                hint="'overnight migrate status' says what is applied, once it is back",
            )
        return ConfigurationError(
            f"{self.shown} refuses ({self._words(error)}); nothing of this was done",
            hint="look at the rights of the user that [migrations] database names",
        )

    def _no_answer(self, error: psycopg.OperationalError) -> OvernightError:
        if _is_refusal(error):
            return ConfigurationError(
                f"the server of {self.shown} refuses to let us in ({self._words(error)}); nothing was done",
                hint="it runs: look at the user, the password and the name of the database in [migrations] database,"
                " and at the variables that stand there",
            )
        return DatabaseUnavailableError(
            f"cannot connect to {self.shown} ({self._words(error)}); nothing was done",
            hint="look whether the server runs (pg_isready), and whether [migrations] database names it",
        )

    def _words(self, error: psycopg.Error) -> str:
        """What was said, on one line and without the password, whatever has quoted it."""
        words = error.diag.message_primary or str(error)
        secret = psycopg.conninfo.conninfo_to_dict(self._address.place).get("password")
        lines = [line.strip() for line in words.splitlines() if line.strip()]
        line = lines[-1] if lines else type(error).__name__
        return line.replace(str(secret), "***") if secret else line


def _is_refusal(error: psycopg.OperationalError) -> bool:
    """Whether a server has answered that it does not want us. It gives no code before it has let somebody in."""
    connection = error.pgconn
    if connection is not None and (connection.needs_password or connection.used_password):
        return True
    return any(words in str(error) for words in _REFUSALS)
