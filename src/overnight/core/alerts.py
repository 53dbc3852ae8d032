"""The life of an alert: from a condition that is looked at again and again to the few words that a person gets.

::

    inactive --holds--> pending --for--> firing <--holds-- recovering
       ^                   |               |                   |
       +---holds no more---+               +---holds no more-->+
       +----------------------------recover--------------------+

Two things are kept apart: what is so (`phase`) and what people were told last (`is_told`). A silence or flapping
stops the telling and not the looking, and when it is over the difference between the two is what there is to
tell. So nothing is told twice, nothing is lost by a silence, and what came and went in one is never heard of.

Everything is in the record, which is written before anything is sent; a process that dies goes on with it.
Instants are POSIX seconds, for nothing else outlives a process. A clock that was set back begins waits anew, and
so does a time in which nobody looked: what was so before and is so after it need not have been so in between.
"""

from __future__ import annotations

from enum import StrEnum

import msgspec

from overnight.core.durations import format_duration

#: Seconds without a look after which a wait begins anew.
GAP = 300.0


class Phase(StrEnum):
    """What is so."""

    INACTIVE = "inactive"
    #: It holds, and not yet for long enough.
    PENDING = "pending"
    FIRING = "firing"
    #: It holds no more, and not yet for long enough.
    RECOVERING = "recovering"


#: Phases in which it counts as so.
ACTIVE = frozenset({Phase.FIRING, Phase.RECOVERING})


class Tells(StrEnum):
    """What a notice says of its alert."""

    FIRED = "firing"
    #: It goes on, and was told a while ago.
    REMINDED = "still firing"
    RESOLVED = "resolved"
    #: Something has happened that begins and ends at once.
    HAPPENED = "happened"
    #: It comes and goes so often that nothing more is told until it keeps still.
    FLAPPING = "flapping"
    STEADY = "steady again"


class Policy(msgspec.Struct, frozen=True):
    """How an alert behaves. All in seconds."""

    #: It holds for so long before it fires, and holds no more for so long before it is resolved.
    wait: float = 0.0
    recover: float = 0.0
    #: Between two reminders; None for none.
    remind: float | None = 43200.0
    #: So many changes within this time are flapping, and so long without one ends it.
    most_changes: int = 6
    within: float = 3600.0
    steady: float = 1800.0


class Alert(msgspec.Struct, frozen=True, omit_defaults=True):
    """Where an alert stands. Written down after each look that changes it."""

    phase: Phase = Phase.INACTIVE
    #: When the phase began, and when it was looked at last.
    since: float = 0.0
    seen_at: float = 0.0
    #: When it began to fire; None while it does not.
    fired_at: float | None = None
    #: Whether people were told last that it fires, and when they were told anything.
    is_told: bool = False
    told_at: float = 0.0
    #: When it began or ceased to fire, the newest last.
    changes: tuple[float, ...] = ()
    is_flapping: bool = False
    #: Notices so far.
    told: int = 0
    #: What was seen last, for people.
    words: str = ""

    @property
    def is_active(self) -> bool:
        """Whether it fires."""
        return self.phase in ACTIVE


class Notice(msgspec.Struct, frozen=True, omit_defaults=True):
    """One thing to tell about one alert."""

    alert: str
    tells: Tells
    at: float
    words: str = ""
    #: How often it happened since it was told last.
    times: int = 1


class Step(msgspec.Struct, frozen=True):
    """What a look makes of an alert, and what is to be told of it; None for nothing."""

    alert: Alert
    notice: Notice | None = None


def looked(
    name: str, alert: Alert, policy: Policy, *, holds: bool | None, words: str, now: float, is_silenced: bool = False
) -> Step:
    """Take in one look.

    Args:
        name: Of the alert.
        alert: Where it stood.
        policy: How it behaves.
        holds: Whether its condition holds; None when nobody can say, and then nothing changes.
        words: What was seen, for people.
        now: POSIX seconds.
        is_silenced: Nothing is to be told for the time being.
    """
    if holds is not None:
        alert = _moved(_rewound(alert, now), policy, holds, now)
        alert = msgspec.structs.replace(alert, seen_at=now, words=words or alert.words)
    return _told(name, _calmed(alert, policy, now), policy, now=now, is_silenced=is_silenced, was=alert.is_flapping)


