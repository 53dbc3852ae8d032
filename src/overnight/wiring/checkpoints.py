"""Checkpoints of one home: where they lie, how often they are made, and who makes them beside an engine."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import msgspec

from overnight.core.checkpoints import Cadence, Keeping, expected
from overnight.core.settings import Settings
from overnight.engine.checkpointing import Checkpointing, Last
from overnight.host.home import Home, elsewhere, past
from overnight.host.resources import Machine
from overnight.store.contract import Store
from overnight.store.copies.copier import Answer
from overnight.store.copies.making import Order
from overnight.store.copies.process import CopierProcess
from overnight.store.copies.shelf import Shelf
from overnight.wiring import clock


class Plan(msgspec.Struct, frozen=True):
    """What the settings say about checkpoints."""

    cadence: Cadence = Cadence()
    keeping: Keeping = Keeping()
    #: A directory for second copies; empty for none.
    second: str = ""


def plan_of(settings: Settings) -> Plan:
    """What the settings say about checkpoints."""
    keeping = Keeping(
        settings.checkpoint_keep_all,
        settings.checkpoint_keep_hourly,
        settings.checkpoint_keep_daily,
        settings.checkpoint_room,
    )
    second = os.path.abspath(settings.checkpoint_second) if settings.checkpoint_second else ""  # noqa: PTH100 - links are kept
    return Plan(Cadence(settings.checkpoint_tasks, settings.checkpoint_interval), keeping, second)


def shelves(home: Home, plan: Plan) -> list[Shelf]:
    """Where the checkpoints of a home lie: in it, and in the second place if there is one."""
    number = home.id
    places = [home.checkpoints, *([Path(plan.second) / number] if plan.second else [])]
    return [Shelf(place, number) for place in places]


def order(home: Home, plan: Plan, *, reason: str, state: dict[str, Any], processed: int | None) -> Order:
    """A checkpoint of this home, as it is to be made now."""
    return Order(
        store=str(home.store),
        shelf=str(home.checkpoints),
        second=plan.second,
        home=home.id,
        epoch=past(home).epoch,
        reason=reason,
        keeping=plan.keeping,
        state=state,
        processed=processed,
        machine=Machine(home.path).look(),
    )


class HomeCopier:
    """Copiers for one home. See `overnight.engine.checkpointing.Copier`."""

    def __init__(self, home: Home, plan: Plan) -> None:
        self._home = home
        self._plan = plan
        self._process = CopierProcess({"OVERNIGHT_COOKIE": home.cookie(), "OVERNIGHT_ROLE": "copier"})

    @property
    def busy(self) -> bool:
        return self._process.busy

    def begin(self, state: dict[str, Any], processed: int) -> None:
        self._process.begin(order(self._home, self._plan, reason="cadence", state=state, processed=processed))

    def answer(self) -> Answer | None:
        return self._process.answer()

    def end(self) -> None:
        self._process.end()

    def close(self, *, patience: float) -> Answer | None:
        return self._process.close(patience=patience)


def checkpointing(home: Home, store: Store, plan: Plan) -> Checkpointing:
    """The duty of making checkpoints, for an engine of this home; none of a store on a server, which has no file."""
    if elsewhere(home):
        return Checkpointing(store, HomeCopier(home, plan), clock, Cadence(0, 0.0), Last(0.0))
    made = [entry.manifest for entry in shelves(home, plan)[0].entries() if entry.manifest is not None]
    last = Last(clock.now() - made[0].made_at, made[0].took_seconds) if made else _none_yet(home)
    return Checkpointing(store, HomeCopier(home, plan), clock, plan.cadence, last)


def _none_yet(home: Home) -> Last:
    """Before the first: the home is as old as its card, and the journal reaches back to its beginning."""
    card, store = home.home_json.stat(), home.store.stat()
    return Last(clock.now() - card.st_mtime, expected(store.st_size))
