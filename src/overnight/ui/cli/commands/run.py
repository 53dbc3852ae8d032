"""``overnight run``: work on inputs until all of them are done, or on the queue until it is empty."""

from __future__ import annotations

import os
import sys
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple

import click
import msgspec

from overnight import wiring
from overnight.core.errors import AlreadyRunningError, UsageError
from overnight.core.states import TaskState
from overnight.core.stopping import StoppedBy
from overnight.engine.goal import Goal, QueueEmpty, TheseAtRest
from overnight.engine.loop import Result
from overnight.host.home import Home
from overnight.monitor.tail import last_seq
from overnight.store.contract import Queue, Store
from overnight.ui.cli import printing
from overnight.ui.cli.defaults import task_defaults
from overnight.ui.cli.following import Followed, follow
from overnight.ui.cli.group import TaskVerb, home_option, log_level
from overnight.ui.cli.narrator import Narrator
from overnight.ui.cli.settings import in_use
from overnight.ui.cli.submit import Resumed, resume
from overnight.ui.cli.task_options import Request, Work, collect, task_options, warn
from overnight.wiring.engine import holding, run_engine

EXIT_WORK_LEFT = 7
#: So many changed inputs are named; the rest are counted.
NAMED = 5


class Manner(NamedTuple):
    """How a run works and how it shows itself."""

    slots: int
    resources: dict[str, float]
    queues: tuple[Queue, ...]
    rotate_bytes: int
    quiet: bool
    keep_order: bool
    as_json: bool


class Ending(NamedTuple):
    """How the run ended, whoever did the work."""

    stopped_by: StoppedBy
    exit_code: int | None
    tally: Counter[TaskState]
    left: int
    #: Why outputs were not printed to the end.
    unwritten: printing.UnwrittenError | None = None


@click.command(cls=TaskVerb)
@task_options
@click.option("-j", "--jobs", type=click.IntRange(1, 4096), metavar="N", help="Slots. [default: one a CPU]")
@click.option("--changed", is_flag=True, help="Run again what was completed with another size or time of its file.")
@click.option("--again", is_flag=True, help="Run everything anew.")
@click.option("--keep-order", is_flag=True, help="Print outputs in the order of the inputs.")
@click.option("--quiet", is_flag=True, help="Print no outputs and no progress.")
@click.option("--json", "as_json", is_flag=True, help="End with one JSON object.")
def run(
    request: Request,
    *,
    jobs: int | None,
    changed: bool,
    again: bool,
    keep_order: bool,
    quiet: bool,
    as_json: bool,
) -> None:
    """Work on inputs until all of them are done.

    The same line again goes on where it ended: completed inputs are skipped, whatever crashed in
    between. Without inputs: work until the queue is empty.
    """
    started = wiring.clock.monotonic()
    work = collect(request, now=wiring.clock.now(), defaults=task_defaults(), distinct=True)
    if request.dry_run:
        for line in work.previews() if work else ():
            printing.say(line)
        return
    manner = manner_of(jobs, quiet=quiet, keep_order=keep_order, as_json=as_json)
    if work is not None:
        need_resources(work, manner.resources)
    home = wiring.make_home(home_option())
    if work is None:
        ending, skipped = run_queue(home, manner), 0
    else:
        warn(work)
        ending, skipped = run_work(home, work, manner, changed=changed, again=again)
    conclude(ending, skipped, wiring.clock.monotonic() - started, manner)


def manner_of(jobs: int | None, *, quiet: bool, keep_order: bool, as_json: bool) -> Manner:
    """What the flags, the environment and the configuration say together."""
    settings, configured = in_use(slots=jobs)
    return Manner(
        slots=settings.slots or os.cpu_count() or 1,
        resources={name: resource.amount for name, resource in configured.resources.items()},
        queues=tuple(Queue(name, limits.slots, limits.rate) for name, limits in configured.queues.items()),
        rotate_bytes=settings.journal_rotate_at,
        quiet=quiet or as_json,
        keep_order=keep_order,
        as_json=as_json,
    )


def need_resources(work: Work, resources: dict[str, float]) -> None:
    """Refuse work that would wait for ever.

    Raises:
        UsageError: A task takes more of a resource than there is.
    """
    for name, amount in work.request.needs:
        there = resources.get(name, 0)
        if amount > there:
            raise UsageError(
                f"a task needs {amount:g} of {name!r} and there is {there:g}, so it would wait for ever;"
                " nothing was added",
                hint=f"say in overnight.toml how much there is: [resources] {name} = {amount:g}",
            )


def work_with(home: Home, store: Store, goal: Goal, narrator: Narrator, manner: Manner) -> Result:
    """Be the engine until the goal is reached."""
    for queue in manner.queues:
        if queue not in store.queues():
            store.set_queue(queue, now=wiring.clock.now(), by=home.config.name)
    try:
        return run_engine(
            home,
            store,
            goal=goal,
            observer=narrator,
            slots=manner.slots,
            resources=manner.resources,
            rotate_bytes=manner.rotate_bytes,
        )
    finally:
        narrator.clear()


def run_queue(home: Home, manner: Manner) -> Ending:
    """Work until nothing is left in the queue."""
    with taking(home) as store:
        narrator = narrate(home, store, manner)
        result = work_with(home, store, QueueEmpty(), narrator, manner)
        left = result.counts.unfinished
        return Ending(result.stopped_by, result.exit_code, narrator.tally, left, narrator.unwritten)


