"""``backup``: what a home and its project were at some time: make one, prove it, give it back."""

from __future__ import annotations

import sys
from pathlib import Path

import click
import msgspec

from overnight import wiring
from overnight.core.errors import NotFoundError, NotNowError
from overnight.core.events import printable
from overnight.host.filesystem import free_bytes
from overnight.host.home import Home, need_file
from overnight.ops.backups.contract import Made, Place
from overnight.ops.backups.place import Entry
from overnight.ops.backups.programs.contract import ProgramError
from overnight.store.copies.copier import at_step
from overnight.ui.cli import printing
from overnight.ui.cli.backups import (
    LATEST,
    Found,
    engine_in_use,
    find,
    give_back,
    planned,
    say_plan,
    say_restored,
    shape,
)
from overnight.ui.cli.commands.checkpoint import SPARED
from overnight.ui.cli.group import SETTINGS, Verb, global_options, home_option
from overnight.ui.cli.settings import in_use
from overnight.wiring import backups as wired


@click.group(context_settings=SETTINGS, params=global_options(hidden=True))
def backup() -> None:
    """Keep what the home and its project are, prove that it is whole, and give it back.

    Both databases, the journal, large results, the configuration and the files that workflows name;
    [backup] in overnight.toml says what else. What has not changed is stored once.
    """


@backup.command("create", cls=Verb)
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object.")
def create_(*, as_json: bool) -> None:
    """Make a backup now, beside an engine or without one.

    Exits 1 when something could not be read, and is left out, or when a second copy was to be made and was not.
    """
    home = wiring.find_home(home_option())
    need_file(home, "no backup is made")
    settings, configured = in_use()
    engine = wired.engine(home, settings)
    _need_room(home, SPARED + engine.needed_bytes(home))
    made = engine.create(home, wired.wanted(settings, configured), clock=wiring.clock, step=at_step)
    if as_json:
        printing.say(msgspec.json.encode(made).decode())
    else:
        _tell(made)
    sys.exit(1 if made.left_out or made.second_trouble else 0)


def _need_room(home: Home, needed: int) -> None:
    free = free_bytes(home.path)
    if free < needed:
        raise NotNowError(
            f"{printing.size(free)} are free on the disk of {home.path} and a backup takes up to"
            f" {printing.size(needed)}; none was made",
            hint="make room: 'overnight prune' shows what may go, and --yes lets it",
        )


def _tell(made: Made) -> None:
    new = "" if made.stored_bytes is None else f", {printing.size(made.stored_bytes)} of it new"
    printing.say(f"backup {made.name}: {printing.count(made.files, 'file')}, {printing.size(made.size_bytes)}{new}")
    for left in made.left_out:
        printing.note(f"overnight: {printing.clean(left.path)} is left out: {printing.clean(left.why)}")
    if made.second_trouble:
        printing.note(f"overnight: there is no second copy: {printing.clean(made.second_trouble)}")


@backup.command("list", cls=Verb)
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object a line.")
def list_(*, as_json: bool) -> None:
    """List the backups, newest first, those of the second place last."""
    found, refused = _all()
    if as_json:
        for place, entry in found:
            printing.say(msgspec.json.encode(shape(place, entry)).decode())
    else:
        for line in printing.table([_row(entry) for _, entry in found], right=(2, 3)):
            printing.say(line)
    if refused is not None:
        raise refused
    if not found and not as_json:
        printing.note("overnight: there are none\n  try: 'overnight backup create' makes one")


def _all() -> tuple[list[Found], ProgramError | None]:
    """All backups of all places; and why one of those could not be asked."""
    found: list[Found] = []
    refused = None
    for place in engine_in_use().places:
        try:
            found += [(place, entry) for entry in place.entries()]
        except ProgramError as error:
            refused = refused or error
    return found, refused


def _row(entry: Entry) -> tuple[str, ...]:
    if entry.manifest is None:
        return printing.clean(entry.name), "", "", "", printing.clean(entry.trouble)
    one, trial = entry.manifest, entry.trial
    proven = "not verified" if trial is None else f"verified {printing.clock(trial.at)}" if trial.whole else "not whole"
    left = f", {printing.count(len(one.left_out), 'file')} left out" if one.left_out else ""
    return one.name, printing.clock(one.made_at), printing.size(one.size_bytes), f"{one.position:,}", proven + left


