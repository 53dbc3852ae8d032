"""``start``: the engine in the background, with a supervisor that starts it again when it crashes."""

from __future__ import annotations

import sys
import time
from contextlib import closing

import click

from overnight import wiring
from overnight.core.errors import UsageError
from overnight.host.home import Home
from overnight.host.lock import Owner, read_owner, refusal
from overnight.ui.cli import printing
from overnight.ui.cli.commands.stop import tell
from overnight.ui.cli.foreground import say_paused
from overnight.ui.cli.group import Verb, home_option
from overnight.ui.cli.session import say_where
from overnight.ui.cli.settings import in_use
from overnight.ui.cli.values import Slots
from overnight.wiring import background, pages
from overnight.wiring.background import Options, Order, Pending

#: Seconds in which a dashboard comes up on a busy machine, and between two looks.
_UP_WITHIN, _LOOK_EVERY = 15.0, 0.05


@click.command(cls=Verb)
@click.option("-j", "--jobs", type=Slots(), metavar="N", help="Slots: 4, 50% of the CPUs, auto. [default: auto]")
@click.option("--dashboard", "shows", is_flag=True, help="Serve the web page beside it, as long as it runs.")
@click.option("--foreground", is_flag=True, help="Stay: for systemd, containers, and looking on.")
@click.option("--install", is_flag=True, help="Write a unit for your systemd, and say what to type next.")
@click.option("--dry-run", is_flag=True, help="With --install: print the unit instead.")
def start(*, jobs: int | str | None, shows: bool, foreground: bool, install: bool, dry_run: bool) -> None:
    """Work in the background on everything that is and will be in the queue.

    Returns when the engine works, or says why it does not. It outlives the terminal; a supervisor
    starts it again when it crashes. 'overnight stop' ends both. A dashboard that is served beside it
    is started again, too, and nothing that becomes of it touches the work.
    """
    if dry_run and not install:
        raise UsageError("--dry-run shows what --install would write; nothing was started", hint="add --install")
    home = wiring.make_home(home_option())
    if install:
        from overnight.ui.cli.unit import install_unit

        in_use(slots=jobs)  # mistakes are told now, and not by systemd
        install_unit(home, jobs, dashboard=shows, dry_run=dry_run)
        return
    if (owner := read_owner(home.lock)) is not None:
        raise refusal(owner)
    if shows:
        _need_dashboard(home)
    if foreground:
        sys.stdout.flush()
        background.become(order(home, jobs, dashboard=shows))
    say_where(home)
    say_started(begin(home, jobs, dashboard=shows).wait(tell))
    with closing(wiring.open_store(home, readonly=True)) as store:
        say_paused(store)
    if shows:
        _say_dashboard(home)


def order(
    home: Home,
    jobs: int | str | None,
    *,
    instead_of: Owner | None = None,
    until_empty: bool = False,
    dashboard: bool = False,
) -> Order:
    """What a supervisor is to do, by the settings in use."""
    settings, _ = in_use(slots=jobs)
    shown: list[bytes] = []
    if dashboard:
        from overnight.ui.web import beside

        shown = beside.program(home, beside.SERVE)
    return background.order(home, Options(jobs, until_empty), settings, instead_of=instead_of, dashboard=shown)


def begin(home: Home, jobs: int | str | None, *, until_empty: bool = False, dashboard: bool = False) -> Pending:
    """Start a supervisor in the background; `until_empty`: it ends when nothing is left."""
    return background.launch(home, order(home, jobs, until_empty=until_empty, dashboard=dashboard))


def _need_dashboard(home: Home) -> None:
    """Make sure that there can be one, before anything is started."""
    from overnight.ui.cli.commands.dashboard import MissingExtraError

    try:
        from overnight.ui.web import serving  # noqa: F401 - whether it can be had
    except ImportError as error:
        raise MissingExtraError(error) from error
    settings, _ = in_use()
    if not settings.monitor:
        raise UsageError(
            "a dashboard beside the work belongs to the monitor, and 'monitor' is off; nothing was started",
            hint="'overnight dashboard' serves it by itself",
        )
    pages.forget(home)


def _say_dashboard(home: Home) -> None:
    """Where it is, as soon as it is there."""
    from overnight.ui.cli.commands.dashboard import link_to

    until = wiring.clock.monotonic() + _UP_WITHIN
    while pages.served(home) is None and not pages.trouble(home) and wiring.clock.monotonic() < until:
        time.sleep(_LOOK_EVERY)
    if (found := pages.served(home)) is not None:
        printing.say(f"the dashboard: {link_to(home, found.name, None)}")
    else:
        printing.note(f"overnight: {pages.trouble(home) or 'the dashboard is not there yet'}; the work goes on")
        printing.note("  try: 'overnight dashboard --link' for a link when it is there")


def say_started(pid: int) -> None:
    """The engine is up."""
    printing.say(f"the engine works (process {pid}); 'overnight status' to watch it, 'overnight stop' to end it")
