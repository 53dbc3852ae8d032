"""What to do about tasks that failed alike: one sentence, and what to type.

By rules, the first that fits. A rule says what is known from the way the attempts ended and never guesses at
more; the last one fits everything. Commands name the cause by its fingerprint, so that they reach these
tasks and no others, and they are safe to type: none of them throws anything away.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence

import msgspec

from overnight.core.durations import spell_duration, spell_size
from overnight.core.night import Alike
from overnight.core.states import ErrorClass, Reason, TaskState


class NextStep(msgspec.Struct, frozen=True):
    """What is to be done, and what to type for it, in this order."""

    words: str
    commands: tuple[str, ...] = ()


class Limits(msgspec.Struct, frozen=True):
    """Limits of the newest of the tasks; None where there is none. Seconds, bytes."""

    timeout: float | None = None
    stall: float | None = None
    memory: int | None = None


_Rule = tuple[Callable[[Alike], bool], Callable[[Alike, Limits], NextStep]]


def next_step(alike: Alike, limits: Limits) -> NextStep:
    """What to do about these tasks."""
    rules = _HELD if alike.state is TaskState.HELD else _FAILED
    return next(told(alike, limits) for fits, told in rules if fits(alike))


def _retry(alike: Alike) -> str:
    return f"overnight retry --cause {alike.fingerprint}" if alike.fingerprint else "overnight retry-failed"


def _look(alike: Alike) -> str:
    return f"overnight log {alike.newest_id}"


def _raise(alike: Alike, option: str) -> tuple[str, ...]:
    """With another limit, where there is one and it is the task's own; that of a step stands in its definition."""
    option = option if alike.fingerprint and not alike.workflow else ""
    return (_look(alike), f"{_retry(alike)} {option}".rstrip())


def _mend_first(words: str) -> Callable[[Alike, Limits], NextStep]:
    return lambda alike, _: NextStep(words, (_look(alike), _retry(alike)))


def _just_retry(words: str) -> Callable[[Alike, Limits], NextStep]:
    return lambda alike, _: NextStep(words, (_retry(alike),))


# -- rules -----------------------------------------------------------------------------------


def _longer(alike: Alike, limits: Limits) -> NextStep:
    words = "They ran into their time limit: give them a longer one if they need it, else find out what they wait for"
    if alike.workflow:
        words = "A step ran into its time limit: give it a longer one in the definition, and retry"
    return NextStep(words, _raise(alike, f"--timeout {spell_duration(2 * limits.timeout)}" if limits.timeout else ""))


def _quieter(alike: Alike, limits: Limits) -> NextStep:
    words = "They stood still: no output, no progress, no CPU time. Look at what they waited for, or allow more time"
    return NextStep(words, _raise(alike, f"--stall {spell_duration(2 * limits.stall)}" if limits.stall else ""))


def _larger(alike: Alike, limits: Limits) -> NextStep:
    words = "They needed more memory than they may have: allow more, or let fewer run at the same time"
    return NextStep(words, _raise(alike, f"--memory {spell_size(2 * limits.memory)}" if limits.memory else ""))


def _because(reason: Reason) -> Callable[[Alike], bool]:
    return lambda alike: alike.reason is reason


def _says(pattern: str) -> Callable[[Alike], bool]:
    return lambda alike: re.search(pattern, alike.error, re.IGNORECASE) is not None


_FAILED: Sequence[_Rule] = (
    (_because(Reason.TIMEOUT), _longer),
    (_because(Reason.STALLED), _quieter),
    (_because(Reason.MEMORY), _larger),
    (
        _because(Reason.OUTPUT),
        _mend_first("They printed more than they may: look at what, and give a larger --max-output where it is right"),
    ),
    (_because(Reason.GATE), _mend_first("A gate did not pass: look at what it says, mend that, then retry")),
    (
        _because(Reason.DEPENDENCY),
        _just_retry("What they waited for did not complete: mend that; retrying it queues these as well"),
    ),
    (
        _says(r"no space left|ENOSPC|disk quota|EDQUOT"),
        _just_retry("There was no room on a disk: make some ('df -h'), then retry; no input is to blame"),
    ),
    (
        _says(r"command not found|exit status 127\b|no such program"),
        _mend_first("The program was not found: install it or mend PATH, then retry"),
    ),
    (
        _says(r"ModuleNotFoundError|ImportError|No module named"),
        _mend_first("A Python module is missing where the tasks run: install it, then retry"),
    ),
    (
        _says(r"permission denied|EACCES|exit status 126\b"),
        _mend_first("Something may not be read, written or run by this user: mend its permissions, then retry"),
    ),
    (
        _says(
            r"connection (refused|reset|timed out)|name resolution|network is unreachable|no route to host|timed out"
        ),
        _just_retry("The other side did not answer: see that it does, then retry; no input is to blame"),
    ),
    (
        _says(r"^the directory .* cannot be entered"),
        lambda alike, _: NextStep(
            "The directory that they run in cannot be entered: mend that; if it was moved, 'overnight relocate OLD NEW'"
            " says where to; then retry",
            (f"overnight show {alike.newest_id}", _retry(alike)),
        ),
    ),
    (
        _says(r"no such file or directory|FileNotFoundError|ENOENT"),
        _mend_first("A file was not there: see which one, put it back, then retry"),
    ),
    (
        _because(Reason.CRASHED),
        _mend_first("The program was killed by a signal: look at its last words; a repeat points to a bug in it"),
    ),
    (
        lambda alike: alike.error_class is ErrorClass.RATE_LIMITED,
        _just_retry("The other side wants fewer requests: set a rate on the queue ('overnight queue set'), then retry"),
    ),
    (
        lambda alike: alike.error_class is ErrorClass.RESOURCE,
        _just_retry("The machine was short of something: let fewer run at the same time, then retry"),
    ),
    (
        lambda alike: alike.error_class is ErrorClass.PERMANENT,
        _mend_first("No further attempt can mend this: look at one of them, mend input or program, then retry"),
    ),
    (
        lambda alike: alike.error_class is ErrorClass.TRANSIENT,
        _just_retry("It may have passed by now: retry; if it comes back, look at one of them"),
    ),
    (lambda _: True, _mend_first("Look at what one of them said last, mend the cause, then retry")),
)


def _decide(words: str) -> Callable[[Alike, Limits], NextStep]:
    def told(alike: Alike, _: Limits) -> NextStep:
        return NextStep(words, (f"overnight show {alike.newest_id}", f"overnight release {alike.newest_id}"))

    return told


_HELD: Sequence[_Rule] = (
    (
        _because(Reason.POISON),
        _decide("Their worker died three times while they ran: see what they do to it before you release one"),
    ),
    (
        _because(Reason.INTERRUPTED),
        _decide("They were interrupted and may not run twice: see what was done already, then release or cancel"),
    ),
    (lambda _: True, _decide("Somebody holds them: release them when they may run")),
)
