"""Tasks and workflows: under ``/api/v1``, looked at only."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Path, Query
from starlette.responses import Response

from overnight import wiring
from overnight.core.states import TaskState
from overnight.store.contract import Query as Wanted
from overnight.ui.web import graphs, task_answers, tasks
from overnight.ui.web.answering import Id, Name, answer, described
from overnight.ui.web.hall import Hall


def tasks_and_flows(hall: Hall) -> APIRouter:
    """Lists, single tasks, what they printed, and graphs."""
    router = APIRouter(prefix="/api/v1", tags=["look"])
    desk, home = hall.desk, hall.desk.home

    @router.get("/tasks", **described(task_answers.Page))
    async def task_list(
        state: Annotated[list[TaskState] | None, Query(max_length=7)] = None,
        queue: Name = None,
        workflow: Name = None,
        cause: Name = None,
        search: Annotated[str, Query(max_length=200)] = "",
        parent: Annotated[int | None, Query(ge=1, lt=2**63)] = None,
        before: Annotated[int | None, Query(ge=1, lt=2**63)] = None,
        limit: Annotated[int, Query(ge=1, le=tasks.MOST_ROWS)] = 50,
        count: bool = False,  # noqa: FBT001, FBT002 - a parameter of a request
    ) -> Response:
        """Tasks, newest first. `before`: the `next` of the page before; `count`: how many match, up to 10,000."""
        query = Wanted(
            states=tuple(state or ()),
            queue=queue or None,
            workflow=workflow or None,
            cause=cause or None,
            words=search,
            parent=parent,
            before=before,
            limit=limit,
        )
        return answer(await desk.read(lambda store: tasks.page(store, query, counted=count)))

    @router.get("/tasks/{task_id}", **described(task_answers.TaskView))
    async def task(task_id: Id) -> Response:
        """All about one task: why it is where it is, its attempts, its steps."""
        now = wiring.clock.now()
        return answer(
            await desk.read(lambda store: tasks.one(store, home.path, task_id, totals=hall.resources, now=now))
        )

    @router.get("/tasks/{task_id}/log", **described(task_answers.Log))
    async def log(
        task_id: Id,
        attempt: Annotated[int | None, Query(ge=1, lt=2**31)] = None,
        after: Annotated[int, Query(ge=0, lt=2**62)] = 0,
        search: Annotated[str, Query(max_length=200)] = "",
    ) -> Response:
        """What an attempt printed: at most its last megabyte and 1,000 lines. `after`: `end` of the answer before."""
        return answer(await desk.file(lambda: hall.logs.part(task_id, attempt, after, search)))

    @router.get("/tasks/{task_id}/graph", **described(task_answers.GraphView))
    async def task_graph(task_id: Id) -> Response:
        """The graph of a workflow task, with the states of its steps."""
        return answer(await desk.read(lambda store: graphs.of_task(store, task_id)))

    @router.get("/workflows", **described(task_answers.Flows))
    async def workflows() -> Response:
        """All workflows, and how their tasks stand."""
        return answer(await desk.read(lambda store: graphs.flows(store, wiring.clock.now())))

    @router.get("/workflows/{name}/graph", **described(task_answers.GraphView))
    async def workflow_graph(name: Annotated[str, Path(max_length=200)]) -> Response:
        """The graph of a workflow, laid out."""
        return answer(await desk.read(lambda store: graphs.of_workflow(store, name)))

    return router
