"""``prune``: let go of what is old, everywhere, by one table."""

from __future__ import annotations

import os
import stat
from pathlib import Path

import apsw
import click
import msgspec

from overnight import wiring
from overnight.core.errors import OvernightError, StoreUnavailableError
from overnight.core.events import printable
from overnight.host.files import names_in
from overnight.ui.cli import printing
from overnight.ui.cli.group import Verb, home_option
from overnight.ui.cli.settings import in_use
from overnight.wiring.pruning import Share, shares


@click.command(cls=Verb)
@click.option("--yes", is_flag=True, help="Do it, and do not only say what would go.")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object a line.")
def prune(*, yes: bool, as_json: bool) -> None:
    """Let old checkpoints, backups and logs go, each by its own rule. Without --yes nothing is changed.

    Lists everything that grows in the home, how long it is kept, and what goes now. What the engine or
    nobody lets go is only named.
    """
    home = wiring.find_home(home_option())
    found = list(shares(home, in_use()[0]))
    errors: list[Exception] = []
    if yes:
        found = [_let_go(share, errors) for share in found]
    for share in found:
        if as_json:
            printing.say(msgspec.json.encode(_shape(share, yes=yes)).decode())
    if not as_json:
        _tell(found, yes=yes)
    for share in found:
        if share.trouble:
            printing.note(f"overnight: {share.kind}: {share.trouble}\n  try: 'overnight backup list' names it")
    if not yes:
        printing.note("overnight: nothing was changed\n  try: 'overnight prune --yes'")
    if errors:
        raise errors[0]


def _let_go(share: Share, errors: list[Exception]) -> Share:
    """Let one kind go, and tell of it as it is then: what holds up one kind holds up no other."""
    try:
        if share.let_go is not None:
            share.let_go()
    except (OvernightError, OSError) as error:
        errors.append(error)
    except apsw.Error as error:
        what = f"what is old of {share.kind} could not all be let go ({error}); no task is concerned"
        errors.append(StoreUnavailableError(what, hint="once more in a moment: 'overnight prune --yes'"))
    else:
        return share
    return share._replace(names=(), freed_bytes=0, let_go=None)


def _tell(found: list[Share], *, yes: bool) -> None:
    rows = [(share.kind, _what(share, yes=yes), share.rule) for share in found]
    for line in printing.table(rows):
        printing.say(line)
    for share in found:
        for name in share.names:
            printing.say(f"  {share.kind}: {printing.clean(name)}")
    freed = sum(share.freed_bytes for share in found)
    printing.say(f"{printing.size(freed)} {'freed' if yes else 'would be freed'}")


def _what(share: Share, *, yes: bool) -> str:
    if share.let_go is None:
        return f"{printing.size(_size(share.place))} kept"
    gone = "removed" if yes else "would go"
    return f"{len(share.names):,} {gone}, {printing.size(share.freed_bytes)}" if share.names else "nothing to remove"


def _shape(share: Share, *, yes: bool) -> dict[str, object]:
    return {
        "kind": share.kind,
        "path": printable(str(share.place)),
        "rule": share.rule,
        "names": list(share.names),
        "freed_bytes": share.freed_bytes,
        "pruned": yes and share.let_go is not None,
        "trouble": share.trouble or None,
    }


def _size(place: Path) -> int:
    """Bytes of a file with what belongs to it, or of a folder. Both change while they are looked at."""
    if place.is_dir():
        files = [Path(folder) / name for folder, _, names in os.walk(place) for name in names]
    else:
        files = [place.parent / name for name in names_in(place.parent) if name.startswith(place.stem)]
    return sum(map(_size_of, files))


def _size_of(path: Path) -> int:
    try:
        state = path.lstat()
    except OSError:  # gone meanwhile
        return 0
    return state.st_size if stat.S_ISREG(state.st_mode) else 0
