from __future__ import annotations

import email.message
import urllib.error
from types import SimpleNamespace
from typing import Any

import pytest

from overnight.executors.local.answers import Answer, answer_of

NOON = 1_700_000_000.0


class Shown(Exception):  # noqa: N818 - stands for those of libraries
    """An exception with what libraries hang onto theirs."""

    def __init__(self, **attributes: Any) -> None:
        super().__init__()
        for name, value in attributes.items():
            setattr(self, name, value)


def test_urllib_shows_status_and_headers() -> None:
    headers = email.message.Message()
    headers["Retry-After"] = "120"
    with urllib.error.HTTPError("http://x", 429, "slow down", headers, None) as error:
        assert answer_of(error, now=NOON) == Answer(429, NOON + 120)


@pytest.mark.parametrize(
    ("headers", "again"),
    [
        ({"Retry-After": "7"}, NOON + 7),
        ({"Retry-After": " Tue, 14 Nov 2023 22:14:20 GMT"}, NOON + 60),
        ({"Retry-After": "Tue, 99 Nov 2023 22:14:20 GMT"}, None),
        ({"Retry-After": "Tue, 14 Foo 2023 22:14:20 GMT"}, None),
        ({"Retry-After": "soon"}, None),
        ({"Retry-After": "-5"}, None),
        ({}, None),
        (None, None),
    ],
)
def test_a_response_says_when_to_come_again_in_seconds_or_by_a_date(headers: Any, again: float | None) -> None:
    error = Shown(response=SimpleNamespace(status_code=503, headers=headers))
    assert answer_of(error, now=NOON) == Answer(503, again)


@pytest.mark.parametrize("attributes", [{}, {"code": "E42"}, {"status": True}, {"status": 7}, {"response": None}])
def test_what_is_no_answer_has_no_status(attributes: dict[str, Any]) -> None:
    assert answer_of(Shown(**attributes), now=NOON) == Answer()


def test_properties_that_raise_are_no_answer() -> None:
    class Rude(Exception):  # noqa: N818 - see above
        @property
        def response(self) -> object:
            raise RuntimeError

    assert answer_of(Rude(), now=NOON) == Answer()
