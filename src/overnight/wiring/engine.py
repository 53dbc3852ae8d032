"""An engine put together for one home: its lock, its store, its workers, its bell."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from contextlib import closing, contextmanager

from overnight.core.version import VERSION
from overnight.engine.goal import Goal
from overnight.engine.info import InfoFile
from overnight.engine.journal import ROTATE_BYTES, Journal
from overnight.engine.loop import Engine, Result
from overnight.engine.observers import Observers
from overnight.engine.ports import Observer
from overnight.engine.stops import Stops
from overnight.executors.local import LocalExecutor
from overnight.host.doorbell import Doorbell
from overnight.host.home import Home
from overnight.host.lock import HomeLock
from overnight.host.processes import boot_id, identity
from overnight.host.reserve import Reserve
from overnight.host.signals import SignalWatch
from overnight.host.waiter import KernelWaiter
from overnight.store.contract import Store
from overnight.wiring import clock, open_store, who


@contextmanager
def holding(home: Home) -> Iterator[Store]:
    """Hold the home as its engine; yields its store, migrated and ready.

    Raises:
        AlreadyRunningError: Another process holds it; raised at once.
    """
    lock = HomeLock(home.lock)
    lock.acquire(_identity(home))
    try:
        with closing(open_store(home, create=True, migrate=True)) as store:
            yield store
    finally:
        lock.release()


def _identity(home: Home) -> dict[str, object]:
    """What this process writes about itself, for people and for whoever must end it when it hangs."""
    me = identity(os.getpid())
    return {
        "pid": os.getpid(),
        "started_at": clock.now(),
        "start": me.ticks if me else None,
        "boot_id": boot_id(),
        "home": str(home.path),
        "version": VERSION,
    }


def run_engine(
    home: Home,
    store: Store,
    *,
    goal: Goal,
    observer: Observer,
    slots: int,
    resources: Mapping[str, float] | None = None,
    rotate_bytes: int = ROTATE_BYTES,
) -> Result:
    """Run the engine in this process until its goal is reached. The caller holds the home."""
    reserve = Reserve(home.reserve)
    reserve.keep()
    executor = LocalExecutor(
        marks=home.marks,
        spool=home.spool,
        output=home.output,
        work=home.work,
        cookie=home.cookie(),
        home=home.path,
        slots=slots,
        clock=clock,
    )
    bell = Doorbell(home.doorbell)
    waiter = KernelWaiter()
    try:
        with SignalWatch() as signals:
            return Engine(
                store=store,
                executor=executor,
                clock=clock,
                waiter=waiter,
                bell=bell,
                stops=Stops(signals, home.stop),
                journal=Journal(home.journal, store, rotate_bytes=rotate_bytes),
                room=reserve,
                goal=goal,
                observer=Observers([InfoFile(home.engine_info, clock, {**_identity(home), "slots": slots}), observer]),
                resources=resources,
                by=who(),
            ).run()
    finally:
        waiter.close()
        bell.close()
