"""A dashboard, or the writer of a page, as a process beside the work: heard all the time, and gone with its parent."""

from __future__ import annotations

import contextlib
import os
import sys
from pathlib import Path

from overnight import wiring
from overnight.core.errors import OvernightError, UsageError
from overnight.host.beside import Parent, say_something
from overnight.host.home import Home
from overnight.host.interpreter import python_for
from overnight.wiring import pages
from overnight.wiring.configuration import read
from overnight.wiring.watching import Log

#: What it can be.
SERVE, WRITE = "serve", "write"
#: Seconds for which a port that is taken is waited for, and between two looks.
_PATIENCE, _AGAIN_AFTER = 5.0, 0.2


def program(home: Home, what: str) -> list[bytes]:
    """The command line of one."""
    return [*map(os.fsencode, python_for(__name__)), what.encode(), bytes(home.path)]


def main() -> None:
    """Be what the last but one argument says, of the home that the last one names."""
    what, home = sys.argv[-2], Home(Path(sys.argv[-1]))
    os.umask(0o077)
    try:
        _serve(home) if what == SERVE else _write(home)
    except (OvernightError, ImportError, OSError) as error:
        # Said once: it is tried again and again, and the work goes on.
        words = error.message if isinstance(error, OvernightError) else str(error)
        told = f"the {'dashboard' if what == SERVE else 'page'} is not there: {words}"
        if pages.tell_trouble(home, told):
            Log(home.log).tell(told)
        sys.exit(1)


def _serve(home: Home) -> None:
    from overnight.ui.web import serving

    parent = Parent()

    def goes_on() -> bool:
        say_something()
        return not parent.wait(0)

    configured = read(home)
    resources = {name: resource.amount for name, resource in configured.resources.items()}
    dashboard = serving.Dashboard(home, serving.Listening(port=_usual_port(home, parent)), resources, goes_on)
    pages.tell(home, port=dashboard.port, name=serving.LOOPBACK, beside=True)
    dashboard.run()


def _usual_port(home: Home, parent: Parent) -> int | None:
    """The one before was served there, which open pages ask, and may still be about to end; None: any."""
    from overnight.ui.web import serving

    port, until = pages.last_port(home) or serving.PORT, wiring.clock.monotonic() + _PATIENCE
    while wiring.clock.monotonic() < until and not parent.gone:
        with contextlib.suppress(UsageError), serving.listen(serving.Listening(port=port)):
            return port
        say_something()
        parent.wait(_AGAIN_AFTER)
    return None


def _write(home: Home) -> None:
    """Write the file that is wanted, and once more when our parent has gone."""
    from overnight.ui.web import still

    parent, over = Parent(), False
    with still.looking(home) as desk:
        past = still.PastTimes(desk)
        while (wanted := pages.wanted(home)) is not None:
            began = wiring.clock.monotonic()
            seen = still.look(desk, past, graphs=wanted.graphs)
            still.write(Path(os.fsdecode(wanted.file)), still.page(seen, every=None if over else wanted.every))
            say_something()
            if over:
                return
            over = parent.wait(max(0.0, wanted.every - (wiring.clock.monotonic() - began)))
