"""What happened, out of events that come in pairs; and a crash, which is an event that is missing."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from overnight.core.event_names import EventName
from overnight.core.incidents import HANDOVER, Incident, Kind, Life, Noted, beginning_of_run, incidents, lives

E = EventName


def started(at: float, before: float | None = None) -> Noted:
    return Noted(E.PROCESSOR_STARTED, at, before)


def stopped(at: float) -> Noted:
    return Noted(E.PROCESSOR_STOPPED, at)


def happened(*notes: Noted, runs: bool = False, last_at: float = 9000.0) -> list[Incident]:
    return incidents(notes, lives(notes, runs=runs, last_at=last_at))


def test_an_engine_that_never_said_goodbye_has_crashed_when_the_last_thing_before_the_next_happened() -> None:
    assert lives([started(10), started(100, 96), stopped(200)], runs=False, last_at=200.0) == [
        Life(10, 96, crashed=True),
        Life(100, 200),
    ]
    (crash,) = happened(started(10), started(100, 96), stopped(200))
    assert (crash.kind, crash.began_at, crash.ended_at) == (Kind.CRASH, 96, 100)
    assert "within 4.0 s" in crash.words


def test_one_that_runs_has_no_end_and_one_that_is_gone_without_a_word_has_crashed() -> None:
    assert happened(started(10), runs=True) == []
    (crash,) = happened(started(10), last_at=500.0)
    assert (crash.began_at, crash.ended_at) == (500.0, None)


@pytest.mark.parametrize(("gap", "kinds"), [(HANDOVER - 1, []), (HANDOVER + 1, [Kind.STOPPED])])
def test_a_handover_is_no_gap_and_a_pause_is(gap: float, kinds: list[Kind]) -> None:
    notes = [started(10), stopped(100), started(100 + gap), stopped(5000)]
    assert [one.kind for one in happened(*notes)] == kinds
    assert beginning_of_run(lives(notes, runs=False, last_at=5000.0)) == (100 + gap if kinds else 10)


def test_a_run_goes_back_over_its_crashes_and_no_further() -> None:
    notes = [started(1), stopped(2), started(1000), started(2000, 1990), started(3000, 2990)]
    assert beginning_of_run(lives(notes, runs=True, last_at=3000.0)) == 1000
    assert beginning_of_run([]) is None


def test_a_gate_is_closed_until_it_opens_or_its_engine_ends() -> None:
    closed = Noted(E.GATE_CLOSED, 50, gate="disk", available_bytes=412_000_000)
    opened = Noted(E.GATE_OPENED, 650, gate="disk")
    (one,) = happened(started(1), closed, opened, stopped(800))
    assert (one.kind, one.began_at, one.ended_at) == (Kind.DISK, 50, 650)
    assert one.words == "disk full (412 MB left), nothing began for 10 min"
    (two,) = happened(started(1), closed, stopped(800))
    assert two.ended_at == 800
    (three,) = happened(started(1), closed, runs=True)
    assert three.ended_at is None


def test_gates_of_two_kinds_are_told_apart() -> None:
    found = happened(
        started(1),
        Noted(E.GATE_CLOSED, 10, gate="disk"),
        Noted(E.GATE_CLOSED, 20, gate="memory"),
        Noted(E.GATE_OPENED, 30, gate="disk"),
        Noted(E.GATE_OPENED, 40, gate="memory"),
        stopped(50),
    )
    assert [(one.kind, one.ended_at) for one in found] == [(Kind.DISK, 30), (Kind.MEMORY, 40)]


def test_a_storm_lasts_through_its_probes_to_its_end() -> None:
    began = Noted(E.STORM_BEGAN, 10, workflow="scan", failures=20, error="refused")
    probed = Noted(E.STORM_PROBED, 70, workflow="scan", failures=20, probes=1)
    ended = Noted(E.STORM_ENDED, 130, workflow="scan", revived=20, seconds=120)
    (one,) = happened(started(1), began, probed, ended, stopped(200))
    assert (one.kind, one.began_at, one.ended_at) == (Kind.STORM, 10, 130)
    assert one.words == "storm in workflow scan: 20 failed alike (refused), over after 2 min, 20 tried again"
    (open_one,) = happened(started(1), began, probed, runs=True)
    assert open_one.ended_at is None
    (late,) = happened(ended, runs=True)  # it had begun before the window
    assert (late.began_at, late.ended_at) == (10, 130)


def test_what_was_lost_in_a_repair_is_said() -> None:
    note = Noted(E.CHECKPOINT_RESTORED, 10, why="the store was damaged", lost=("3 results",))
    (one,) = happened(note, runs=True)
    assert one.words == "the store was set back (the store was damaged); lost: 3 results"


@given(st.lists(st.sampled_from([name for name in EventName if not name.startswith(("file", "step"))])))
def test_any_row_of_events_makes_incidents_in_order_that_do_not_end_before_they_begin(names: list[EventName]) -> None:
    notes = [Noted(name, 10.0 * at, 10.0 * at - 1, gate="disk") for at, name in enumerate(names)]
    found = happened(*notes)
    assert found == sorted(found, key=lambda one: one.began_at)
    assert all(one.ended_at is None or one.ended_at >= one.began_at for one in found)
    assert all(one.words and one.label for one in found)


def node(event: EventName, at: float, name: str = "b", **facts: Any) -> Noted:
    return Noted(event, at, node=name, **facts)


def test_a_lost_node_is_told_of_from_its_silence_until_it_is_back() -> None:
    lost = node(E.NODE_LOST, 66, why="the node b was not heard for 16 s", attempts=2)
    notes = [started(1), node(E.NODE_SILENT, 52, why="its actor died"), lost, node(E.NODE_JOINED, 300)]
    (one,) = happened(*notes, stopped(800))
    assert (one.kind, one.began_at, one.ended_at, one.label) == (Kind.NODE, 52, 300, "node b lost")
    assert one.words == (
        "node b was lost, and 2 attempts with it, which ran again elsewhere (the node b was not heard for 16 s),"
        " back after 4 min 8 s"
    )


def test_a_lost_node_that_never_comes_back_is_lost_until_its_engine_ends() -> None:
    (one,) = happened(started(1), node(E.NODE_LOST, 66, why="silence"), node(E.NODE_JOINED, 70, "a"), stopped(800))
    assert (one.began_at, one.ended_at) == (66, 800)
    (still,) = happened(started(1), node(E.NODE_LOST, 66, why="silence"), runs=True)
    assert still.ended_at is None


def test_a_node_that_was_silent_and_came_back_lost_nothing() -> None:
    silent = node(E.NODE_SILENT, 50, why="the line was cut")
    (one,) = happened(started(1), silent, node(E.NODE_JOINED, 53), stopped(800))
    assert one.words == "node b was silent (the line was cut), back after 3.0 s"


def test_a_node_that_is_refused_is_told_of_with_the_reason() -> None:
    (one,) = happened(started(1), node(E.NODE_REFUSED, 5, why="it has overnight 0.0.1"), stopped(9))
    assert one.words == "node b is given nothing (it has overnight 0.0.1)"
