"""`overnight migrate`, as people type it."""

from __future__ import annotations

import json
import os
import shlex
import shutil
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import apsw
import pytest
from old_stores import make_old

Call = Callable[..., Any]


@pytest.fixture
def shop(overnight: Call, place: Path) -> Call:
    """A project with ten migrations; the fourth is broken."""
    (place / "overnight.toml").write_text('[migrations]\ndatabase = "sqlite:app.db"\nwait = "100ms"\n')
    for number in range(1, 11):
        up = f"CREATE TABLE t{number} (x INTEGER);\nINSERT INTO t{number} VALUES ({number});"
        put(place, f"{number:03}_t{number}", up, f"DROP TABLE t{number};")
    put(place, "004_t4", "CREATE TABLE t4 (x INTEGER);\nINSERT INTO t5 VALUES (4);", "DROP TABLE t4;")
    return overnight


def put(place: Path, name: str, up: str, down: str = "") -> Path:
    file = place / "db" / "migrations" / f"{name}.sql"
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(f"-- migrate:up\n{up}\n" + (f"-- migrate:down\n{down}\n" if down else ""))
    return file


def mend(place: Path) -> None:
    put(place, "004_t4", "CREATE TABLE t4 (x INTEGER);", "DROP TABLE t4;")


def conditions(overnight: Call) -> list[str]:
    return [json.loads(line)["condition"] for line in overnight("migrate", "list", "--json").lines]


def tables(place: Path) -> list[str]:
    connection = apsw.Connection(str(place / "app.db"))
    found = [
        str(name) for (name,) in connection.execute("SELECT name FROM sqlite_schema WHERE type = 'table' ORDER BY 1")
    ]
    connection.close()
    return [name for name in found if name.startswith("t")]


def test_ten_migrations_of_which_one_is_broken(shop: Call, place: Path) -> None:
    """By what the commands print, from the first look to the last report."""
    status = shop("migrate", "status", "--exit-code")
    assert (status.status, "10 migrations: 10 pending" in status.out) == (1, True)
    assert "'overnight migrate plan'" in status.err
    plan = shop("migrate", "plan")
    assert plan.status == 1
    assert "+ table t3" in plan.out
    assert "db/migrations/004_t4.sql:3:1: error: statement 2 of 2: no such table: t5" in plan.err
    assert "INSERT INTO t5 VALUES (4);" in plan.err
    assert not (place / "app.db").exists(), "a rehearsal makes no file"
    applied = shop("migrate", "apply")
    assert (applied.status, tables(place)) == (1, ["t1", "t2", "t3"])
    assert "nothing of it was done" in applied.err
    assert applied.out.count("applied in") == 3
    mend(place)
    assert shop("migrate", "plan").status == 0
    assert shop("migrate", "apply").status == 0
    assert conditions(shop) == ["applied"] * 10
    again = shop("migrate", "status", "--exit-code")
    assert (again.status, "10 migrations: 10 applied" in again.out) == (0, True)
    assert shop("migrate", "apply").out == "nothing waits\n"
    report = shop("migrate", "report")
    assert sum("  applied  " in line for line in report.lines) == 10
    assert sum("  failed   004_t4.sql" in line for line in report.lines) == 1
    assert all("@" in line for line in report.lines)


def test_a_plan_leaves_the_file_as_it_is(shop: Call, place: Path) -> None:
    mend(place)
    assert shop("migrate", "apply", "2").status == 0
    before = (place / "app.db").read_bytes(), sorted(place.iterdir())
    planned = shop("migrate", "plan", "--json").json
    assert [step["file"] for step in planned["steps"]] == [f"{number:03}_t{number}.sql" for number in range(3, 11)]
    assert planned["steps"][0]["sql"] == ["CREATE TABLE t3 (x INTEGER)", "INSERT INTO t3 VALUES (3)"]
    assert planned["steps"][0]["changes"] == [{"sign": "+", "name": "table t3", "lines": ["+ x INTEGER"]}]
    assert (planned["not_rehearsed"], planned["error"]) == ([], None)
    assert shop("migrate", "rollback").status == 0
    assert ((place / "app.db").read_bytes(), sorted(place.iterdir())) == before


