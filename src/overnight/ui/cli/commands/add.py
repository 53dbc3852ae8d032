"""``add``: put tasks into the queue. Must be over before anybody notices that it began."""

from __future__ import annotations

import gc
import sys
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
from overnight.ui.cli.task_options import Request, Work, collect, task_options, too_much, warn
from overnight.wiring.adding import add_all, alone, chunks, this_process
from overnight.wiring.files import UNBOUND
from overnight.wiring.workflows import lay_down

#: Ids that a terminal shows one by one; a program that reads along gets all of them.
_FEW = 20


@click.command(cls=TaskVerb)
@task_options
@click.option("--unique", is_flag=True, help="Leave out what was added before with the same command and directory.")
@click.option("--json", "as_json", is_flag=True, help="Print the ids as one JSON object.")
def add(*, request: Request, unique: bool, as_json: bool) -> None:
    """Put tasks into the queue, all of them or none.

    When it returns, they are on disk. An engine that runs starts them at once; otherwise the next
    'overnight run' does.

    \b
    overnight add *.jpg -- convert {} {.}.png
    overnight add --call pipeline.audio:transcribe -a list.txt
    overnight add -w ingest *.wav
    overnight add --at 02:00 -- make backup

    {} is the input, {.} without extension, {/} base name, {//} directory, {/.} base name without
    extension, {#} number of the task, {%} slot, {1} {2} columns of several ':::' lists (':::+' pairs
    them). Without a placeholder the input is appended. '::::' reads a list from a file. Files without
    a command get the work of the processor that runs them.
    """  # noqa: D301 - the backslash is click's mark for lines that are not to be wrapped
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
        return
    warn(work)
    if request.needs:
        _warn_of_needs(work)
    _report(_add(work, unique=unique), work, as_json=as_json)


def _warn_of_needs(work: Work) -> None:
    """Whoever adds may do so before the machine is set up; but waiting for ever is not done in silence."""
    from overnight.ui.cli.settings import in_use

    _, configured = in_use()
    if wanting := too_much(work, {name: resource.amount for name, resource in configured.resources.items()}):
        what, cure = wanting
        printing.note(f"overnight: warning: {what}; it waits until that changes\n  try: {cure}, in overnight.toml")


def _add(work: Work, *, unique: bool) -> Added:
    gc.disable()  # a hundred thousand small values are made, and none of them is in a cycle
    with made() as session:
        lay_down(session.store, work.action, work.workflows)
        total = len(work.inputs)
        pieces = chunks(work.tasks, total, _progress if sys.stderr.isatty() else None)
        with alone(session.home) if unique else nullcontext():
            added = add_all(session.store, pieces, total, this_process(), unique=unique)
        session.ring()
        say_where(session.home)
    return added


def _progress(done: int, total: int) -> None:
    sys.stderr.write(f"\radding {done:,} of {total:,}" + ("\r\x1b[K" if done == total else ""))
    sys.stderr.flush()


def _report(added: Added, work: Work, *, as_json: bool) -> None:
    ids, known = added.ids, len(added.known)
    if as_json:
        printing.say(line({"added": len(ids), "known": known, "duplicates": work.duplicates, "ids": ids}))
        return
    if known or work.duplicates:
        left_out = known + work.duplicates
        printing.note(f"overnight: {printing.count(left_out, 'input')} left out, being there already")
    if len(ids) > _FEW and printing.on_terminal():
        printing.say(f"{printing.count(len(ids), 'task')}, {ids[0]} to {ids[-1]}")
    elif ids:
        printing.say("\n".join(str(task_id) for task_id in ids))
