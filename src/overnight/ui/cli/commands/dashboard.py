"""``dashboard``: the web page, served from a process of its own, and links that let a browser in."""

from __future__ import annotations

import socket
import time
from pathlib import Path

import click

from overnight import wiring
from overnight.core.errors import NotRunningError, OvernightError, UsageError
from overnight.host.home import Home
from overnight.ui.cli import printing
from overnight.ui.cli.group import Verb, home_option
from overnight.ui.cli.session import say_where
from overnight.ui.cli.settings import in_use
from overnight.ui.cli.values import Duration
from overnight.wiring import pages

#: Seconds in which a machine of the same network says whether it listens.
_PATIENCE = 5.0


class MissingExtraError(OvernightError):
    """What the dashboard is made of is not installed."""

    exit_code = 2

    def __init__(self, error: ImportError) -> None:
        super().__init__(
            f"the dashboard needs {error.name}, which is not installed; nothing was started, and no task was touched",
            hint="pip install 'overnight[web]'",
        )


@click.command(cls=Verb)
@click.option("--port", type=click.IntRange(0, 65535), help="Listen there; 0 for any that is free. [default: 7770]")
@click.option("--open", "opens", is_flag=True, help="Open it in a browser.")
@click.option("--link", "links", is_flag=True, help="Print another link to the one that is being served.")
@click.option(
    "--html", type=click.Path(dir_okay=False), metavar="FILE", help="Write the first page into a file instead."
)
@click.option("--every", type=Duration(), help="With --html: write it again and again, until Ctrl-C.")
@click.option("--include-graphs", "graphs", is_flag=True, help="With --html: with the graphs of workflows.")
@click.option("--bind", default="127.0.0.1", metavar="ADDRESS", help="Listen at this address. [default: 127.0.0.1]")
@click.option("--name", "names", multiple=True, metavar="HOST", help="Another name that browsers reach it by.")
@click.option("--open-metrics", is_flag=True, help="Let /metrics be read without the token.")
def dashboard(
    *,
    port: int | None,
    opens: bool,
    links: bool,
    html: str | None,
    every: float | None,
    graphs: bool,
    bind: str,
    names: tuple[str, ...],
    open_metrics: bool,
) -> None:
    """Serve the web page of this home, until Ctrl-C.

    Prints a link that lets one browser in, once and within ten minutes. Programs send the token that
    lies in the file 'token' of the home, as 'Authorization: Bearer TOKEN'. Only this machine can reach
    it, unless --bind says otherwise: then everything goes over the network in the clear, so put
    something that speaks TLS in front of it. A file of --html has no script and asks nobody.
    """
    home = wiring.find_home(home_option())
    if every is not None and html is None:
        raise UsageError("--every is for --html, and no file was named; nothing was done", hint="add --html FILE")
    if html is not None:
        _write(home, html, every, graphs=graphs)
        return
    try:
        from overnight.ui.web import serving
    except ImportError as error:
        raise MissingExtraError(error) from error
    if links:
        printing.say(link_to(home, names[0] if names else bind, port))
        return
    if not serving.is_loopback(bind) and not names:
        raise UsageError(
            f"{bind} can be reached by others, and by which name is not said; the dashboard was not started",
            hint=f"'overnight dashboard --bind {bind} --name HOST'",
        )
    _, configured = in_use()
    say_where(home)

    resources = {name: resource.amount for name, resource in configured.resources.items()}
    served = serving.Dashboard(home, serving.Listening(bind, port, names, open_metrics), resources)
    pages.tell(home, port=served.port, name=served.name, beside=False)
    link = served.link()
    printing.say(link)
    printing.flush()
    if port is None and served.port != serving.PORT:
        printing.note(f"overnight: port {serving.PORT} is taken, so it is served at port {served.port}")
    printing.note("overnight: good for one browser, within ten minutes; Ctrl-C ends the dashboard, and no task")
    if opens:
        import webbrowser

        webbrowser.open(link)
    served.run()


def link_to(home: Home, name: str, port: int | None) -> str:
    """Another link to the dashboard that is served at a port; None: to the one that says it is served.

    Raises:
        NotRunningError: There is none.
    """
    from overnight.ui.web import access, guard

    known = pages.served(home) if port is None else None
    if known is None and (port is None or not _answers(name, port)):
        where = "" if port is None else f" at {name}, port {port}"
        raise NotRunningError(
            f"no dashboard of this home is served{where}; no link was made, and no task was touched",
            hint="'overnight dashboard' serves one",
        )
    code = access.new_code(access.token_of(home.token), wiring.clock.now())
    return guard.link(known.name, known.port, code) if known else guard.link(name, port or 0, code)


def _answers(name: str, port: int) -> bool:
    """Whether anybody listens there."""
    try:
        with socket.create_connection((name, port), timeout=_PATIENCE):
            return True
    except OSError:
        return False


def _write(home: Home, html: str, every: float | None, *, graphs: bool) -> None:
    """Write the first page into a file, once or until somebody ends it. Needs no extra."""
    from overnight.ui.web import still

    path = Path(html)
    pace = None if every is None else max(1.0, every)
    with still.looking(home) as desk:
        past = still.PastTimes(desk)
        _put(path, still.page(still.look(desk, past, graphs=graphs), every=pace))
        printing.say(f"wrote {printing.place(html)}")
        printing.flush()
        while pace is not None:
            time.sleep(pace)
            _put(path, still.page(still.look(desk, past, graphs=graphs), every=pace))


def _put(path: Path, page: str) -> None:
    from overnight.ui.web import still

    still.put(path, page, done="no task was touched", command="dashboard --html")