def run_work(home: Home, work: Work, manner: Manner, *, changed: bool, again: bool) -> tuple[Ending, int]:
    """Work until these tasks are at rest, in this process or by following the engine that holds the home."""
    resumed: Resumed | None = None
    after = last_seq(home.journal)
    while True:
        try:
            with taking(home) as store:
                if resumed is None:
                    resumed = enter(store, work, changed=changed, again=again)
                return lead(home, store, resumed, manner), resumed.skipped
        except AlreadyRunningError:
            store = wiring.open_store(home, create=True)
            try:
                if resumed is None:
                    resumed = enter(store, work, changed=changed, again=again)
                    wiring.ring(home)
                    printing.note("overnight: an engine is at work in this home; it does these, and this follows")
                goal = TheseAtRest(resumed.ids, store)
                narrator = narrate(home, store, manner)
                followed = follow(home, store, goal, narrator, after=after)
                if followed is not Followed.GONE:
                    stopped_by = StoppedBy.STOP_SIGNAL if followed is Followed.STOPPED else StoppedBy.QUEUE_EMPTY
                    left = goal.total - goal.at_rest
                    return Ending(stopped_by, None, goal.tally, left, narrator.unwritten), resumed.skipped
            finally:
                store.close()


def enter(store: Store, work: Work, *, changed: bool, again: bool) -> Resumed:
    """Put the work into the store by identity, and say what was there already."""
    resumed = resume(
        store,
        work,
        now=wiring.clock.now(),
        by=wiring.who(),
        owner=wiring.owner(),
        is_alive=wiring.is_alive,
        changed=changed,
        again=again,
    )
    if work.duplicates:
        printing.note(f"overnight: {printing.count(work.duplicates, 'input')} named more than once; each is one task")
    if resumed.skipped:
        printing.note(f"overnight: {printing.count(resumed.skipped, 'input')} completed before and skipped")
    if resumed.changed:
        say_changed(resumed, ran=changed)
    return resumed


def say_changed(resumed: Resumed, *, ran: bool) -> None:
    """Name the inputs whose file is not what it was."""
    names = ", ".join(printing.clean(name.decode("utf-8", "surrogateescape")) for name in resumed.changed[:NAMED])
    more = f" and {len(resumed.changed) - NAMED:,} more" if len(resumed.changed) > NAMED else ""
    what = "run again" if ran else "skipped all the same; --changed runs them again"
    printing.note(f"overnight: changed since they were completed: {names}{more}; {what}")


def lead(home: Home, store: Store, resumed: Resumed, manner: Manner) -> Ending:
    """Be the engine until these are at rest."""
    goal = TheseAtRest(resumed.ids, store)
    goal.stirred()
    narrator = narrate(home, store, manner, order=sorted(resumed.ids) if manner.keep_order else ())
    result = work_with(home, store, goal, narrator, manner)
    goal.stirred()
    return Ending(result.stopped_by, result.exit_code, goal.tally, goal.total - goal.at_rest, narrator.unwritten)


def narrate(home: Home, store: Store, manner: Manner, *, order: tuple[int, ...] | list[int] = ()) -> Narrator:
    """Somebody who tells the person at the terminal."""
    verbose = log_level() in ("debug", "info")
    return Narrator(store, home.output, wiring.clock, quiet=manner.quiet, verbose=verbose, order=order)


@contextmanager
def taking(home: Home) -> Iterator[Store]:
    """Hold the home. A STOP file that lies there when somebody starts by hand is from another night.

    One that is touched once we hold the home is meant for us, however long it takes to add the inputs.
    """
    before = _touched(home.stop)
    with holding(home) as store:
        if before is not None and _touched(home.stop) == before:
            home.stop.unlink(missing_ok=True)
            printing.note("overnight: removed a STOP file that was left here; starting")
        yield store


def _touched(path: Path) -> tuple[int, int] | None:
    """Which file it is and when it was touched last; None when there is none."""
    try:
        found = path.stat()
    except FileNotFoundError:
        return None
    return found.st_ino, found.st_mtime_ns


def conclude(ending: Ending, skipped: int, seconds: float, manner: Manner) -> None:
    """Say how it went, and end with the exit status that says the same."""
    failed, held = ending.tally[TaskState.FAILED], ending.tally[TaskState.HELD]
    if manner.as_json:
        words = {
            "processed": ending.tally[TaskState.COMPLETED],
            "failed": failed,
            "held": held,
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
    line = f"overnight: {', '.join(words)} in {printing.duration(seconds)}"
    if tally[TaskState.FAILED]:
        line += "\n  try: 'overnight list --state failed' to see them, 'overnight retry-failed' to run them again"
    elif ending.left:
        line += "\n  try: the same line again, or 'overnight run', to go on"
    return line


def exit_code(ending: Ending) -> int:
    """0 all well, 1 something failed or is held, 7 stopped with work left, 128 + n by a signal."""
    if ending.exit_code is not None:
        return ending.exit_code
    if ending.left and ending.stopped_by is not StoppedBy.QUEUE_EMPTY:
        return EXIT_WORK_LEFT
    return 1 if ending.tally[TaskState.FAILED] or ending.tally[TaskState.HELD] else 0
