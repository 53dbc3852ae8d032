"""Who else is told what happens in a home, by the process that watches beside the work."""

from __future__ import annotations

import os
from collections.abc import Callable

from overnight.core.errors import OvernightError
from overnight.core.monitor.notices import LEVELS
from overnight.core.monitor_settings import OFF
from overnight.core.settings import Settings, resolve
from overnight.host.home import Home
from overnight.monitor.telling import Listener, Telling
from overnight.store.contract import Store
from overnight.wiring.configuration import read


def tellings(home: Home, store: Store, told: Callable[[str], None]) -> list[Telling]:
    """Everybody whom the settings name.

    Args:
        home: Whose events they are.
        store: Of the home.
        told: Is told when the settings make no sense; then nobody else is told anything.
    """
    settings = _settings(home, told)
    listeners: list[Listener] = []
    if settings.traces:
        from overnight.monitor.traces import Traces

        listeners.append(Traces(settings.traces, store, home=home.id, instance=os.fspath(home.path)))
    if settings.system_log != OFF:
        from overnight.host.system_log import SystemLog
        from overnight.monitor.notices import Notices

        level = LEVELS[settings.system_log_level]
        listeners.append(Notices(SystemLog(settings.system_log), level, home=os.fspath(home.path)))
    return [Telling(home.journal, listener) for listener in listeners]


def _settings(home: Home, told: Callable[[str], None]) -> Settings:
    """As they are now; the built-in ones where those make no sense."""
    try:
        return resolve(flags={}, environ=os.environ, configured=read(home).settings)
    except OvernightError as error:
        told(f"{error.message}; nobody else is told what happens")
        return resolve(flags={}, environ={}, configured={})
