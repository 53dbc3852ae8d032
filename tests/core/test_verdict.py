"""From how an attempt ended to what becomes of its task."""

from typing import Any

import pytest
from judged import NOON, ended, exited, standing

from overnight.core.endings import Ending, Evidence, Lost
from overnight.core.states import Cause, ErrorClass, Outcome, Reason, TaskState, check
from overnight.core.verdict import Intent, Settlement, innermost_frame, judge, judge_lost


def lost(*, started: bool = True, worker_died: bool = True) -> Lost:
    evidence = Evidence.STARTED if started else Evidence.NEVER_STARTED
    return Lost(7, 1, evidence, worker_died, NOON - 1 if started else None, "worker ended by SIGKILL")


def fate(settlement: Settlement) -> tuple[TaskState, Outcome, Reason | None]:
    return settlement.state, settlement.outcome, settlement.reason


@pytest.mark.parametrize("code", [0, 99])
def test_exit_0_and_99_are_successes(code: int) -> None:
    assert fate(judge(exited(code), standing(), now=NOON)) == (TaskState.COMPLETED, Outcome.COMPLETED, None)


@pytest.mark.parametrize("code", sorted({*range(1, 256)} - {65, 75, 78, 99, 126, 127}))
def test_every_other_exit_code_is_an_unknown_failure_that_is_retried(code: int) -> None:
    settlement = judge(exited(code), standing(), now=NOON)
    assert fate(settlement) == (TaskState.WAITING, Outcome.FAILED, Reason.ERROR)
    assert (settlement.error_class, settlement.failures, settlement.not_before) == (ErrorClass.UNKNOWN, 1, NOON + 2)
    assert settlement.error == f"exit status {code}"


@pytest.mark.parametrize("code", [65, 78, 126, 127])
def test_permanent_exit_codes_are_not_retried(code: int) -> None:
    settlement = judge(exited(code), standing(), now=NOON)
    assert fate(settlement) == (TaskState.FAILED, Outcome.FAILED, Reason.ERROR)
    assert settlement.error_class is ErrorClass.PERMANENT


def test_exit_75_is_transient_and_with_a_time_costs_no_failure() -> None:
    plain = judge(exited(75), standing(), now=NOON)
    assert (plain.state, plain.failures, plain.error_class) == (TaskState.WAITING, 1, ErrorClass.TRANSIENT)
    timed = judge(exited(75, retry_at=NOON + 3600), standing(), now=NOON)
    assert (timed.state, timed.outcome, timed.failures) == (TaskState.WAITING, Outcome.POSTPONED, 0)
    assert timed.not_before == NOON + 3600


def test_a_time_to_retry_means_nothing_beside_another_exit_code() -> None:
    assert judge(exited(1, retry_at=NOON + 3600), standing(), now=NOON).not_before == NOON + 2


def test_the_last_allowed_failure_is_final() -> None:
    settlement = judge(exited(1), standing(failures=3), now=NOON)
    assert (settlement.state, settlement.failures) == (TaskState.FAILED, 4)


@pytest.mark.parametrize(
    ("ending", "reason", "state"),
    [
        (Ending.SIGNALLED, Reason.CRASHED, TaskState.WAITING),
        (Ending.TIMEOUT, Reason.TIMEOUT, TaskState.WAITING),
        (Ending.STALLED, Reason.STALLED, TaskState.WAITING),
        (Ending.MEMORY, Reason.MEMORY, TaskState.WAITING),
        (Ending.OUTPUT, Reason.OUTPUT, TaskState.FAILED),
        (Ending.RAISED, Reason.ERROR, TaskState.WAITING),
    ],
)
def test_each_ending_has_its_own_reason(ending: Ending, reason: Reason, state: TaskState) -> None:
    settlement = judge(ended(ending, signal=11 if ending is Ending.SIGNALLED else None), standing(), now=NOON)
    assert fate(settlement) == (state, Outcome.FAILED, reason)
    assert settlement.error


