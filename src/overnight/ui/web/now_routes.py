"""How it goes: under ``/api/v1``, looked at only."""

from __future__ import annotations

from fastapi import APIRouter
from starlette.responses import Response, StreamingResponse

from overnight import wiring
from overnight.store.contract import Store
from overnight.ui.web import answers, pictures
from overnight.ui.web.answering import DAY, At, answer, described
from overnight.ui.web.hall import Hall
from overnight.ui.web.problems import problem


def now(hall: Hall) -> APIRouter:
    """The picture of now, its stream, and what is known around it."""
    router = APIRouter(prefix="/api/v1", tags=["look"])
    desk, home = hall.desk, hall.desk.home

    @router.get("/overview", **described(answers.Overview))
    async def overview() -> Response:
        """The first page: sentence, counts, causes, scores, checkpoint."""
        newest = next((one for one in (await desk.file(hall.past.checkpoints)).checkpoints if not one.trouble), None)

        def look(store: Store) -> answers.Overview:
            now = wiring.clock.now()
            causes, found = hall.causes.of(store), hall.scores.of(store)
            return pictures.overview(store, home, seq=0, now=now, causes=causes, scores=found, checkpoint=newest)

        return answer(await desk.read(look))

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
        return StreamingResponse(viewer.messages(), media_type="text/event-stream")

    @router.get("/since", **described(answers.Since))
    async def since(at: At | None = None) -> Response:
        """What has happened since an instant; without one, since the engine was started."""
        picture = await hall.feed.pulse()
        now = wiring.clock.now()
        return answer(await desk.file(lambda: hall.past.since(at, picture.engine.started_at, now)))

    @router.get("/causes", **described(answers.Causes))
    async def causes(since: At = 0, until: At = 0) -> Response:
        """Failures by cause, and how each went on over time."""
        found = await desk.read(lambda store: [pictures.advised(one) for one in hall.causes.of(store)])
        now = wiring.clock.now()
        first = since or min([one.first_at for one in found], default=now - DAY)
        prints = [one.fingerprint for one in found[:50]]
        trends = await desk.file(lambda: hall.past.trends(prints, first, until, now))
        return answer(answers.Causes(found, trends, first, until or now))

    @router.get("/checkpoints", **described(answers.Checkpoints))
    async def checkpoints() -> Response:
        """Verified copies of the store, newest first."""
        return answer(await desk.file(hall.past.checkpoints))

    @router.get("/health", **described(answers.Health))
    async def health(afresh: bool = False) -> Response:  # noqa: FBT001, FBT002 - a parameter of a request
        """What ``overnight doctor`` has found; asked again each minute while somebody looks."""
        return answer(hall.programs.health(afresh=afresh))

    return router
