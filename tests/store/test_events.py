"""The lines of the journal: public names, and nothing lost on the way."""

from __future__ import annotations

import base64
import typing

import hypothesis.strategies as st
import msgspec
import pytest
from hypothesis import given

from overnight.core import action_records, events, node_events, step_events, store_events
from overnight.core.edit_events import FileRedefined, FileRescheduled, TasksRelocated
from overnight.core.event_names import EventName
from overnight.core.schedule_events import (
    ScheduleDropped,
    ScheduleFired,
    ScheduleLaid,
    ScheduleMissed,
    ScheduleReplanned,
)
from overnight.core.states import Outcome, Reason, TaskState
from overnight.core.step_events import StepFrozen, StepSkipped, StepStarted, StepThawed
from overnight.core.storm_events import StormBegan, StormEnded, StormProbed
from overnight.core.task import Action, ActionKind, Backoff, NewTask

S = TaskState
words = st.binary(max_size=6)
actions = st.builds(
    Action,
    kind=st.sampled_from(ActionKind),
    cwd=words,
    argv=st.lists(words, max_size=3).map(tuple),
    shell=st.booleans(),
    call=st.text(max_size=5),
    env=st.dictionaries(words, words, max_size=3),
    env_names=st.lists(words, max_size=2).map(tuple),
    python=words,
    timeout=st.one_of(st.none(), st.floats(0.1, 1e6)),
    retries=st.integers(0, 9),
    backoff=st.builds(Backoff, first=st.floats(0, 9)),
    at_most_once=st.booleans(),
    expects=st.sampled_from(["value", "file"]),
)


@given(actions)
def test_an_action_comes_back_from_its_record(action: Action) -> None:
    """Through JSON, with the same digest: redo makes the same task."""
    definition, coded = msgspec.json.decode(msgspec.json.encode(action_records.action_record(action)))
    again = action_records.action_from(definition, coded)
    assert again == action
    assert again.digest() == action.digest()


def test_an_action_of_plain_text_is_readable() -> None:
    action = Action(kind=ActionKind.COMMAND, cwd=b"/data", argv=(b"convert", "é".encode()), timeout=None)
    assert action_records.action_record(action) == (
        {"kind": "command", "cwd": "/data", "argv": ["convert", "é"], "timeout": None},
        None,
    )


def test_an_added_task_without_its_action_is_not_guessed() -> None:
    with pytest.raises(ValueError, match="definition"):
        action_records.action_from(None, None)


@given(st.binary())
def test_every_input_stands_in_the_line_as_text_or_as_base64(raw_input: bytes) -> None:
    task = NewTask(action=Action(kind=ActionKind.COMMAND, cwd=b"/"), input=raw_input)
    record = events.added(task, task_id=1, state=S.PENDING, digest=bytes(16), at="t", by="me", with_action=True)
    line = events.lines([record])
    assert line.count(b"\n") == 1
    assert line.splitlines() == [line[:-1]]
    found = msgspec.json.decode(line)
    text, coded = found.get("input"), found.get("input_b64")
    assert (text.encode() if coded is None else base64.b64decode(coded)) == raw_input


@pytest.mark.parametrize(
    ("outcome", "state", "reason", "name"),
    [
        (Outcome.COMPLETED, S.COMPLETED, None, "file_completed"),
        (Outcome.FAILED, S.FAILED, Reason.ERROR, "file_failed"),
        (Outcome.FAILED, S.WAITING, Reason.ERROR, "file_retried"),
        (Outcome.POSTPONED, S.WAITING, None, "file_retried"),
        (Outcome.FAILED, S.FAILED, Reason.TIMEOUT, "file_timeout"),
        (Outcome.FAILED, S.WAITING, Reason.TIMEOUT, "file_timeout"),
        (Outcome.LOST, S.HELD, Reason.POISON, "file_held"),
        (Outcome.CANCELLED, S.CANCELLED, None, "file_cancelled"),
        (Outcome.INTERRUPTED, S.PENDING, None, "file_interrupted"),
        (Outcome.LOST, S.PENDING, None, "file_interrupted"),
        (Outcome.RECALLED, S.PENDING, None, "file_interrupted"),
    ],
)
def test_the_name_of_an_end(outcome: Outcome, state: TaskState, reason: Reason | None, name: str) -> None:
    event = events.ended_as(outcome, state, reason)(at="t", id=1, attempt=1, outcome=outcome, state=state)
    assert events.lines([event]).startswith(b'{"event":"%s","at":"t",' % name.encode())


def test_every_event_has_a_public_name() -> None:
    kinds = [*typing.get_args(events.Event), *step_events.OF_ATTEMPT.values(), *step_events.OF_HAND.values()]
    others = (StepStarted, StepSkipped, StepFrozen, StepThawed, FileRedefined, FileRescheduled, TasksRelocated)
    kinds += [*others, StormBegan, StormProbed, StormEnded]
    kinds += [ScheduleLaid, ScheduleDropped, ScheduleFired, ScheduleMissed, ScheduleReplanned]
    for room, base in ((store_events, events.OfStore), (node_events, events.OfNode)):
        kinds += [kind for kind in vars(room).values() if kind in base.__subclasses__()]
    for common in (
        events.OfStorm,
        events.OfSchedule,
        events.OfStore,
        events.OfNode,
    ):  # what some of them have in common
        kinds.remove(common)
    tags = {kind.__struct_config__.tag for kind in kinds}
    assert tags == set(EventName)


def test_the_record_of_a_step_says_whose_it_is_under_a_name_of_its_own() -> None:
    for of_file, of_step in [*step_events.OF_ATTEMPT.items(), *step_events.OF_HAND.items()]:
        tag = str(of_file.__struct_config__.tag)
        assert of_step.__struct_config__.tag == tag.replace("file_", "step_")
    skipped = step_events.without_attempt(
        at="t", task_id=2, state=S.COMPLETED, error="{a.b} is false", parent=1, step="x", skipped=True
    )
    assert msgspec.json.decode(events.lines([skipped])) == {
        "event": "step_skipped",
        "at": "t",
        "id": 2,
        "attempt": 0,
        "outcome": "completed",
        "state": "completed",
        "error": "{a.b} is false",
        "seconds": 0.0,
        "parent": 1,
        "step": "x",
    }


@pytest.mark.parametrize(
    ("seconds", "expected"),
    [
        (0.0, "1970-01-01T00:00:00.000Z"),
        (1.5, "1970-01-01T00:00:01.500Z"),
        (1.9996, "1970-01-01T00:00:01.999Z"),
        (-1.0, "1969-12-31T23:59:59.000Z"),
        (1e300, "9999-12-31T23:59:59.999Z"),
        (float("nan"), "9999-12-31T23:59:59.999Z"),
    ],
)
def test_an_instant_is_iso_8601_in_utc(seconds: float, expected: str) -> None:
    """One that no calendar knows stands as the last one."""
    assert events.stamp(seconds) == expected


def test_lone_surrogates_become_words() -> None:
    assert events.printable("a\udcffé") == "a\\udcffé"
    assert events.printable("plain") == "plain"
