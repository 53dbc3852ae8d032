"""A command's hold on a home and its store, let go of when the command ends."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from typing import NamedTuple

from overnight import wiring
from overnight.host.home import Home
from overnight.store.contract import Store
from overnight.ui.cli import printing
from overnight.ui.cli.group import home_option


class Session(NamedTuple):
    """A home and its open store."""

    home: Home
    store: Store

    def ring(self) -> None:
        """Tell the engine, if there is one, that the store has changed."""
        wiring.ring(self.home)


@contextmanager
def opened(*, readonly: bool = False) -> Iterator[Session]:
    """The home of this call, which must exist."""
    home = wiring.find_home(home_option())
    yield from _with_store(home, wiring.open_store(home, readonly=readonly))


@contextmanager
def made() -> Iterator[Session]:
    """The home of this call, made in the current directory when there is none; says where it is, unless it is here."""
    home = wiring.make_home(home_option())
    yield from _with_store(home, wiring.open_store(home, create=True))


def _with_store(home: Home, store: Store) -> Iterator[Session]:
    try:
        yield Session(home, store)
    finally:
        store.close()


def say_where(home: Home) -> None:
    """Name the home when it is not below the current directory."""
    if os.path.dirname(os.fspath(home.path)) != os.getcwd():  # noqa: PTH109, PTH120 - pathlib costs start-up time
        printing.note(f"overnight: the home is {printing.place(os.fspath(home.path))}")
