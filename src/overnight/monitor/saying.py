"""How it goes in one sentence, by rules and never as a number to interpret: the worst comes first."""

from __future__ import annotations

from enum import StrEnum

import msgspec

from overnight.core.durations import format_duration
from overnight.core.storms import sentence as storm_sentence
from overnight.monitor.snapshot import EngineState, Snapshot


class Level(StrEnum):
    """How much a sentence wants somebody to come."""

    FINE = "fine"
    WORKING = "working"
    #: Something waits for a person, and nothing is lost by waiting.
    ATTENTION = "attention"
    #: Work stands still that should not.
    TROUBLE = "trouble"


class Sentence(msgspec.Struct, frozen=True):
    """What is to be said, and how urgent it is. `commands`: what to type."""

    level: Level
    words: str
    commands: tuple[str, ...] = ()


def sentence(picture: Snapshot) -> Sentence:
    """The worst that is so: nobody restarts it, it stands still, failures need somebody, it runs, it is done."""
    return _engine_trouble(picture) or _standing(picture) or _needs(picture) or _calm(picture)


def _engine_trouble(picture: Snapshot) -> Sentence | None:
    engine, watch = picture.engine, picture.engine.supervisor
    if watch is not None and watch.gave_up:
        crash = f" after {watch.last_crash}" if watch.last_crash else ""
        return _trouble(f"Stopped: the supervisor gave up{crash}; {_left(picture)}.", "overnight start")
    if engine.state is EngineState.SILENT:
        words = "The engine has not been heard of for a while; nothing is lost, and nothing goes on."
        return _trouble(words, "overnight stop --now", "overnight start")
    if watch is not None and not watch.alive:
        words = "Still running, but the supervisor is gone: nobody starts the engine again when it crashes."
        return _trouble(words, "overnight restart")
    if engine.state is EngineState.RESTARTING:
        return _trouble(f"The engine has crashed and is being started again: {engine.why or 'no reason known'}.")
    return None


def _standing(picture: Snapshot) -> Sentence | None:
    if picture.storms:
        others = f", and {len(picture.storms) - 1} more" if len(picture.storms) > 1 else ""
        return _trouble(f"Stands still: {storm_sentence(picture.storms[0])}{others}.", "overnight unpause")
    if picture.engine.gates:
        gate = picture.engine.gates[0]
        words = f"Waits: too little {gate.gate} is left; nothing is lost, and it goes on when there is room."
        return _trouble(words, "overnight status --detailed")
    left = picture.counts.unfinished
    if picture.engine.state is EngineState.PAUSED:
        return Sentence(Level.ATTENTION, f"Paused: {picture.engine.why or 'nothing starts'}.", ("overnight unpause",))
    if picture.engine.state is EngineState.STOPPED and left:
        words = f"Stopped with {left:,} of {picture.counts.total:,} tasks still to do{_failures(picture, '; ')}."
        return Sentence(Level.ATTENTION, words, ("overnight start",))
    return None


def _needs(picture: Snapshot) -> Sentence | None:
    counts = picture.counts
    if not counts.failed and not counts.held:
        return None
    running = "Still running, needs you" if counts.unfinished else "Done, needs you"
    return Sentence(
        Level.ATTENTION, f"{running}: {_failures(picture)} of {counts.total:,}.", ("overnight retry --all",)
    )


def _calm(picture: Snapshot) -> Sentence:
    counts = picture.counts
    if not counts.total:
        return Sentence(Level.FINE, "Nothing has been queued yet.", ("overnight add",))
    if not counts.unfinished:
        cancelled = f", {counts.cancelled:,} cancelled" if counts.cancelled else ""
        return Sentence(Level.FINE, f"Done: all {counts.total:,} tasks have come to their end{cancelled}; none failed.")
    done = f"{counts.completed:,} of {counts.total:,} done, none failed"
    left = picture.seconds_left
    more = f"; about {format_duration(left)} left" if left is not None else ""
    state = "Stopping" if picture.engine.state is EngineState.STOPPING else "Running"
    return Sentence(Level.WORKING, f"{state}: {done}{more}.")


def _failures(picture: Snapshot, before: str = "") -> str:
    counts = picture.counts
    parts = [f"{counts.failed:,} failed"] if counts.failed else []
    parts += [f"{counts.held:,} held for you"] if counts.held else []
    return before + " and ".join(parts) if parts else ""


def _left(picture: Snapshot) -> str:
    left = picture.counts.unfinished
    return f"{left:,} of {picture.counts.total:,} tasks are still to do" if left else "nothing is left to do"


def _trouble(words: str, *commands: str) -> Sentence:
    return Sentence(Level.TROUBLE, words, commands)
