"""The one sentence: the worst that is so begins it, whatever else is so."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from overnight.core.sentence import Facts, Level, sentence
from overnight.core.why import Engine

MOVING = {Engine.WORKING, Engine.STARTING, Engine.STOPPING}


@st.composite
def facts(draw: st.DrawFn) -> Facts:
    """Any state of a home, the impossible ones included."""
    number = st.integers(0, 3) | st.just(1_234_567)
    completed, failed, held, unfinished = (draw(number) for _ in range(4))
    return Facts(
        total=completed + failed + held + unfinished + draw(st.integers(0, 2)),
        completed=completed,
        failed=failed,
        held=held,
        unfinished=unfinished,
        unaccounted=draw(st.integers(0, 2)),
        engine=draw(st.sampled_from(Engine)),
        why=draw(st.sampled_from(["", "the disk is full"])),
        silent_for=draw(st.none() | st.floats(0, 1e6)),
        supervisor_gone=draw(st.booleans()),
        supervisor_gave_up=draw(st.booleans()),
        storms=draw(st.integers(0, 2)),
        seconds_left=draw(st.none() | st.floats(0, 1e6)),
    )


def worst(of: Facts) -> Level:
    """The same order, said in another way: every level that holds, and the first of them by the list."""
    holds = {Level.DONE}
    if of.unfinished:
        holds.add(Level.RUNNING)
    if of.failed or of.held or of.storms:
        holds.add(Level.NEEDS_YOU)
    if of.unfinished and of.engine not in MOVING:
        holds.add(Level.STALLED)
    if of.supervisor_gone or of.supervisor_gave_up:
        holds.add(Level.UNWATCHED)
    if of.unaccounted:
        holds.add(Level.LOST)
    return min(holds, key=list(Level).index)


@given(facts())
def test_the_worst_gives_the_level(of: Facts) -> None:
    assert sentence(of).level is worst(of)


@given(facts())
def test_it_is_one_line_that_hides_nothing_that_needs_a_person(of: Facts) -> None:
    words = sentence(of).words
    assert words.endswith(".")
    assert "\n" not in words
    assert "  " not in words
    assert "; ;" not in words
    if of.failed:
        assert f"{of.failed:,} of {of.total:,} failed" in words
    if of.held:
        assert f"{of.held:,} held" in words
    if of.unaccounted:
        assert "nothing lost" not in words
        assert "not accounted for" in words
    elif of.total and worst(of) is not Level.RUNNING:
        assert "nothing lost" in words
    if worst(of) in (Level.LOST, Level.UNWATCHED, Level.STALLED) and of.unfinished:
        assert f"{of.unfinished:,} of" in words


@given(facts())
def test_a_time_is_promised_only_while_something_works(of: Facts) -> None:
    works = of.engine is Engine.WORKING and of.unfinished > 0 and of.seconds_left is not None
    told = works and worst(of) in (Level.RUNNING, Level.NEEDS_YOU)
    assert ("; about " in sentence(of).words) is told


@pytest.mark.parametrize(
    ("of", "words"),
    [
        (Facts(), "Nothing to do: there are no tasks."),
        (Facts(total=1, completed=1), "All done: 1 task completed; nothing lost."),
        (Facts(total=9, completed=7), "All done: 7 tasks completed, 2 cancelled; nothing lost."),
        (
            Facts(total=100, completed=40, unfinished=60, engine=Engine.WORKING, seconds_left=2460),
            "Running well: 40 of 100 tasks done; about 41 min left.",
        ),
        (
            Facts(total=100_000, completed=88_864, failed=1611, unfinished=9525, engine=Engine.WORKING),
            "Still running, needs you: 1,611 of 100,000 failed; nothing lost.",
        ),
        (
            Facts(total=100, completed=95, failed=3, held=2),
            "Done, but needs you: 3 of 100 failed, 2 held; nothing lost.",
        ),
        (
            Facts(total=100, completed=5, unfinished=95, engine=Engine.SILENT, silent_for=125),
            "Nothing moves: the engine has not been heard of for 2 min 5 s; 95 of 100 tasks left; nothing lost.",
        ),
        (
            Facts(total=1, unfinished=1, engine=Engine.NONE, paused="every queue"),
            "Nothing moves: no engine runs, and every queue is paused; 1 of 1 task left; nothing lost.",
        ),
        (
            Facts(total=10, unfinished=10, engine=Engine.PAUSED, why="the disk is full"),
            "Nothing moves: the disk is full; 10 of 10 tasks left; nothing lost.",
        ),
        (
            Facts(total=4, unfinished=1, failed=1, completed=2, engine=Engine.NONE, supervisor_gone=True),
            "Nobody watches, the supervisor is gone; no engine runs; 1 of 4 tasks left; 1 of 4 failed; nothing lost.",
        ),
        (
            Facts(total=4, unfinished=4, engine=Engine.WORKING, unaccounted=1),
            "1 task is not accounted for; 'overnight verify' says which; 4 of 4 tasks left.",
        ),
    ],
)
def test_the_words(of: Facts, words: str) -> None:
    assert sentence(of).words == words
