"""Errors as programs read them: ``application/problem+json`` (RFC 9457), with our three parts."""

from __future__ import annotations

from collections.abc import Mapping

import msgspec
from starlette.responses import Response

from overnight.core.errors import (
    NotFoundError,
    NotNowError,
    OvernightError,
    StoreUnavailableError,
    UsageError,
)

_TITLES = {
    400: "The request makes no sense",
    401: "Who you are is not known",
    403: "Not allowed",
    404: "Not found",
    405: "No such way to ask",
    409: "It cannot be done now",
    413: "Too large",
    415: "Not JSON",
    421: "Not for this host",
    422: "The request makes no sense",
    500: "A bug of ours",
    503: "Not now",
}
_STATUS: tuple[tuple[type[OvernightError], int], ...] = (
    (NotFoundError, 404),
    (UsageError, 400),
    (NotNowError, 503),
    (StoreUnavailableError, 503),
)


class Problem(msgspec.Struct, frozen=True, omit_defaults=True):
    """What went wrong: `detail` says what happened and what it means, `hint` what to do."""

    title: str
    status: int
    detail: str
    hint: str = ""
    type: str = "about:blank"


def problem(status: int, detail: str, hint: str = "", headers: Mapping[str, str] | None = None) -> Response:
    """An answer that says what went wrong."""
    body = msgspec.json.encode(Problem(_TITLES.get(status, "Not possible"), status, detail, hint))
    return Response(body, status, headers, media_type="application/problem+json")


def of_error(error: OvernightError) -> Response:
    """What one of our errors means to a program."""
    status = next((status for kind, status in _STATUS if isinstance(error, kind)), 409)
    return problem(status, error.message, error.hint or "")
