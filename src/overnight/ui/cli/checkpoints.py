"""What the commands about checkpoints share: finding one, saying what going back means, and going back."""

from __future__ import annotations

from typing import Any

from overnight import wiring
from overnight.host.home import Home
from overnight.ops.rollback import Plan, Rolled, Source, check, find, plan, roll_back
from overnight.store.copies.manifest import Manifest
from overnight.store.copies.shelf import LATEST, Shelf
from overnight.ui.cli import printing
from overnight.ui.cli.settings import in_use
from overnight.wiring.checkpoints import plan_of, shelves
from overnight.wiring.going_back import taking_over

#: Tasks that are named.
NAMED = 20


def shelves_of(home: Home) -> list[Shelf]:
    """Where the checkpoints of a home lie."""
    settings, _ = in_use()
    return shelves(home, plan_of(settings))


def chosen(home: Home, name: str, *, deep: bool) -> tuple[Source, Any]:
    """The checkpoint that somebody names, read from its beginning to its end."""
    source, bad = find(name, home, shelves_of(home))
    for entry, why in bad:
        printing.note(f"overnight: checkpoint {printing.clean(entry.name)} is passed over: {printing.clean(why)}")
    if deep or name != LATEST:
        check(source, deep=deep)
    return source, bad


def shape(manifest: Manifest) -> dict[str, Any]:
    """A checkpoint for programs."""
    return {
        "checkpoint": manifest.name,
        "created_at": printing.iso(manifest.made_at),
        "position": manifest.position,
        "epoch": manifest.epoch,
        "reason": manifest.reason,
        "size_bytes": manifest.size_bytes,
        "seconds": manifest.took_seconds,
        "program": manifest.program,
    }


def say_plan(home: Home, source: Source) -> Plan:
    """Say what going back to it would mean."""
    planned = plan(home, source)
    # Without a journal nobody knows how many there were.
    of = f" of {planned.last:,}" if planned.last >= source.position else ""
    printing.say(f"checkpoint {printing.clean(source.name)}, up to event {source.position:,}{of}")
    printing.say(f"{printing.count(planned.again, 'task')} would run again")
    for task in planned.again_first[:NAMED]:
        words = task.title or task.input.decode("utf-8", "surrogateescape")
        printing.say(printing.fit(f"  {task.id}  {printing.clean(words)}", printing.room()))
    if planned.again > NAMED:
        printing.say(f"  and {planned.again - NAMED:,} more")
    if planned.gone:
        printing.say(f"{printing.count(planned.gone, 'task')} added since would be gone")
    if planned.held:
        printing.say(f"{printing.count(planned.held, 'task')} that may run only once would be held for you to decide")
    return planned


def go_back(home: Home, source: Source, bad: Any) -> Rolled:  # noqa: ANN401 - as it was found
    """End the engine, go back, and say so."""
    with taking_over(home, lambda words: printing.note(f"overnight: {printing.clean(words)}")):
        rolled = roll_back(home, source, now=wiring.clock.now(), by=wiring.who(), passed_over=bad)
    printing.note(
        f"overnight: back at checkpoint {printing.clean(source.name)};"
        f" {printing.count(max(0, rolled.undone[1] - rolled.undone[0]), 'event')} undone"
        + (f", {printing.count(rolled.held, 'task')} held for you to decide" if rolled.held else "")
    )
    if rolled.aside is not None:
        place = printing.clean(str(rolled.aside))
        printing.note(f"  the store of before is kept: 'overnight checkpoint restore {place}' goes back to it")
    return rolled
