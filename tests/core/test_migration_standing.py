"""Which migrations wait, which do not fit, and what is run in which order."""

from __future__ import annotations

from functools import partial

import pytest

from overnight.core.errors import NotFoundError
from overnight.core.migrations.addresses import Address, parse, shown
from overnight.core.migrations.choosing import MigrationError, to_apply, to_undo
from overnight.core.migrations.files import Migration
from overnight.core.migrations.files import parse as parse_file
from overnight.core.migrations.schemas import Thing, difference
from overnight.core.migrations.standing import (
    Condition,
    Deed,
    Record,
    Records,
    doubles,
    next_version,
    ordered,
    standings,
)
from overnight.core.migrations.statements import Dialect
from overnight.core.problems import Problem, told

C = Condition
NOW = "20260301120000"


def file(version: str, text: str = "-- migrate:up\nSELECT 1;\n-- migrate:down\nSELECT 2;") -> Migration:
    return parse_file(f"{version}_it.sql", text, Dialect.SQLITE)


def did(one: Migration, deed: Deed = Deed.APPLIED, checksum: str = "") -> Record:
    return Record(one.version, deed, one.filename, checksum or one.checksum, 1.0, "me", 0.1)


def records(*log: Record, more: tuple[str, ...] = ()) -> Records:
    applied: set[str] = set(more)
    for one in log:
        (applied.discard if one.deed is Deed.UNDONE else applied.add)(one.version)
    return Records(frozenset(applied), log)


FILES = [file(version) for version in ("001", "002", "003")]
ONE, TWO, THREE = FILES


def conditions(known: Records, files: list[Migration] | None = None) -> list[Condition]:
    return [one.condition for one in standings(files or FILES, known)]


@pytest.mark.parametrize(
    ("known", "expected"),
    [
        (records(), [C.PENDING, C.PENDING, C.PENDING]),
        (records(did(ONE)), [C.APPLIED, C.PENDING, C.PENDING]),
        (records(did(ONE), did(THREE)), [C.APPLIED, C.OUT_OF_ORDER, C.APPLIED]),
        (records(did(ONE, checksum="other")), [C.EDITED, C.PENDING, C.PENDING]),
        (records(did(ONE, checksum="other"), did(ONE, Deed.ACCEPTED)), [C.APPLIED, C.PENDING, C.PENDING]),
        (records(more=("001", "002")), [C.APPLIED, C.APPLIED, C.PENDING]),
        (records(did(ONE), did(ONE, Deed.UNDONE)), [C.PENDING, C.PENDING, C.PENDING]),
        (Records(frozenset(), (did(ONE, Deed.BEGUN),)), [C.HALF_DONE, C.PENDING, C.PENDING]),
        (records(did(ONE), more=("0005", "odd")), [C.GONE, C.APPLIED, C.OUT_OF_ORDER, C.OUT_OF_ORDER, C.GONE]),
    ],
)
def test_how_it_is_with_each(known: Records, expected: list[Condition]) -> None:
    assert conditions(known) == expected


def test_what_another_program_applied_after_we_undid_it_counts_as_applied() -> None:
    log = (did(ONE, checksum="x"), did(ONE, Deed.UNDONE))
    assert conditions(Records(frozenset({"001"}), log)) == [C.APPLIED, C.PENDING, C.PENDING]


def test_numbers_are_numbers_and_no_text() -> None:
    found = ordered([file("10"), file("9"), file("008")])
    assert [one.version for one in found] == ["008", "9", "10"]
    assert doubles(ordered([file("9"), file("009"), file("10")])) == [(file("009"), file("9"))]


def test_what_waits_is_run_in_its_order_up_to_the_one_that_is_named() -> None:
    found = standings(FILES, records(did(ONE)))
    assert to_apply(found) == [TWO, THREE]
    assert [to_apply(found, upto=words) for words in ("002", "2", "002_it.sql")] == [[TWO]] * 3
    assert to_apply(found, upto="1") == []
    with pytest.raises(NotFoundError):
        to_apply(found, upto="7")


def test_what_is_out_of_order_is_run_only_on_request() -> None:
    found = standings(FILES, records(did(THREE)))
    with pytest.raises(MigrationError, match=r"001_it.sql is older than what is applied.*nothing was applied") as told:
        to_apply(found)
    assert "--out-of-order" in told.value.hint
    assert to_apply(found, out_of_order=True) == [ONE, TWO]


def test_nothing_is_run_above_one_that_was_edited() -> None:
    found = standings(FILES, records(did(ONE, checksum="other")))
    for choose in (partial(to_apply, found), partial(to_undo, found, 1)):
        with pytest.raises(MigrationError, match=r"001_it.sql was edited after it was applied") as told:
            choose()
        assert "overnight migrate apply --accept 001" in told.value.hint


def test_what_is_half_done_is_run_anew_only_when_it_is_named() -> None:
    found = standings(FILES, Records(frozenset(), (did(ONE, Deed.BEGUN),)))
    with pytest.raises(MigrationError, match=r"001_it.sql was begun") as told:
        to_apply(found)
    assert "--again 001" in told.value.hint
    assert to_apply(found, again="1") == [ONE, TWO, THREE]
    with pytest.raises(MigrationError, match="was not left half done"):
        to_apply(found, again="2")


def test_a_file_with_a_mistake_is_run_only_when_it_was_mended() -> None:
    """And one that is applied already holds nobody up, whatever stands in it."""
    bad = file("001", "SELECT 'a")
    with pytest.raises(MigrationError, match=r"001_it.sql:1:8: error: a text begins here"):
        to_apply(standings([bad, TWO], records()))
    assert to_apply(standings([bad, TWO], records(did(bad)))) == [TWO]


