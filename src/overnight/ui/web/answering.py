"""How every route answers, and what the OpenAPI document says of it."""

from __future__ import annotations

from typing import Annotated, Any

import msgspec
from fastapi import Path, Query
from starlette.responses import Response

#: The id of a task, a name, an instant (POSIX seconds; 0: not said).
Id = Annotated[int, Path(ge=1, lt=2**63)]
Name = Annotated[str | None, Query(max_length=200)]
#: Nothing that could be an option or a path.
CheckpointName = Annotated[str, Path(max_length=100, pattern="^[A-Za-z0-9][A-Za-z0-9_.-]*$")]
At = Annotated[float, Query(ge=0, lt=1e11, allow_inf_nan=False)]
DAY = 86400.0


def answer(value: msgspec.Struct) -> Response:
    """A value as JSON."""
    return Response(msgspec.json.encode(value), media_type="application/json")


def described(kind: type[msgspec.Struct]) -> dict[str, Any]:
    """What the OpenAPI document says of an answer, and of what may go wrong."""

    def reference(name: str, media: str) -> dict[str, Any]:
        return {"content": {media: {"schema": {"$ref": f"#/components/schemas/{name}"}}}}

    wrong = {code: reference("Problem", "application/problem+json") for code in _WRONG}
    all_wrong = {code: {"description": words, **wrong[code]} for code, words in _WRONG.items()}
    return {
        "responses": {
            200: {"description": kind.__doc__ or "", **reference(kind.__name__, "application/json")},
            **all_wrong,
        }
    }


_WRONG: dict[int | str, str] = {
    400: "It makes no sense; nothing was done.",
    401: "No token and no cookie.",
    403: "Another page asks.",
    404: "There is no such thing.",
    409: "It cannot be done as things are.",
    422: "It makes no sense; nothing was done.",
    503: "Not now.",
}