@backup.command(cls=Verb)
@click.argument("names", nargs=-1)
@click.option("--all", "every", is_flag=True, help="All of them, those in the second place included.")
@click.option("--quick", is_flag=True, help="Restore nothing on trial: the hashes alone, or what the program checks.")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object a line.")
def verify(*, names: tuple[str, ...], every: bool, quick: bool, as_json: bool) -> None:
    """Prove that backups are whole: NAME ..., or the newest.

    Every byte is compared with its hash; then a home is made of the backup in a place that is thrown away,
    and its books are balanced. restic and borg look at their repository first. Exits 1 when one is not whole.
    """
    bad = 0
    for place, entry in _chosen(names, every=every):
        if not quick:
            _need_room_for_trial(place, entry)
        trial = place.prove(entry, now=wiring.clock.now(), quick=quick)
        bad += not trial.whole
        if as_json:
            words = {
                "backup": printable(entry.name),
                "path": place.where(entry),
                "mode": "quick" if quick else "full",
            }
            found = {**words, "whole": trial.whole, "troubles": trial.troubles}
            printing.say(msgspec.json.encode(found).decode())
        else:
            printing.say(f"{printing.clean(entry.name)}: {_words(trial.troubles, quick=quick)}")
    if bad:
        printing.note(f"overnight: {printing.count(bad, 'backup is', 'backups are')} not whole; no task is concerned")
        printing.note("  try: 'overnight backup create' makes one that is")
    sys.exit(1 if bad else 0)


def _need_room_for_trial(place: Place, entry: Entry) -> None:
    needed = SPARED + place.trial_bytes(entry)
    free = free_bytes(next(path for path in (place.directory, *place.directory.parents) if path.is_dir()))
    if free < needed:
        raise NotNowError(
            f"{printing.size(free)} are free on the disk of {place.directory} and a restore on trial takes up to"
            f" {printing.size(needed)}; {entry.name} was not examined",
            hint="make room ('overnight prune' shows what may go), or look at the hashes alone: the same with --quick",
        )


def _words(troubles: list[str], *, quick: bool) -> str:
    if troubles:
        return printing.clean("; ".join(troubles))
    return "whole" if quick else "whole, and its books balance"


def _chosen(names: tuple[str, ...], *, every: bool) -> list[Found]:
    if names:
        return [find(name) for name in names]
    if not every:
        return [find(LATEST)]
    found, refused = _all()
    if refused is not None:
        raise refused
    if not found:
        raise NotFoundError("there are no backups; nothing was read", hint="'overnight backup create' makes one")
    return found


@backup.command(cls=Verb)
@click.argument("name")
@click.option("--to", metavar="DIR", help="Make a home of it here, where there is none yet.")
@click.option("--yes", is_flag=True, help="Do it, and do not only say what it means.")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object.")
def restore(*, name: str, to: str | None, yes: bool, as_json: bool) -> None:
    """Give a backup back: NAME, 'latest', or the path of one. Without --yes nothing is changed.

    To its own home the store goes back as to a checkpoint: the engine ends first, the present store and the
    files that are replaced are set aside, and the journal goes on.
    """
    found, target = find(name), Path(to).absolute() if to else None
    if not yes:
        plan = planned(found, target)
        if as_json:
            printing.say(msgspec.json.encode({**msgspec.to_builtins(plan), "restored": False}).decode())
        else:
            say_plan(plan)
            printing.note("overnight: nothing was changed\n  try: the same with --yes")
        return
    done = give_back(found, target)
    if as_json:
        words = {"backup": found[1].name, "home": printable(str(done.home)), "restored": True}
        asides = [aside for aside in (done.rolled.aside if done.rolled else None, done.aside) if aside]
        words |= {"files": msgspec.to_builtins(done.changes), "aside": [printable(str(aside)) for aside in asides]}
        printing.say(msgspec.json.encode(words).decode())
    else:
        say_restored(found[1], done)


@backup.command("prune", cls=Verb)
@click.option("--yes", is_flag=True, help="Do it, and do not only say what would go.")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object a place.")
def prune_(*, yes: bool, as_json: bool) -> None:
    """Let old backups go, by the table that says how long checkpoints are kept. Without --yes nothing is changed.

    The newest three stay, and the newest that was verified.
    """
    settings, _ = in_use()
    keeping, now = wired.keeping(settings), wiring.clock.now()
    would_go = 0
    first, *others = wired.engine(wiring.find_home(home_option()), settings).places
    for place in (first, *others):
        pruned = (place.prune if yes else place.plan)(keeping, now=now)
        would_go += 0 if yes else len(pruned.names)
        if as_json:
            words = {"path": place.title, "pruned": yes, **msgspec.to_builtins(pruned)}
            printing.say(msgspec.json.encode(words).decode())
        else:
            _say_pruned(place, pruned.names, pruned.freed_bytes, yes=yes)
        if not place.is_there and place is not first:
            printing.note(f"overnight: {printing.clean(place.title)} is not there: is its disk mounted?")
        if pruned.trouble:
            printing.note(f"overnight: {pruned.trouble}\n  try: 'overnight backup list' names it; remove its folder")
    if not yes:
        printing.note("overnight: nothing was changed")
    if would_go:
        printing.note("  try: 'overnight backup prune --yes'")


def _say_pruned(place: Place, names: list[str], freed: int | None, *, yes: bool) -> None:
    would = "" if yes else "would be "
    gain = "" if freed is None else f", {printing.size(freed)} {would}freed"
    printing.say(f"{printing.clean(place.title)}: {printing.count(len(names), 'backup')} {would}removed{gain}")
    for name in names:
        printing.say(f"  {name}")