def test_a_rehearsal_that_fails_outside_of_a_transaction_says_that_nothing_was_changed(
    overnight: Call, place: Path
) -> None:
    (place / "overnight.toml").write_text('[migrations]\ndatabase = "sqlite:app.db"\n')
    file = put(place, "001_h", "CREATE TABLE h1 (x);\nCREATE TABEL h2 (x);")
    file.write_text(file.read_text().replace("migrate:up", "migrate:up transaction:false"))
    refused = overnight("migrate", "plan")
    assert (refused.status, "nothing was changed" in refused.err, "mend the file" in refused.err) == (1, True, True)
    assert not any(words in refused.err for words in ("stays", "by hand", "--accept", "--again"))
    assert "--again 001" in overnight("migrate", "apply").err


def test_what_a_rehearsal_that_was_killed_has_left_goes_with_the_next(shop: Call, place: Path) -> None:
    left = place / ".overnight-rehearsal-abc"
    left.mkdir()
    (left / "copy").write_bytes(b"x" * 1000)
    shop("migrate", "plan", "1")
    assert not left.exists()


def test_undoing_is_rehearsed_until_somebody_says_yes(shop: Call, place: Path) -> None:
    mend(place)
    shop("migrate", "apply")
    dry = shop("migrate", "rollback", "-n", "2")
    assert "- table t10" in dry.out
    assert "nothing was changed" in dry.err
    assert len(tables(place)) == 10
    assert "010_t10.sql: undone in" in shop("migrate", "rollback", "-n", "2", "--yes").out
    assert len(tables(place)) == 8
    assert [json.loads(line)["deed"] for line in shop("migrate", "report", "--json").lines][-2:] == ["undone", "undone"]
    assert "nothing is applied" in overnight_in_empty(shop, place)


def overnight_in_empty(overnight: Call, place: Path) -> str:
    (place / "app.db").unlink()
    return str(overnight("migrate", "rollback", "--yes").out)


def test_what_has_no_way_down_is_not_undone(shop: Call, place: Path) -> None:
    put(place, "001_t1", "CREATE TABLE t1 (x);")
    shop("migrate", "apply", "001")
    refused = shop("migrate", "rollback", "--yes")
    assert refused.status == 1
    assert "001_t1.sql has no part '-- migrate:down'; nothing was undone" in refused.err
    assert "try:" in refused.err


def outside(place: Path, up: str, down: str = "SELECT 1;", way: str = "up") -> Path:
    """The one migration of a project, which runs one way outside of a transaction."""
    (place / "overnight.toml").write_text('[migrations]\ndatabase = "sqlite:app.db"\n')
    file = put(place, "001_h", up, down)
    file.write_text(file.read_text().replace(f"migrate:{way}", f"migrate:{way} transaction:false"))
    return file


def typed(overnight: Call, words: str) -> Any:
    """What is printed between quotes, typed."""
    return overnight(*shlex.split(words)[1:])


def test_a_way_back_that_is_left_in_the_middle_is_gone_on_with_by_what_is_printed(overnight: Call, place: Path) -> None:
    file = outside(place, "CREATE TABLE th (x);", "DROP TABLE th;\nDROP TABEL tg;", way="down")
    rehearsed = (overnight("migrate", "apply"), overnight("migrate", "rollback"))[1]
    assert "'overnight migrate rollback' rehearses it" in rehearsed.err
    assert "'overnight migrate apply --accept 001'" in rehearsed.err
    left = overnight("migrate", "rollback", "--yes")
    for told in (left, overnight("migrate", "apply"), overnight("migrate", "apply", "--again", "001")):
        assert (told.status, "'overnight migrate rollback --again 001 --yes'" in told.err) == (1, True)
        assert "apply --again" not in told.err
    assert conditions(overnight) == ["half undone"]
    assert overnight("doctor", "migrations").status == 2
    file.write_text(file.read_text().replace("DROP TABLE th;\nDROP TABEL tg;", "DROP TABLE IF EXISTS th;"))
    assert overnight("migrate", "rollback", "--again", "001").status == 0, "a rehearsal"
    assert conditions(overnight) == ["half undone"]
    assert typed(overnight, "overnight migrate rollback --again 001 --yes").status == 0
    assert (conditions(overnight), tables(place)) == (["pending"], [])


