"""An engine put together for one home: its lock, its store, its workers, its bell."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager, suppress

import msgspec

from overnight.core import gates
from overnight.core.claims import Bind
from overnight.core.configuration import Configuration
from overnight.core.durations import format_size
from overnight.core.errors import NotNowError, StoreDamagedError, StoreOutdatedError
from overnight.core.gates import Reading, Thresholds
from overnight.core.node_settings import HERE
from overnight.core.settings import Settings
from overnight.core.slots import automatic, fixed
from overnight.core.storms import Policy
from overnight.core.supervision import Report
from overnight.engine.company import Company
from overnight.engine.conditions import Limits
from overnight.engine.goal import Goal
from overnight.engine.heartbeat import HeartbeatLog
from overnight.engine.info import InfoFile
from overnight.engine.journal import Journal
from overnight.engine.loop import Engine
from overnight.engine.observers import Observers
from overnight.engine.ports import Observer
from overnight.engine.recovery import EVERY
from overnight.engine.result import Result
from overnight.engine.stops import Stops
from overnight.engine.wakefulness import Wakefulness
from overnight.engine.watched import Mission
from overnight.executors.local.containment import in_short, need_isolation
from overnight.host.awake import Awake
from overnight.host.beside import Beside
from overnight.host.doorbell import Doorbell
from overnight.host.fences import Fences
from overnight.host.heap import keep_freed_memory
from overnight.host.home import Home, elsewhere
from overnight.host.lock import HomeLock, about_me
from overnight.host.processes import identity
from overnight.host.removal import staying
from overnight.host.reserve import Reserve
from overnight.host.resources import Machine
from overnight.host.signals import SignalWatch
from overnight.host.stop_file import StopFile
from overnight.host.waiter import KernelWaiter
from overnight.ops.migrations.own_store import keep_old_schema
from overnight.ops.swapping import keep_promise
from overnight.store.contract import Store
from overnight.wiring import clock, is_alive, open_store, schedules, who, workflows
from overnight.wiring.alarms import Alarms
from overnight.wiring.checkpoints import checkpointing, plan_of
from overnight.wiring.files import BY_DEFAULT
from overnight.wiring.mending import make_whole, mend_needed, rescuer
from overnight.wiring.moved import tell_if_moved
from overnight.wiring.nodes import executor_of, linger_of
from overnight.wiring.queues import lay_down
from overnight.wiring.stores import address_of
from overnight.wiring.telling import Told, on_stderr
from overnight.wiring.watching import see_off

#: Seconds for which the store of an engine waits for its server; by then its lease has ended it.
ENGINE_PATIENCE = 45.0


@contextmanager
def holding(
    home: Home,
    mission: Mission | None = None,
    *,
    settings: Settings,
    told: Told = on_stderr,
    beside: Beside | None = None,
    standing_by: Callable[[], None] | None = None,
) -> Iterator[Store]:
    """Hold the home as its engine; yields its store, whole, migrated and ready.

    Args:
        home: The home.
        mission: From our supervisor, which holds the home already and shares its lock.
        settings: As the engine will have them: whether it will have something on nodes.
        told: What is said about a damaged store, which is mended first.
        beside: Ends when nobody holds the home any more, so that its last word is about that.
        standing_by: Called every half second while an engine on another host has the store; None: it is not waited
            for.

    Raises:
        AlreadyRunningError: Another process holds it, or the store of many hosts; raised at once.
        StoreDamagedError: The store is damaged, and there is nothing to rebuild it from.
        HomeUnusableError: The home was removed, or moved away, while it was held.
    """
    lock = HomeLock(home.lock)
    if mission is None:
        lock.acquire(about_me(home.path, now=clock.now()))
    else:
        watcher = identity(mission.supervisor.pid)
        watched = {"supervisor": mission.supervisor.pid, "supervisor_start": watcher.ticks if watcher else None}
        lock.adopt(mission.lock, about_me(home.path, now=clock.now()) | watched)
    try:
        with staying(home), _opened(home, settings, told, standing_by) as store:
            yield store
    finally:
        lock.release()
        if beside is not None:
            see_off(home, beside)


@contextmanager
def _opened(home: Home, settings: Settings, told: Told, standing_by: Callable[[], None] | None) -> Iterator[Store]:
    if address := address_of(home):
        with _elsewhere(home, address, told, standing_by, linger_of(home, settings)) as store:
            yield store
        return
    keep_promise(home)  # whoever was going back to a checkpoint may have died on the way
    keep_old_schema(home, now=clock.now())
    make_whole(home, told)
    with closing(open_store(home, create=True, migrate=True)) as store:
        yield store


@contextmanager
def _elsewhere(
    home: Home, address: str, told: Told, standing_by: Callable[[], None] | None, linger: float
) -> Iterator[Store]:
    """Lead a store of many hosts. What is damaged there its server has to mend."""
    from overnight.wiring.leading import leading, waiting

    # Have a store there, if need be that of an older program: who leads it brings it up to date.
    waiting(lambda: _touch(home, ENGINE_PATIENCE if standing_by is None else 0.0), told, standing_by)
    with (
        leading(home, address, told, standing_by, linger=linger),
        closing(open_store(home, migrate=True, patience=ENGINE_PATIENCE)) as store,
    ):
        yield store


def _touch(home: Home, patience: float) -> None:
    with suppress(StoreOutdatedError):
        open_store(home, create=True, patience=patience).close()


def need_room(home: Home, reading: Reading, thresholds: Thresholds) -> None:
    """Refuse to start where the disk gate would close at once.

    Raises:
        NotNowError: There is too little room.
    """
    if gates.disk(reading, thresholds, was=None) is not None:
        free, needed = format_size(reading.disk_free), format_size(thresholds.disk)
        raise NotNowError(
            f"{free} are free on the disk of {home.path}, and an engine starts with {needed} or more;"
            " nothing was started, and what is in the queue stays there",
            hint="make room ('overnight prune' shows what may go), or say how little is enough:"
            " OVERNIGHT_GATE_DISK=100MB (0 for any)",
        )


def need_start(home: Home, settings: Settings) -> None:
    """Refuse what an engine with these settings would refuse when it starts; nothing is touched.

    Raises:
        NotNowError: There is too little room on the disk.
        IsolationError: The isolation that is asked for is not to be had.
    """
    machine = Machine(home.path)
    need_room(home, machine.look(), limits_of(settings, machine.cpus).thresholds)
    need_isolation(settings.isolation)


def limits_of(settings: Settings, cpus: int) -> Limits:
    """What the settings say about how much runs, how much is kept, and when failures stop what fails."""
    return Limits(
        bounds=fixed(settings.slots)
        if settings.slots
        else automatic(cpus, least=settings.slots_min, most=settings.slots_max),
        thresholds=Thresholds(settings.gate_disk, settings.gate_memory),
        keep_finished=settings.keep_finished,
        brake=Policy(settings.storm_after, settings.storm_probe, settings.storm_longest),
    )


def run_engine(
    home: Home,
    store: Store,
    *,
    goal: Goal,
    observer: Observer,
    settings: Settings,
    configured: Configuration,
    supervisor: Report | None = None,
    told: Told = on_stderr,
    jobs: int | str | None = None,
    beside: Beside | None = None,
    bind: Bind | None = BY_DEFAULT,
) -> Result:
    """Run the engine in this process until its goal is reached. The caller holds the home.

    Args:
        home: Whose tasks are run.
        store: Its store.
        goal: When it is done.
        observer: Who wants to know.
        settings: As this call has them.
        configured: For queues and resources.
        supervisor: What our supervisor says of itself, for ``engine.json``.
        told: What is said when somebody has taken the store away, and it is put back, and of storms.
        jobs: The slots that were said at the start, for the same file: a restart keeps them.
        beside: What watches, where no supervisor keeps it going.
        bind: What becomes of files about which nothing was said; None: nothing, they are run as they are.

    Raises:
        NotFoundError: Nobody defines the workflow of that.
        NotNowError: There is too little room on the disk; nothing was started.
        MendNeededError: The store is damaged; whoever holds the home next mends it first.
    """
    try:
        return _run_engine(
            home,
            store,
            goal=goal,
            observer=observer,
            settings=settings,
            configured=configured,
            supervisor=supervisor,
            told=told,
            jobs=jobs,
            beside=beside,
            bind=bind,
        )
    except StoreDamagedError as error:
        raise mend_needed(error) from error


def _run_engine(
    home: Home,
    store: Store,
    *,
    goal: Goal,
    observer: Observer,
    settings: Settings,
    configured: Configuration,
    supervisor: Report | None,
    told: Told,
    jobs: int | str | None,
    beside: Beside | None,
    bind: Bind | None,
) -> Result:
    keep_freed_memory()
    machine = Machine(home.path)
    limits = limits_of(settings, machine.cpus)
    need_room(home, machine.look(), limits.thresholds)
    tell_if_moved(home, store, told)
    heartbeat = HeartbeatLog(home.heartbeat, clock, pid=os.getpid(), every=settings.heartbeat_every)
    lay_down(store, configured, now=clock.now(), by=home.config.name)
    store.define(list(configured.workflows.values()), source=home.config.name, now=clock.now(), by=home.config.name)
    schedules.lay_down(store, home, settings, configured)
    if bind is not None:
        workflows.need(store, bind.workflow, configured.workflows, done="nothing was started")
    reserve = Reserve(home.reserve)
    reserve.keep()
    chosen = executor_of(home, settings, told, slots=limits.bounds.usual, shared=configured.resources)
    if settings.on != HERE:
        limits = msgspec.structs.replace(limits, bounds=fixed(chosen.slots))
    about = {
        **about_me(home.path, now=clock.now()),
        "bounds": msgspec.to_builtins(limits.bounds),
        "supervisor": msgspec.to_builtins(supervisor),
        "jobs": jobs,
        "containment": in_short(settings.isolation),
    }
    awake = Awake()
    observers: list[Observer] = [InfoFile(home.engine_info, clock, about), heartbeat, observer]
    observers += [Wakefulness(awake, clock)] if settings.inhibit_sleep else []
    observers += [Company(beside)] if beside is not None else []
    bell = Doorbell(home.doorbell)
    waiter = KernelWaiter()
    alarms = Alarms(home.path, told, settings.on_storm, clock)
    care = checkpointing(home, store, plan_of(settings))
    try:
        with SignalWatch() as signals, care:
            return Engine(
                store=store,
                executor=chosen.executor,
                clock=clock,
                waiter=waiter,
                bell=bell,
                stops=Stops(signals, StopFile(home.stop)),
                journal=Journal(home.journal, store, rotate_bytes=settings.journal_rotate_at),
                room=reserve,
                machine=machine,
                limits=limits,
                goal=goal,
                observer=Observers([*observers, care]),
                resources={name: resource.amount for name, resource in configured.resources.items()},
                ids={name: resource.ids for name, resource in configured.resources.items() if resource.ids},
                bind=bind,
                rules=configured.rules,
                alarm=alarms.tell,
                is_alive=is_alive,
                rescue=rescuer(home, store, told),
                by=who(),
                surroundings=schedules.surroundings(settings),
                fences=Fences(home.fences) if elsewhere(home) else EVERY,
                nodes=chosen.news,
                stocks=chosen.stocks,
            ).run()
    finally:
        waiter.close()
        bell.close()
        alarms.close()
        awake.let_go()
