"""``prune``: let go of what is old, everywhere, by one table."""

from __future__ import annotations

from contextlib import suppress
from pathlib import Path
from stat import S_ISREG

import click
import msgspec

from overnight import wiring
from overnight.core.events import printable
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
    for share in found:
        if yes and share.let_go is not None:
            share.let_go()
        if as_json:
            printing.say(msgspec.json.encode(_shape(share, yes=yes)).decode())
    if not as_json:
        _tell(found, yes=yes)
    for share in found:
        if share.trouble:
            printing.note(f"overnight: {share.kind}: {share.trouble}\n  try: 'overnight backup list' names it")
    if not yes:
        printing.note("overnight: nothing was changed\n  try: 'overnight prune --yes'")


def _tell(found: list[Share], *, yes: bool) -> None:
    rows = [(share.kind, _what(share, yes=yes), share.rule) for share in found]
    for line in printing.table(rows, last=printing.width()):
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
    """Bytes of a file with what belongs to it, or of a folder. What goes meanwhile has none."""
    size = 0
    for path in place.rglob("*") if place.is_dir() else place.parent.glob(f"{place.stem}*"):
        with suppress(FileNotFoundError):
            found = path.lstat()
            size += found.st_size if S_ISREG(found.st_mode) else 0
    return size
