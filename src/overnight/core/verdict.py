"""From how an attempt ended to what becomes of its task.

This is the only place that knows what an exit code, a signal or an exception means. `judge` is
called for every attempt with plain values and returns a settlement, which the store writes as it
stands and refuses when the task has moved on in the meantime.

Exit codes that a task can speak with: 0 done; 99 done, and stop the queue; 75 (EX_TEMPFAIL) try
later; 65 (EX_DATAERR) and 78 (EX_CONFIG) never again; 126 and 127 are how shells say that a program
cannot be run or found, and no retry will mend that. Source: sysexits.h, POSIX shell "Exit Status".
"""

from __future__ import annotations

import re
import signal as signals
from collections.abc import Sequence
from enum import StrEnum

import msgspec

from overnight.core.digests import digest
from overnight.core.durations import format_size
from overnight.core.endings import Ended, Ending, Evidence, Lost
from overnight.core.error_rules import Rule, ruled
from overnight.core.retry import is_wanted, retry_at
from overnight.core.states import ErrorClass, Outcome, Reason, TaskState
from overnight.core.task import Action, OutputRef, text
from overnight.core.templates import mask_all

EXIT_DONE_AND_STOP = 99
EXIT_TRY_LATER = 75
PERMANENT_EXITS = frozenset({65, 78, 126, 127})
#: Characters of a command's last words in its error.
LONGEST_WORDS = 200
#: Seconds until a task is tried again that was told "too many requests", and not when.
RATE_LIMIT_WAIT = 60.0
#: A task that was running at so many deaths of its worker is held.
POISON_DEATHS = 3


class Settlement(msgspec.Struct, frozen=True):
    """How an attempt ended and what that makes of its task. Refused by the store when it is stale.

    Instants are POSIX seconds; `seconds` is measured on the monotonic clock.
    """

    task_id: int
    attempt: int
    state: TaskState
    outcome: Outcome
    failures: int
    deaths: int
    started_at: float | None
    seconds: float = 0.0
    not_before: float | None = None
    reason: Reason | None = None
    error_class: ErrorClass | None = None
    error: str = ""
    detail: str = ""
    fingerprint: str = ""
    exit_code: int | None = None
    signal: int | None = None
    cpu_seconds: float | None = None
    peak_memory_bytes: int | None = None
    output: OutputRef | None = None
    slot: int | None = None
    result: bytes = b""
    #: Name of the step; empty for a task that is none.
    step: str = ""
    #: The machine on which it ran; empty: this one.
    node: str = ""


class Intent(StrEnum):
    """Why the engine asked for an attempt to end; decides what `cancelled` means for its task."""

    #: A person cancels the task.
    CANCEL = "cancel"
    #: A person holds it.
    HOLD = "hold"
    #: The engine stops; the task goes back to the queue.
    STOP = "stop"


class Standing(msgspec.Struct, frozen=True):
    """What is known of a running task when it ends."""

    failures: int
    deaths: int
    action: Action
    slot: int | None = None
    intent: Intent | None = None
    step: str = ""


_REASONS = {
    Ending.SIGNALLED: Reason.CRASHED,
    Ending.TIMEOUT: Reason.TIMEOUT,
    Ending.STALLED: Reason.STALLED,
    Ending.MEMORY: Reason.MEMORY,
    Ending.OUTPUT: Reason.OUTPUT,
}

_CLASSES = {
    Ending.TIMEOUT: ErrorClass.TRANSIENT,
    Ending.STALLED: ErrorClass.TRANSIENT,
    Ending.MEMORY: ErrorClass.RESOURCE,
    Ending.OUTPUT: ErrorClass.PERMANENT,
    Ending.PROCESSES: ErrorClass.PERMANENT,
}


def judge(ended: Ended, standing: Standing, *, now: float, rules: Sequence[Rule] = ()) -> Settlement:
    """Decide what becomes of a task whose attempt has ended. `rules` are those of the configuration."""
    if _succeeded(ended):
        return _settle(ended, standing, TaskState.COMPLETED, Outcome.COMPLETED)
    if ended.ending is Ending.CANCELLED:
        return _after_cancel(ended, standing)
    if not ended.error:
        ended = msgspec.structs.replace(ended, error=describe(ended, standing.action))
    ended = ruled(rules, ended, now=now)
    again = _again_at(ended, now)
    if again is not None:
        return _settle(
            ended,
            standing,
            TaskState.WAITING,
            Outcome.POSTPONED,
            not_before=again,
            error_class=ended.error_class,
            error=ended.error,
        )
    return _after_failure(ended, standing, now=now)