def test_a_failed_command_is_known_by_its_last_words() -> None:
    settlement = judge(exited(2, detail="reading\nno such page 7\n\n"), standing(), now=NOON)
    assert settlement.error == "exit status 2: no such page 7"


def test_a_signal_is_named_for_people() -> None:
    assert "SIGSEGV" in judge(ended(Ending.SIGNALLED, signal=11), standing(), now=NOON).error


@pytest.mark.parametrize(
    ("intent", "expected"),
    [
        (Intent.CANCEL, (TaskState.CANCELLED, Outcome.CANCELLED, None)),
        (Intent.HOLD, (TaskState.HELD, Outcome.INTERRUPTED, Reason.BY_HAND)),
        (Intent.STOP, (TaskState.PENDING, Outcome.INTERRUPTED, None)),
        (None, (TaskState.PENDING, Outcome.INTERRUPTED, None)),
    ],
)
def test_what_cancelled_means_depends_on_who_asked(intent: Intent | None, expected: object) -> None:
    settlement = judge(ended(Ending.CANCELLED), standing(intent=intent), now=NOON)
    assert fate(settlement) == expected
    assert settlement.failures == 0


def test_a_task_that_finished_before_its_cancel_bit_is_completed() -> None:
    assert judge(exited(0), standing(intent=Intent.CANCEL), now=NOON).state is TaskState.COMPLETED


def test_a_lost_attempt_is_no_failure_and_goes_back() -> None:
    settlement = judge_lost(lost(worker_died=False), standing(failures=2, deaths=2))
    assert fate(settlement) == (TaskState.PENDING, Outcome.LOST, None)
    assert (settlement.failures, settlement.deaths) == (2, 2)


def test_three_deaths_of_a_worker_hold_the_task_as_poison() -> None:
    assert judge_lost(lost(), standing(deaths=1)).state is TaskState.PENDING
    assert fate(judge_lost(lost(), standing(deaths=2))) == (TaskState.HELD, Outcome.LOST, Reason.POISON)


def test_an_attempt_that_never_began_counts_for_nothing() -> None:
    settlement = judge_lost(lost(started=False), standing(deaths=2, at_most_once=True))
    assert fate(settlement) == (TaskState.PENDING, Outcome.RECALLED, None)
    assert settlement.deaths == 2


@pytest.mark.parametrize("how", ["lost", "stopped"])
def test_an_interrupted_at_most_once_task_waits_for_a_person(how: str) -> None:
    stand = standing(at_most_once=True, intent=Intent.STOP)
    settlement = judge_lost(lost(), stand) if how == "lost" else judge(ended(Ending.CANCELLED), stand, now=NOON)
    assert (settlement.state, settlement.reason) == (TaskState.HELD, Reason.INTERRUPTED)


def test_every_verdict_is_a_legal_step_from_running() -> None:
    causes = {
        TaskState.COMPLETED: Cause.SUCCEED,
        TaskState.FAILED: Cause.FAIL,
        TaskState.WAITING: Cause.RETRY,
        TaskState.PENDING: Cause.UNCLAIM,
        TaskState.CANCELLED: Cause.CANCEL,
        TaskState.HELD: Cause.HOLD,
    }
    for ending in Ending:
        for intent in (None, *Intent):
            for once in (False, True):
                settlement = judge(ended(ending, exit_code=1), standing(intent=intent, at_most_once=once), now=NOON)
                check(TaskState.RUNNING, causes[settlement.state], settlement.state)


def test_one_cause_has_one_fingerprint_and_two_have_two() -> None:
    def mark(error: str, **details: Any) -> str:
        return judge(
            ended(Ending.RAISED, error=error, error_type="ValueError", **details), standing(), now=NOON
        ).fingerprint

    assert mark("no such page 17 in /data/a.pdf") == mark("no such page 4 in /data/b.pdf")
    assert mark("no such page 17") != mark("no such line 17")


