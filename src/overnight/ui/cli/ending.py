"""How a run ended: one sentence or one JSON object, and the exit status that says the same."""

from __future__ import annotations

import sys
from collections import Counter
from typing import NamedTuple

import msgspec

from overnight.core.states import TaskState
from overnight.core.stopping import StoppedBy
from overnight.ui.cli import printing

EXIT_WORK_LEFT = 7


class Ending(NamedTuple):
    """How the run ended, whoever did the work."""

    stopped_by: StoppedBy
    exit_code: int | None
    tally: Counter[TaskState]
    left: int
    #: Tasks that other programs have popped, and that are theirs to end.
    elsewhere: int = 0
    #: Why outputs were not printed or written to the end.
    unwritten: printing.UnwrittenError | None = None


def conclude(ending: Ending, skipped: int, seconds: float, *, as_json: bool) -> None:
    """Say how it went, and end with the exit status that says the same."""
    if as_json:
        words = {
            "processed": ending.tally[TaskState.COMPLETED],
            "failed": ending.tally[TaskState.FAILED],
            "held": ending.tally[TaskState.HELD],
            "skipped": skipped,
            "stopped_by": str(ending.stopped_by),
            "seconds": round(seconds, 3),
        }
        printing.say(msgspec.json.encode(words).decode())
    else:
        printing.note(sentence(ending, skipped, seconds))
    status = exit_code(ending)
    if status == 0 and ending.unwritten is not None:
        if ending.unwritten.nobody_reads:
            raise ending.unwritten
        status = 1  # why was said when it happened
    sys.exit(status)


def sentence(ending: Ending, skipped: int, seconds: float) -> str:
    """The run in one sentence, and what to type next."""
    tally = ending.tally
    words = [f"{tally[TaskState.COMPLETED]:,} done"]
    words += [
        f"{tally[state]:,} {state}" for state in (TaskState.FAILED, TaskState.HELD, TaskState.CANCELLED) if tally[state]
    ]
    if skipped:
        words.append(f"{skipped:,} skipped")
    if ending.left:
        words.append(f"{ending.left:,} left in the queue")
    if ending.elsewhere:
        words.append(f"{ending.elsewhere:,} with other programs")
    halted = "halted: " if ending.stopped_by is StoppedBy.HALT else ""
    return f"overnight: {halted}{', '.join(words)} in {printing.duration(seconds)}{_advice(ending)}"


def _advice(ending: Ending) -> str:
    """What to type next, on a line of its own."""
    if ending.tally[TaskState.FAILED]:
        hint = "'overnight list --state failed' to see them, "
        hint += "the same line again to go on" if ending.left else "'overnight retry-failed' to run them again"
    elif ending.left:
        hint = "the same line again, or 'overnight run', to go on"
    elif ending.elsewhere:
        hint = "'overnight list --state running' to see them; they come back when their programs end"
    elif ending.tally[TaskState.HELD]:
        hint = "'overnight list --state held' to see them, 'overnight release ID' to let one go on"
    else:
        return ""
    return f"\n  try: {hint}"


def exit_code(ending: Ending) -> int:
    """0 all well, 1 something failed or is held, 7 stopped with work left, 128 + n by a signal.

    What was halted because tasks failed says that they failed.
    """
    if ending.exit_code is not None:
        return ending.exit_code
    halted = ending.stopped_by is StoppedBy.HALT and ending.tally[TaskState.FAILED]
    if ending.left and ending.stopped_by is not StoppedBy.QUEUE_EMPTY and not halted:
        return EXIT_WORK_LEFT
    return 1 if ending.tally[TaskState.FAILED] or ending.tally[TaskState.HELD] else 0
