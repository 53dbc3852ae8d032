"""What goes to one target: notices are gathered for a moment, go out as one message, and only so many an hour.

A disk that fills sets off five alerts, and a person wants one message. What is over the number for an hour
is not thrown away: it is gathered on, and goes out as one when the oldest message is an hour old. Whoever gets the
last message before that is told so.

Each message has a key that is given once. It goes with the message to its target, so that a receiver can
tell a second copy from a second message.
"""

from __future__ import annotations

from collections.abc import Sequence

import msgspec

from overnight.core.alerts import Notice, Tells
from overnight.core.durations import iso

HOUR = 3600.0
#: Notices that are written out in one message, and characters of what is said of each.
MOST_LINES = 50
_MOST_WORDS = 400
#: Of these, how many stand in the subject.
_MOST_SUBJECT = 100


class Pace(msgspec.Struct, frozen=True):
    """How a target wants it: seconds in which notices are gathered, and messages an hour (None: any number)."""

    group: float = 10.0
    hourly: int | None = 10


class Outgoing(msgspec.Struct, frozen=True, omit_defaults=True):
    """What is on its way to a target. Written down with the alerts it comes from."""

    waiting: tuple[Notice, ...] = ()
    #: Since when something waits.
    since: float = 0.0
    #: When messages went out, within the last hour.
    sent: tuple[float, ...] = ()
    #: Messages so far.
    number: int = 0


class Message(msgspec.Struct, frozen=True, omit_defaults=True):
    """One message to one target. No secret is in it: the target is a name."""

    key: str
    target: str
    at: float
    subject: str
    body: str
    notices: tuple[Notice, ...] = ()
    #: The path of a page that goes with it where that is possible; it may be gone by then.
    page: str = ""


class Due(msgspec.Struct, frozen=True):
    """What is left of a queue of notices, and the message that goes out now."""

    outgoing: Outgoing
    message: Message | None = None


def gathered(outgoing: Outgoing, notice: Notice) -> Outgoing:
    """One more notice; things that happened to one alert are counted in one."""
    waiting = list(outgoing.waiting)
    alike = [one for one in waiting if _alike(one, notice)]
    if alike:
        place = waiting.index(alike[0])
        waiting[place] = msgspec.structs.replace(notice, at=alike[0].at, times=alike[0].times + notice.times)
    else:
        waiting.append(notice)
    since = outgoing.since if outgoing.waiting else notice.at
    return msgspec.structs.replace(outgoing, waiting=tuple(waiting), since=since)


def _alike(one: Notice, other: Notice) -> bool:
    return one.tells is other.tells is Tells.HAPPENED and one.alert == other.alert


def due(
    outgoing: Outgoing, pace: Pace, *, target: str, prefix: str, whose: str, now: float, hurry: bool = False
) -> Due:
    """What goes out now.

    Args:
        outgoing: What is on its way.
        pace: How the target wants it.
        target: Its name.
        prefix: Of the key: other for each history that messages are numbered in.
        whose: The home, for people.
        now: POSIX seconds.
        hurry: Nobody is there later to wait for company; the number for an hour holds all the same.
    """
    if not outgoing.waiting:
        return Due(outgoing)
    sent = tuple(min(one, now) for one in outgoing.sent if now - one < HOUR)
    has_waited = hurry or not 0 <= now - outgoing.since < pace.group
    if not has_waited or (pace.hourly is not None and len(sent) >= pace.hourly):
        return Due(outgoing)
    number = outgoing.number + 1
    is_last = pace.hourly is not None and len(sent) + 1 == pace.hourly
    quiet = f"\nthis was message {pace.hourly} of an hour; what follows is gathered" if is_last else ""
    quiet += f" until {iso((*sent, now)[0] + HOUR)}\n" if is_last else ""
    message = Message(
        key=f"{prefix}-{target}-{number}",
        target=target,
        at=now,
        subject=_subject(outgoing.waiting, whose),
        body="\n".join(_lines(outgoing.waiting)) + f"\n\n{whose}\n{quiet}",
        notices=outgoing.waiting[:MOST_LINES],
    )
    return Due(Outgoing(sent=(*sent, now), number=number), message)


def _subject(notices: Sequence[Notice], whose: str) -> str:
    """What is worst, in its own words: a phone shows little more. Of what has happened the last tells how it ended."""
    place = whose.rpartition("/")[2]
    first = next((one for one in notices if one.tells is not Tells.HAPPENED), notices[-1])
    tells = "" if first.tells is Tells.HAPPENED and first.words else f" {first.tells}"
    plain = "".join(one if one.isprintable() else " " for one in first.words)
    words = " ".join(plain.split())[:_MOST_SUBJECT]
    more = f" ({len(notices):,} alerts)" if len(notices) > 1 else ""
    return f"overnight ({place}): {first.alert}{tells}{': ' + words if words else ''}{more}"


def _lines(notices: Sequence[Notice]) -> list[str]:
    lines = [line(one) for one in notices[:MOST_LINES]]
    left = len(notices) - MOST_LINES
    return [*lines, f"and {left} more; 'overnight alerts list' shows all"] if left > 0 else lines


def in_one(message: Message) -> str:
    """Subject and body as one text, for what shows no subject. What the subject has said does not stand there again."""
    said = message.subject.partition("): ")[2]
    lines = message.body.split("\n")
    for count in range(1, len(lines)):
        words = " ".join(" ".join(lines[:count]).split())
        if said and (words == said or (count == 1 and words.endswith(f" {said}"))):
            return "\n".join([message.subject, *lines[count:]])
    return f"{message.subject}\n{message.body}"


def line(notice: Notice) -> str:
    """A notice for people, on one line."""
    times = f" {notice.times:,} times" if notice.times > 1 else ""
    words = " ".join(notice.words.split())[:_MOST_WORDS]
    return f"{iso(notice.at)} {notice.alert} {notice.tells}{times}{': ' + words if words else ''}"
