"""Checks that people name in ``overnight.toml``: ``[check.NAME]`` with what is asked, and how long that may take.

What is asked is a program in the manner of monitoring plugins, an address, a port, a file or a unit of systemd.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from enum import StrEnum
from typing import Any, NamedTuple

from overnight.core import kinds
from overnight.core.durations import quoted

#: Seconds that an answer may take when nothing is said.
DEFAULT_TIMEOUT = 3.0
_PORT = re.compile(r"(?P<host>[^\s:]+|\[[0-9a-fA-F:]+\]):(?P<port>[0-9]{1,5})")
_URL = re.compile(r"https?://[^\s]+")
_UNIT = re.compile(r"[A-Za-z0-9@:._\\-]{1,255}")
_PORTS = range(1, 65536)


class Asked(StrEnum):
    """What kind of question it is."""

    RUN = "run"
    HTTP = "http"
    TCP = "tcp"
    FILE = "file"
    SYSTEMD = "systemd"


class WantedCheck(NamedTuple):
    """A check that somebody wants. `words`: the command, or the one thing that is looked at. Durations are seconds."""

    name: str
    asked: Asked
    words: tuple[str, ...]
    timeout: float = DEFAULT_TIMEOUT
    #: Of a file: how long ago it may have been written.
    max_age: float | None = None
    #: Seconds between two askings when it is asked again and again; None: as all of its kind are.
    every: float | None = None
    #: The command that mends it; empty: nobody has said.
    fix: tuple[str, ...] = ()


#: What may be said beside the question.
_MORE = ("timeout", "max_age", "every", "fix")
KEYS = (*Asked, *_MORE)


def read(name: str, table: Mapping[str, Any]) -> tuple[WantedCheck | None, list[tuple[str, str]]]:
    """The check of one table, and what is wrong with it, by key. Keys that are not known are not looked at."""
    asked = [kind for kind in Asked if kind in table]
    if len(asked) != 1:
        return None, [("", f"a check asks one thing; write one of {', '.join(Asked)}")]
    wrong: list[tuple[str, str]] = []
    values: dict[str, Any] = {}
    for key in (asked[0], *_MORE):
        if key in table:
            try:
                values[key] = _READERS[key](table[key])
            except ValueError as error:
                wrong.append((key, str(error)))
    if "max_age" in values and asked[0] is not Asked.FILE:
        wrong.append(("max_age", "only a file has an age here; leave it out, or ask for a file"))
    if wrong:
        return None, wrong
    check = WantedCheck(name, asked[0], values.pop(asked[0]), **values)
    return check, []


def _command(written: object) -> tuple[str, ...]:
    words: tuple[str, ...] = kinds.COMMAND.read(written)
    if not words:
        raise ValueError("an empty command runs nothing; write its words as a list")
    return words


def _matching(pattern: re.Pattern[str], what: str) -> Callable[[object], tuple[str, ...]]:
    def read(written: object) -> tuple[str, ...]:
        if not isinstance(written, str) or not pattern.fullmatch(written):
            raise ValueError(f"{quoted(written)} is no {what}")
        return (written,)

    return read


def _port(written: object) -> tuple[str, ...]:
    found = _PORT.fullmatch(written) if isinstance(written, str) else None
    if found is None or int(found["port"]) not in _PORTS:
        raise ValueError(f"{quoted(written)} is no host and port; write it as in 'localhost:5432'")
    return found["host"].strip("[]"), found["port"]


def _duration(written: object) -> float:
    seconds: float = kinds.DURATION.read(written)
    if seconds <= 0:
        raise ValueError(f"{quoted(written)} is too little; write a duration as in 5s")
    return seconds


_READERS: dict[str, Callable[[object], Any]] = {
    Asked.RUN: _command,
    Asked.HTTP: _matching(_URL, "address; write it as in 'http://127.0.0.1:8000/health'"),
    Asked.TCP: _port,
    Asked.FILE: lambda written: (kinds.PATH.read(written),),
    Asked.SYSTEMD: _matching(_UNIT, "unit; write it as in 'nginx.service'"),
    "timeout": _duration,
    "max_age": _duration,
    "every": _duration,
    "fix": _command,
}
