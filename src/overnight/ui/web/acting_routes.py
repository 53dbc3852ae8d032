"""What changes something: under ``/api/v1``, and what other programs ask in a way of their own."""

from __future__ import annotations

from fastapi import APIRouter
from starlette.responses import Response

from overnight import wiring
from overnight.core.errors import UsageError
from overnight.monitor.exposition import exposition
from overnight.monitor.snapshot import take
from overnight.store.contract import Store, Verb
from overnight.ui.web import actions, answers
from overnight.ui.web.actions import Asked, Changes, Line, Stop, Sure, Which
from overnight.ui.web.answering import CheckpointName, answer, described
from overnight.ui.web.hall import Hall


def acting(hall: Hall) -> APIRouter:
    """Everything that changes something."""
    router = APIRouter(prefix="/api/v1", tags=["act"])
    desk = hall.desk

    @router.post("/tasks/{verb}", **described(answers.Done))
    async def act(verb: Asked, which: Which) -> Response:
        """Retry, cancel, hold or release tasks. A retry without ids and states takes failed ones."""
        return answer(await desk.act(lambda store: actions.act(store, Verb(verb.value), which)))

    @router.post("/pause", **described(answers.Done))
    async def pause(line: Line) -> Response:
        """Let nothing more start, of a queue, a workflow, or at all."""
        return answer(await desk.act(lambda store: actions.pause(store, line)))

    @router.post("/unpause", **described(answers.Done))
    async def unpause(line: Line) -> Response:
        """Let it go on."""
        return answer(await desk.act(lambda store: actions.unpause(store, line)))

    @router.post("/stop", **described(answers.Done))
    async def stop(how: Stop) -> Response:
        """Ask the engine to stop."""
        return answer(await desk.act(lambda _: actions.stop(desk.home, at_once=how.now)))

    @router.post("/checkpoint", **described(answers.Done))
    async def checkpoint(nothing: Line) -> Response:  # noqa: ARG001 - what is sent is looked at and means nothing
        """Save a checkpoint now."""
        return answer(await hall.programs.save())

    @router.post("/edit", **described(answers.Done))
    async def edit(changes: Changes) -> Response:
        """Give tasks that are still to run another priority, time limit or number of retries."""
        return answer(await desk.act(lambda store: actions.edit(store, changes)))

    @router.post("/checkpoints/{name}/verify", **described(answers.Done))
    async def verify(name: CheckpointName, nothing: Line) -> Response:  # noqa: ARG001 - as above
        """Read a checkpoint from its beginning to its end, and say whether it is whole."""
        return answer(await hall.programs.verify(await hall.checkpoint(name)))

    @router.post("/checkpoints/{name}/restore", **described(answers.Done))
    async def restore(name: CheckpointName, sure: Sure) -> Response:
        """Go back to a checkpoint. The engine ends first; the present store is set aside."""
        if sure.confirm != name:
            raise UsageError("the name was not typed as it is; nothing was changed", hint=f"confirm is to be {name!r}")
        return answer(await hall.programs.restore(await hall.checkpoint(name)))

    return router


def machines(hall: Hall) -> APIRouter:
    """What other programs ask in a way of their own."""
    router = APIRouter(tags=["machines"])
    desk = hall.desk

    @router.get("/healthz", response_class=Response)
    async def healthz() -> Response:
        """That this process answers; open to everybody, and says nothing else."""
        return Response("ok\n", media_type="text/plain")

    @router.get("/readyz", **described(answers.Ready))
    async def readyz() -> Response:
        """Whether the store answers, and what the engine does."""
        now = wiring.clock.now()
        picture = await desk.read(lambda store: take(store, desk.home.path, now=now))
        return answer(answers.Ready(ok=True, engine=picture.engine.state))

    @router.get("/metrics", response_class=Response)
    async def metrics() -> Response:
        """For Prometheus."""
        now = wiring.clock.now()
        totals = await desk.file(hall.past.totals)
        machine = await desk.file(lambda: hall.past.machine(now))

        def look(store: Store) -> bytes:
            picture = take(store, desk.home.path, now=now)
            return exposition(store, desk.home.path, picture, totals=totals, machine=machine).text()

        return Response(await desk.read(look), media_type="text/plain; version=0.0.4; charset=utf-8")

    return router
