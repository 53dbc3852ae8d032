"""``edit``: change tasks that are still to run."""

from __future__ import annotations

from typing import Any

import click

from overnight import wiring
from overnight.core.edits import Change, Edited, spell_refusal
from overnight.core.errors import UsageError
from overnight.core.task import MOST_PRIORITY, MOST_RETRIES, QUEUE_NAME, QUEUE_NAMES
from overnight.store.contract import Selector
from overnight.ui.cli import printing
from overnight.ui.cli.group import Verb
from overnight.ui.cli.limit_options import limit_options
from overnight.ui.cli.relimiting import limits_of
from overnight.ui.cli.selecting import need_there, need_words, selectors
from overnight.ui.cli.session import opened
from overnight.ui.cli.settings import warn_of_needs
from overnight.ui.cli.values import Duration, Instant, Need, Offered

#: Refusals that are told one by one.
_FEW = 10


@click.command(cls=Verb)
@selectors
@click.option("-p", "--priority", type=click.IntRange(-MOST_PRIORITY, MOST_PRIORITY), help="Higher goes first.")
@click.option("--to-queue", type=Offered("queues"), help="Move them to this queue.")
@click.option("--at", type=Instant(), help="Not before this time: 06:00, '2026-03-01 06:00'.")
@click.option("--in", "wait_for", type=Duration(), help="Not before this much time has passed.")
@click.option("--now", "at_once", is_flag=True, help="As soon as there is room, whatever time was said before.")
@click.option("--timeout", type=Duration(endless=True), help="Time limit of an attempt; 0 for none.")
@limit_options
@click.option("--retries", type=click.IntRange(0, MOST_RETRIES), help="Further attempts after one that failed.")
@click.option("--needs", multiple=True, type=Need(), metavar="NAME=N", help="Instead of what they needed: gpu=1.")
@click.option("--needs-nothing", is_flag=True, help="They need no resource any more.")
@click.option("--dry-run", is_flag=True, help="Say how many would be changed, and change nothing.")
def edit(*, selector: Selector, dry_run: bool, **said: Any) -> int:  # noqa: ANN401 - what was typed, by option
    """Change tasks that wait, may start or are held. What runs or has ended is left as it is.

    The change is on record, with who made it. What a task does and works on cannot be changed: cancel
    it, and add another one.
    """
    need_words(selector)
    change = _change(said)
    with opened(readonly=dry_run) as session:
        states = need_there(session, selector)
        now = wiring.clock.now()
        edited = session.store.edit(selector, change, now=now, by=wiring.who(), dry_run=dry_run)
        if not dry_run:
            session.ring()
    _report(edited, dry_run=dry_run)
    for task_id, left in list(edited.left.items())[:_FEW]:
        sentence, hint = spell_refusal(task_id, states[task_id], left)
        printing.note(f"overnight: {sentence}")
        printing.note(f"  try: {hint}")
    if len(edited.left) > _FEW:
        printing.note(f"overnight: and {len(edited.left) - _FEW} more")
    return 1 if edited.left else 0


def _report(edited: Edited, *, dry_run: bool) -> None:
    tasks = printing.count(edited.changed, "task")
    printing.say(f"{tasks} would be changed; nothing was changed" if dry_run else f"{tasks} changed")


def _change(said: dict[str, Any]) -> Change:
    """What was typed, as a change.

    Raises:
        UsageError: Nothing was said, or something twice, or it could never run so.
    """
    times = [name for name in ("at", "wait_for", "at_once") if said[name] not in (None, False)]
    if len(times) > 1 or (said["needs"] and said["needs_nothing"]):
        what = "--needs and --needs-nothing" if len(times) <= 1 else "more than one of --at, --in and --now"
        raise UsageError(f"{what} were given; nothing was changed", hint="leave out all but one")
    change = Change(
        priority=said["priority"],
        queue=_queue(said["to_queue"]),
        needs=_needs(said),
        moves=bool(times),
        not_before=said["at"] if said["wait_for"] is None else wiring.clock.now() + said["wait_for"],
        action=_action(said),
    )
    if change.is_empty:
        raise UsageError(
            "nothing is said about what is to be different; nothing was changed",
            hint="as in 'overnight edit 7 --priority 5 --timeout 2h'; 'overnight edit --help' lists what can be said",
        )
    return change


def _action(said: dict[str, Any]) -> dict[str, Any]:
    """Fields of an action that were said; infinity stands for no limit there."""
    found = limits_of(said)
    if said["retries"] is not None:
        found["retries"] = said["retries"]
    return found


def _queue(name: str | None) -> str | None:
    if name is not None and not QUEUE_NAME.fullmatch(name):
        raise UsageError(f"{name!r} cannot be the name of a queue; nothing was changed", hint=f"use {QUEUE_NAMES}")
    return name


def _needs(said: dict[str, Any]) -> dict[str, float] | None:
    if not said["needs"]:
        return {} if said["needs_nothing"] else None
    warn_of_needs(said["needs"])
    return dict(said["needs"])
