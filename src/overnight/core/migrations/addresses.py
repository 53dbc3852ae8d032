"""The address of a database: whose kind it is, where it is, and how it may be shown.

A password is in no message: `shown` is made of the parts that are none, and an address that cannot be read
whole is shown as its scheme alone, for any of the rest may be part of one. Such an address is refused here: a
driver would read it otherwise than it was meant, and tell what it took for the host.

Source: libpq, "Connection URIs".
"""

from __future__ import annotations

import re
from typing import NamedTuple

from overnight.core.durations import quoted
from overnight.core.migrations.statements import Dialect

ACCEPTED = "sqlite:PATH or postgres://USER:PASSWORD@HOST/DATABASE, a password best as ${NAME}"
ESCAPED = "in a name or password %40 for @, %2F for /, %3A for :"
_SQLITE = ("sqlite:", "sqlite3:")
_POSTGRES = ("postgres://", "postgresql://")
#: Parts of the query of an address of PostgreSQL that are no secrets (libpq, "Parameter Key Words").
_SHOWN = frozenset({"host", "port", "dbname", "user", "sslmode", "options", "application_name", "connect_timeout"})
HIDDEN = "***"
_VARIABLE = re.compile(r"\$\{\w+\}")
#: A scheme that is known, or what stands in the place of one.
_SCHEME = re.compile(r"(?:sqlite3?|postgres(?:ql)?):(?://)?|[a-z][a-z0-9+.-]*://", re.IGNORECASE)
_FILE = re.compile(r"sqlite3?:(?:///(?=/))?(?!//)[^?\0]+")
#: All that libpq takes, as long as no sign is where it could mean two things.
_HOST = r"(?:\[[^\[\]@/?#\s]*\]|[^\[\]:@/?#,\s]*)(?::(?:[0-9]*|\$\{\w+\}))?"
_READABLE = re.compile(
    r"(?P<scheme>postgres(?:ql)?://)(?:(?P<user>[^:@/?#\s]*)(?P<password>:[^@/?#\s]*)?@)?"
    rf"(?P<place>{_HOST}(?:,{_HOST})*(?:/[^@?#\s]*)?)(?P<query>\?(?:\w+=[^#&\s]*(?:&|$))*)?"
)


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
    if not words.startswith(_POSTGRES):
        raise ValueError(f"{quoted(shown(words))} is no address of a database that is known here; write {ACCEPTED}")
    if not _READABLE.fullmatch(words):
        raise ValueError(f"{quoted(shown(words))} cannot be read whole; write {ACCEPTED}, {ESCAPED}")
    return Address(Dialect.POSTGRES, words, shown(words))


def _sqlite(words: str) -> Address:
    path = words.partition(":")[2]
    if path.startswith("////"):
        path = path[3:]
    if path.startswith("//"):
        raise ValueError(
            f"{quoted(_scheme(words))} means two things, by whom one asks; write sqlite:PATH for one below the project,"
            " sqlite:/PATH for any other"
        )
    if not path or "?" in path or "\0" in path:
        raise ValueError(f"{quoted(_scheme(words))} names no file; write sqlite:PATH")
    return Address(Dialect.SQLITE, path, f"sqlite:{path}")


def shown(words: str) -> str:
    """An address without its secrets; of a password that is a variable its name is shown."""
    if _VARIABLE.fullmatch(words):
        return words
    if _FILE.fullmatch(words):
        return words
    found = _READABLE.fullmatch(words)
    if found is None:
        return _scheme(words)
    scheme, user, password, place, query = found.group("scheme", "user", "password", "place", "query")
    secret = password and (password if _VARIABLE.fullmatch(password[1:]) else f":{HIDDEN}")
    login = "" if user is None else f"{user}{secret or ''}@"
    return f"{scheme}{login}{place}{'' if query is None else f'?{_query(query[1:])}'}"


def _scheme(words: str) -> str:
    """What is left of an address of which any part may be a secret."""
    found = _SCHEME.match(words)
    return f"{found[0] if found else ''}{HIDDEN}" if words else words


def _query(words: str) -> str:
    pairs = [pair.partition("=") for pair in words.split("&") if pair]
    return "&".join(f"{key}={value if key in _SHOWN else HIDDEN}" for key, _, value in pairs)
