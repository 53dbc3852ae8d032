"""What a file of a migration says, cut into its statements, and what is wrong with it."""

from __future__ import annotations

import apsw
import pytest
from hypothesis import given
from hypothesis import strategies as some

from overnight.core.migrations.files import Migration, parse, version_of
from overnight.core.migrations.statements import Dialect, UnfinishedError, split

TRIGGER = "CREATE TRIGGER t AFTER INSERT ON a BEGIN SELECT CASE WHEN 1 THEN 2 END; DELETE FROM a; END"
#: Statements that SQLite takes, each with a trap in it.
TRAPS = [
    "SELECT ';'",
    "SELECT 'it''s;' -- no; end\n",
    'SELECT 1 AS "a;""b"',
    "SELECT 1 AS [c;d]",
    "SELECT 1 AS `e;f`",
    "SELECT /* ; ' */ 1",
    "SELECT -- ;\n 2",
    "CREATE TABLE IF NOT EXISTS a (x)",
    TRIGGER.replace("CREATE TRIGGER", "CREATE TRIGGER IF NOT EXISTS"),
    TRIGGER.replace("CREATE TRIGGER t", "CREATE TEMP TRIGGER IF NOT EXISTS u"),
    "SELECT CASE WHEN 1 THEN 'END' END",
]


def texts(sql: str, dialect: Dialect = Dialect.SQLITE) -> list[str]:
    return [statement.text for statement in split(sql, dialect)]


@given(some.lists(some.sampled_from(TRAPS), max_size=6), some.sampled_from(["; ", ";\n", ";\n-- after; it\n", ";;\n"]))
def test_the_cuts_are_those_of_sqlites_own_parser(statements: list[str], between: str) -> None:
    connection, seen = apsw.Connection(":memory:"), []
    connection.execute("CREATE TABLE a (x)")

    def note(_: object, sql: str, __: object) -> bool:
        seen.append(sql)
        return True

    connection.exec_trace = note
    script = between.join(statements)
    for _ in connection.execute(script):
        pass
    connection.close()
    whole = [one for sql in seen for one in texts(sql)]
    assert texts(script) == whole
    assert len(seen) >= len(whole) == len(statements)


@pytest.mark.parametrize(
    ("sql", "count"),
    [
        ("DO $$ BEGIN; PERFORM 1; END $$; SELECT 2;", 2),
        ("CREATE FUNCTION f() RETURNS int AS $x$ SELECT ';$$'; $x$ LANGUAGE sql; SELECT 1", 2),
        (
            "CREATE FUNCTION f() LANGUAGE sql BEGIN ATOMIC SELECT CASE WHEN 1=1 THEN 1 END; END; SELECT 3",
            2,
        ),
        ("CREATE RULE r AS ON INSERT TO a DO ALSO (DELETE FROM b; DELETE FROM c); SELECT 1", 2),
        (r"SELECT E'\';'; SELECT 1", 2),
        ("/* a /* nested; */ ; */ SELECT 1;", 1),
        ("SELECT a$1$b FROM t; SELECT $1", 2),
        ("SELECT '{\"a\": \";\"}'::jsonb -> 'a'; SELECT ARRAY[1][1]", 2),
        ("-- nothing; here\n;;", 0),
    ],
)
def test_the_traps_of_postgresql(sql: str, count: int) -> None:
    assert len(texts(sql, Dialect.POSTGRES)) == count


@pytest.mark.parametrize(
    ("sql", "at"), [("SELECT 1; SELECT 'a;", 17), ("/* for ever", 0), ('SELECT "x', 7), ("DO $a$ x $b$", 3)]
)
def test_what_never_ends_is_shown_where_it_begins(sql: str, at: int) -> None:
    with pytest.raises(UnfinishedError) as told:
        texts(sql, Dialect.POSTGRES)
    assert told.value.offset == at


def read(text: str, dialect: Dialect = Dialect.SQLITE, name: str = "001_add_users.sql") -> Migration:
    return parse(name, text, dialect)


