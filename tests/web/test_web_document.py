"""Questions made from the OpenAPI document, as it allows them and as not: each has an answer that it knows."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
import schemathesis
from dashboards import Served
from hypothesis import HealthCheck, given, settings
from schemathesis import APIOperation, Case, GenerationMode, checks
from schemathesis.core.result import Ok

#: What never ends, what ends the engine, and what takes a second each time.
_LEFT_OUT = ("/stream", "/stop", "/checkpoint")
#: That all is accepted that the document allows is not among them: a schema cannot say that an end comes after its
#: beginning, or that some task must be named.
_CHECKS = [
    *(checks.not_a_server_error, checks.status_code_conformance, checks.content_type_conformance),
    *(checks.response_schema_conformance, checks.response_headers_conformance, checks.negative_data_rejection),
]


def operations(served: Served) -> Iterator[APIOperation[Any, Any, Any, Any]]:
    """What can be asked, by the document."""
    document = schemathesis.openapi.from_dict(served.ask("GET", "/openapi.json").json)
    for one in document.get_all_operations():
        assert isinstance(one, Ok), one.err()
        if not one.ok().path.endswith(_LEFT_OUT):
            yield one.ok()


@pytest.mark.parametrize("questions", [4, pytest.param(150, marks=pytest.mark.prove)])
@pytest.mark.parametrize("mode", list(GenerationMode))
def test_every_answer_is_one_that_the_document_knows(mode: GenerationMode, questions: int, own: Served) -> None:
    token = {"Authorization": f"Bearer {own.token}", "X-Overnight": "1"}
    seen = set[int]()
    for one in operations(own):
        if mode is GenerationMode.NEGATIVE and not (list(one.iter_parameters()) or one.body):
            continue  # it takes nothing that could be wrong

        # What is wrong in some way is found by trying: that many tries are wasted is no news.
        @settings(max_examples=questions, suppress_health_check=list(HealthCheck))
        @given(case=one.as_strategy(generation_mode=mode))
        def ask(case: Case[Any]) -> None:
            answer = case.call_and_validate(base_url=f"http://{own.host}", headers=token, checks=_CHECKS)
            seen.add(answer.status_code)

        ask()
    assert {404, 422} & seen if mode is GenerationMode.NEGATIVE else {200, 404} <= seen
    assert own.get("pulse").json["total"] == 12
