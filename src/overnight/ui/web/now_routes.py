"""How it goes: under ``/api/v1``, looked at only."""

from __future__ import annotations

import msgspec
from fastapi import APIRouter
from starlette.responses import Response

from overnight import wiring
from overnight.store.contract import Store
from overnight.ui.web import answers, pictures, records
from overnight.ui.web.answering import DAY, At, CheckpointName, answer, described
from overnight.ui.web.feed import Stream
from overnight.ui.web.hall import Hall
from overnight.ui.web.problems import problem
from overnight.ui.web.recent import QUICK


def now(hall: Hall) -> APIRouter:
    """The picture of now, its stream, and what is known around it."""
    router = APIRouter(prefix="/api/v1", tags=["look"])
    desk = hall.desk

    @router.get("/overview", **described(answers.Overview))
    async def overview() -> Response:
        """The first page: sentence, counts, causes, scores, checkpoint."""
        return await hall.recent.of("overview", QUICK, lambda: _overview(hall))

    @router.get("/pulse", **described(answers.Pulse))
    async def pulse() -> Response:
        """How it goes now: what the stream sends, for whoever asks again and again instead."""
        return answer(await hall.feed.pulse())

    @router.get("/stream", responses={200: {"content": {"text/event-stream": {}}}})
    async def stream() -> Response:
        """Server-Sent Events: `pulse` whenever something has changed. At most 32 streams at a time."""
        viewer = hall.feed.join()
        if viewer is None:
            return problem(503, "32 streams are open already; ask /api/v1/pulse instead", headers={"retry-after": "5"})
        return Stream(viewer)

    @router.get("/since", **described(answers.Since))
    async def since(at: At | None = None) -> Response:
        """What has happened since an instant; without one, since the engine was started."""
        return await hall.recent.of(("since", at), QUICK, lambda: _since(hall, at))

    @router.get("/causes", **described(answers.Causes))
    async def causes(since: At = 0, until: At = 0) -> Response:
        """Failures by cause, and how each went on over time."""
        found = await desk.read(hall.causes.of)
        now = wiring.clock.now()
        first = since or min([one.first_at for one in found], default=now - DAY)
        prints = [one.fingerprint for one in found[:50]]
        trends = await desk.file(lambda: hall.past.trends(prints, first, until, now))
        told = await desk.file(lambda: hall.past.courses(found, None, now))
        return answer(answers.Causes(told, trends, first, until or now))

    @router.get("/checkpoints", **described(answers.Checkpoints))
    async def checkpoints() -> Response:
        """Verified copies of the store, newest first."""
        return answer(await desk.file(lambda: records.checkpoints(desk.home)))

    @router.get("/checkpoints/{name}", **described(answers.Plan))
    async def plan(name: CheckpointName) -> Response:
        """What going back to a checkpoint would undo."""
        return answer(await hall.programs.plan(await hall.checkpoint(name)))

    @router.get("/health", **described(answers.Health))
    async def health(afresh: bool = False) -> Response:  # noqa: FBT001, FBT002 - a parameter of a request
        """What ``overnight doctor`` has found; asked again each minute while somebody looks."""
        return answer(hall.programs.health(afresh=afresh))

    return router


async def _since(hall: Hall, at: float | None) -> Response:
    started, now = (await hall.feed.recent()).engine.started_at, wiring.clock.now()
    return answer(await hall.desk.file(lambda: hall.past.since(at, started, now)))


async def _overview(hall: Hall) -> Response:
    desk = hall.desk
    newest = await desk.file(lambda: records.newest_checkpoint(desk.home))
    now = wiring.clock.now()

    def look(store: Store) -> answers.Overview:
        causes, found = hall.causes.of(store), hall.scores.of(store)
        return pictures.overview(store, desk.home, seq=0, now=now, causes=causes, scores=found, checkpoint=newest)

    first = await desk.read(look)
    started = first.pulse.engine.started_at
    causes = await desk.file(lambda: hall.past.courses(first.causes, started, now))
    return answer(msgspec.structs.replace(first, causes=causes))
