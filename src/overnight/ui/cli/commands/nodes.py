"""``nodes``: the machines on which attempts run, and what they may be given."""

from __future__ import annotations

import click
import msgspec

from overnight import wiring
from overnight.core.nodes import Closing, NodeRow
from overnight.ui.cli import printing
from overnight.ui.cli.group import SETTINGS, global_options, home_option
from overnight.ui.cli.group import Verb as Command
from overnight.wiring.nodes import census, close_node, closed_nodes


@click.group(context_settings=SETTINGS, params=global_options(hidden=True))
def nodes() -> None:
    """Look at the nodes of 'run --on ray', and close one for maintenance.

    What is said here holds until it is taken back with 'overnight nodes uncordon', for later runs as well.
    """


@nodes.command("list", cls=Command)
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object a line.")
def list_(*, as_json: bool) -> None:
    """List the nodes as the engine knows them, or knew them last."""
    home = wiring.find_home(home_option())
    known, closed = census(home), closed_nodes(home)
    if as_json:
        for row in known.nodes:
            how = closed.get(row.name)
            words = {**msgspec.to_builtins(row), "closed": None if how is None else how.value, "at": known.at}
            printing.say(msgspec.json.encode(words).decode())
        return
    head = ("node", "state", "runs", "slots", "has", "memory", "version", "heard", "lost", "")
    rows = [_cells(row, closed.get(row.name)) for row in known.nodes]
    for line in printing.table([head, *rows], right=(2, 3, 5, 8)):
        printing.say(line)


def _cells(row: NodeRow, how: Closing | None) -> tuple[str, ...]:
    words = "; ".join(word for word in ("" if how is None else _CLOSED[how], row.why) if word)
    memory = printing.size(row.memory_bytes) if row.memory_bytes else ""
    has = ", ".join(f"{name} {amount:g}" for name, amount in sorted(row.resources.items()))
    numbers = (f"{row.held}", f"{row.slots}", printing.clean(has), memory)
    heard = "" if row.heard_at is None else printing.clock(row.heard_at)
    told = (row.version, heard, f"{row.lost or ''}", printing.clean(words))
    return (printing.clean(row.name), row.state, *numbers, *told)


_CLOSED = {
    Closing.CORDON: "cordoned",
    Closing.DRAIN: "drained",
    Closing.DRAIN_NOW: "drained at once",
}


@nodes.command(cls=Command)
@click.argument("name")
def cordon(*, name: str) -> None:
    """Give a node nothing more. What it has goes on to its end."""
    close_node(wiring.find_home(home_option()), name, Closing.CORDON)
    printing.say(f"{printing.clean(name)} is given nothing more; what it has goes on")


@nodes.command(cls=Command)
@click.argument("name")
@click.option("--now", is_flag=True, help="End what runs there, too; it begins anew elsewhere, and is no failure.")
def drain(*, name: str, now: bool) -> None:
    """Empty a node: what has not begun there goes elsewhere, and its agent ends after what runs."""
    close_node(wiring.find_home(home_option()), name, Closing.DRAIN_NOW if now else Closing.DRAIN)
    what = "what runs there is ended and begins anew elsewhere" if now else "its agent ends when what runs there has"
    printing.say(f"{printing.clean(name)} is given nothing more; {what}")


@nodes.command(cls=Command)
@click.argument("name")
def uncordon(*, name: str) -> None:
    """Give a node work again. On one that was drained the engine that runs begins another agent."""
    close_node(wiring.find_home(home_option()), name, None)
    printing.say(f"{printing.clean(name)} is given work again")
