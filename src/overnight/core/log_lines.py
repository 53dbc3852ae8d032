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

    def read(self, line: bytes) -> Said | None:
        """What a line says; None when it tells of no error."""
        words = line.decode("utf-8", "replace").strip()
        if words.startswith("{") and (said := self._json(words)) is not NotImplemented:
            return said  # type: ignore[no-any-return]  # what is left is Said or None
        return self._text(words)

    def _text(self, words: str) -> Said | None:
        head = words[:_HEAD]
        level = _LEVEL.search(head)
        if level is not None and (level["loud"] or level["named"]).lower() not in _GRAVE:
            return None
        if level is None and (not _TOLD.search(words) or _DENIED.search(words)):
            return None
        instant = _INSTANT.search(head)
        begin = max(instant.end() if instant else 0, level.end() if level else 0)
        return Said(words[begin:].lstrip(" \t:-|]>),") or words, self._instant(instant) if instant else None)

    def _instant(self, found: re.Match[str]) -> float | None:
        whole = found["day"] + "T" + found["time"] + (found["zone"] or "")
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
            found = _INSTANT.search(written)
            return self._instant(found) if found else None
        if isinstance(written, int | float) and not isinstance(written, bool) and math.isfinite(written):
            return written / 1000 if written > _MILLISECONDS else float(written)
        return None


def _first(record: dict[str, Any], names: tuple[str, ...]) -> Any:  # noqa: ANN401 - whatever a program has written
    return next((record[name] for name in names if record.get(name) is not None), None)


def _seconds(words: str, zone: tzinfo) -> float | None:
    try:
        moment = datetime.fromisoformat(words)
        return (moment if moment.tzinfo else moment.replace(tzinfo=zone)).timestamp()
    except (ValueError, OverflowError, OSError):
        return None
