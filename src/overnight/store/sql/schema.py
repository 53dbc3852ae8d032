"""The tables of a store, in SQLite's words; ``schema.sql`` has them."""

from __future__ import annotations

from pathlib import Path

#: Of the tables. `overnight.store.sqlite.migrations` has the way from one to the next.
VERSION = 7


def schema() -> str:
    """The statements that lay the newest schema in an empty place."""
    return Path(__file__).with_name("schema.sql").read_text(encoding="utf-8")