def judge_lost(lost: Lost, standing: Standing) -> Settlement:
    """Decide what becomes of a task whose attempt will never report."""
    started = lost.evidence is not Evidence.NEVER_STARTED
    deaths = standing.deaths + (started and lost.worker_died)
    outcome = Outcome.LOST if started else Outcome.RECALLED
    state, reason = TaskState.PENDING, None
    if standing.intent in (Intent.CANCEL, Intent.HOLD):
        state, reason, outcome = _by_hand(standing.intent)
    elif lost.evidence is Evidence.STUCK or (started and standing.action.at_most_once):
        state, reason = TaskState.HELD, Reason.INTERRUPTED
    elif deaths >= POISON_DEATHS and started and lost.worker_died:
        state, reason = TaskState.HELD, Reason.POISON
    return Settlement(
        task_id=lost.task_id,
        attempt=lost.attempt,
        state=state,
        outcome=outcome,
        reason=reason,
        failures=standing.failures,
        deaths=deaths,
        started_at=lost.started_at,
        error=lost.error if started else "",
        slot=standing.slot,
        step=standing.step,
        node=lost.node,
    )


def _succeeded(ended: Ended) -> bool:
    if ended.ending is Ending.EXITED:
        return ended.exit_code in (0, EXIT_DONE_AND_STOP)
    return ended.ending is Ending.RETURNED


def _again_at(ended: Ended, now: float) -> float | None:
    """When it is to be tried again without a failure counted, POSIX seconds; None when it has failed."""
    asks = ended.ending is Ending.POSTPONED or (ended.ending is Ending.EXITED and ended.exit_code == EXIT_TRY_LATER)
    if asks and ended.retry_at is not None:
        return ended.retry_at
    if ended.error_class is ErrorClass.RATE_LIMITED:
        return ended.retry_at if ended.retry_at is not None else now + RATE_LIMIT_WAIT
    return None


def _by_hand(intent: Intent) -> tuple[TaskState, Reason | None, Outcome]:
    if intent is Intent.HOLD:
        return TaskState.HELD, Reason.BY_HAND, Outcome.INTERRUPTED
    return TaskState.CANCELLED, None, Outcome.CANCELLED


def _after_cancel(ended: Ended, standing: Standing) -> Settlement:
    if standing.intent in (Intent.CANCEL, Intent.HOLD):
        state, reason, outcome = _by_hand(standing.intent)
        return _settle(ended, standing, state, outcome, reason=reason)
    if standing.action.at_most_once:
        return _settle(ended, standing, TaskState.HELD, Outcome.INTERRUPTED, reason=Reason.INTERRUPTED)
    return _settle(ended, standing, TaskState.PENDING, Outcome.INTERRUPTED)


def _after_failure(ended: Ended, standing: Standing, *, now: float) -> Settlement:
    error_class = classify(ended)
    reason = _REASONS.get(ended.ending, Reason.ERROR)
    failures = standing.failures + 1
    not_before = retry_at(standing.action, failures=failures, error_class=error_class, now=now)
    if not is_wanted(standing.action, reason, ended.exit_code):
        not_before = None
    if standing.action.is_gate and reason is Reason.ERROR:
        reason = Reason.GATE
    return _settle(
        ended,
        standing,
        TaskState.FAILED if not_before is None else TaskState.WAITING,
        Outcome.FAILED,
        failures=failures,
        not_before=not_before,
        reason=reason,
        error_class=error_class,
        error=ended.error,
        fingerprint=fingerprint(reason, ended, standing.action),
    )


def classify(ended: Ended) -> ErrorClass:
    """The class of a failure: what its worker knows, else what the way it ended says."""
    if ended.error_class is not None:
        return ended.error_class
    if ended.ending is Ending.EXITED:
        if ended.exit_code in PERMANENT_EXITS:
            return ErrorClass.PERMANENT
        return ErrorClass.TRANSIENT if ended.exit_code == EXIT_TRY_LATER else ErrorClass.UNKNOWN
    return _CLASSES.get(ended.ending, ErrorClass.UNKNOWN)


