"""Events of the journal as messages in the log of the system."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from datetime import datetime

import msgspec

from overnight.core.monitor.notices import Level, level_of, notice
from overnight.host.system_log import SystemLog

#: Which event a line tells of, without taking it apart.
_EVENT = re.compile(rb'^\{"seq":\d+,"event":"(\w+)"')
Message = tuple[float, int, str, Mapping[str, str]]


class Notices:
    """Listens for what is important enough.

    Args:
        log: Where it is said.
        level: The least important thing that is said.
        home: The directory that it is about.
    """

    position = "system_log_seq"

    def __init__(self, log: SystemLog, level: Level, *, home: str) -> None:
        self.name = f"what goes to {log.path}"
        self._log = log
        self._level = level
        self._home = home

    def prepare(self, lines: Sequence[bytes]) -> Sequence[Message]:
        """The messages of these lines."""
        told = [self._message(line) for line in lines if self._is_wanted(line)]
        return [one for one in told if one is not None]

    def _is_wanted(self, line: bytes) -> bool:
        found = _EVENT.match(line)
        return found is not None and level_of(found[1].decode()) <= self._level

    def _message(self, line: bytes) -> Message | None:
        try:
            event = msgspec.json.decode(line)
            at = datetime.fromisoformat(event["at"]).timestamp()
        except (msgspec.DecodeError, UnicodeDecodeError, KeyError, ValueError):
            return None  # damaged
        found = notice(event, home=self._home)
        return at, int(found.level), found.words, found.fields

    def deliver(self, told: Sequence[Message]) -> None:
        """Send them. Raises OSError."""
        self._log.send(told)