@pytest.mark.parametrize(
    ("words", "then"),
    [("overnight migrate rollback --accept 001", "pending"), ("overnight migrate apply --accept 001", "applied")],
)
def test_a_way_back_that_is_left_in_the_middle_can_be_ended_by_hand(
    overnight: Call, place: Path, words: str, then: str
) -> None:
    outside(place, "CREATE TABLE th (x);", "DROP TABEL th;", way="down")
    overnight("migrate", "apply")
    assert f"'{words}'" in overnight("migrate", "rollback", "--yes").err
    assert (typed(overnight, words).status, conditions(overnight), tables(place)) == (0, [then], ["th"])
    assert overnight("migrate", "rollback", "--again", "001").status == 1, "it was not left half undone"


def test_a_way_up_that_is_left_in_the_middle_is_not_taken_for_a_way_back(overnight: Call, place: Path) -> None:
    outside(place, "CREATE TABLE th (x);\nCREATE TABEL tg (x);")
    overnight("migrate", "apply")
    told = overnight("migrate", "rollback", "--again", "001", "--yes")
    assert (told.status, "'overnight migrate apply --again 001'" in told.err) == (1, True)
    planned = overnight("migrate", "plan", "--again", "001")
    assert (planned.status, "database right by hand" in planned.err, "plan --again 001'" in planned.err) == (
        1,
        True,
        True,
    )
    assert overnight("migrate", "rollback", "--accept", "001").status == 0
    assert conditions(overnight) == ["pending"]
    assert overnight("migrate", "rollback", "--accept", "001").status == 1, "it does not count as applied"


@pytest.mark.parametrize(
    ("before", "lacks", "after"),
    [
        (
            "CREATE TABLE tp(x);\n",
            "is plain SQL",
            "-- migrate:up\nCREATE TABLE tp(x);\n-- migrate:down\nDROP TABLE tp;",
        ),
        ("-- migrate:up\nCREATE TABLE tp(x);\n-- migrate:down\n", "has no statement in its part", "{}DROP TABLE tp;"),
    ],
)
def test_the_advice_for_one_without_a_way_back_leads_to_one(
    overnight: Call, place: Path, before: str, lacks: str, after: str
) -> None:
    (place / "overnight.toml").write_text('[migrations]\ndatabase = "sqlite:app.db"\n')
    file = put(place, "002_p", "")
    file.write_text(before)
    overnight("migrate", "apply")
    refused = overnight("migrate", "rollback")
    assert (lacks in refused.err, "'overnight migrate apply --accept 002'" in refused.err) == (True, True)
    file.write_text(f"{before}-- migrate:down\nDROP TABLE tp;")
    half = overnight("migrate", "apply", "--accept", "002")
    assert (half.status, "does not belong here" in half.err) == (1, True)
    file.write_text(after.format(before))
    assert overnight("migrate", "apply", "--accept", "002").status == 0
    assert overnight("migrate", "rollback", "--yes").status == 0
    assert tables(place) == []


def test_a_way_back_with_a_mistake_is_told_and_not_taken_for_none(overnight: Call, place: Path) -> None:
    (place / "overnight.toml").write_text('[migrations]\ndatabase = "sqlite:app.db"\n')
    put(place, "001_q", "CREATE TABLE tq (x);", "DROP TABLE 'tq;")
    overnight("migrate", "apply")
    assert "the only one is applied" in overnight("doctor", "migrations").out
    refused = overnight("migrate", "rollback")
    assert (refused.status, "001_q.sql:4:" in refused.err, "'overnight migrate apply --accept 001'" in refused.err) == (
        1,
        True,
        True,
    )


def test_what_failed_is_not_advised_to_be_applied_as_it_is(shop: Call, place: Path) -> None:
    """Until its file is another one."""
    shop("migrate", "apply")
    told = shop("migrate", "status")
    assert "cannot be applied: 004_t4.sql: it failed when it was applied last" in told.out
    assert ("'overnight migrate plan' says what is wrong" in told.err, "rehearses" in told.err) == (True, False)
    (found,) = shop("doctor", "migrations", "--json").json["checks"]
    assert (found["status"], found["summary"].split(":")[0]) == ("fail", "004_t4.sql cannot be applied")
    mend(place)
    assert "rehearses what waits" in shop("migrate", "status").err
    assert shop("doctor", "migrations", "--json").json["checks"][0]["status"] == "warn"
    assert shop("migrate", "apply").status == 0
    assert [json.loads(line)["deed"] for line in shop("migrate", "report", "--json").lines].count("failed") == 1