def describe(ended: Ended, action: Action) -> str:
    """One line for people about an ending that brought no words of its own: what it was, and its last words."""
    words = _what_happened(ended, action)
    last = _last_line(ended.detail)
    return f"{words}: {last}" if last else words


def _last_line(detail: str) -> str:
    """The last line that says anything, shortened."""
    lines = [line.strip() for line in detail[-LONGEST_WORDS * 4 :].splitlines() if line.strip()]
    return lines[-1][:LONGEST_WORDS] if lines else ""


def _what_happened(ended: Ended, action: Action) -> str:
    if ended.ending is Ending.EXITED:
        return f"exit status {ended.exit_code}"
    if ended.ending is Ending.SIGNALLED and ended.signal is not None:
        return f"killed by signal {ended.signal} ({_signal_name(ended.signal)})"
    limit = _limit(ended.ending, action)
    return f"{limit} after {ended.seconds:.1f} s" if limit else str(ended.ending)


def _limit(ending: Ending, action: Action) -> str:
    """The limit by which it was ended, in words; empty when it was none."""
    if ending is Ending.TIMEOUT:
        return "over its time limit"
    if ending is Ending.STALLED:
        return "stalled: no output, no progress and no CPU time"
    if ending is Ending.MEMORY:
        return f"over its memory limit of {format_size(action.memory or 0)}"
    if ending is Ending.OUTPUT:
        return f"over its limit of {format_size(action.max_output or 0)} of output"
    if ending is Ending.PROCESSES:
        return f"over its limit of {action.processes or 0:,} processes"
    return ""


def _signal_name(number: int) -> str:
    try:
        return signals.Signals(number).name
    except ValueError:
        return "real-time" if number > 0 else "unknown"


def fingerprint(reason: Reason, ended: Ended, action: Action) -> str:
    """12 hex digits by which failures of one cause are grouped.

    Of reason, exception type, exit status, signal, the masked message, and where it happened: the innermost
    frame of the user's code (file and function; a line number moves with every edit), or the program.
    """
    where = innermost_frame(ended.detail) if ended.error_type else _program(action)
    words = "\0".join((reason, ended.error_type, str(ended.exit_code), str(ended.signal), where, mask_all(ended.error)))
    return digest(words.encode("utf-8", "surrogateescape"), 6).hex()


_FRAME = re.compile(r'^ *File "(?P<file>[^"]+)", line \d+, in (?P<function>.+)$', re.MULTILINE)
#: Where code of others lies.
_NOT_OF_THE_USER = re.compile(r"(^<)|/(site|dist)-packages/|/lib/python\d")


def innermost_frame(traceback: str) -> str:
    """File name and function of the last frame of a traceback that is the user's; empty when there is none."""
    frames = [found for found in _FRAME.finditer(traceback) if not _NOT_OF_THE_USER.search(found["file"])]
    return f"{frames[-1]['file'].rpartition('/')[2]}:{frames[-1]['function']}" if frames else ""


def _program(action: Action) -> str:
    return text(action.argv[0]) if action.argv and not action.shell else ""


def _settle(
    ended: Ended,
    standing: Standing,
    state: TaskState,
    outcome: Outcome,
    *,
    failures: int | None = None,
    not_before: float | None = None,
    reason: Reason | None = None,
    error_class: ErrorClass | None = None,
    error: str = "",
    fingerprint: str = "",
) -> Settlement:
    return Settlement(
        task_id=ended.task_id,
        attempt=ended.attempt,
        state=state,
        outcome=outcome,
        failures=standing.failures if failures is None else failures,
        deaths=standing.deaths,
        started_at=ended.started_at,
        seconds=ended.seconds,
        not_before=not_before,
        reason=reason,
        error_class=error_class,
        error=error,
        detail=ended.detail if error else "",
        fingerprint=fingerprint,
        exit_code=ended.exit_code,
        signal=ended.signal,
        cpu_seconds=ended.cpu_seconds,
        peak_memory_bytes=ended.peak_memory_bytes,
        output=ended.output,
        slot=standing.slot,
        result=ended.result if outcome is Outcome.COMPLETED else b"",
        step=standing.step,
        node=ended.node,
    )
