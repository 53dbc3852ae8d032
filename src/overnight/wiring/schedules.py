"""The schedules of ``overnight.toml``: what each of them adds, and that the store has them as the file does."""

from __future__ import annotations

import os
from collections.abc import Mapping

import msgspec

from overnight import wiring
from overnight.core import environment
from overnight.core.calendars import calendar
from overnight.core.configuration import Configuration
from overnight.core.schedules import Schedule, Scheduled
from overnight.core.settings import Settings
from overnight.core.task import LIMITS, Action, ActionKind, NewTask, raw
from overnight.engine.scheduling import Surroundings
from overnight.host.clock import zone_of
from overnight.host.home import Home
from overnight.store.contract import Store
from overnight.wiring import workflows


def lay_down(store: Store, home: Home, settings: Settings, configured: Configuration) -> list[str]:
    """Have the store know the schedules that the file has now, and no others of it.

    Returns the names of those that are other than before.

    Raises:
        ConfigurationError: There is no such time zone.
        NotFoundError: There is no such workflow.
    """
    now, by = wiring.clock.now(), wiring.who()
    wanted = as_written(home, settings, configured, now=now)
    for one in wanted:
        workflows.lay_down(store, one.task.action, configured.workflows, done="nothing was started")
    return store.lay_schedules(wanted, source=home.config.name, now=now, by=by)


def as_written(home: Home, settings: Settings, configured: Configuration, *, now: float) -> list[Scheduled]:
    """The schedules of the file, as they would be laid down now (POSIX seconds). The home need not be there.

    Raises:
        ConfigurationError: There is no such time zone.
    """
    return [_scheduled(one, home, settings, now) for one in configured.schedules.values()]


def surroundings(settings: Settings, environ: Mapping[bytes, bytes] = os.environb) -> Surroundings:
    """The environment of what a schedule adds: that of the engine, by the rules of every task."""
    wished = [name for name in map(os.fsencode, settings.env) if name in environ or environment.looks_secret(name)]
    return environment.split(environ, wished)


def _scheduled(schedule: Schedule, home: Home, settings: Settings, now: float) -> Scheduled:
    first = calendar(schedule.when, zone_of(schedule.when.tz), began_at=now)(now)
    task = NewTask(
        action=_action(schedule, home, settings),
        input=raw(schedule.input),
        queue=schedule.queue,
        priority=schedule.priority,
        title=schedule.title or schedule.name,
    )
    return Scheduled(schedule, task, home.config.name, began_at=now, next_at=first, planned_at=now)


def _action(schedule: Schedule, home: Home, settings: Settings) -> Action:
    """What it does; what it does not say is as the settings have it."""
    action = Action(
        kind=ActionKind.COMMAND if schedule.run else ActionKind.CALL if schedule.call else ActionKind.WORKFLOW,
        cwd=os.fsencode(os.path.normpath(home.config.parent / schedule.cwd)),
        argv=tuple(map(raw, schedule.run)),
        call=schedule.call or schedule.workflow,
        timeout=settings.timeout,
        **{name: getattr(settings, name) for name in LIMITS},
        retries=settings.retries if schedule.retries is None else schedule.retries,
        backoff=settings.backoff,
        kill_grace=settings.kill_grace,
        keep_output=settings.keep_output,
        inline_result=settings.inline_result,
        entry=f"schedule {schedule.name}",
    )
    return action if schedule.timeout is None else msgspec.structs.replace(action, timeout=schedule.timeout or None)
