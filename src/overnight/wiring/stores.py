"""Stores that are no file of the home: found by OVERNIGHT_STORE, for tasks of many hosts.

A home has one store for good. Whoever forgets the variable, or sets it where there are tasks already, is told so:
anything else would look as if there had never been a task.
"""

from __future__ import annotations

import contextlib
import os

from overnight import wiring
from overnight.core.errors import NotFoundError, StoreOutdatedError, UsageError
from overnight.core.events import printable
from overnight.core.migrations.addresses import shown
from overnight.core.store_settings import STORE
from overnight.host.home import Home, elsewhere, elsewhere_id, remember_elsewhere
from overnight.host.lock import read_owner
from overnight.store.contract import Store
from overnight.wiring.telling import on_stderr

#: Seconds for which whoever only looks waits for a server.
READING = 5.0


def address_of(home: Home) -> str:
    """The address of the store of a home, with its password; empty when the store is a file in it.

    Raises:
        UsageError: OVERNIGHT_STORE is no address, or is not set, or the tasks are in a file.
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


def open_elsewhere(home: Home, *, create: bool, migrate: bool, readonly: bool, patience: float | None) -> Store:
    """The store of a home that has it elsewhere. A server that does not answer is waited for, and that is said.

    Raises:
        UsageError: See `address_of`; or there is another store than that in which the tasks of this home are, or none.
        StoreAwayError: The server does not answer.
    """
    from overnight.store.postgres import PostgresStore

    address, known = address_of(home), elsewhere_id(home)
    patience = READING if patience is None and readonly else patience
    try:
        store = PostgresStore.open(
            address,
            create=create and not known,
            migrate=migrate,
            readonly=readonly,
            told=lambda words: on_stderr(words, ""),
            patience=patience,
        )
    except NotFoundError:
        if known:
            raise _other_store(home, address) from None
        raise
    except StoreOutdatedError as outdated:
        if known and outdated.store_id != known:
            raise _other_store(home, address) from None
        raise
    if known and store.id != known:
        store.close()
        raise _other_store(home, address)
    with contextlib.suppress(OSError):  # on a full disk the next call does it
        remember_elsewhere(home, shown(address), store.id)
    return store


def _other_store(home: Home, address: str) -> UsageError:
    """Results on their way, output and attempts are known here by numbers, which mean something else there."""
    return UsageError(
        f"the tasks of {home.path} are in the store at {elsewhere(home)}, and that at {shown(address)} is not that one;"
        " nothing was done",
        hint=f"set {wiring.STORE} to where it is now, or use another directory for other tasks",
    )


def nobody_works(home: Home, store: Store) -> bool:
    """Whether no engine works on a store, in this home or, of a store of many hosts, in any other."""
    return read_owner(home.lock) is None and not store.leader()