def test_what_cannot_be_read_is_not_advised_to_be_applied(shop: Call, place: Path) -> None:
    put(place, "001_t1", "CREATE TABLE 'unfinished (x);")
    assert "cannot be applied: 001_t1.sql: it has a mistake: line 2: " in shop("migrate", "status").out
    assert shop("doctor", "migrations", "--json").json["checks"][0]["status"] == "fail"


def test_a_database_that_is_not_there_is_told_before_a_new_one_is_made(shop: Call, place: Path) -> None:
    mend(place)
    for words in (("status",), ("plan",), ("apply",)):
        assert "sqlite:app.db is not there" in shop("migrate", *words).err
    assert "is not there" not in shop("migrate", "status").err
    (place / "app.db").rename(place / "moved.db")
    (found,) = shop("doctor", "migrations", "--json").json["checks"]
    assert (found["status"], "sqlite:app.db is not there" in found["summary"]) == ("warn", True)


def test_an_edited_one_stops_all_until_somebody_decides(shop: Call, place: Path) -> None:
    mend(place)
    shop("migrate", "apply", "3")
    put(place, "002_t2", "CREATE TABLE t2 (x INTEGER, y INTEGER);")
    assert conditions(shop)[:3] == ["applied", "edited", "applied"]
    assert "edited: 002_t2.sql" in shop("migrate", "status").out
    for words in (("plan",), ("apply",)):
        refused = shop("migrate", *words)
        assert (refused.status, "002_t2.sql was edited after it was applied" in refused.err) == (1, True)
    assert tables(place) == ["t1", "t2", "t3"]
    assert "002_t2.sql: counts as applied" in shop("migrate", "apply", "--accept", "002").out
    assert shop("migrate", "apply", "--accept", "77").status == 4
    assert shop("migrate", "apply").status == 0
    assert conditions(shop) == ["applied"] * 10


def test_two_with_one_number_are_refused_with_a_free_one(shop: Call, place: Path) -> None:
    put(place, "0003_other", "SELECT 1;")
    for words in (("list",), ("plan",), ("apply",)):
        refused = shop("migrate", *words)
        assert refused.status == 2
        assert "db/migrations/0003_other.sql and db/migrations/003_t3.sql have one number" in refused.err
        assert "mv db/migrations/0003_other.sql db/migrations/011_other.sql" in refused.err
    assert not (place / "app.db").exists()


def test_an_older_one_that_comes_late_is_applied_only_on_request(shop: Call, place: Path) -> None:
    mend(place)
    (place / "db/migrations/002_t2.sql").rename(place / "late.sql")
    shop("migrate", "apply")
    (place / "late.sql").rename(place / "db/migrations/002_t2.sql")
    assert "002_t2.sql is older than what is applied" in shop("migrate", "apply").err
    assert "out of order: 002_t2.sql" in shop("migrate", "status").out
    assert shop("migrate", "plan", "--out-of-order").status == 0
    assert shop("migrate", "apply", "--out-of-order").status == 0
    assert conditions(shop) == ["applied"] * 10


def test_a_locked_database_is_waited_for_and_named(shop: Call, place: Path) -> None:
    shop("migrate", "apply", "1")
    other = apsw.Connection(str(place / "app.db"))
    other.execute("BEGIN EXCLUSIVE")
    for words in (("status",), ("apply", "2"), ("plan", "2")):
        refused = shop("migrate", *words)
        assert refused.status == 69, words
        assert "sqlite:app.db is locked by another program, for longer than 0.1 s" in refused.err
        assert "try:" in refused.err
    other.close()
    assert shop("migrate", "apply", "2").status == 0


def test_new_continues_the_numbers_that_are_there(shop: Call, place: Path) -> None:
    made = shop("migrate", "new", "add", "E-mail of users")
    assert made.out == "db/migrations/011_add_e_mail_of_users.sql\n"
    assert "there is no statement in it" in shop("migrate", "plan").err
    shutil.rmtree(place / "db")
    first = shop("migrate", "new", "first").out
    assert len(os.path.basename(first).partition("_")[0]) == 14  # noqa: PTH119 - text
    assert (place / first.strip()).read_text().startswith("-- Description: first\n-- migrate:up\n")
    assert shop("migrate", "new", "...").status == 2


def test_without_a_database_only_status_and_new_have_something_to_say(overnight: Call, place: Path) -> None:
    said = overnight("migrate", "status", "--exit-code")
    assert (said.status, "no database of yours is named" in said.out, "[migrations]" in said.err) == (0, True, True)
    for verb in ("list", "plan", "apply", "rollback", "report"):
        refused = overnight("migrate", verb)
        assert (refused.status, "no database is named" in refused.err, "overnight.toml" in refused.err) == (
            2,
            True,
            True,
        )
    assert list(place.iterdir()) == []


