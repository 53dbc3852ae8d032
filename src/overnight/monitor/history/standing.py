"""How alerts stand, for whoever asks from outside; and a person's wish to hear nothing of one."""

from __future__ import annotations

from pathlib import Path
from typing import NamedTuple

import apsw

from overnight.core.alert_proposals import Seen
from overnight.core.errors import StoreUnavailableError
from overnight.monitor.figures import ENOUGH
from overnight.monitor.history.alerting import Alerting, Book, Sent, Silence
from overnight.monitor.history.asking import Past
from overnight.monitor.history.database import Database
from overnight.monitor.history.keeping import History

_NOTHING = Book({}, {}, None, None)


class Standing(NamedTuple):
    """Everything about alerts: where they stand, who is silenced, and the newest messages first."""

    book: Book
    silences: dict[str, Silence]
    messages: list[Sent]


def standing(path: Path, *, now: float, messages: int) -> Standing:
    """Look, and change nothing. Without a history, or with one from before there were alerts, nothing has happened.

    Args:
        path: ``history.db``.
        now: POSIX seconds.
        messages: So many of the newest.
    """
    if not path.exists():
        return Standing(_NOTHING, {}, [])
    try:
        database = Database(path, readonly=True)
    except apsw.Error:
        return Standing(_NOTHING, {}, [])
    try:
        alerting = Alerting(database)
        return Standing(alerting.read(), alerting.silences(now=now), alerting.newest(messages))
    except apsw.Error:
        return Standing(_NOTHING, {}, [])
    finally:
        database.close()


def seen(path: Path, *, now: float, seconds: float) -> Seen:
    """What was usual in the last `seconds`; nothing without a history."""
    try:
        past = Past(path)
    except apsw.Error:
        return Seen(seconds)
    since = now - seconds
    try:
        return Seen(
            seconds,
            disk_free=past.least("disk_free", since=since),
            memory_available=past.least("memory_available", since=since),
            error_rates=past.error_rates(since=since, enough=ENOUGH),
            minutes=past.minutes(since=since),
        )
    except apsw.Error:
        return Seen(seconds)
    finally:
        past.close()


def silence(path: Path, one: Silence) -> None:
    """Have nothing told of an alert until then; in the place of what was said before.

    Raises:
        StoreUnavailableError: It could not be written; everything is told as before.
    """
    try:
        history = History(path)
    except apsw.Error as error:
        raise _unwritten(path, error) from error
    try:
        history.alerting.silence(one)
    except apsw.Error as error:
        raise _unwritten(path, error) from error
    finally:
        history.close()


def _unwritten(path: Path, error: apsw.Error) -> StoreUnavailableError:
    return StoreUnavailableError(
        f"{path} could not be written ({str(error) or type(error).__name__}); alerts are told as before",
        hint="the same again in a moment; 'overnight doctor' if it stays so",
    )
