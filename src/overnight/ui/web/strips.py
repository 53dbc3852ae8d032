"""How each check has been: its latest answers, as the rounds of ``overnight health`` have written them down."""

from __future__ import annotations

from contextlib import closing
from pathlib import Path

import apsw

from overnight.core.health import LATEST, recorded
from overnight.monitor.health import HealthBook
from overnight.ui.web.answers import Strip, Strips


def strips(path: Path) -> Strips:
    """All of them by name; none where nothing was examined yet, or what was found cannot be read.

    Args:
        path: ``health.db``.
    """
    try:
        with closing(HealthBook(path, readonly=True)) as book:
            found = [(one, book.latest(one.check, LATEST)) for one in book.standings().values()]
    except apsw.Error:
        return Strips([])
    return Strips(
        [
            Strip(
                check=one.check,
                every=one.every,
                unit=one.unit,
                uptime=record.uptime,
                course=record.course if record.mean is not None else "",
                answers=[(reply.at, reply.status.name.lower(), reply.value) for reply in replies],
            )
            for one, replies in found
            if (record := recorded(replies, more_is_better=one.more_is_better))
        ]
    )