def test_our_own_store_is_shown_and_never_taken_for_yours(overnight: Call, place: Path) -> None:
    overnight("add", "--", "true")
    assert "own store" in overnight("migrate", "status").out
    assert "up to date" in overnight("migrate", "status").out
    assert overnight("migrate", "status", "--json").json["own_store"]["schema"] >= 6
    (place / "overnight.toml").write_text('[migrations]\ndatabase = "sqlite:.overnight/queue.db"\nfolder = "."\n')
    refused = overnight("migrate", "apply")
    assert (refused.status, "is a store of Overnight" in refused.err) == (2, True)


def test_other_programs_are_named_and_not_driven(shop: Call, place: Path) -> None:
    (place / "alembic.ini").touch()
    (place / "manage.py").write_text("import django\n")
    said = shop("migrate", "status")
    assert "alembic (alembic.ini)" in said.out
    assert "'alembic upgrade head'" in said.err
    assert "python manage.py showmigrations" in said.err
    assert [one["program"] for one in shop("migrate", "status", "--json").json["others"]] == ["alembic", "Django"]


@pytest.mark.parametrize(
    ("line", "words"),
    [
        ('database = "mysql://me:hush-hush@h/d"', "no address of a database"),
        ('database = "postgres://me:hush-hush@h/d', "never"),
        ('database = "host=db user=me password=hush-hush"', "no address of a database"),
        ('database = "postgres:/me:hush-hush@h/d"', "no address of a database"),
        ('database = "postgres://me:x@hush-hush@127.0.0.1:1/d"', "cannot be read whole"),
        ('database = "postgres://me:hush-hush@h/d"\nfoldr = "x"', "did you mean 'folder'?"),
        ('database = "postgres://me:${PW@h/d"', "a variable stands in it that is none"),
        ('database = "postgres://me:${NOT_SET}@h/d"', "names the variable NOT_SET, which is not set"),
        ('database = "sqlite:///app.db"', "means two things"),
        ('database = "sqlite:db"\nwait = "1d"', "too much"),
    ],
)
def test_a_configuration_that_makes_no_sense_is_told_without_the_password(
    shop: Call, place: Path, line: str, words: str
) -> None:
    (place / "overnight.toml").write_text(f"[migrations]\n{line}\n")
    refused = shop("migrate", "list")
    assert refused.status == 2
    assert words in refused.err or words == "never"
    assert "hush-hush" not in refused.out + refused.err


def test_config_show_hides_the_password(overnight: Call, place: Path) -> None:
    (place / "overnight.toml").write_text('[migrations]\ndatabase = "postgres://me:hush-hush@h/d"\n')
    for words in (("config", "show"), ("config", "show", "--json")):
        shown = overnight(*words)
        assert (shown.status, "postgres://me:***@h/d" in shown.out, "hush-hush" in shown.out) == (0, True, False)


