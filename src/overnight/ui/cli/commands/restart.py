"""``restart``: a new engine in the place of the one that works, when that has let its tasks finish."""

from __future__ import annotations

import click

from overnight import wiring
from overnight.core.errors import UsageError
from overnight.host.home import Home
from overnight.host.lock import read_owner
from overnight.monitor.snapshot import read_engine_file
from overnight.ui.cli.commands.start import begin, say_started
from overnight.ui.cli.commands.stop import say_what_runs, tell
from overnight.ui.cli.group import Verb, home_option
from overnight.ui.cli.values import Duration, Slots
from overnight.wiring import ending


@click.command(cls=Verb)
@click.option("-j", "--jobs", type=Slots(), metavar="N", help="Slots, as for start. [default: auto]")
@click.option("--now", "at_once", is_flag=True, help="End running tasks (TERM, 5 s, KILL); they go back to the queue.")
@click.option("--grace", type=Duration(), help="Let running tasks finish, but not longer than this.")
def restart(*, jobs: int | str | None, at_once: bool, grace: float | None) -> None:
    """Let what runs finish, and go on in the background with a new engine.

    For a new version, or a changed configuration. The new supervisor waits by itself until the home
    is free: it takes over even if this command is interrupted. Without an engine it starts one.
    """
    home = wiring.make_home(home_option())
    holder = read_owner(home.lock)
    if holder is not None:
        _refuse_foreground(home)
        ending.ask(home, now=at_once, grace=None if at_once else grace)
        if not at_once:
            say_what_runs(home)
    pending = begin(home, jobs, take_over=True)
    if holder is not None:
        ending.see_ended(home, holder, now=at_once, told=tell)
    say_started(pending.wait(tell))


def _refuse_foreground(home: Home) -> None:
    """One that systemd or a terminal has started would not come back under their eyes."""
    said = read_engine_file(home.engine_info)
    if said is not None and said.supervisor is not None and said.supervisor.foreground:
        raise UsageError(
            f"the supervisor (process {said.supervisor.pid}) was started in the foreground, by systemd or in a"
            " terminal, and a restart would put it into the background; nothing was done",
            hint="'systemctl --user restart overnight-...' where systemd started it; 'overnight stop' elsewhere",
        )
