"""When an engine that has ended is started again, how long that waits, and when it would help nothing.

What counts is crashes *in a row without a stable period*: a life of ten minutes in which the engine has
recorded an attempt, or had nothing to do, wipes them out. A number of crashes in a window of time would
not do: with waits of 1, 2, 4 ... 60 s ten crashes take longer than the five minutes that such a window
usually has, so it would never be full, and the engine would crash for ever without a word.
"""

from __future__ import annotations

from enum import StrEnum
from signal import Signals

import msgspec

from overnight.core.retry import delay_after
from overnight.core.task import Backoff

#: The waits before a crashed engine is started again.
DEFAULT_BACKOFF = Backoff(1.0, 2.0, 60.0)
DEFAULT_MOST_CRASHES = 10
#: Seconds without a pulse after which an engine counts as frozen.
DEFAULT_FROZEN_AFTER = 60.0
#: Each wait is made up to so much longer or shorter, so that homes that crash together do not start together.
JITTER = 0.2
#: Seconds up after which the crashes before are forgotten, if the engine has proven itself as well.
STABLE_AFTER = 600.0
#: An engine that is coming up may be silent for so many times as long as one that works: it may be migrating a store.
COMING_UP = 10


class End(StrEnum):
    """What the end of an engine means."""

    #: It was done, or somebody has stopped it.
    CLEAN = "clean"
    #: There was no room to go on, or another program holds the store: it is waited for.
    NO_ROOM = "no_room"
    #: It refused to work for a reason that is still there when it is started again.
    REFUSED = "refused"
    CRASH = "crash"


#: With what a supervisor ends that has seen too many crashes: no other restart would help either.
GAVE_UP = 70
#: Done, stopped with work left, ended by SIGHUP, a second SIGINT, SIGTERM.
CLEAN = frozenset({0, 7, 129, 130, 143})
#: Killed while it was too young to answer: whoever sends these wants an end.
_ASKING = frozenset({-Signals.SIGHUP, -Signals.SIGINT, -Signals.SIGTERM})
#: Words or configuration, not found, another engine, a damaged store.
REFUSED = frozenset({2, 4, 5, 6})
_NO_ROOM = 75
#: Somebody else holds the store.
_BUSY = 69


class Policy(msgspec.Struct, frozen=True):
    """How patient a supervisor is. Durations are seconds."""

    backoff: Backoff = DEFAULT_BACKOFF
    most_crashes: int = DEFAULT_MOST_CRASHES
    #: None: silence is never taken for a frozen engine.
    frozen_after: float | None = DEFAULT_FROZEN_AFTER
    #: Between two starts of an engine that finds no room on the disk.
    room_every: float = 10.0


class Life(msgspec.Struct, frozen=True):
    """One life of an engine, as its supervisor saw it."""

    #: How long it was.
    seconds: float
    #: As ``waitpid`` gives it: negative for the signal that killed it.
    status: int
    #: It came up.
    ready: bool = False
    #: It has recorded an attempt, or had nothing to do.
    proven: bool = False
    #: Its supervisor killed it, because it was silent for so many seconds.
    frozen_for: float | None = None


class Restart(msgspec.Struct, frozen=True):
    """Start another one after so many seconds. `crashes` in a row lie behind it."""

    seconds: float
    crashes: int
    #: The last life ended by a crash, and not for want of room.
    is_crash: bool = True


class GiveUp(msgspec.Struct, frozen=True):
    """Start no other one; end with `status`. `why`: what to tell, when nobody wanted it so."""

    status: int
    why: str = ""


class Report(msgspec.Struct, frozen=True):
    """What a supervisor says of itself in ``engine.json``."""

    pid: int
    #: How often it has started an engine again.
    restarts: int = 0
    #: Crashes in a row.
    crashes: int = 0
    #: How the last engine that crashed came to its end, and when (POSIX seconds).
    last_crash: str = ""
    last_crash_at: float | None = None
    #: It has started an engine for the last time.
    gave_up: bool = False
    #: Somebody watches over it: a terminal or a service manager.
    foreground: bool = False


