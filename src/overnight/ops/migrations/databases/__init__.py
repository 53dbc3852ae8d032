"""Databases of users: one contract, one file each, and by hand the list of them.

One is imported when its address asks for it: a driver is heavy, and may not be installed.
"""

from __future__ import annotations

from importlib import import_module
from typing import cast

from overnight.core.migrations.addresses import Address
from overnight.core.migrations.statements import Dialect
from overnight.ops.migrations.databases.contract import Database

#: What opens each kind, by its dialect.
DATABASES = {
    Dialect.SQLITE: "overnight.ops.migrations.databases.sqlite:SqliteDatabase",
    Dialect.POSTGRES: "overnight.ops.migrations.databases.postgres:PostgresDatabase",
}


def open_database(address: Address, *, wait: float) -> Database:
    """Open a database; nothing is written by that.

    Args:
        address: Where it is.
        wait: Seconds for which a server, or a lock of others, is waited for.

    Raises:
        DatabaseUnavailableError: It cannot be reached.
        ConfigurationError: There is no such database, or the driver is not installed.
    """
    module, _, name = DATABASES[address.dialect].partition(":")
    return cast("Database", getattr(import_module(module), name)(address, wait=wait))
