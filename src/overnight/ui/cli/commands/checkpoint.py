"""``checkpoint``: verified copies of the store: make one, look at them, go back to one."""

from __future__ import annotations

import contextlib
import sys
from contextlib import closing

import click
import msgspec

from overnight import wiring
from overnight.core.errors import NotFoundError, NotNowError, OvernightError, UsageError
from overnight.core.events import printable
from overnight.host.filesystem import free_bytes
from overnight.host.home import Home, Past, need_file, past
from overnight.host.lock import read_owner
from overnight.store.copies.making import Made, make, saved
from overnight.store.copies.shelf import Entry, newest_whole, troubles
from overnight.store.copies.summary import read_summary
from overnight.ui.cli import printing
from overnight.ui.cli.checkpoints import chosen, go_back, say_plan, shape, shelves_of
from overnight.ui.cli.commands.clean import agreed
from overnight.ui.cli.group import SETTINGS, global_options, home_option
from overnight.ui.cli.group import Verb as Command
from overnight.ui.cli.settings import in_use
from overnight.wiring.checkpoints import order, plan_of

#: Seconds that a busy store may take to note that there is a checkpoint: an engine may hang in a transaction.
PATIENCE = 2.0
_LISTED = "'overnight checkpoint list' shows what there is"
#: Free disk that a checkpoint leaves.
SPARED = 64 * 1024 * 1024


@click.group(context_settings=SETTINGS, params=global_options(hidden=True), invoke_without_command=True)
@click.option("--save", "saves", is_flag=True, hidden=True, help="The same as 'checkpoint save'.")
@click.option("--force", is_flag=True, hidden=True, help="With --save: however little room is left on the disk.")
@click.pass_context
def checkpoint(ctx: click.Context, *, saves: bool, force: bool) -> None:
    """Make verified copies of the store, look at them, and go back to one.

    An engine makes them by itself, beside the work; 'overnight config show' says how often.
    """
    if ctx.invoked_subcommand is not None:
        return
    if not saves:
        raise UsageError("nothing is said to be done; nothing was changed", hint="overnight checkpoint --help")
    _save(force=force, as_json=False)


@checkpoint.command(cls=Command)
@click.option("--force", is_flag=True, help="However little room is left on the disk.")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object.")
def save(*, force: bool, as_json: bool) -> None:
    """Make a checkpoint now. Needs no engine, and does not wait for one that hangs."""
    _save(force=force, as_json=as_json)


def _save(*, force: bool, as_json: bool) -> None:
    home = wiring.find_home(home_option())
    need_file(home, "no checkpoint is made")
    settings, _ = in_use()
    if not force:
        _need_room(home)
    reason = "forced" if force else "asked"
    state = {"status": "idle" if read_owner(home.lock) is None else "running"}
    made = make(order(home, plan_of(settings), reason=reason, state=state, processed=None), clock=wiring.clock)
    _note(home, made)
    if as_json:
        printing.say(msgspec.json.encode(made).decode())
        return
    printing.say(f"checkpoint {made.name}: {printing.size(made.size_bytes)}, up to event {made.position:,}")
    if made.second_trouble:
        printing.note(f"overnight: there is no second copy: {printing.clean(made.second_trouble)}")


def _need_room(home: Home) -> None:
    needed = home.store.stat().st_size + SPARED if home.store.exists() else SPARED
    free = free_bytes(home.path)
    if free < needed:
        raise NotNowError(
            f"{printing.size(free)} are free on the disk of {home.path} and a checkpoint takes"
            f" {printing.size(needed)}; none was made",
            hint="make room, or 'overnight checkpoint save --force'",
        )


def _note(home: Home, made: Made) -> None:
    """Have the journal say so, unless the store is not to be had."""
    event = saved(made, at=wiring.clock.now(), by=wiring.who())
    with contextlib.suppress(OvernightError), closing(wiring.open_store(home, patience=PATIENCE)) as store:
        store.note([event])


@checkpoint.command("list", cls=Command)
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object a line.")
def list_(*, as_json: bool) -> None:
    """List the checkpoints, newest first."""
    home = wiring.find_home(home_option())
    entries = shelves_of(home)[0].entries()
    if as_json:
        for entry in entries:
            words = shape(entry.manifest) if entry.manifest else _untrusted(entry)
            printing.say(msgspec.json.encode(words).decode())
        return
    for line in printing.table([_row(entry, past(home)) for entry in entries], right=(2, 3)):
        printing.say(line)
    if not entries:
        _say_none()