def test_a_driver_that_is_missing_is_named(shop: Call, place: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (place / "overnight.toml").write_text('[migrations]\ndatabase = "postgres://h/d"\n')
    monkeypatch.setitem(sys.modules, "psycopg", None)
    monkeypatch.delitem(sys.modules, "overnight.ops.migrations.databases.postgres", raising=False)
    refused = shop("migrate", "status")
    assert (refused.status, "pip install 'overnight[postgres]'" in refused.err) == (2, True)


def test_files_that_cannot_be_migrations_are_named(shop: Call, place: Path) -> None:
    (place / "db/migrations/add_users.sql").touch()
    assert "add_users.sql has no number" in shop("migrate", "list").err
    (place / "db/migrations/011_odd.sql").write_bytes(b"SELECT '\xff';")
    assert "db/migrations/011_odd.sql cannot be read (byte 9 is not UTF-8)" in shop("migrate", "list").err
    shutil.rmtree(place / "db")
    assert "'overnight migrate new NAME' makes it" in shop("migrate", "list").err


def test_a_folder_that_is_not_there_is_named(shop: Call, place: Path) -> None:
    (place / "overnight.toml").write_text('[migrations]\ndatabase = "sqlite:nowhere/app.db"\n')
    mend(place)
    for verb in ("plan", "apply"):
        refused = shop("migrate", verb)
        assert (refused.status, "sqlite:nowhere/app.db" in refused.err, "try:" in refused.err) == (2, True, True)


@pytest.mark.parametrize("content", [b"this is no database" * 100, None])
def test_a_file_that_is_no_database_is_not_touched(shop: Call, place: Path, content: bytes | None) -> None:
    if content is None:
        (place / "app.db").mkdir()
    else:
        (place / "app.db").write_bytes(content)
    refused = shop("migrate", "apply")
    assert (refused.status, "sqlite:app.db cannot be used" in refused.err) == (2, True)
    assert content is None or (place / "app.db").read_bytes() == content


def test_doctor_says_what_waits_and_what_is_wrong(shop: Call, place: Path) -> None:
    def told() -> tuple[str, str]:
        (found,) = shop("doctor", "migrations", "--json").json["checks"]
        return found["status"], found["summary"]

    words = "10 of 10 wait, the first is 001_t1.sql"
    assert told() == ("warn", f"sqlite:app.db is not there, and apply would make it; {words}")
    mend(place)
    shop("migrate", "apply")
    assert told() == ("ok", "all 10 are applied")
    put(place, "002_t2", "SELECT 2;")
    assert told() == ("fail", "002_t2.sql: edited")
    put(place, "02_twice", "SELECT 2;")
    assert told()[0] == "fail"
    (place / "overnight.toml").unlink()
    assert shop("doctor", "migrations", "--json").json["checks"] == []


def test_doctor_and_status_know_an_older_store_of_ours(overnight: Call, place: Path) -> None:
    overnight("add", "--", "true")
    (place / ".overnight" / "queue.db").unlink()
    make_old(place / ".overnight" / "queue.db", 2)
    (found,) = overnight("doctor", "migrations", "--json").json["checks"]
    assert (found["status"], "our own store has schema 2" in found["summary"]) == ("warn", True)
    said = overnight("migrate", "status")
    assert (said.status, "schema 2, this program wants" in said.out, "keeps a copy" in said.err) == (0, True, True)
    assert overnight("run", "--quiet").status == 0
    assert "up to date" in overnight("migrate", "status").out
    assert len(list((place / ".overnight" / "aside").glob("schema-2-*/queue.db"))) == 1


def test_a_real_server_works_the_same(shop: Call, place: Path, postgres: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SHOP", postgres)
    (place / "overnight.toml").write_text('[migrations]\ndatabase = "${SHOP}"\n')
    assert "${SHOP}: 10 migrations" in shop("migrate", "status").out
    plan = shop("migrate", "plan")
    assert plan.status == 1
    assert '004_t4.sql:3:13: error: statement 2 of 2: relation "t5" does not exist' in plan.err
    assert "+ table public.t3" in plan.out
    assert conditions(shop) == ["pending"] * 10
    mend(place)
    assert "in a transaction that was rolled back" in shop("migrate", "plan").err
    assert shop("migrate", "apply").status == 0
    assert shop("migrate", "rollback", "--yes").status == 0
    assert conditions(shop) == [*["applied"] * 9, "pending"]
    assert len(shop("migrate", "report").lines) == 11


#: More than fits into the cache, so that some of it is in the file long before the end; a minute at the most.
_LONG = """CREATE TABLE tbig (x INTEGER);
WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 30000000)
INSERT INTO tbig SELECT i FROM n;"""


@pytest.mark.parametrize(
    ("mark", "left", "condition"), [("", [], "pending"), (" transaction:false", ["tbig"], "half done")]
)
def test_one_that_is_killed_leaves_nothing_or_says_that_it_is_half_done(
    shop: Call, place: Path, mark: str, left: list[str], condition: str
) -> None:
    shutil.rmtree(place / "db")
    put(place, "001_big", "").write_text(f"-- migrate:up{mark}\n{_LONG}\n")
    argv = [sys.executable, "-m", "overnight", "migrate", "apply"]
    child = subprocess.Popen(argv, cwd=place, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL)
    deadline = time.monotonic() + 60
    file = place / "app.db"
    try:
        while not file.exists() or file.stat().st_size < 1_000_000:
            assert time.monotonic() < deadline
            assert child.poll() is None
    finally:
        child.kill()
        child.wait(60)
    assert conditions(shop) == [condition]
    assert tables(place) == left
    if left:
        assert "'overnight migrate apply --again 001'" in shop("migrate", "apply").err