def test_a_step_is_tried_again_for_what_it_names_and_for_nothing_else() -> None:
    wanted = standing(retry_on=("timeout", "exit:75"))
    assert judge(exited(75), wanted, now=NOON).state is TaskState.WAITING
    assert judge(ended(Ending.TIMEOUT), wanted, now=NOON).state is TaskState.WAITING
    assert judge(exited(1), wanted, now=NOON).state is TaskState.FAILED


def test_a_check_that_does_not_pass_is_a_closed_gate() -> None:
    gate = standing(is_gate=True, retries=0)
    assert fate(judge(exited(1), gate, now=NOON)) == (TaskState.FAILED, Outcome.FAILED, Reason.GATE)
    assert fate(judge(ended(Ending.TIMEOUT), gate, now=NOON)) == (TaskState.FAILED, Outcome.FAILED, Reason.TIMEOUT)


@pytest.mark.parametrize("worker_died", [True, False])
def test_a_task_whose_processes_cannot_be_ended_is_held(worker_died: bool) -> None:  # noqa: FBT001 - parametrized
    stuck = Lost(7, 1, Evidence.STUCK, worker_died, NOON - 1, "process 9 of it is stuck")

    settlement = judge_lost(stuck, standing(deaths=1))

    assert fate(settlement) == (TaskState.HELD, Outcome.LOST, Reason.INTERRUPTED)
    assert (settlement.deaths, settlement.error) == (1 + worker_died, "process 9 of it is stuck")
    assert judge_lost(stuck, standing(intent=Intent.CANCEL)).state is TaskState.CANCELLED


@pytest.mark.parametrize(
    ("ending", "reason", "error_class", "words"),
    [
        (Ending.STALLED, Reason.STALLED, ErrorClass.TRANSIENT, "stalled: no output, no progress and no CPU time"),
        (Ending.MEMORY, Reason.MEMORY, ErrorClass.RESOURCE, "over its memory limit of 1.5 GB"),
        (Ending.OUTPUT, Reason.OUTPUT, ErrorClass.PERMANENT, "over its limit of 2.0 MB of output"),
        (Ending.PROCESSES, Reason.ERROR, ErrorClass.PERMANENT, "over its limit of 1,000 processes"),
    ],
)
def test_each_limit_is_named_with_its_measure(
    ending: Ending, reason: Reason, error_class: ErrorClass, words: str
) -> None:
    limited = standing(memory=1_500_000_000, max_output=2_000_000, processes=1000)

    settlement = judge(ended(ending, detail="working\nlast words\n"), limited, now=NOON)

    assert (settlement.reason, settlement.error_class) == (reason, error_class)
    assert settlement.error == f"{words} after 1.0 s: last words"


TRACEBACK = """Traceback (most recent call last):
  File "/home/me/night.py", line {line}, in fetch
    return get(url)
  File "/usr/lib/python3.11/site-packages/requests/api.py", line 73, in get
    return request("get", url)
requests.exceptions.HTTPError: {status}
"""


def group(*, line: int = 12, status: int = 404, file: str = "night.py", program: bytes = b"true") -> str:
    detail = TRACEBACK.format(line=line, status=status).replace("night.py", file)
    failed = ended(
        Ending.RAISED, error=f"HTTPError: {status}", detail=detail, error_type="requests.exceptions.HTTPError"
    )
    return judge(failed, standing(argv=(program,)), now=NOON).fingerprint


def test_failures_are_grouped_by_where_the_users_own_code_was() -> None:
    assert group(line=12) == group(line=15)
    assert group() != group(file="day.py")
    assert innermost_frame(TRACEBACK.format(line=1, status=404)) == "night.py:fetch"
    assert innermost_frame("no traceback") == ""


def test_failures_of_commands_are_grouped_by_their_program() -> None:
    prints = [
        judge(exited(3), standing(argv=argv), now=NOON).fingerprint for argv in ((b"a", b"1"), (b"a", b"2"), (b"b",))
    ]
    assert prints[0] == prints[1] != prints[2]
