"""The store on PostgreSQL, for producers on many hosts and for an engine that another one stands in for.

The operations are those of `overnight.store.sql`, the statements are SQLite's, translated (``dialect``). What is
special is the connection (``link``), that writers take turns (``connection``) and who of several engines may run
(``lease``). Needs the extra ``postgres``.
"""

from __future__ import annotations

from overnight.store.postgres.store import PostgresStore

__all__ = ["PostgresStore"]
