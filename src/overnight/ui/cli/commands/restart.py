"""``restart``: a new engine in the place of the one that works, when that has let its tasks finish."""

from __future__ import annotations

import contextlib

import click

from overnight import wiring
from overnight.core.errors import UsageError
from overnight.host.home import Home
from overnight.host.lock import read_owner
from overnight.host.stop_file import Touched
from overnight.monitor.snapshot import read_engine_file
from overnight.ui.cli.commands.start import order, say_started
from overnight.ui.cli.commands.stop import is_within, say_what_runs, tell
from overnight.ui.cli.group import Verb, home_option
from overnight.ui.cli.settings import in_use
from overnight.ui.cli.values import Duration, Slots
from overnight.wiring import background, ending, pages
from overnight.wiring.engine import need_start


@click.command(cls=Verb)
@click.option("-j", "--jobs", type=Slots(), metavar="N", help="Slots, as for start. [default: as before]")
@click.option("--now", "at_once", is_flag=True, help="End running tasks (TERM, 5 s, KILL); they go back to the queue.")
@click.option("--grace", type=Duration(), help="Let running tasks finish, but not longer than this.")
def restart(*, jobs: int | str | None, at_once: bool, grace: float | None) -> None:
    """Let what runs finish, and go on in the background with a new engine.

    For a new version, or a changed configuration, which is checked before anything is stopped. The
    new supervisor waits by itself until the home is free: it takes over even if this command is
    interrupted. Without an engine it starts one.
    """
    home = wiring.make_home(home_option())
    holder = read_owner(home.lock)
    if holder is not None:
        _refuse_foreground(home)
        _refuse_from_within(home)
        jobs = _as_before(home) if jobs is None else jobs
    shown = pages.served(home)
    prepared = order(home, jobs, instead_of=holder, dashboard=shown is not None and shown.beside)
    asked: Touched | None = None
    if holder is not None:
        need_start(home, in_use(slots=jobs)[0])
        with contextlib.suppress(OSError):
            home.coming.touch()  # those who follow wait for the next engine
        asked = ending.ask(home, now=at_once, grace=None if at_once else grace)
        if not at_once:
            say_what_runs(home)
    pending = background.launch(home, prepared)
    if holder is not None:
        ending.see_ended(home, holder, asked=asked, now=at_once, told=tell)
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


def _refuse_from_within(home: Home) -> None:
    """A task waits for the engine's end, and the engine for the task's."""
    if is_within(home):
        raise UsageError(
            "this is a task of the engine that is to be restarted, which would wait for it; nothing was done",
            hint="'overnight stop' in the task, or 'overnight restart' at a terminal",
        )


def _as_before(home: Home) -> int | str | None:
    """The slots that were said when the engine was started."""
    said = read_engine_file(home.engine_info)
    return None if said is None else said.jobs
