"""The address of a database: whose kind it is, where it is, and how it may be shown.

A password is in no message: `shown` is made of the parts that are none, and what a driver says of an
address is never passed on.
"""

from __future__ import annotations

import re
from typing import NamedTuple

from overnight.core.durations import quoted
from overnight.core.migrations.statements import Dialect

ACCEPTED = "sqlite:PATH or postgres://USER:PASSWORD@HOST/DATABASE, a password best as ${NAME}"
_SQLITE = ("sqlite:", "sqlite3:")
_POSTGRES = ("postgres://", "postgresql://")
#: Parts of the query of an address of PostgreSQL that are no secrets (libpq, "Parameter Key Words").
_SHOWN = frozenset({"host", "port", "dbname", "user", "sslmode", "options", "application_name", "connect_timeout"})
HIDDEN = "***"
_VARIABLE = re.compile(r"\$\{\w+\}")


class Address(NamedTuple):
    """Where a database is."""

    dialect: Dialect
    #: A path, or the whole address for the driver.
    place: str
    #: For people.
    shown: str


def parse(words: str) -> Address:
    """Read an address; variables of the environment in it have been filled in already.

    Raises:
        ValueError: It is none, with what would be accepted.
    """
    if words.startswith(_SQLITE):
        return _sqlite(words)
    if words.startswith(_POSTGRES):
        return Address(Dialect.POSTGRES, words, shown(words))
    raise ValueError(f"{quoted(shown(words))} is no address of a database that is known here; write {ACCEPTED}")


def _sqlite(words: str) -> Address:
    path = words.partition(":")[2]
    if path.startswith("////"):
        path = path[3:]
    if path.startswith("//"):
        raise ValueError(
            f"{quoted(words)} means two things, by whom one asks; write sqlite:PATH for one below the project,"
            " sqlite:/PATH for any other"
        )
    if not path or "?" in path or "\0" in path:
        raise ValueError(f"{quoted(words)} names no file; write sqlite:PATH")
    return Address(Dialect.SQLITE, path, f"sqlite:{path}")


def shown(words: str) -> str:
    """An address without its secrets; of a password that is a variable its name is shown."""
    scheme, there, rest = words.partition("://")
    if not there:
        return HIDDEN if "@" in words and not words.startswith(_SQLITE) else words
    # A password that nobody has escaped may hold anything: all before the last @ may be one.
    login, at, where = rest.rpartition("@")
    user, colon, password = login.partition(":")
    secret = password if _VARIABLE.fullmatch(password) else HIDDEN
    place, mark, query = where.partition("?")
    return f"{scheme}://{user}{colon}{secret if colon else ''}{at}{place}{mark}{_query(query)}"


def _query(words: str) -> str:
    pairs = [pair.partition("=") for pair in words.split("&") if pair]
    return "&".join(f"{key}={value if key in _SHOWN else HIDDEN}" for key, _, value in pairs)
