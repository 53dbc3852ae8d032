"""Stores that are no file of the home: found by OVERNIGHT_STORE, for tasks of many hosts.

A home has one store for good. Whoever forgets the variable, or sets it where there are tasks already, is told so:
anything else would look as if there had never been a task.
"""

from __future__ import annotations

import contextlib
import os

from overnight import wiring
from overnight.core.errors import UsageError
from overnight.core.events import printable
from overnight.core.migrations.addresses import shown
from overnight.core.store_settings import STORE
from overnight.host.home import Home, elsewhere, remember_elsewhere
from overnight.host.lock import read_owner
from overnight.store.contract import Store
from overnight.wiring.telling import on_stderr

#: Seconds for which whoever only looks waits for a server.
READING = 5.0


def address_of(home: Home) -> str:
    """The address of the store of a home, with its password; empty when the store is a file in it.

    Raises:
        UsageError: OVERNIGHT_STORE is no address, or not of the store in which the tasks of this home are.
    """
    words, place = os.environ.get(wiring.STORE, ""), elsewhere(home)
    if not words and place:
        raise UsageError(
            f"the tasks of {home.path} are at {place}, and {wiring.STORE} is not set; nothing was done",
            hint=f"export {wiring.STORE}=postgresql://USER:PASSWORD@HOST/DATABASE",
        )
    if words and not place and home.store.exists():
        raise UsageError(
            f"the tasks of {home.path} are in its own file, and {wiring.STORE} names another store; nothing was done",
            hint=f"unset {wiring.STORE} to go on with them, or use another directory for tasks of many hosts",
        )
    if words:
        _need_postgres(words)
    return words


def _need_postgres(words: str) -> None:
    try:
        STORE.kind.read(words)
    except ValueError as error:
        raise UsageError(
            f"{wiring.STORE}: {printable(str(error))}; nothing was done",
            hint=f"unset {wiring.STORE} for a file in the home, or name a database: postgresql://USER@HOST/DATABASE",
        ) from None


def open_elsewhere(home: Home, *, create: bool, readonly: bool, patience: float | None) -> Store:
    """The store of a home that has it elsewhere. A server that does not answer is waited for, and that is said.

    Raises:
        UsageError: See `address_of`.
        StoreAwayError: The server does not answer.
    """
    from overnight.store.postgres import PostgresStore

    address = address_of(home)
    patience = READING if patience is None and readonly else patience
    store = PostgresStore.open(
        address, create=create, readonly=readonly, told=lambda words: on_stderr(words, ""), patience=patience
    )
    with contextlib.suppress(OSError):  # on a full disk the next call does it
        remember_elsewhere(home, shown(address))
    return store


def nobody_works(home: Home, store: Store) -> bool:
    """Whether no engine works on a store, in this home or, of a store of many hosts, in any other."""
    return read_owner(home.lock) is None and not store.leader()
