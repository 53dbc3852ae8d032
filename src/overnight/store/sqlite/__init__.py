"""The store on SQLite, through APSW.

APSW brings its own, current SQLite: the one in older Pythons can corrupt a store with a write-ahead
log (fixed in 3.51.3), and has neither page checksums nor bound arrays.
"""

from __future__ import annotations

from overnight.store.sqlite.store import SqliteStore

__all__ = ["SqliteStore"]
