"""SQLite's statements in the words of PostgreSQL.

The operations are written once, and in SQLite's words, because there they must cost nothing more. The two differ in
little: how parameters, ids and bytes stand in a statement, and that a truth is no number. What is the same in every
statement is a rule here; what is peculiar to one is a patch with its name, or stands in ``queries.sql`` beside this.
A patch whose words are no longer there is an error when this is imported, and a test prepares every statement.
"""

from __future__ import annotations

import re
from functools import cache
from pathlib import Path
from typing import NamedTuple

from overnight.store.sql.schema import schema
from overnight.store.sql.statements import SQL, load


class Translated(NamedTuple):
    """A statement for PostgreSQL."""

    sql: str
    #: Names of its parameters in their order; None when they are told by their places.
    names: tuple[str, ...] | None
    #: It adds, changes or deletes rows, which are counted.
    changes: bool


#: By the name of a statement: the words that are SQLite's own, and what stands in their place.
_PATCHES: dict[str, tuple[tuple[str, str], ...]] = {
    "find_task": (("SELECT ?1,", "SELECT ?1::bigint,"),),
    "extend_batch": (("min(", "least("),),
    "set_fence": (("max(", "greatest("),),
    "go_on_after": (("max(", "greatest("),),
    "count_up": (
        ("CONFLICT DO UPDATE SET n = n +", "CONFLICT (lane_id, is_step, state) DO UPDATE SET n = counters.n +"),
    ),
    "scored": (
        ("total(a.seconds)", "coalesce(sum(a.seconds), 0.0)"),
        ("total(a.useful)", "coalesce(sum(a.useful), 0.0)"),
        ("error_class IS NOT 'permanent'", "(error_class IS NOT 'permanent')::int"),
    ),
    "add_done_step": (
        ("SELECT ?1, 'completed', ?2, ?3,", "SELECT ?1::bigint, 'completed', ?2::bigint, ?3::bigint,"),
        ("t.order_key, ?4, 0,", "t.order_key, ?4::float8, 0,"),
        ("t.input, ?5,", "t.input, ?5::text,"),
    ),
    "unmet": (("sum(t.state IS NOT 'completed')", "sum((t.state IS NOT 'completed')::int)"),),
    "night_finished": (("sum(attempt > 1 AND EXISTS (", "count(*) FILTER (WHERE attempt > 1 AND EXISTS ("),),
    "night_held_when": (
        ("t.reason, CASE", "min(t.reason), CASE"),
        (
            "CAST((coalesce(a.finished_at, t.added_at) - ?1) / ?2 AS INTEGER)",
            "trunc((coalesce(a.finished_at, t.added_at) - ?1) / ?2)::bigint",
        ),
    ),
    "night_stretches": (
        ("CAST((finished_at - ?1) / ?2 AS INTEGER)", "trunc((finished_at - ?1) / ?2)::bigint"),
        ("total(seconds)", "coalesce(sum(seconds), 0.0)"),
    ),
    "recount_counters": (("parent_id IS NOT NULL", "(parent_id IS NOT NULL)::int"),),
    "recount_attempts": (("(t.state = 'running')", "(t.state = 'running')::int"),),
    "recount_families": (
        (
            "c.state NOT IN ('completed', 'failed', 'cancelled')",
            "(c.state NOT IN ('completed', 'failed', 'cancelled'))::int",
        ),
        (
            "c.state IN ('pending', 'running') OR (c.state = 'waiting' AND c.blockers = 0)",
            "(c.state IN ('pending', 'running') OR (c.state = 'waiting' AND c.blockers = 0))::int",
        ),
    ),
    "recount_parents": (("THEN 0", "THEN FALSE"),),
    "recount_blockers": (("sum(a.state IS NOT 'completed')", "sum((a.state IS NOT 'completed')::int)"),),
}

