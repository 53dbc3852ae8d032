"""``monitor``: the live screen; or with ``--once`` what the status file says, now."""

from __future__ import annotations

import asyncio
import os
import sys
from collections.abc import Sequence

import click

from overnight import wiring
from overnight.core.errors import UsageError
from overnight.host.home import Home
from overnight.host.interpreter import python_for
from overnight.monitor.snapshot import take
from overnight.ui.cli import printing
from overnight.ui.cli.group import Verb
from overnight.ui.cli.session import opened
from overnight.ui.cli.values import Duration

#: Seconds that a command may take that a key stands for.
_PATIENCE = 120.0


@click.command(cls=Verb)
@click.option("--once", is_flag=True, help="Print one JSON object, with the fields of monitor.json, and end.")
@click.option("--interval", type=Duration(), default="0.25s", help="Time between two looks. [default: 0.25s]")
def monitor(*, once: bool, interval: float) -> None:
    """Show a live screen: the sentence, counts, what runs, failures by cause, the machine. ? lists its keys.

    It only looks, and does what its keys stand for by the commands that one could type. When nobody sees it (the
    result is no terminal), it prints what --once prints.
    """
    if once or not (printing.on_terminal() and sys.stdin.isatty()):
        _print_once()
        return
    with opened(readonly=True) as session:  # so that a store that cannot be read is said before the screen is taken
        home = session.home
    _show(home, interval)


def _print_once() -> None:
    import msgspec

    from overnight.monitor.machine import machine_view, mean_attempt_seconds
    from overnight.monitor.status_file import describe

    with opened(readonly=True) as session:
        home = session.home.path
        picture = take(session.store, home, now=wiring.clock.now())
    machine = machine_view(home, now=picture.at, names=())
    printing.say(msgspec.json.encode(describe(picture, machine.figures, mean_attempt_seconds(home))).decode())


def _show(home: Home, interval: float) -> None:
    try:
        from overnight.ui.tui.looking import Watcher
        from overnight.ui.tui.screen import Monitor
    except ModuleNotFoundError as error:
        raise UsageError(
            f"the live screen needs a package that is not here ({error.name}); no task was touched",
            hint="'pip install textual', or 'overnight monitor --once'",
        ) from error

    async def act(words: Sequence[str]) -> tuple[int, str]:
        return await run_ours(home, words)

    watcher = Watcher(home.path, lambda: wiring.open_store(home, readonly=True), wiring.clock.now)
    Monitor(watcher, act, interval=interval).run()


async def run_ours(home: Home, words: Sequence[str]) -> tuple[int, str]:
    """Run a command line of ours as a process of its own: its exit status, and what it said.

    Raises:
        OSError: It could not be started.
        TimeoutError: It took too long; it goes on, and nobody waits for it.
    """
    started = await asyncio.create_subprocess_exec(
        *python_for("overnight.ui.program"),
        "--home",
        os.fspath(home.path),
        *words,
        stdin=asyncio.subprocess.DEVNULL,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
    )
    said, _ = await asyncio.wait_for(started.communicate(), _PATIENCE)
    return started.returncode or 0, said.decode("utf-8", "replace")
