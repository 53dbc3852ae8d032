"""A schedule out of its table ``[schedules.NAME]``, or everything that is wrong with it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from enum import StrEnum
from typing import Any, NamedTuple

from overnight.core import kinds
from overnight.core.calendars import check_cron, check_moment
from overnight.core.durations import quoted
from overnight.core.schedules import Missed, Overlap, Schedule, When
from overnight.core.task import MOST_PRIORITY, MOST_RETRIES, MOST_TITLE, QUEUE_NAME, QUEUE_NAMES
from overnight.core.workflow.values import command, duration, function, limit, text

#: Exactly one of each must be said.
TIMES = ("cron", "every", "at")
WORK = ("run", "call", "workflow")
#: Seconds between two looks at what is due.
LOOK_EVERY = 1.0


class Key(NamedTuple):
    """One key: how it is read (ValueError: it makes no sense), and what it says."""

    read: Callable[[Any], Any]
    help: str


def _choice(kind: type[StrEnum]) -> Callable[[Any], Any]:
    def read(written: object) -> StrEnum:
        if written not in list(kind):
            raise ValueError(f"{quoted(written)} is not one of them; write {', '.join(kind)}")
        return kind(str(written))

    return read


def _moments(written: object) -> tuple[str, ...]:
    found = written if isinstance(written, list) else [written]
    if not found:
        raise ValueError("no moment is named")
    return tuple(map(check_moment, found))


def _queue(written: object) -> str:
    if isinstance(written, str) and QUEUE_NAME.fullmatch(written):
        return written
    raise ValueError(f"{quoted(written)} cannot be the name of a queue; use {QUEUE_NAMES}")


def _name(written: object) -> str:
    if isinstance(written, str) and QUEUE_NAME.fullmatch(written):
        return written
    raise ValueError(f"{quoted(written)} cannot be the name of a workflow")


def _whole(least: int, most: int) -> Callable[[Any], int]:
    def read(written: object) -> int:
        if isinstance(written, int) and not isinstance(written, bool) and least <= written <= most:
            return written
        raise ValueError(f"{quoted(written)} is no such number; write {least:,} to {most:,}")

    return read


def _title(written: object) -> str:
    if len(found := text(written)) <= MOST_TITLE:
        return found
    raise ValueError(f"it is longer than {MOST_TITLE:,} characters")


def _every(written: object) -> float:
    seconds = duration(written)
    if seconds < LOOK_EVERY:
        raise ValueError(f"{quoted(written)} is shorter than anybody looks; write 1s or more")
    return seconds


def _grace(written: object) -> float:
    return float(kinds.DURATION.read(written))


KEYS: dict[str, Key] = {
    "cron": Key(check_cron, "minute, hour, day, month and day of week, as in `30 2 * * *`; six fields: seconds first"),
    "every": Key(_every, "a length of time, counted from when the schedule was laid down"),
    "at": Key(_moments, "a moment (`2027-01-31 06:00`), a time of day (`06:00`, each day), or a list of them"),
    "tz": Key(text, "the zone in which that is meant, as `Europe/Riga`; that of the machine if nothing is said"),
    "run": Key(command, "the words of a command; no shell splits them"),
    "call": Key(function, "a Python function, `package.module:function`"),
    "workflow": Key(_name, "the name of a workflow"),
    "input": Key(text, "what it works on"),
    "cwd": Key(text, "where it runs, below the directory of the file"),
    "queue": Key(_queue, "the queue that its tasks stand in"),
    "priority": Key(_whole(-MOST_PRIORITY, MOST_PRIORITY), "higher goes first"),
    "title": Key(_title, "what people call its tasks; the name of the schedule if nothing is said"),
    "timeout": Key(limit, "how long one attempt may take; `none` for no limit"),
    "retries": Key(_whole(0, MOST_RETRIES), "further attempts after a failed one"),
    "missed": Key(_choice(Missed), "of runs that nothing could start in time: `once`, `skip`, `all`"),
    "overlap": Key(_choice(Overlap), "while the run before is not done: `skip`, `queue`, `replace`, `allow`"),
    "grace": Key(_grace, "by how much a run may be late and be in time"),
}


def read(name: str, table: Mapping[str, Any]) -> tuple[Schedule | None, list[tuple[str, str]]]:
    """A schedule out of its table, or what is wrong with which of its keys ("": with all of it).

    Keys that are not known are the caller's.
    """
    wrong: list[tuple[str, str]] = []
    found: dict[str, Any] = {}
    for key, (reader, _) in KEYS.items():
        if key in table:
            try:
                found[key] = reader(table[key])
            except ValueError as error:
                wrong.append((key, str(error)))
    wrong += _said_once(table, TIMES, "when does it run?") + _said_once(table, WORK, "what does it run?")
    if found.get("missed") is Missed.ALL and found.get("overlap") not in (Overlap.QUEUE, Overlap.ALLOW):
        wrong.append(("missed", "to make up for every run, runs must come after each other: write overlap = 'queue'"))
    if wrong:
        return None, wrong
    when = When(tz=found.pop("tz", ""), **{key: found.pop(key) for key in TIMES if key in found})
    return Schedule(name, when, **found), []


def _said_once(table: Mapping[str, Any], keys: tuple[str, ...], question: str) -> list[tuple[str, str]]:
    said = [key for key in keys if key in table]
    if len(said) == 1:
        return []
    if not said:
        return [("", f"{question} Say one of {', '.join(keys)}")]
    return [(said[1], f"'{said[0]}' and '{said[1]}' are both said; leave out one of them")]
