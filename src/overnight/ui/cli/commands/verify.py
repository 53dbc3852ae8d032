"""``overnight verify``: prove that the books balance."""

from __future__ import annotations

import sys
from pathlib import Path

import click
import msgspec

from overnight import wiring
from overnight.core.errors import StoreDamagedError
from overnight.core.events import printable
from overnight.host.home import Home
from overnight.ops.verification import Trouble, Verified, check_pages
from overnight.ops.verification import verify as count_again
from overnight.ui.cli import printing
from overnight.ui.cli.checkpoints import shelves_of
from overnight.ui.cli.group import Verb, home_option
from overnight.ui.cli.session import opened


@click.command(cls=Verb)
@click.option(
    "--with",
    "others",
    multiple=True,
    type=click.Path(path_type=Path),
    metavar="HOME",
    help="The home of another host with the same store: its journal is counted, too. Name all of them.",
)
@click.option("--json", "as_json", is_flag=True, help="One JSON object.")
def verify(*, others: tuple[Path, ...], as_json: bool) -> None:
    """Prove that the books balance.

    Every page of the store is as it was written, every task is in exactly one state, every generation has
    at most one final outcome, counters equal counts, the events are numbered without gaps and tell what
    the store holds, the checkpoints are whole, and every result has its task. Changes nothing; exits 1
    when something does not balance, 6 when the store is damaged.
    """
    home = wiring.find_home(home_option())
    try:
        verified = _verify(home, [Home(path.absolute()) for path in others])
    except StoreDamagedError as error:
        if as_json:
            printing.say(msgspec.json.encode({"balanced": False, "damaged": printable(error.message)}).decode())
        raise
    if as_json:
        printing.say(msgspec.json.encode(_shape(verified)).decode())
    else:
        _tell(verified, alone=not others)
    sys.exit(1 if verified.troubles else 0)


def _verify(home: Home, others: list[Home]) -> Verified:
    with opened(readonly=True) as session:
        check_pages(home)
        return count_again(home, session.store, shelves_of(home), others)


def _shape(verified: Verified) -> dict[str, object]:
    return {
        "balanced": not verified.troubles,
        "tasks": verified.tasks,
        "steps": verified.steps,
        "removed": verified.removed,
        "events": verified.events,
        "events_not_seen": verified.not_seen,
        "checkpoints": verified.checkpoints,
        "findings": [msgspec.to_builtins(one) for one in verified.troubles],
    }


def _tell(verified: Verified, *, alone: bool) -> None:
    if verified.not_seen and alone:
        seen = printing.count(verified.not_seen, "event of the journal stands", "events of the journal stand")
        printing.note(f"overnight: {seen} in homes of other hosts and could not be looked at")
        printing.note("  try: 'overnight verify --with HOME' for each of them, or for a copy of it")
    if not verified.troubles:
        printing.say(f"The books balance: {printing.count(verified.tasks, 'task')}, each accounted for.")
        if verified.removed:
            printing.say(f"{printing.count(verified.removed, 'task was', 'tasks were')} removed and stay counted.")
        return
    for trouble in verified.troubles:
        printing.say(printing.clean(trouble.sentence))
    printing.note(f"overnight: {printing.count(len(verified.troubles), 'trouble')}; nothing was changed")
    for hint in _hints(verified.troubles):
        printing.note(f"  try: {hint}")


def _hints(troubles: list[Trouble]) -> list[str]:
    """What to type, each thing once."""
    return list(dict.fromkeys(trouble.hint for trouble in troubles))
