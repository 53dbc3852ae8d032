"""``resume``: go on with what is left, from where it is or from a checkpoint."""

from __future__ import annotations

import click

from overnight import wiring
from overnight.core.errors import UsageError
from overnight.host.home import need_file
from overnight.ui.cli.checkpoints import chosen, go_back, say_plan
from overnight.ui.cli.commands.run import manner_of
from overnight.ui.cli.ending import conclude
from overnight.ui.cli.foreground import run_queue
from overnight.ui.cli.group import Verb, home_option


@click.command(cls=Verb)
@click.option("--from-checkpoint", "name", metavar="NAME", help="Go back first: a checkpoint, 'latest', or a path.")
@click.option("--validate", is_flag=True, help="Examine the checkpoint in full before it is used.")
@click.option("--dry-run", is_flag=True, help="Only say what would run again.")
def resume(*, name: str | None, validate: bool, dry_run: bool) -> None:
    """Go on with what is left, after a crash or a stop.

    Nothing that was finished runs again. A damaged or missing store is rebuilt first, as every start does,
    from the newest whole checkpoint and the journal. With --from-checkpoint the store is set back first: the engine
    ends, the present store is set aside, and what has happened since is undone.
    """
    if name is None and (validate or dry_run):
        option = "--validate" if validate else "--dry-run"
        raise UsageError(
            f"{option} is about a checkpoint, and none is named; nothing was done",
            hint=f"overnight resume --from-checkpoint latest {option}",
        )
    started = wiring.clock.monotonic()
    home = wiring.find_home(home_option())
    if name is not None:
        need_file(home, "nothing is set back to a checkpoint")
        source, bad = chosen(home, name, deep=validate)
        if dry_run:
            say_plan(home, source)
            return
        go_back(home, source, bad)
    conclude(run_queue(home, manner_of(None)), 0, wiring.clock.monotonic() - started, as_json=False)
