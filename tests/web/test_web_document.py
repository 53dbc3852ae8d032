"""Questions made from the OpenAPI document, sensible and not: each has an answer that the document knows."""

from __future__ import annotations

import random
from collections.abc import Iterator
from typing import Any
from urllib.parse import quote, urlencode

from dashboards import Served

#: Questions of each way to ask; the same ones each time.
_EACH = 12
#: Strings, numbers and what is neither, that somebody might send.
_ODD: list[Any] = [
    *("", "0", "-1", "1e9", "NaN", "null", "true", "failed", "a" * 300, "%00", "\u202e", "' OR 1=1 --", "../queue.db"),
    *(0, -1, 1, 7, 2**31, 2**63, 2**80, 0.5, True, None, [], [1, "x"], {}, {"a": {"b": []}}),
]
#: What ends or restores something, and what never ends.
_LEFT_OUT = ("/stream", "/stop", "/restore", "/checkpoint", "/healthz", "/metrics", "/health")


def ways(document: dict[str, Any]) -> Iterator[tuple[str, str, dict[str, Any]]]:
    for path, methods in document["paths"].items():
        if not path.endswith(_LEFT_OUT):
            yield from ((path, method, way) for method, way in methods.items())


def asked(way: dict[str, Any], path: str, dice: random.Random) -> str:
    query = []
    for one in way.get("parameters", []):
        value = dice.choice(_ODD)
        if one["in"] == "path":
            path = path.replace("{" + one["name"] + "}", quote(str(value), safe="") or "0")
        elif dice.random() < 0.7:
            query.append((one["name"], str(value)))
    return f"{path}?{urlencode(query)}"


def body_of(way: dict[str, Any], document: dict[str, Any], dice: random.Random) -> Any:
    content = way["requestBody"]["content"]["application/json"]["schema"]["$ref"].rpartition("/")[2]
    fields = document["components"]["schemas"][content]["properties"]
    body = {name: dice.choice(_ODD) for name in fields if dice.random() < 0.6}
    return dice.choice([body, body, body, dice.choice(_ODD), body | {"more": 1}])


def test_every_answer_is_one_that_the_document_knows(own: Served) -> None:
    document = own.ask("GET", "/openapi.json").json
    dice, seen = random.Random(11), set[int]()  # noqa: S311 - questions
    for path, method, way in ways(document):
        for _ in range(_EACH):
            where = asked(way, path, dice)
            if method == "get":
                answer = own.ask("GET", where)
            else:
                answer = own.post(where.removeprefix("/api/v1/"), body_of(way, document, dice))
            seen.add(answer.status)
            assert str(answer.status) in way["responses"], (method, where, answer.body)
            expected = way["responses"][str(answer.status)].get("content", {"application/json": {}})
            assert answer.headers["content-type"].partition(";")[0] in expected, (method, where)
    assert {200, 400, 404, 422} <= seen
    assert own.get("pulse").json["total"] == 12