#: What differs wherever it stands.
_RULES = tuple(
    (re.compile(pattern), words)
    for pattern, words in (
        (r"\bNOT IN carray\((\?\d*|:\w+)\)", r"<> ALL(\1)"),
        (r"\bIN carray\((\?\d*|:\w+)\)", r"= ANY(\1)"),
        (r"\s+(?:INDEXED BY \w+|NOT INDEXED)", ""),
        (r"\bx''", r"'\\x'::bytea"),
        # Of all patterns there is one: what begins with an underscore.
        (r"\bGLOB '_\*'", r"LIKE '\\_%'"),
        (r"\binstr\((\w+), (\?\d*)\)", r"position(\2::bytea IN \1)"),
        # Only words are ever asked about like this.
        (r"(\?\d+) IS NULL", r"\1::text IS NULL"),
        (r"\bIS NOT (?!NULL\b|DISTINCT\b)", "IS DISTINCT FROM "),
        (r"\bIS (?!NOT\b|NULL\b|DISTINCT\b)", "IS NOT DISTINCT FROM "),
        # SQLite's LIKE knows no capitals of ASCII, and takes bytes as they are. Both sides are made ASCII.
        (
            r"\bCAST\(input AS TEXT\) LIKE \?",
            "encode(input, 'escape') ILIKE encode(convert_to(?::text, 'UTF8'), 'escape')",
        ),
        (r"\btitle LIKE\b", "title ILIKE"),
        # What the indexes are about; see tables.sql.
        (r"(?<!SET )\bstate = '(pending|waiting|held|failed|cancelled)'", r"resting = '\1'"),
    )
)
_PARAMETER = re.compile(r"\?(\d*)|(?<!:):([a-z_]+)\b")
#: What makes tables is in our words already.
_MAKES = re.compile(r"\s*(?:CREATE|ALTER|DROP|DO)\b")
_CHANGES = re.compile(r"\s*(?:INSERT|UPDATE|DELETE)\b")


@cache
def _known() -> dict[str, Translated]:
    """The named statements, by SQLite's words."""
    others = load(Path(__file__).with_name("queries.sql"))
    return {sql: _in_our_words(others.get(name) or _patched(name, sql)) for name, sql in SQL.items()}


def _patched(name: str, sql: str) -> str:
    for old, new in _PATCHES.get(name, ()):
        if old not in sql:
            raise ValueError(f"statement {name} has no {old!r} to be replaced")
        sql = sql.replace(old, new)
    return sql


def translated(sql: str) -> Translated:
    """A statement of SQLite's in the words of PostgreSQL; whoever asks keeps it."""
    return _known().get(sql) or _in_our_words(sql)


def _in_our_words(sql: str) -> Translated:
    for pattern, words in () if _MAKES.match(sql) else _RULES:
        sql = pattern.sub(words, sql)
    names: list[str] = []
    count = 0

    def place(found: re.Match[str]) -> str:
        nonlocal count
        number, name = found.groups()
        if name:
            if name not in names:
                names.append(name)
            return f"${names.index(name) + 1}"
        count += 1
        return f"${number or count}"

    sql = _PARAMETER.sub(place, sql)
    return Translated(sql, tuple(names) or None, bool(_CHANGES.match(sql)))


#: The state, unless it is one in which nobody looks for a task by it. An update is cheap (HOT) when it changes no
#: column that any index is about, and there is room on the page; so this is what indexes are about, and to go from
#: running to completed touches none of them. It stands where it does because an update logs all from the first column
#: that it changes to the last.
RESTING = """resting text
                GENERATED ALWAYS AS (CASE WHEN state <> 'running' AND state <> 'completed' THEN state END) STORED"""

_WORDS = (
    (r"(CREATE TABLE tasks \((?:\n.*)*?\n    state .*\n.*\)),\n", rf"\1,\n    {RESTING},\n"),
    (r"^(\s+id\s+)INTEGER PRIMARY KEY(?: AUTOINCREMENT)?", r"\1bigint GENERATED BY DEFAULT AS IDENTITY PRIMARY KEY"),
    (r"\) STRICT(?:, WITHOUT ROWID)?;", ");"),
    (r"\bINTEGER\b", "bigint"),
    (r"\bREAL\b", "double precision"),
    (r"\bBLOB\b", "bytea"),
    (r"\bx''", r"'\\x'::bytea"),
    # A lookup for each task, and an index over all tasks to let an action go; `recount` compares instead.
    (r" REFERENCES \w+ \(\w+\)", ""),
)


def tables() -> list[str]:
    """The statements that lay the newest schema in an empty place, with what only PostgreSQL has."""
    words = schema()
    for pattern, new in _WORDS:
        words = re.sub(pattern, new, words, flags=re.MULTILINE)
    words += Path(__file__).with_name("tables.sql").read_text(encoding="utf-8")
    bare = re.sub(r"--.*$", "", words, flags=re.MULTILINE)
    return [statement for one in re.split(r";\s*\n", bare) if (statement := one.strip())]