def end_of(status: int) -> End:
    """What an exit status means for the question whether to start again."""
    if status in CLEAN or status in _ASKING:
        return End.CLEAN
    if status in (_NO_ROOM, _BUSY):
        return End.NO_ROOM
    return End.REFUSED if status in REFUSED else End.CRASH


def after_life(life: Life, policy: Policy, *, crashes: int, came_up: bool, dice: float) -> Restart | GiveUp:
    """Decide what follows a life.

    Args:
        life: The life that has ended.
        policy: How patient to be.
        crashes: In a row before this life.
        came_up: Whether this or any engine before it has come up: somebody who only just typed ``start``
            is told of a full disk, whoever has gone to bed is not.
        dice: From 0 up to 1.
    """
    end = end_of(life.status) if life.frozen_for is None else End.CRASH
    if end is End.CLEAN:
        return GiveUp(128 - life.status if life.status < 0 else life.status)
    if end is End.REFUSED or (end is End.NO_ROOM and not came_up):
        return GiveUp(life.status, f"the engine {how(life)}")
    if end is End.NO_ROOM:
        return Restart(policy.room_every, crashes, is_crash=False)
    crashes = 1 if life.proven and life.seconds >= STABLE_AFTER else crashes + 1
    if crashes >= policy.most_crashes:
        times = "" if crashes == 1 else f" {crashes} times in a row"
        return GiveUp(GAVE_UP, f"the engine crashed{times}; at last it {how(life)}")
    return Restart(delay(policy.backoff, crashes, dice), crashes)


def delay(backoff: Backoff, crashes: int, dice: float) -> float:
    """Seconds before the start after so many crashes in a row; `dice` from 0 up to 1."""
    return delay_after(backoff, crashes) * (1 + JITTER * (2 * dice - 1))


def how(life: Life) -> str:
    """How a life ended, after "the engine"."""
    if life.frozen_for is not None:
        return f"did not answer for {life.frozen_for:.0f} s and was killed"
    if life.status == _NO_ROOM:
        return "found no room on the disk (status 75)"
    if life.status == _BUSY:
        return "found the store held by another program for too long (status 69)"
    if life.status >= 0:
        return f"ended with status {life.status}"
    try:
        return f"was killed by {Signals(-life.status).name}"
    except ValueError:
        return f"was killed by signal {-life.status}"


def silence(before: float, *, heard: bool, elapsed: float, look_every: float) -> float:
    """Seconds in which an engine has been silent while its supervisor was awake.

    A look that comes late counts as one that came in time: the supervisor itself did not run, so the machine
    was suspended, or frozen as a whole, and the engine had no chance either.
    """
    return 0.0 if heard else before + min(elapsed, look_every)


def look_every(frozen_after: float | None) -> float:
    """Seconds between two looks at an engine; six in the time after which its silence is not believed any more."""
    return 10.0 if frozen_after is None else min(10.0, frozen_after / 6)


def is_frozen(silent: float, policy: Policy, *, ready: bool) -> bool:
    """Whether an engine that was silent for so many seconds is to be given up."""
    return policy.frozen_after is not None and silent >= policy.frozen_after * (1 if ready else COMING_UP)


# -- what engine, supervisor and whoever typed ``start`` tell each other ---------------------------


class Ready(msgspec.Struct, frozen=True, tag="ready"):
    """The engine works."""

    pid: int


class Pulse(msgspec.Struct, frozen=True, tag="pulse"):
    """The engine's loop goes round. `proven`: it has recorded an attempt since it began, or has nothing to do."""

    proven: bool = False


class Refused(msgspec.Struct, frozen=True, tag="refused"):
    """There will be no engine, for this reason; the fields are those of an `OvernightError`."""

    status: int
    message: str
    hint: str = ""


class Note(msgspec.Struct, frozen=True, tag="note"):
    """Something to tell whoever waits."""

    message: str


Word = Ready | Pulse | Refused | Note
