"""The one sentence that is read first: how it stands, by the worst thing that is so.

Rules and no judgement, so that status, screen, report and page say the same of the same moment. The order
of `Level` is the order of the question: is anything lost, does anybody watch, does it move, does it need
you, does it run, is it done. Only the worst gives the sentence its beginning; the others follow in the
same breath, for somebody who reads nothing else must not be told half of it.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from enum import StrEnum

import msgspec

from overnight.core.durations import format_duration
from overnight.core.why import Engine


class Level(StrEnum):
    """The worst that is so, the worst one first."""

    #: Tasks are missing, or in no state that anybody can account for.
    LOST = "lost"
    #: Nobody starts the engine again when it crashes, though somebody was meant to.
    UNWATCHED = "unwatched"
    #: There is work, and nothing moves.
    STALLED = "stalled"
    #: Tasks have failed, are held, or stand still in a storm: a person is to look.
    NEEDS_YOU = "needs_you"
    RUNNING = "running"
    DONE = "done"


class Facts(msgspec.Struct, frozen=True):
    """What the sentence is made of: counts of tasks that somebody added, and who works on them."""

    total: int = 0
    completed: int = 0
    failed: int = 0
    held: int = 0
    #: Waiting, pending, running.
    unfinished: int = 0
    #: Of these, in a state that nothing accounts for.
    unaccounted: int = 0
    engine: Engine = Engine.NONE
    #: Why it pauses or gave up; empty when it has not said.
    why: str = ""
    #: What a person has paused, so that no engine would start anything; empty when somebody could.
    paused: str = ""
    #: Seconds since it was last heard of; None: not known.
    silent_for: float | None = None
    #: Somebody was meant to watch over it and is gone, or has given up.
    supervisor_gone: bool = False
    supervisor_gave_up: bool = False
    #: So many groups of tasks wait because they failed alike.
    storms: int = 0
    #: Why no node can be given anything; empty when one can, or there are none.
    no_node: str = ""
    seconds_left: float | None = None


class Sentence(msgspec.Struct, frozen=True):
    """How bad it is, and the words: one line, ended by a full stop."""

    level: Level
    words: str


def sentence(facts: Facts) -> Sentence:
    """The sentence for these facts."""
    level = next(level for level, holds in _HOLDS if holds(facts))
    parts = [_BEGINNINGS[level](facts), *(words(facts) for words in _MORE[level])]
    return Sentence(level, "; ".join(part for part in parts if part) + ".")


def _stalls(facts: Facts) -> bool:
    return facts.unfinished > 0 and (facts.engine in _STANDING or bool(facts.no_node))


#: Engines that begin nothing.
_STANDING = frozenset({Engine.NONE, Engine.PAUSED, Engine.SILENT, Engine.RESTARTING})

#: From the worst on; the first that holds is the level.
_HOLDS: Sequence[tuple[Level, Callable[[Facts], bool]]] = (
    (Level.LOST, lambda facts: facts.unaccounted > 0),
    (Level.UNWATCHED, lambda facts: facts.supervisor_gone or facts.supervisor_gave_up),
    (Level.STALLED, _stalls),
    (Level.NEEDS_YOU, lambda facts: facts.failed + facts.held + facts.storms > 0),
    (Level.RUNNING, lambda facts: facts.unfinished > 0),
    (Level.DONE, lambda _: True),
)


# -- how it begins ---------------------------------------------------------------------------


def _lost(facts: Facts) -> str:
    return f"{_tasks(facts.unaccounted)} {'is' if facts.unaccounted == 1 else 'are'} not accounted for"


def _unwatched(facts: Facts) -> str:
    if facts.supervisor_gave_up:
        return "The supervisor gave up" + (f" ({facts.why})" if facts.why else "")
    return "Nobody watches, the supervisor is gone"


def _stalled(facts: Facts) -> str:
    return f"Nothing moves: {_cause_of_standing(facts)}"


def _needs_you(facts: Facts) -> str:
    return ("Still running, needs you: " if facts.unfinished else "Done, but needs you: ") + _trouble(facts)


def _running(facts: Facts) -> str:
    words = _WORKING.get(facts.engine, "Running well")
    return f"{words}: {facts.total - facts.unfinished:,} of {_tasks(facts.total)} done"


def _done(facts: Facts) -> str:
    if not facts.total:
        return "Nothing to do: there are no tasks"
    rest = facts.total - facts.completed
    return f"All done: {_tasks(facts.completed)} completed" + (f", {rest:,} cancelled" if rest else "")


_BEGINNINGS: dict[Level, Callable[[Facts], str]] = {
    Level.LOST: _lost,
    Level.UNWATCHED: _unwatched,
    Level.STALLED: _stalled,
    Level.NEEDS_YOU: _needs_you,
    Level.RUNNING: _running,
    Level.DONE: _done,
}
_WORKING = {Engine.STARTING: "Starting", Engine.STOPPING: "Stopping"}


def _cause_of_standing(facts: Facts) -> str:
    if facts.engine is Engine.SILENT:
        since = "" if facts.silent_for is None else f" for {format_duration(facts.silent_for)}"
        return f"the engine has not been heard of{since}"
    if facts.engine is Engine.NONE:
        return "no engine runs" + (f", and {facts.paused} is paused" if facts.paused else "")
    if facts.engine is Engine.RESTARTING:
        return "the engine has crashed and is about to be started again"
    if facts.engine is not Engine.PAUSED and facts.no_node:
        return facts.no_node
    return facts.why or "the engine pauses"


# -- what else is so -------------------------------------------------------------------------


def _trouble(facts: Facts) -> str:
    """What needs a person, in words; empty when nothing does."""
    parts = []
    if facts.failed:
        parts.append(f"{facts.failed:,} of {facts.total:,} failed")
    if facts.held:
        parts.append(f"{facts.held:,} held")
    if facts.storms:
        parts.append(
            "others wait after failing alike" if facts.storms == 1 else f"{facts.storms} groups wait in storms"
        )
    return ", ".join(parts)


def _standing(facts: Facts) -> str:
    return _cause_of_standing(facts) if _stalls(facts) else ""


def _left(facts: Facts) -> str:
    return f"{facts.unfinished:,} of {_tasks(facts.total)} left" if facts.unfinished else ""


def _time_left(facts: Facts) -> str:
    if facts.seconds_left is None or not facts.unfinished or facts.engine is not Engine.WORKING:
        return ""
    return f"about {format_duration(facts.seconds_left)} left"


def _nothing_lost(facts: Facts) -> str:
    return "nothing lost" if facts.total else ""


_MORE: dict[Level, Sequence[Callable[[Facts], str]]] = {
    Level.LOST: (lambda _: "'overnight verify' says which", _standing, _left, _trouble),
    Level.UNWATCHED: (_standing, _left, _trouble, _nothing_lost),
    Level.STALLED: (_left, _trouble, _nothing_lost),
    Level.NEEDS_YOU: (_time_left, _nothing_lost),
    Level.RUNNING: (_time_left,),
    Level.DONE: (_nothing_lost,),
}


def _tasks(number: int) -> str:
    return f"{number:,} task" if number == 1 else f"{number:,} tasks"
