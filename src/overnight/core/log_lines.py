"""Which lines of a log tell of an error, when it was, and what they say.

A program that says how grave a line is is believed: "INFO no error" is none. Of the others a line counts that
names an error or an exception. JSON lines are taken apart, and everything else is text. Most lines
tell of nothing, so whether one is worth a closer look is found by a few words, without taking it apart.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterator
from datetime import datetime, tzinfo
from typing import Any, NamedTuple

import msgspec

from overnight.core.templates import shape_of

#: One of these is in every line that tells of an error, in lower case.
WORDS = (
    *(b"error", b"fatal", b"crit", b"panic", b"exception", b"severe", b"alert", b"emerg"),
    *(b'"level":50', b'"level":60'),
)
#: Bytes of a line that are looked at.
LONGEST = 4096
_LEVEL = re.compile(
    r"\b(?P<loud>TRACE|DEBUG|INFO|NOTICE|WARN(?:ING)?|ERR(?:OR)?|SEVERE|FATAL|CRIT(?:ICAL)?|ALERT|EMERG|PANIC)\b(?!=)"
    r"|(?:\blevel[\"']?\s*[=:]\s*[\"']?|[\[<(])(?P<named>trace|debug|info|notice|warn(?:ing)?|err(?:or)?"
    r"|severe|fatal|crit(?:ical)?|alert|emerg|panic)\b",
)
_GRAVE = frozenset({"err", "error", "severe", "fatal", "crit", "critical", "alert", "emerg", "panic"})
#: Numbers of levels as programs write them (bunyan, pino).
_GRAVE_NUMBER = 50
_TOLD = re.compile(
    r"(?<![\w.-])(?:(?:[\w.]*(?:Error|Exception|Panic))|error|fatal|critical|panic)\b(?![\w-])", re.IGNORECASE
)
_DENIED = re.compile(
    r"\b(?:no|0|zero|without|any)\s+errors?\b|\berrors?\s*[:=]\s*(?:0|none|null|false|nil)\b", re.IGNORECASE
)
_INSTANT = re.compile(
    r"(?P<day>\d{4}-\d\d-\d\d)[T ](?P<time>\d\d:\d\d:\d\d)(?:[.,]\d{1,9})?\s?(?P<zone>Z|[+-]\d\d:?\d\d)?(?![\d:])"
)
#: Where a line says when and how grave: not so far from its beginning.
_HEAD = 120
_TIMES = ("time", "timestamp", "ts", "@timestamp", "at", "date")
_LEVELS = ("level", "severity", "levelname", "lvl", "log.level", "loglevel")
_MESSAGES = ("message", "msg", "error", "event", "text", "exception")
#: Larger numbers are milliseconds.
_MILLISECONDS = 1e11


class Said(NamedTuple):
    """A line that tells of an error. `at`: POSIX seconds; None when it does not say."""

    message: str
    at: float | None


#: Where day, time and zone of an instant stand; (-1, -1) where there is no zone.
Places = tuple[tuple[int, int], tuple[int, int], tuple[int, int]]


class _Head(NamedTuple):
    """How a line begins. `end`: where that ends and its message begins."""

    #: Whether it says that it is grave; None when it does not say.
    is_grave: bool | None
    end: int
    instant: Places | None


def _head_of(words: str) -> _Head:
    level, instant = _LEVEL.search(words), _INSTANT.search(words)
    is_grave = None if level is None else (level["loud"] or level["named"]).lower() in _GRAVE
    ends = [found.end() for found in (level, instant) if found is not None]
    return _Head(is_grave, max(ends, default=0), _places(instant))


def _places(found: re.Match[str] | None) -> Places | None:
    return None if found is None else (found.span("day"), found.span("time"), found.span("zone"))


def suspects(block: bytes) -> Iterator[bytes]:
    """The lines of a block in which a word stands that could mean an error, each once, in their order."""
    low = block.lower()
    found: dict[int, int] = {}
    for word in WORDS:
        at = low.find(word)
        while at >= 0:
            end = low.find(b"\n", at)
            end = len(low) if end < 0 else end
            found[low.rfind(b"\n", 0, at) + 1] = end
            at = low.find(word, end)
    for begin in sorted(found):
        yield block[begin : min(found[begin], begin + LONGEST)]


class Reader:
    """Takes suspicious lines apart.

    Args:
        zone: Of instants that say none.
    """

    def __init__(self, zone: tzinfo) -> None:
        self._zone = zone
        self._instants: dict[str, float | None] = {}
        self._heads: dict[str, _Head] = {}

    def read(self, line: bytes) -> Said | None:
        """What a line says; None when it tells of no error."""
        words = line.decode("utf-8", "replace").strip()
        if words.startswith("{") and (said := self._json(words)) is not NotImplemented:
            return said  # type: ignore[no-any-return]  # what is left is Said or None
        return self._text(words)

    def _text(self, words: str) -> Said | None:
        head = self._head(words)
        if head.is_grave is False:
            return None
        if head.is_grave is None and (not _TOLD.search(words) or _DENIED.search(words)):
            return None
        at = self._instant(words, head.instant) if head.instant else None
        return Said(words[head.end :].lstrip(" \t:-|]>),") or words, at)

    def _head(self, words: str) -> _Head:
        """Levels have no digits, and an instant is found by where digits are: so one look is enough for a shape."""
        shape = shape_of(words[:_HEAD])
        head = self._heads.get(shape)
        if head is None:
            if len(self._heads) > LONGEST:
                self._heads.clear()
            head = self._heads[shape] = _head_of(shape)
        return head

    def _instant(self, words: str, places: Places) -> float | None:
        day, time, zone = places
        whole = f"{words[slice(*day)]}T{words[slice(*time)]}{words[slice(*zone)] if zone[0] >= 0 else ''}"
        if whole not in self._instants:
            if len(self._instants) > LONGEST:
                self._instants.clear()
            self._instants[whole] = _seconds(whole, self._zone)
        return self._instants[whole]

    def _json(self, words: str) -> Any:  # noqa: ANN401 - Said, None, or NotImplemented for what is no object
        try:
            record = msgspec.json.decode(words)
        except (msgspec.DecodeError, RecursionError):
            return NotImplemented
        if not isinstance(record, dict):
            return NotImplemented
        level = _first(record, _LEVELS)
        message = _first(record, _MESSAGES)
        message = message if isinstance(message, str) and message.strip() else words
        if isinstance(level, str) and level:
            grave = level.lower() in _GRAVE
        elif isinstance(level, int | float):
            grave = level >= _GRAVE_NUMBER
        else:
            grave = bool(record.get("error") or record.get("exception")) or self._text(message) is not None
        return Said(" ".join(message.split()), self._when(_first(record, _TIMES))) if grave else None

    def _when(self, written: object) -> float | None:
        if isinstance(written, str):
            places = _places(_INSTANT.search(written))
            return self._instant(written, places) if places else None
        if isinstance(written, int | float) and not isinstance(written, bool) and math.isfinite(written):
            return written / 1000 if written > _MILLISECONDS else float(written)
        return None


def _first(record: dict[str, Any], names: tuple[str, ...]) -> Any:  # noqa: ANN401 - whatever a program has written
    for name in names:
        if (value := record.get(name)) is not None:
            return value
    return None


def _seconds(words: str, zone: tzinfo) -> float | None:
    try:
        moment = datetime.fromisoformat(words)
        return (moment if moment.tzinfo else moment.replace(tzinfo=zone)).timestamp()
    except (ValueError, OverflowError, OSError):
        return None
