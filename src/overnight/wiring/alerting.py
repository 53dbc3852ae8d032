"""Alerts of one home: what its ``overnight.toml`` says of them, read again when that has changed."""

from __future__ import annotations

import os
from collections.abc import Callable

from overnight.core.alert_messages import Message
from overnight.core.errors import ConfigurationError, OvernightError
from overnight.core.settings import resolve
from overnight.host.files import stamp_of
from overnight.host.home import Home
from overnight.monitor.judging import Judge, Wanted
from overnight.monitor.pinging import Pinger
from overnight.monitor.snapshot import take
from overnight.store.contract import Store
from overnight.wiring import clock
from overnight.wiring.configuration import read


class Wanting:
    """What people want to be told of. A file that makes no sense leaves what there was, and is told of once.

    Args:
        home: Whose.
        told: Is told of a file that makes no sense.
    """

    def __init__(self, home: Home, told: Callable[[str], None]) -> None:
        self._home = home
        self._told = told
        self._stamp: object = ""
        self._wanted = Wanted({}, {})

    def __call__(self) -> Wanted:
        """As the file is now."""
        stamp = stamp_of(self._home.config)
        if stamp != self._stamp:
            self._stamp = stamp
            try:
                found = read(self._home)
                self._wanted = Wanted(found.alerts, found.targets, 0.0 if stamp is None else stamp[0] / 1e9)
            except ConfigurationError:
                self._told(
                    f"{self._home.config.name} makes no sense; alerts stay as they were. Try: overnight config show"
                )
        return self._wanted


def pinger_of(home: Home, told: Callable[[str], None]) -> tuple[Pinger, float] | None:
    """Who gives signs of life, and how often (seconds); None when nobody wants any, or the file makes no sense."""
    try:
        settings = resolve(flags={}, environ=os.environ, configured=read(home).settings)
    except OvernightError:
        return None  # which is told by whoever reads it for the alerts
    return (Pinger(settings.ping, os.environ, told), settings.ping_every) if settings.ping else None


def judge_of(home: Home, store: Store, told: Callable[[str], None]) -> Judge:
    """Who judges the alerts of a home."""
    wanting = Wanting(home, told)

    def hand(messages: list[Message]) -> dict[str, int]:
        from overnight.wiring.delivering import hand_on  # knows how functions are called: nothing for a quiet night

        return hand_on(home, messages, wanting().targets)

    return Judge(
        home.path,
        store,
        look=lambda: take(store, home.path, now=clock.now(), most_running=1),
        wanted=wanting,
        hand_on=hand,
        clock=clock,
    )
