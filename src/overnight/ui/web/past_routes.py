"""What was: under ``/api/v1``, looked at only."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Query
from starlette.responses import Response

from overnight import wiring
from overnight.core.event_names import EventName
from overnight.core.gauges import GAUGES, NAMES
from overnight.ui.web import answers, records
from overnight.ui.web.answering import At, answer, described
from overnight.ui.web.hall import Hall
from overnight.ui.web.problems import problem
from overnight.ui.web.recent import QUICK, SLOW
from overnight.ui.web.strips import strips as strips_of
from overnight.ui.web.tasks import going_on


def past(hall: Hall) -> APIRouter:
    """Timeline, figures over time, the journal."""
    router = APIRouter(prefix="/api/v1", tags=["look"])
    desk, home = hall.desk, hall.desk.home

    @router.get("/timeline", **described(answers.Timeline))
    async def timeline(since: At = 0, until: At = 0, bins: Annotated[int, Query(ge=1, le=2000)] = 400) -> Response:
        """Who worked when, in bins; without instants, all that is known."""
        if until and since >= until:
            return problem(400, "the end lies before the beginning; nothing was read")

        async def make() -> Response:
            now = wiring.clock.now()
            running = await desk.read(lambda store: going_on(store, home, now=now))
            return answer(await desk.file(lambda: hall.past.timeline(since, until, bins, running, now)))

        return await hall.recent.of(("timeline", since, until, bins), QUICK, make)

    @router.get("/history", **described(answers.Series))
    async def history(
        gauge: Annotated[list[str] | None, Query(max_length=len(NAMES))] = None, since: At = 0, until: At = 0
    ) -> Response:
        """Figures over time, and how many attempts ended when; a day, where nothing is said."""
        names = list(dict.fromkeys(gauge or []))
        if unknown := [one for one in names if one not in NAMES]:
            return problem(
                400, f"there is no gauge {unknown[0][:50]!r}; nothing was read", f"there are {', '.join(NAMES)}"
            )
        if until and since >= until:
            return problem(400, "the end lies before the beginning; nothing was read")

        async def make() -> Response:
            now = wiring.clock.now()
            return answer(await desk.file(lambda: hall.past.series(names, since, until, now)))

        return await hall.recent.of(("history", *names, since, until), SLOW, make)

    @router.get("/events", **described(answers.Events))
    async def events(
        before: Annotated[int | None, Query(ge=1, lt=2**62)] = None,
        limit: Annotated[int, Query(ge=1, le=records.MOST_EVENTS)] = 100,
        name: Annotated[list[EventName] | None, Query(max_length=50)] = None,
        task: Annotated[int | None, Query(ge=1, lt=2**63)] = None,
    ) -> Response:
        """The journal, newest first. `before`: the `next` of the page before."""
        return answer(await desk.file(lambda: records.events(home, before, limit, name or [], task)))

    return router


def measured(hall: Hall) -> APIRouter:
    """What is measured, and what checks have answered."""
    router = APIRouter(prefix="/api/v1", tags=["look"])

    @router.get("/gauges", **described(answers.Gauges))
    async def gauges() -> Response:
        """What is measured."""
        return answer(answers.Gauges(list(GAUGES)))

    @router.get("/strips", **described(answers.Strips))
    async def strips() -> Response:
        """The last 100 answers of each check; none where nobody asks them again and again."""
        return await hall.recent.of("strips", SLOW, lambda: _strips(hall))

    return router


async def _strips(hall: Hall) -> Response:
    return answer(await hall.desk.file(lambda: strips_of(hall.desk.home.health)))
