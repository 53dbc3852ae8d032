"""Who meets whom: the one place that knows which implementation stands behind each contract.

This module finds homes and opens stores; `configuration` reads ``overnight.toml`` and `engine` puts an
engine together. They are apart so that ``overnight add`` never pays for what it does not use.
"""

from __future__ import annotations

import contextlib
import getpass
import os
from pathlib import Path

from overnight.core.errors import NotFoundError, OvernightError, StoreDamagedError
from overnight.host import doorbell
from overnight.host.clock import SystemClock
from overnight.host.home import DIRECTORY, Home, check, elsewhere, find, has_store, remember_store
from overnight.host.home import create as create_home
from overnight.store.contract import Store

clock = SystemClock()
#: The variable with the address of a store that is no file of the home.
STORE = "OVERNIGHT_STORE"
#: The variable that says which of our programs started this one for a person.
VIA = "OVERNIGHT_VIA"


def find_home(option: str | None = None) -> Home:
    """The home that this directory belongs to: `option`, else OVERNIGHT_HOME, else found upward.

    Raises:
        NotFoundError: There is none.
        HomeUnusableError: It cannot be used as it is.
    """
    override = _override(option)
    home = find(Path.cwd(), override)
    if home is None and os.environ.get(STORE):
        return make_home(option)  # its tasks are on a server; what this host keeps of its own has a place here
    if home is None:
        raise NotFoundError(
            f"there is no home at {override or Path.cwd()}; nothing was read",
            hint=f"'overnight --home {_quoted(override)} run' makes one there; without a name one is looked for upwards"
            if override
            else "'overnight run' or 'overnight start' makes one here, '--home DIR' names another",
        )
    check(home)
    return home


def _quoted(path: Path) -> str:
    from shlex import quote  # for who has mistyped it

    return quote(str(path))


def make_home(option: str | None = None) -> Home:
    """The home that this directory belongs to, made in the current directory when there is none."""
    override = _override(option)
    found = find(override or Path.cwd(), override)
    home = create_home(found.path if found else override or Path.cwd() / DIRECTORY)  # completes a half-made one
    check(home)
    return home


def _override(option: str | None) -> Path | None:
    named = option or os.environ.get("OVERNIGHT_HOME")
    return Path(named).absolute() if named else None


def open_store(
    home: Home,
    *,
    create: bool = False,
    migrate: bool = False,
    readonly: bool = False,
    patience: float | None = None,
) -> Store:
    """The store of a home. A producer that has to wait for it rings the engine, and waits `patience` seconds.

    Raises:
        StoreDamagedError: There has been a store and it is not there any more. An empty one in its
            place would look as if there had never been a task.
        UsageError: The tasks of this home are not where OVERNIGHT_STORE says, or it says nothing of use.
        StoreAwayError: It is on a server, which does not answer.
    """
    if os.environ.get(STORE) or elsewhere(home):
        from overnight.wiring.stores import open_elsewhere

        return open_elsewhere(home, create=create, migrate=migrate, readonly=readonly, patience=patience)
    from overnight.store.sqlite import SqliteStore

    if has_store(home) and not home.store.exists():
        raise StoreDamagedError(
            f"{home.store} is gone; nothing was changed",
            hint="'overnight resume' rebuilds it from a checkpoint and the journal, and goes on",
        )
    store = SqliteStore.open(
        home.store,
        create=create,
        migrate=migrate,
        readonly=readonly,
        on_wait=lambda: ring(home, doorbell.WAITING),
        patience=patience,
    )
    if create:
        with contextlib.suppress(OSError):  # on a full disk the next call does it
            remember_store(home)
    return store


def keep_up(store: Store) -> bool:
    """For whoever watches for long: go on with the file that has taken the place of the old one; whether one has.

    A store is rescued or rebuilt by the engine; until that is done the old file is what there is to read.
    """
    try:
        store.check_file()
    except StoreDamagedError:
        with contextlib.suppress(OvernightError):
            store.reopen()
            return True
    return False


def ring(home: Home, word: bytes = doorbell.RING) -> None:
    """Tell the engine of a home, if there is one, that the store has changed."""
    doorbell.ring(home.doorbell, word)


def who() -> str:
    """Who does this, for the events: user and process, and by what of ours it was started."""
    try:
        user = getpass.getuser()
    except (OSError, KeyError):
        user = str(os.getuid())
    via = " dashboard" if os.environ.get(VIA) == "dashboard" else ""
    return f"{user}/{os.getpid()}{via}"


def owner() -> str:
    """This process, so that another one can tell later whether it still lives: "pid:ticks:boot"."""
    from overnight.host.processes import identity

    return ":".join(str(part) for part in identity(os.getpid()) or ())


def is_alive(name: str) -> bool:
    """Whether the process that called itself this by `owner` still lives."""
    from overnight.host.processes import Identity, alive

    pid, ticks, boot = name.split(":", 2)
    return alive(Identity(int(pid), int(ticks), boot))
