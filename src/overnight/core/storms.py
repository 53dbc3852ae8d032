"""The storm brake: when so many tasks in a row fail alike, the rest is spared until one of them succeeds.

What is counted together is what fails together: the same step of a workflow, or plain tasks with the same
action. A success between two failures breaks the row, and so does a failure of another cause; an attempt
that was lost, interrupted or put off is neither. Counted are tasks and not attempts, so one that is tried
again and again is no storm.

While there is a storm one task probes at a time, after a minute, then after two, four ... up to a quarter
of an hour. When it succeeds, the rest goes on, and what has failed for good in the storm is revived. What
was in the row of a storm that is over does not begin the next one: the probe has shown that it is they
that are wrong, so a run of bad inputs costs a pause and not the night.

A plain exit status 1 without a word is an answer (``grep -q``, ``test``, ``diff -q``), not a message, and
never counts.
"""

from __future__ import annotations

from collections.abc import Iterable

import msgspec

from overnight.core.states import ErrorClass, Outcome

#: How often a task is revived by the brake; what fails after that many storms is left to a person.
REVIVALS = 3
#: An exit status that answers, told in no words but these.
ANSWER = "exit status 1"
#: What says nothing about the cause: the attempt did not come to its end.
_NEUTRAL = frozenset({Outcome.CANCELLED, Outcome.INTERRUPTED, Outcome.RECALLED, Outcome.LOST, Outcome.POSTPONED})
#: What leaves a probe unanswered at once: another one may go in its place.
_UNASKED = frozenset({Outcome.CANCELLED, Outcome.INTERRUPTED, Outcome.RECALLED})


class Policy(msgspec.Struct, frozen=True):
    """When the brake bites, and how often is tried whether it may let go. Seconds."""

    #: Tasks in a row; 0 for no brake.
    after: int = 20
    first_probe: float = 60.0
    longest_probe: float = 900.0


class Subject(msgspec.Struct, frozen=True):
    """Whose failures are counted together: a step of a workflow, or plain tasks with one action."""

    workflow: str = ""
    step: str = ""
    action_id: int = 0

    @property
    def key(self) -> tuple[str, int]:
        """What is stopped: the whole workflow, or the action."""
        return self.workflow, self.action_id


class Storm(msgspec.Struct, frozen=True):
    """So many tasks in a row have failed alike; the rest waits. Instants are POSIX seconds."""

    subject: Subject
    #: Of the tasks in the row; by it a person calls plain ones.
    queue: str
    fingerprint: str
    error_class: ErrorClass | None
    #: The words of the last failure in the row.
    error: str
    #: Tasks in the row.
    failures: int
    #: When the first of them failed, and when there were enough.
    first_at: float
    began_at: float
    #: Probes that have failed, and when the next one may start.
    probes: int
    probe_at: float

    @property
    def is_permanent(self) -> bool:
        """Whether no second attempt can mend it: a person must."""
        return self.error_class is ErrorClass.PERMANENT


class Streak(msgspec.Struct, frozen=True):
    """Tasks that have failed alike, one after the other."""

    fingerprint: str
    tasks: frozenset[int]
    first_at: float


def counts(outcome: Outcome, *, fingerprint: str, error: str) -> bool | None:
    """What an attempt says about a row of failures: True lengthens it, False breaks it, None says nothing."""
    if outcome in _NEUTRAL:
        return None
    return outcome is Outcome.FAILED and fingerprint != "" and error != ANSWER


def lengthened(streak: Streak | None, *, fingerprint: str, task_id: int, now: float) -> Streak:
    """The row with one more failure; one of another cause begins a new row."""
    if streak is None or streak.fingerprint != fingerprint:
        return Streak(fingerprint, frozenset({task_id}), now)
    return msgspec.structs.replace(streak, tasks=streak.tasks | {task_id})


def is_storm(streak: Streak, policy: Policy) -> bool:
    """Whether a row is long enough."""
    return 0 < policy.after <= len(streak.tasks)


def began(
    streak: Streak,
    subject: Subject,
    policy: Policy,
    *,
    queue: str,
    error_class: ErrorClass | None,
    error: str,
    now: float,
) -> Storm:
    """The storm that a row has become."""
    return Storm(
        subject=subject,
        queue=queue,
        fingerprint=streak.fingerprint,
        error_class=error_class,
        error=error,
        failures=len(streak.tasks),
        first_at=streak.first_at,
        began_at=now,
        probes=0,
        probe_at=now + interval(policy, 0),
    )


def interval(policy: Policy, probes: int) -> float:
    """Seconds until the next probe when so many have failed: ``min(longest, first * 2 ** probes)``."""
    return min(policy.longest_probe, policy.first_probe * 2.0 ** min(probes, 60))


def after_probe(storm: Storm, outcome: Outcome, policy: Policy, *, now: float) -> Storm | None:
    """What becomes of a storm when its probe has ended like this; None: it is over."""
    if outcome is Outcome.COMPLETED:
        return None
    if outcome in _UNASKED:
        return storm
    probes = storm.probes + 1
    return msgspec.structs.replace(storm, probes=probes, probe_at=now + interval(policy, probes))


def belongs(storm: Storm, *, fingerprint: str, outcome: Outcome) -> bool:
    """Whether a failure is the storm's, so that nothing is counted against its task."""
    return outcome is Outcome.FAILED and fingerprint == storm.fingerprint


def spared_until(storm: Storm, policy: Policy, *, is_probe: bool, now: float) -> float:
    """When a task whose failure was the storm's may be tried again.

    One that has probed lets others be tried next: should it be the one that is wrong, the storm would never end.
    Where only a person can help that is no question.
    """
    if not is_probe or storm.is_permanent:
        return now
    return now + 2.0 * interval(policy, storm.probes + 1) + 1.0


def next_probe(storms: Iterable[Storm], *, now: float) -> float | None:
    """When time alone lets another probe start, POSIX seconds."""
    return min((storm.probe_at for storm in storms if storm.probe_at > now), default=None)


def what(storm: Storm) -> str:
    """What stands still, for people."""
    return f"workflow {storm.subject.workflow!r}" if storm.subject.workflow else f"queue {storm.queue}"


def sentence(storm: Storm) -> str:
    """What has happened, for people; begins small, ends without a full stop."""
    where = f", in step {storm.subject.step!r}" if storm.subject.step else ""
    return f"{storm.failures:,} tasks of {what(storm)} failed alike in a row{where} ({storm.error})"


def name(storm: Storm) -> str:
    """What a person calls it by to end it: the workflow, or the queue of plain tasks."""
    return storm.subject.workflow or storm.queue
