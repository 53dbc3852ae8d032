"""``log -f``: what a task prints, until it has ended."""

from __future__ import annotations

from collections.abc import Callable
from importlib import import_module
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from replaced_store import replace_store

from overnight.store.contract import Selector, Verb

Call = Callable[..., Any]
log = import_module("overnight.ui.cli.commands.log")


def test_it_goes_on_with_the_store_that_has_taken_the_place_of_the_old_one(
    overnight: Call, place: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """One that was rescued, or gone back to; the old one would be read without a word for ever."""
    overnight("add", "--", "true")
    naps: list[float] = []

    def nap(seconds: float) -> None:
        assert not naps
        naps.append(seconds)
        cancelled = Selector(ids=(1,))
        replace_store(place / ".overnight", lambda store: store.act(Verb.CANCEL, cancelled, now=1, by="me"))

    monkeypatch.setattr(log, "time", SimpleNamespace(sleep=nap))
    assert overnight("log", "-f", "1").status == 0
    assert len(naps) == 1