def _say_none() -> None:
    printing.note("overnight: there are no checkpoints\n  try: 'overnight checkpoint save' makes one")


def _untrusted(entry: Entry) -> dict[str, str]:
    return {"checkpoint": printable(entry.name), "trouble": printable(entry.trouble)}


def _row(entry: Entry, history: Past) -> tuple[str, ...]:
    if entry.manifest is None:
        return printing.clean(entry.name), "", "", "", printing.clean(entry.trouble)
    one = entry.manifest
    why = one.reason if history.holds(one.position) else f"{one.reason}, undone since"
    return one.name, printing.clock(one.made_at), f"{one.position:,}", printing.size(one.size_bytes), why


@checkpoint.command(cls=Command)
@click.argument("name", default="latest")
def show(*, name: str) -> None:
    """Print the summary of a checkpoint as JSON: NAME, or the newest one that is whole."""
    source, _ = chosen(wiring.find_home(home_option()), name, deep=False)
    if source.entry is None:
        raise NotFoundError(f"{name} has no summary; nothing was read", hint="'overnight checkpoint list'")
    summary = read_summary(source.entry.path)
    printing.say(msgspec.json.format(msgspec.json.encode(summary)).decode())


@checkpoint.command(cls=Command)
@click.argument("names", nargs=-1)
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object a line.")
def verify(*, names: tuple[str, ...], as_json: bool) -> None:
    """Read checkpoints from their beginning to their end, and say whether they are whole: NAME ..., or all.

    Exits 1 when one is not.
    """
    shelves = shelves_of(wiring.find_home(home_option()))
    entries = [entry for shelf in shelves for entry in shelf.entries() if not names or entry.name in names]
    if missing := set(names) - {entry.name for entry in entries}:
        raise NotFoundError(f"there is no checkpoint {min(missing)!r}; nothing was read", hint=_LISTED)
    if not entries:
        _say_none()
    bad = 0
    for entry in entries:
        found = troubles(entry, deep=True)
        bad += bool(found)
        if as_json:
            name, path = printable(entry.name), printable(str(entry.path))
            words = {"checkpoint": name, "path": path, "whole": not found, "troubles": found}
            printing.say(msgspec.json.encode(words).decode())
        else:
            printing.say(f"{printing.clean(entry.name)}: {printing.clean('; '.join(found)) if found else 'whole'}")
    sys.exit(1 if bad else 0)


@checkpoint.command(cls=Command)
@click.argument("name")
@click.option("--dry-run", is_flag=True, help="Only say what would run again.")
@click.option("--yes", is_flag=True, help="Do not ask.")
def restore(*, name: str, dry_run: bool, yes: bool) -> None:
    """Go back to a checkpoint: NAME, 'latest', or the path of one or of a store that was set aside.

    The engine ends first. The present store is set aside and never deleted.
    """
    home = wiring.find_home(home_option())
    need_file(home, "nothing is set back to a checkpoint")
    source, bad = chosen(home, name, deep=False)
    if dry_run:
        say_plan(home, source)
        return
    if not yes:
        say_plan(home, source)
        if not agreed("Go back?"):
            printing.note("overnight: nothing was changed")
            return
    go_back(home, source, bad)
    printing.note("  try: 'overnight run' or 'overnight start' to go on")


@checkpoint.command(cls=Command)
@click.option("--yes", is_flag=True, help="Do not ask.")
def clear(*, yes: bool) -> None:
    """Remove all checkpoints of this home, second copies included."""
    shelves = shelves_of(wiring.find_home(home_option()))
    names = [(shelf, entry.name) for shelf in shelves for entry in shelf.entries()]
    if names and not yes and not agreed(f"Remove {printing.count(len(names), 'checkpoint')}?"):
        printing.note("overnight: nothing was changed")
        return
    for shelf in shelves:
        shelf.drop([name for place, name in names if place is shelf])
    if newest_whole(shelves[:1])[0] is None:
        shelves[0].point(None)
    printing.say(f"{printing.count(len(names), 'checkpoint')} removed")
