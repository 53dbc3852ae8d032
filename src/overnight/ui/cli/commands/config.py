"""``config show``: the settings in use, and where each was said."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import click

from overnight.core.configuration import Configuration, QueueLimits
from overnight.core.settings import Row, rows
from overnight.ui.cli import printing, shapes
from overnight.ui.cli.group import SETTINGS, Verb, global_options
from overnight.ui.cli.settings import in_use


@click.group(context_settings=SETTINGS, params=global_options(hidden=True))
def config() -> None:
    """Show the settings in use, and the schema of the file."""


@config.command(cls=Verb)
def schema() -> None:
    """Print the JSON Schema of overnight.toml, for editors that check while one types.

    \b
    overnight config schema > overnight.schema.json

    With a first line "#:schema ./overnight.schema.json" in overnight.toml, editors that know Taplo use it.
    """  # noqa: D301 - the backslash is click's mark for lines that are not to be wrapped
    import msgspec

    from overnight.core.schema import SCHEMA

    printing.say(msgspec.json.format(msgspec.json.encode(SCHEMA), indent=2).decode())


@config.command(cls=Verb)
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object.")
def show(*, as_json: bool) -> None:
    """Show every setting, and where it was said: flag, environment, overnight.toml or default.

    A configuration that makes no sense is told with everything that is wrong with it, and exit status 2.
    """
    settings, configured = in_use()
    if as_json:
        printing.say(shapes.line(_shape(rows(settings), configured)))
        return
    cells = [(row.name, printing.clean(row.value), printing.clean(row.where or row.origin)) for row in rows(settings)]
    for line in printing.table(cells, last=printing.room()):
        printing.say(line)
    for what, named in (("queue", configured.queues), ("workflow", configured.workflow_limits)):
        for name, limits in named.items():
            words = [f"{limits.slots} at a time"] if limits.slots else []
            words += [f"{limits.rate:g} starts a second"] if limits.rate else []
            said = ", ".join(words) or "as many at a time as there are slots"
            printing.say(f"{what} {printing.clean(name)}: {said}")
    for name, resource in configured.resources.items():
        ids = f" ({', '.join(resource.ids)})" if resource.ids else ""
        printing.say(f"resource {printing.clean(name)}: {resource.amount:g}{printing.clean(ids)}")


def _limits(named: Mapping[str, QueueLimits]) -> dict[str, Any]:
    return {name: {"slots": one.slots, "rate": one.rate} for name, one in named.items()}


def _shape(found: list[Row], configured: Configuration) -> dict[str, Any]:
    return {
        "settings": {row.name: {"value": row.value, "origin": row.origin, "where": row.where} for row in found},
        "queues": _limits(configured.queues),
        "workflows": _limits(configured.workflow_limits),
        "resources": {name: {"amount": one.amount, "ids": one.ids} for name, one in configured.resources.items()},
    }
