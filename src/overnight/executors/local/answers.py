"""The answer of a server that an exception stands for: its HTTP status, and when to come again.

The libraries that people use (urllib, requests, httpx, aiohttp, and the clients made of them) keep these
in a handful of attributes, so they are asked for by name and nothing is imported.

Source: RFC 9110, sections 15 (status), 10.2.3 (Retry-After) and 5.6.7 (dates).
"""

from __future__ import annotations

import contextlib
import re
from datetime import UTC, datetime
from typing import Any, NamedTuple

from overnight.core.asks import RateLimited

#: The one form of dates that servers may write. Read here: parsers of the library would look for modules of the user's.
_DATE = re.compile(r"[A-Z][a-z]{2}, (\d{2}) ([A-Z][a-z]{2}) (\d{4}) (\d{2}):(\d{2}):(\d{2}) GMT")
_MONTHS = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")
_STATUSES = range(100, 600)
_STATUS = ("status_code", "status", "code", "http_status")


class Answer(NamedTuple):
    """What is known of it: the status, and POSIX seconds of when to come again."""

    status: int | None = None
    again_at: float | None = None


class Closed(NamedTuple):
    """A queue that is not to be worked on before a time; what this worker was handed ahead is not even called."""

    queue: str
    until: float | None

    def is_over(self, now: float) -> bool:
        """Whether the time has come, by the wall clock. Without one it is over at once: the engine holds the queue."""
        return self.until is None or now >= self.until

    def refuse(self, queue: str) -> None:
        """Raise what puts a task of that queue off.

        Raises:
            RateLimited: It is of the closed one.
        """
        if queue == self.queue:
            raise RateLimited("not called: the task before it was told to come later", at=self.until)


def answer_of(error: BaseException, *, now: float) -> Answer:
    """What the server has answered; all None when it is no such exception."""
    try:
        bearers = (error, getattr(error, "response", None))
        status = next((found for one in bearers if (found := _status(one)) is not None), None)
        return Answer() if status is None else Answer(status, _again_at(bearers, now))
    except Exception:  # noqa: BLE001 - properties of somebody's exception may raise what they like
        return Answer()


def _status(bearer: object) -> int | None:
    for name in _STATUS:
        value = getattr(bearer, name, None)
        if isinstance(value, int) and not isinstance(value, bool) and value in _STATUSES:
            return int(value)
    return None


def _again_at(bearers: tuple[object, ...], now: float) -> float | None:
    for bearer in bearers:
        headers: Any = getattr(bearer, "headers", None)
        value = headers.get("Retry-After") if hasattr(headers, "get") else None
        if value is not None and (found := _instant(str(value).strip(), now)) is not None:
            return found
    return None


def _instant(words: str, now: float) -> float | None:
    """Seconds from now, or a date."""
    if words.isdecimal():
        return now + float(words)
    date = _DATE.fullmatch(words)
    if date is None or date[2] not in _MONTHS:
        return None
    day, year, hour, minute, second = (int(date[place]) for place in (1, 3, 4, 5, 6))
    with contextlib.suppress(ValueError):
        return datetime(year, _MONTHS.index(date[2]) + 1, day, hour, minute, second, tzinfo=UTC).timestamp()
    return None
