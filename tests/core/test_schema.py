"""The JSON Schema for editors knows what the reader of the file knows, no more and no less."""

from __future__ import annotations

from typing import Any

import msgspec

from overnight.core.alert_settings import ALERT_KEYS, TARGET_KEYS
from overnight.core.schedule_tables import KEYS
from overnight.core.schema import SCHEMA
from overnight.core.settings import SETTINGS
from overnight.core.workflow.fields import GATE, STEP, WORKFLOW

#: Of every table with a name: why it may lie there unused.
REASON = {"dormant"}


def properties(*path: str) -> dict[str, Any]:
    found: Any = SCHEMA
    for key in path:
        found = found["properties"][key]
        found = next(iter(found["patternProperties"].values())) if "patternProperties" in found else found
        found = found.get("items", found)
    return dict(found["properties"])


def test_every_setting_of_the_file_is_in_it_with_what_it_is() -> None:
    for setting in SETTINGS:
        if setting.key and not setting.key.startswith("queue."):
            table, _, key = setting.key.rpartition(".")
            assert properties(table)[key]["description"].startswith(setting.help)


def test_the_keys_of_workflows_are_those_of_the_model() -> None:
    more = {"step", "gate", "slots", "rate"} | REASON
    assert properties("workflow").keys() == {field.key for field in WORKFLOW} | more
    assert properties("workflow", "step").keys() == {field.key for field in STEP}
    assert properties("workflow", "gate").keys() == {field.key for field in GATE}


def test_the_keys_of_schedules_are_those_of_the_reader() -> None:
    assert properties("schedules").keys() == KEYS.keys() | REASON


def test_the_keys_of_alerts_and_targets_are_those_of_their_reader() -> None:
    assert properties("alerts").keys() == set(ALERT_KEYS) | REASON
    assert properties("targets").keys() == set(TARGET_KEYS) | REASON


def test_unknown_keys_are_mistakes_in_editors_too() -> None:
    def tables(schema: Any) -> list[dict[str, Any]]:
        if isinstance(schema, dict):
            here = [schema] if "properties" in schema and schema.get("type") == "object" else []
            return here + [one for value in schema.values() for one in tables(value)]
        return [one for value in schema for one in tables(value)] if isinstance(schema, list) else []

    closed = [one for one in tables(SCHEMA) if one["additionalProperties"] is False]
    assert len(closed) == len(tables(SCHEMA)) - 2, "only the resources of steps and gates are open"


def test_it_is_json() -> None:
    assert msgspec.json.decode(msgspec.json.encode(SCHEMA)) == SCHEMA
