"""``monitor-init``: have the first page written into a file, again and again, while work goes on."""

from __future__ import annotations

import os
from pathlib import Path

import click

from overnight import wiring
from overnight.core.durations import format_duration
from overnight.core.errors import UsageError
from overnight.ui.cli import printing
from overnight.ui.cli.group import Verb, home_option
from overnight.ui.cli.listed import read_list
from overnight.ui.cli.session import say_where
from overnight.ui.cli.settings import in_use
from overnight.ui.cli.source_options import Sources
from overnight.ui.cli.values import Duration, Offered
from overnight.wiring import pages


@click.command("monitor-init", cls=Verb)
@click.option("--queue", "queue_file", type=Offered("files"), metavar="FILE", help="Check this task list, too.")
@click.option("--dashboard", "html", type=click.Path(dir_okay=False), metavar="FILE", help="Where the page goes.")
@click.option("--update-interval", "every", type=Duration(), default="1s", help="Write it so often. [default: 1s]")
@click.option("--include-graphs", "graphs", is_flag=True, help="With the graph of each workflow.")
@click.option("--off", is_flag=True, help="Write no page any more.")
def monitor_init(*, queue_file: str | None, html: str | None, every: float, graphs: bool, off: bool) -> None:
    """Keep a page of how it goes up to date, from now on whenever work goes on.

    The page is one file without script or network, replaced as a whole each time; a browser that shows it
    looks at it again as often. It is written by the monitor, so this returns at once, and nothing that
    becomes of the page touches the work. A list is checked, and nothing of it is added: that is what
    'overnight execute' does.
    """
    if off == (html is not None):
        raise UsageError("it is not said where the page goes; nothing was changed", hint="--dashboard FILE, or --off")
    settings, _ = in_use()
    if html is not None and not settings.monitor:
        raise UsageError(
            "the page is written by the monitor, and 'monitor' is off; nothing was changed",
            hint="'overnight dashboard --html FILE --every 1s' writes it by itself",
        )
    listed = None
    if queue_file is not None:
        listed = read_list(Sources(from_file=queue_file, allow_run=True))
    home = wiring.make_home(home_option())
    say_where(home)
    if html is None:
        pages.want(home, None)
        printing.say("no page is written any more; what there is stays")
        return
    from overnight.ui.web import beside, still

    path, pace = Path(html).absolute(), max(1.0, every)
    wiring.open_store(home, create=True).close()
    with still.looking(home) as desk:
        page = still.page(still.look(desk, still.PastTimes(desk), graphs=graphs), every=pace)
    still.put(path, page, done="no page will be, and no task was touched", command="monitor-init --dashboard")
    pages.want(home, pages.Wanted(os.fsencode(path), pace, graphs, beside.program(home, beside.WRITE)))
    if listed is not None:
        printing.say(
            f"{printing.count(len(listed.listed.entries), 'task')} in {printing.place(queue_file or '')}, nothing wrong"
        )
    printing.say(f"{printing.place(html)} is written each {format_duration(pace)} while work goes on")
