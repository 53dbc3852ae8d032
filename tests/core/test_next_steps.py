"""What to do about failures: a rule for every way to fail, and commands that reach these tasks alone."""

from __future__ import annotations

import pytest

from overnight.core.next_steps import Limits, next_step
from overnight.core.night import Alike
from overnight.core.states import FAILED_REASONS, HELD_REASONS, ErrorClass, Reason, TaskState


def alike(
    reason: Reason | None = Reason.ERROR,
    error: str = "",
    *,
    error_class: ErrorClass | None = ErrorClass.UNKNOWN,
    fingerprint: str = "abc123",
    workflow: str = "",
    state: TaskState = TaskState.FAILED,
) -> Alike:
    return Alike(fingerprint, state, reason, error_class, error, 42, "default", workflow, 3, 0, (3,), 1.0, 2.0)


@pytest.mark.parametrize("reason", sorted(FAILED_REASONS))
@pytest.mark.parametrize("error_class", [None, *ErrorClass])
@pytest.mark.parametrize("fingerprint", ["", "abc123"])
def test_every_failure_has_a_next_step(reason: Reason, error_class: ErrorClass | None, fingerprint: str) -> None:
    step = next_step(alike(reason, error_class=error_class, fingerprint=fingerprint), Limits())
    assert step.words
    assert step.commands
    assert not step.words.endswith((".", ":"))


@pytest.mark.parametrize("reason", sorted(HELD_REASONS))
def test_what_is_held_is_looked_at_and_released_by_its_id(reason: Reason) -> None:
    step = next_step(alike(reason, state=TaskState.HELD), Limits())
    assert step.commands == ("overnight show 42", "overnight release 42")


@pytest.mark.parametrize(
    ("error", "words"),
    [
        ("OSError: [Errno 28] No space left on device", "no room on a disk"),
        ("exit status 127: sh: ffmpge: command not found", "program was not found"),
        ("ModuleNotFoundError: No module named 'x'", "Python module is missing"),
        ("PermissionError: [Errno 13] Permission denied: '/x'", "permissions"),
        ("ConnectionRefusedError: [Errno 111] Connection refused", "did not answer"),
        ("Temporary failure in name resolution", "did not answer"),
        ("FileNotFoundError: [Errno 2] No such file or directory: 'a'", "file was not there"),
        ("the directory '/x' cannot be entered (No such file or directory)", "'overnight relocate OLD NEW'"),
        ("ValueError: bad header", "what one of them said last"),
        ("", "what one of them said last"),
    ],
)
def test_the_words_of_an_error_are_understood(error: str, words: str) -> None:
    assert words in next_step(alike(error=error), Limits()).words


def test_a_limit_is_doubled() -> None:
    assert next_step(alike(Reason.TIMEOUT), Limits(timeout=300.0)).commands == (
        "overnight log 42",
        "overnight retry --cause abc123 --timeout 10m",
    )
    assert next_step(alike(Reason.MEMORY), Limits(memory=2_000_000_000)).commands[1].endswith(" --memory 4GB")
    assert next_step(alike(Reason.STALLED), Limits(stall=600.0)).commands[1].endswith(" --stall 20m")


def test_a_limit_that_is_not_known_or_stands_in_a_definition_is_not_edited() -> None:
    plain = ("overnight log 42", "overnight retry --cause abc123")
    assert next_step(alike(Reason.TIMEOUT), Limits()).commands == plain
    assert next_step(alike(Reason.TIMEOUT, workflow="scan"), Limits(timeout=300.0)).commands == plain
