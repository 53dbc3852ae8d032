"""What was measured of a home, for whoever asks: the text for Prometheus, and the history."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing, contextmanager

import apsw

from overnight.core.errors import NotFoundError, OvernightError
from overnight.host.home import Home
from overnight.monitor.history.asking import Past
from overnight.monitor.status_file import MonitoringStatus
from overnight.wiring import clock, open_store


@contextmanager
def past_of(home: Home) -> Iterator[Past]:
    """The history of a home, to be read.

    Raises:
        NotFoundError: There is none, or it cannot be read.
    """
    try:
        past = Past(home.path / "history.db")
    except apsw.Error as error:
        raise _unreadable(home, error) from error
    with closing(past):
        try:
            yield past
        except apsw.Error as error:
            raise _unreadable(home, error) from error


def _unreadable(home: Home, error: apsw.Error) -> NotFoundError:
    path = home.path / "history.db"
    what = f"cannot be read ({error})" if path.exists() else "is not there"
    return NotFoundError(
        f"{path} {what}; no task was touched",
        hint="it is written while an engine works and [monitor] enabled is true: 'overnight run' or 'overnight start'",
    )


def exposed(home: Home) -> bytes:
    """Everything that there is to measure at this moment, as Prometheus reads it.

    What the process that watches has not written yet (attempts, the machine) is left out.

    Raises:
        OvernightError: The store cannot be read.
    """
    from overnight.monitor.exposition import exposition
    from overnight.monitor.snapshot import take

    try:
        with past_of(home) as past:
            totals = past.totals()
    except NotFoundError:
        totals = []
    try:
        machine = MonitoringStatus.read(home.path).machine
    except OvernightError:
        machine = {}
    with closing(open_store(home, readonly=True)) as store:
        picture = take(store, home.path, now=clock.now(), most_running=1)
        return exposition(store, home.path, picture, totals=totals, machine=machine).text()