def test_the_newest_are_undone_first() -> None:
    found = standings(FILES, records(did(ONE), did(TWO)))
    assert (to_undo(found, 1), to_undo(found, 5)) == ([TWO], [TWO, ONE])
    assert to_undo(standings(FILES, records()), 1) == []


def test_without_a_way_down_nothing_is_undone() -> None:
    plain = file("002", "-- migrate:up\nSELECT 1")
    found = standings([ONE, plain, THREE], records(did(ONE), did(plain), did(THREE)))
    with pytest.raises(MigrationError, match=r"002_it.sql has no part '-- migrate:down'; nothing was undone"):
        to_undo(found, 2)
    assert to_undo(found, 1) == [THREE]


def test_what_is_gone_cannot_be_undone() -> None:
    with pytest.raises(MigrationError, match=r"the file of 004_it.sql is gone"):
        to_undo(standings(FILES, records(did(file("004")))), 1)


@pytest.mark.parametrize(
    ("there", "expected"),
    [
        ([], NOW),
        (["001", "002"], "003"),
        (["9", "10"], "11"),
        (["999"], "1000"),
        (["20260101000000"], NOW),
        (["20270101000000"], "20270101000001"),
    ],
)
def test_a_new_one_is_numbered_as_those_that_are_there(there: list[str], expected: str) -> None:
    assert next_version(there, NOW) == expected


def test_the_difference_of_two_schemas() -> None:
    before = {
        "table a": Thing(("x int", "y int")),
        "view v": Thing((), "select 1"),
        "table c": Thing(),
        "t": Thing(("1", "2")),
    }
    after = {
        "table a": Thing(("x int", "z text")),
        "view v": Thing((), "select 2"),
        "table b": Thing(("q",)),
        "t": Thing(("2", "1")),
    }
    assert [tuple(one) for one in difference(before, after)] == [
        ("~", "t", ("its parts stand in another order",)),
        ("~", "table a", ("- y int", "+ z text")),
        ("+", "table b", ("+ q",)),
        ("-", "table c", ()),
        ("~", "view v", ("- select 1", "+ select 2")),
    ]
    assert difference(after, after) == []


@pytest.mark.parametrize(
    ("words", "address"),
    [
        ("sqlite:app.db", Address(Dialect.SQLITE, "app.db", "sqlite:app.db")),
        ("sqlite3:/srv/app.db", Address(Dialect.SQLITE, "/srv/app.db", "sqlite:/srv/app.db")),
        ("sqlite:////srv/app.db", Address(Dialect.SQLITE, "/srv/app.db", "sqlite:/srv/app.db")),
        ("postgres://me@h/d", Address(Dialect.POSTGRES, "postgres://me@h/d", "postgres://me@h/d")),
    ],
)
def test_addresses(words: str, address: Address) -> None:
    assert parse(words) == address


UNREADABLE = [
    "host=db user=app password=sec@ret",
    "host=db password = 'my sec ret'",
    "postgres:/app:sec@ret@h/x",
    "postgres:app:secret",
    "postgres://app:sec@ret@127.0.0.1:55999/app",
    "postgres://app:sec/ret@h/d",
    "postgres://app:sec#ret@h/d",
    "postgres://app:secret",
    "postgres://app:secret/d",
    "postgres://h/secret@x",
    "sqlite://app:secret@h/d",
]


@pytest.mark.parametrize(
    "words", ["", "app.db", "mysql://u:secret@h/d", "sqlite:", "sqlite:///app.db", "sqlite:a?mode=ro"]
)
def test_what_is_no_address_is_refused_and_shows_no_secret(words: str) -> None:
    with pytest.raises(ValueError, match="write") as told:
        parse(words)
    assert "secret" not in str(told.value)


@pytest.mark.parametrize(
    "words",
    [
        "postgres://u:secret@h:5432/d",
        "postgres://u:se/cret@h/d",
        "postgres://u:sec@ret@h/d",
        "postgres://u:a:secret@h/d?sslmode=off",
        "postgres://h/d?user=u&password=secret",
        "u:secret@h",
        *UNREADABLE,
    ],
)
def test_a_password_is_never_shown(words: str) -> None:
    assert not any(part in shown(words) for part in ("secret", "cret", "sec@"))


@pytest.mark.parametrize("words", UNREADABLE)
def test_what_cannot_be_read_whole_is_refused_and_shown_as_its_scheme(words: str) -> None:
    with pytest.raises(ValueError, match="write") as refused:
        parse(words)
    assert "ret" not in str(refused.value).partition(";")[0]
    assert shown(words) in ("***", "postgres://***", "postgres:***", "sqlite://***")


def test_a_file_with_an_at_sign_is_one() -> None:
    assert (shown("sqlite:a@b.db"), parse("sqlite:a@b.db").place) == ("sqlite:a@b.db", "a@b.db")


@pytest.mark.parametrize(
    "words",
    ["postgres://u:sec@ret@h/d", "postgres://h/d?password=sec@ret&user=u", *(one + "   " for one in UNREADABLE)],
)
def test_nor_is_it_in_a_line_of_a_file_that_has_a_mistake(words: str) -> None:
    line = told(f'database = "{words}', "overnight.toml", [Problem(len(words), "it never ends")], "nothing was started")
    assert "ret" not in line
    assert "*******" in line


def test_a_variable_is_shown_by_its_name() -> None:
    assert shown("postgres://u:${PW}@h/d") == "postgres://u:${PW}@h/d"
