"""``add``: put tasks into the queue. Must be over before anybody notices that it began."""

from __future__ import annotations

import gc
import sys
from collections.abc import Sequence
from contextlib import nullcontext

import click

from overnight import wiring
from overnight.core.errors import UsageError
from overnight.store.contract import Added
from overnight.ui.cli import printing
from overnight.ui.cli.defaults import task_defaults
from overnight.ui.cli.group import TaskVerb
from overnight.ui.cli.session import made, say_where
from overnight.ui.cli.shapes import line
from overnight.ui.cli.source_options import Sources, source_options, want_sense
from overnight.ui.cli.task_options import Request, Work, collect, task_options, warn
from overnight.wiring.adding import Progress, add_all, alone, chunks, this_process
from overnight.wiring.files import UNBOUND
from overnight.wiring.workflows import lay_down

#: Ids that a terminal shows one by one; a program that reads along gets all of them.
_FEW = 20


@click.command(cls=TaskVerb)
@task_options
@source_options
@click.option("--changed", is_flag=True, help="With --watch: take a file again that has changed since.")
@click.option("--unique", is_flag=True, help="Leave out what was added before with the same command and directory.")
@click.option("--json", "as_json", is_flag=True, help="Print the ids as one JSON object.")
def add(*, request: Request, sources: Sources, changed: bool, unique: bool, as_json: bool) -> None:
    """Put tasks into the queue, all of them or none.

    When it returns, they are on disk. An engine that runs starts them at once; otherwise the next
    'overnight run' does.

    \b
    overnight add *.jpg -- convert {} {.}.png
    overnight add --call pipeline.audio:transcribe -a list.txt
    overnight add -w ingest *.wav
    overnight add --at 02:00 -- make backup
    overnight add --from task-queue.md
    overnight add --watch inbox -- convert {} {.}.png

    {} is the input, {.} without extension, {/} base name, {//} directory, {/.} base name without
    extension, {#} number of the task, {%} slot, {1} {2} columns of several ':::' lists (':::+' pairs
    them). Without a placeholder the input is appended. '::::' reads a list from a file. Files without
    a command get the work of the processor that runs them.
    """  # noqa: D301 - the backslash is click's mark for lines that are not to be wrapped
    want_sense(request, sources)
    if changed and sources.watch is None:
        raise UsageError("--changed is about a folder, and none is named; nothing was added", hint="--watch DIR")
    if sources.from_file is not None:
        put_list(request, sources, as_json=as_json)
    elif sources.watch is not None:
        from overnight.ui.cli.watch_loop import put_watched

        put_watched(request, sources, changed=changed, as_json=as_json)
    else:
        put(request, unique=unique, as_json=as_json)


def put(request: Request, *, unique: bool = False, as_json: bool = False) -> None:
    """Do what was typed: make tasks of it, put them on disk, and say their ids."""
    work = collect(request, now=wiring.clock.now(), defaults=task_defaults(), distinct=unique, otherwise=UNBOUND)
    if work is None:
        raise UsageError(
            "neither an input nor a command is given; nothing was added",
            hint="'overnight add *.jpg -- convert {} {.}.png', or 'overnight add --help'",
        )
    if request.dry_run:
        for preview in work.previews():
            printing.say(preview)
        return
    if not work.inputs:
        printing.note("overnight: there were no inputs; nothing was added")
        report([], known=0, duplicates=work.duplicates, as_json=as_json)
        return
    warn([work.action])
    _warn_of_needs(request)
    added = _add(work, unique=unique)
    report(added.ids, known=len(added.known), duplicates=work.duplicates, as_json=as_json)


def put_list(request: Request, sources: Sources, *, as_json: bool) -> None:
    """The same with a list: its open tasks, those that are there already left as they are."""
    from overnight.ui.cli.boxes import Boxes
    from overnight.ui.cli.entering import add_list, say_notes
    from overnight.ui.cli.listed import collect_list

    work = collect_list(request, sources, now=wiring.clock.now(), defaults=task_defaults())
    say_notes(work)
    if not work.tasks:
        printing.note("overnight: nothing in the list is to be done; nothing was added")
    if request.dry_run:
        for preview in work.previews():
            printing.say(preview)
        return
    warn(work.actions)
    _warn_of_needs(work.request)
    with made() as session:
        boxes = Boxes(work) if sources.write_back else None
        with alone(session.home):
            enlisted = add_list(session.store, work, boxes, progress=progress())
        session.ring()
        say_where(session.home)
    known = len(set(enlisted.at)) - len(enlisted.added)
    report(enlisted.added, known=known, duplicates=work.duplicates, as_json=as_json)


def _warn_of_needs(request: Request) -> None:
    if request.needs:
        from overnight.ui.cli.settings import warn_of_needs

        warn_of_needs(request.needs)


def _add(work: Work, *, unique: bool) -> Added:
    gc.disable()  # a hundred thousand small values are made, and none of them is in a cycle
    with made() as session:
        lay_down(session.store, work.action, work.workflows)
        total = len(work.inputs)
        pieces = chunks(work.tasks, total, progress())
        with alone(session.home) if unique else nullcontext():
            added = add_all(session.store, pieces, total, this_process(), unique=unique)
        session.ring()
        say_where(session.home)
    return added


def progress() -> Progress | None:
    """Who is told how far a large call is; nobody when nobody looks on."""
    return _progress if sys.stderr.isatty() else None


def _progress(done: int, total: int) -> None:
    sys.stderr.write(f"\radding {done:,} of {total:,}" + ("\r\x1b[K" if done == total else ""))
    sys.stderr.flush()


def report(ids: Sequence[int], *, known: int, duplicates: int, as_json: bool) -> None:
    """Say what was added: the ids."""
    if as_json:
        printing.say(line({"added": len(ids), "known": known, "duplicates": duplicates, "ids": ids}))
        return
    if known or duplicates:
        left_out = known + duplicates
        printing.note(f"overnight: {printing.count(left_out, 'input')} left out, being there already")
    if len(ids) > _FEW and printing.on_terminal():
        printing.say(f"{printing.count(len(ids), 'task')}, {ids[0]} to {ids[-1]}")
    elif ids:
        printing.say("\n".join(str(task_id) for task_id in ids))