def happened(name: str, alert: Alert, *, times: int, words: str, now: float, is_silenced: bool = False) -> Step:
    """Something has happened that does not last: it is told, and that is all."""
    alert = msgspec.structs.replace(alert, words=words, seen_at=now)
    if is_silenced:
        return Step(alert)
    return _with(alert, Notice(name, Tells.HAPPENED, now, words, times))


def _rewound(alert: Alert, now: float) -> Alert:
    """Begin a wait anew that nobody has watched, or that began in what is now the future."""
    waits = alert.phase in (Phase.PENDING, Phase.RECOVERING)
    unwatched = waits and now - alert.seen_at > GAP
    if not unwatched and now >= max(alert.since, alert.told_at, *alert.changes):
        return alert
    return msgspec.structs.replace(
        alert,
        since=now if unwatched else min(alert.since, now),
        told_at=min(alert.told_at, now),
        changes=tuple(min(one, now) for one in alert.changes),
    )


def _moved(alert: Alert, policy: Policy, holds: bool, now: float) -> Alert:  # noqa: FBT001 - the one thing it is about
    if holds and alert.phase is Phase.INACTIVE:
        alert = _to(alert, Phase.PENDING, now)
    elif holds and alert.phase is Phase.RECOVERING:
        alert = _to(alert, Phase.FIRING, now)
    elif not holds and alert.phase is Phase.PENDING:
        alert = _to(alert, Phase.INACTIVE, now)
    elif not holds and alert.phase is Phase.FIRING:
        alert = _to(alert, Phase.RECOVERING, now)
    if alert.phase is Phase.PENDING and now - alert.since >= policy.wait:
        return msgspec.structs.replace(_changed(alert, Phase.FIRING, policy, now), fired_at=now)
    if alert.phase is Phase.RECOVERING and now - alert.since >= policy.recover:
        return msgspec.structs.replace(_changed(alert, Phase.INACTIVE, policy, now), fired_at=None)
    return alert


def _to(alert: Alert, phase: Phase, now: float) -> Alert:
    return msgspec.structs.replace(alert, phase=phase, since=now)


def _changed(alert: Alert, phase: Phase, policy: Policy, now: float) -> Alert:
    changes = (*alert.changes, now)[-policy.most_changes :]
    return msgspec.structs.replace(alert, phase=phase, since=now, changes=changes)


def _calmed(alert: Alert, policy: Policy, now: float) -> Alert:
    """Whether it flaps."""
    if alert.is_flapping:
        is_flapping = bool(alert.changes) and now - alert.changes[-1] < policy.steady
    else:
        recent = [one for one in alert.changes if now - one < policy.within]
        is_flapping = len(recent) >= policy.most_changes
    if is_flapping == alert.is_flapping:
        return alert
    # What is behind a calm counts no more.
    return msgspec.structs.replace(alert, is_flapping=is_flapping, changes=alert.changes if is_flapping else ())


def _told(name: str, alert: Alert, policy: Policy, *, now: float, is_silenced: bool, was: bool) -> Step:
    """What of all this is to be told. `was`: whether it flapped before."""
    if is_silenced:
        return Step(alert)
    tells = _what(alert, policy, now, was=was)
    if tells is None:
        return Step(alert)
    lasted = f"after {format_duration(_lasted(alert, now))}; " if tells is Tells.RESOLVED else ""
    return _with(alert, Notice(name, tells, now, lasted + alert.words))


def _lasted(alert: Alert, now: float) -> float:
    """Seconds for which a resolved one fired: between its last changes; of one that was calmed since it was told."""
    began, ended = alert.changes[-2:] if len(alert.changes) > 1 else (alert.told_at, now)
    return ended - began


def _what(alert: Alert, policy: Policy, now: float, *, was: bool) -> Tells | None:
    if alert.is_flapping:
        return None if was else Tells.FLAPPING
    if was:
        return Tells.STEADY
    if alert.is_active != alert.is_told:
        return Tells.FIRED if alert.is_active else Tells.RESOLVED
    is_due = policy.remind is not None and now - alert.told_at >= policy.remind
    return Tells.REMINDED if alert.phase is Phase.FIRING and is_due else None


def _with(alert: Alert, notice: Notice) -> Step:
    lasts = notice.tells is not Tells.HAPPENED
    told = msgspec.structs.replace(
        alert,
        told=alert.told + 1,
        told_at=notice.at,
        is_told=alert.is_active if lasts else alert.is_told,
    )
    return Step(told, notice)
