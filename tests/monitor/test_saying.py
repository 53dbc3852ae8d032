"""How it goes in one sentence: the worst comes first."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest

from overnight.core.gates import Gate
from overnight.core.storms import Storm, Subject
from overnight.monitor.saying import Level, sentence
from overnight.monitor.snapshot import EngineState, EngineView, GateView, Snapshot, SupervisorView
from overnight.store.contract import Counts

WATCH = SupervisorView(pid=2, alive=True, gave_up=False, restarts=0, last_crash="", last_crash_at=None)
STORM = Storm(
    subject=Subject(action_id=1),
    queue="default",
    fingerprint="f",
    error_class=None,
    error="connection refused",
    failures=20,
    first_at=0.0,
    began_at=0.0,
    probes=0,
    probe_at=60.0,
)


def picture(state: EngineState = EngineState.RUNNING, counts: Counts | None = None, **changes: Any) -> Snapshot:
    engine = EngineView(state, **changes.pop("engine", {}))
    plain = Snapshot(0.0, engine, counts or Counts(pending=5, completed=5), [], None, None)
    return msgspec.structs.replace(plain, **changes)


#: From the worst to the best; each holds together with everything that follows it.
WORST_FIRST: list[tuple[Snapshot, Level, str]] = [
    (
        picture(
            EngineState.STOPPED,
            engine={"supervisor": msgspec.structs.replace(WATCH, gave_up=True, last_crash="crashed")},
        ),
        Level.TROUBLE,
        "gave up after crashed; 5 of 10 tasks are still to do",
    ),
    (picture(EngineState.SILENT), Level.TROUBLE, "not been heard of"),
    (picture(engine={"supervisor": msgspec.structs.replace(WATCH, alive=False)}), Level.TROUBLE, "supervisor is gone"),
    (picture(EngineState.RESTARTING), Level.TROUBLE, "crashed"),
    (picture(storms=[STORM]), Level.TROUBLE, "connection refused"),
    (picture(engine={"gates": [GateView(Gate.DISK, 1, 2)]}), Level.TROUBLE, "too little"),
    (picture(EngineState.PAUSED), Level.ATTENTION, "Paused"),
    (picture(EngineState.STOPPED), Level.ATTENTION, "Stopped with 5 of 10"),
    (
        picture(counts=Counts(failed=2, held=1, completed=3, pending=4)),
        Level.ATTENTION,
        "Still running, needs you: 2 failed and 1 held for you of 10",
    ),
    (picture(counts=Counts(failed=1, completed=9)), Level.ATTENTION, "Done, needs you: 1 failed of 10"),
    (picture(seconds_left=120.0), Level.WORKING, "5 of 10 done, none failed; about 2 min left"),
    (
        picture(EngineState.STOPPED, Counts(completed=9, cancelled=1)),
        Level.FINE,
        "all 10 tasks have come to their end, 1 cancelled; none failed",
    ),
    (picture(EngineState.STOPPED, Counts()), Level.FINE, "Nothing has been queued"),
]


@pytest.mark.parametrize("number", range(len(WORST_FIRST)))
def test_each_state_has_its_sentence(number: int) -> None:
    seen, level, words = WORST_FIRST[number]
    said = sentence(seen)
    assert said.level is level
    assert words in said.words


def test_failures_are_told_beside_what_is_worse() -> None:
    said = sentence(picture(EngineState.STOPPED, Counts(pending=1, failed=2, completed=1)))
    assert said.words == "Stopped with 1 of 4 tasks still to do; 2 failed."


@pytest.mark.parametrize("state", EngineState)
def test_trouble_is_never_hidden_by_failures(state: EngineState) -> None:
    failing = Counts(failed=9, completed=1)
    calm, bad = sentence(picture(state)), sentence(picture(state, failing))
    assert bad.level is Level.TROUBLE or calm.level is not Level.TROUBLE
    assert bad.level is not Level.FINE