def problems(text: str, dialect: Dialect = Dialect.SQLITE) -> list[str]:
    return [problem.what for problem in read(text, dialect).up.problems]


def test_the_layout_of_dbmate() -> None:
    found = read(
        "-- migrate:up\nCREATE TABLE a (x);\nCREATE TABLE b (x);\n\n-- migrate:down\nDROP TABLE b; DROP TABLE a"
    )
    assert (found.version, found.number, found.description) == ("001", 1, "add users")
    assert [one.text for one in found.up.statements] == ["CREATE TABLE a (x)", "CREATE TABLE b (x)"]
    assert found.down is not None
    assert [one.text for one in found.down.statements] == ["DROP TABLE b", "DROP TABLE a"]
    assert (found.up.in_transaction, found.up.problems, found.down.problems) == (True, (), ())
    for statement in (*found.up.statements, *found.down.statements):
        assert found.text.startswith(statement.text, statement.offset)


def test_plain_sql_is_the_way_up() -> None:
    found = read("-- Description: users and their names\nCREATE TABLE a (x);")
    assert (found.description, len(found.up.statements), found.down) == ("users and their names", 1, None)


def test_transaction_false_belongs_to_its_part() -> None:
    found = read("-- migrate:up transaction:false\nVACUUM;\n-- migrate:down\nDROP TABLE a;")
    assert found.down is not None
    assert (found.up.in_transaction, found.down.in_transaction) == (False, True)


def test_an_empty_way_down_is_none() -> None:
    assert read("-- migrate:up\nSELECT 1;\n-- migrate:down\n-- to be done\n").down is None


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("-- migrate:up\n", "there is no statement in it"),
        ("", "there is no statement in it"),
        ("-- migrate:up transactions:false\nSELECT 1", "'transactions:false' is no option"),
        ("-- migrate:down\nSELECT 1", "'migrate:down' does not belong here"),
        ("-- migrate:up\nSELECT 1;\n-- migrate:up\nSELECT 2;", "'migrate:up' does not belong here"),
        ("-- migrate: up\nSELECT 1;", "this is no mark that is known"),
        ("SELECT 1;\n-- migrate:up\nSELECT 2;", "this stands before '-- migrate:up' and would never be run"),
        ("SELECT 'a", "a text begins here that never ends"),
        ("CREATE TABLE a (x); COMMIT; SELECT 1", "COMMIT would end the transaction"),
        ("BEGIN; SELECT 1; COMMIT;", "BEGIN would end the transaction"),
        ("PRAGMA foreign_keys = OFF; SELECT 1", "SQLite ignores this inside of a transaction"),
    ],
)
def test_what_is_wrong_is_named(text: str, words: str) -> None:
    assert problems(text)[0].startswith(words)


@pytest.mark.parametrize("text", ["SELECT 1; \\connect x", "COPY a (x) FROM STDIN;\n1\n\\."])
def test_what_is_for_psql_alone_is_named(text: str) -> None:
    assert "this is for psql alone" in problems(text, Dialect.POSTGRES)


@pytest.mark.parametrize(
    "text",
    [
        "SAVEPOINT a; ROLLBACK TO a; ROLLBACK TRANSACTION TO SAVEPOINT a",
        "-- migrate:up transaction:false\nBEGIN; SELECT 1; COMMIT;",
        TRIGGER,
    ],
)
def test_what_is_allowed_is_not_refused(text: str) -> None:
    assert problems(text) == []


def test_the_checksum_is_of_what_people_see() -> None:
    one = read("SELECT 1;\nSELECT 2;\n")
    assert one.checksum == read("SELECT 1;\r\nSELECT 2;\r\n\r\n").checksum
    assert one.checksum != read("SELECT 1;\nSELECT 3;\n").checksum


@pytest.mark.parametrize(
    ("name", "version"),
    [
        ("001_a.sql", "001"),
        ("20260301120000_a-b c.sql", "20260301120000"),
        ("7.sql", "7"),
        ("a.sql", None),
        ("1_a.txt", None),
    ],
)
def test_the_number_stands_in_the_name(name: str, version: str | None) -> None:
    assert version_of(name) == version
