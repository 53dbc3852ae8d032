"""The JSON Schema of ``overnight.toml``, for editors: made of the same lists by which the file is read.

An editor sees the shape of a file and the meaning of each key. What steps mean together (cycles, missing
steps, placeholders) takes the whole file, and is told by ``overnight workflow check``.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from overnight.core import kinds
from overnight.core.check_tables import Asked
from overnight.core.setting import Setting
from overnight.core.settings import SETTINGS
from overnight.core.workflow.fields import GATE, STEP, WORKFLOW, Field

Schema = dict[str, Any]

_NAME = "^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$"
_NUMBER_OR_TEXT: Schema = {"type": ["number", "string"]}
_TEXTS: Schema = {"type": "array", "items": {"type": "string"}}
_OF_KIND: dict[str, Schema] = {
    kinds.COUNT.name: {"type": "integer"},
    kinds.DURATION.name: _NUMBER_OR_TEXT,
    kinds.LIMIT.name: _NUMBER_OR_TEXT,
    kinds.SIZE.name: {"type": ["integer", "string"]},
    kinds.NAMES.name: {"oneOf": [{"type": "string"}, _TEXTS]},
    kinds.PATTERNS.name: {"oneOf": [{"type": "string"}, _TEXTS]},
    kinds.COMMAND.name: {"oneOf": [{"type": "string"}, _TEXTS]},
    kinds.SWITCH.name: {"type": ["boolean", "string"]},
}
#: Numbers that may also be a word.
_WORDY = (kinds.COUNT_OR_AUTO, kinds.COUNT_LIMIT)


def _table(properties: Schema, required: Sequence[str] = (), **more: Any) -> Schema:  # noqa: ANN401 - further keywords
    found: Schema = {"type": "object", "additionalProperties": False, "properties": properties, **more}
    return found | ({"required": list(required)} if required else {})


def _setting(setting: Setting) -> Schema:
    found = dict(_OF_KIND.get(setting.kind.name, {"type": "string"}))
    if setting.kind in _WORDY:
        found = {"type": ["integer", "string"]}
    accepts = f"{setting.help} Accepts {setting.kind.accepts}."
    default = setting.default_words or setting.show(setting.default)
    return {**found, "description": f"{accepts} Default: {default}."}


def _settings() -> Schema:
    """The tables that hold settings; a key with two dots stands in a table of a table."""
    tables: Schema = {}
    for setting in SETTINGS:
        if not setting.key or setting.key.startswith("queue."):
            continue
        table, _, key = setting.key.rpartition(".")
        tables.setdefault(table, _table({}))["properties"][key] = _setting(setting)
    return tables


def _fields(fields: Sequence[Field], more: Schema) -> Schema:
    properties = {field.key: {**field.schema, "description": field.help} for field in fields} | more
    return _table(properties, [field.key for field in fields if field.required])


def _queue() -> Schema:
    return _table(
        {
            "slots": {"type": ["integer", "string"], "description": "how many of this queue run at the same time"},
            "rate": {"type": "string", "description": "how many start in a time: 10/s, 30/m, 100/h"},
        }
    )


def _workflow() -> Schema:
    does: Schema = {"oneOf": [{"required": ["run"]}, {"required": ["call"]}]}
    steps: Schema = {"type": "array", "minItems": 1, "items": {**_fields(STEP, {}), **does}}
    gates: Schema = {"type": "array", "items": {**_fields(GATE, {}), **does}}
    return {**_fields(WORKFLOW, {"step": steps, "gate": gates}), "required": ["step"]}


def _check() -> Schema:
    asked: Schema = {"oneOf": [{"required": [kind.value]} for kind in Asked]}
    text: Schema = {"type": "string"}
    properties: Schema = {
        "run": {"oneOf": [text, _TEXTS], "description": "a program in the manner of Nagios plugins"},
        "http": {**text, "description": "an address that must answer"},
        "tcp": {**text, "description": "a host and a port that must answer, as in localhost:5432"},
        "file": {**text, "description": "a file that must be there"},
        "systemd": {**text, "description": "a unit that must be active"},
        "timeout": {**_NUMBER_OR_TEXT, "description": "how long an answer may take"},
        "max_age": {**_NUMBER_OR_TEXT, "description": "of a file: how long ago it may have been written"},
    }
    return {**_table(properties), **asked}


def _named(schema: Schema, description: str) -> Schema:
    """Tables by names that people choose."""
    return {
        "type": "object",
        "patternProperties": {_NAME: schema},
        "additionalProperties": False,
        "description": description,
    }


SCHEMA: Schema = {
    "$schema": "https://json-schema.org/draft/2020-12/schema",
    "title": "overnight.toml",
    **_table(
        {
            **_settings(),
            "queue": _named(_queue(), "limits of a queue"),
            "resources": {
                "type": "object",
                "description": "how much there is of something: a number, or a list of ids",
                "additionalProperties": {
                    "oneOf": [
                        {"type": "number", "minimum": 0},
                        {"type": "array", "minItems": 1, "items": {"type": ["string", "integer"]}},
                    ]
                },
            },
            "workflow": _named(_workflow(), "a recipe of steps"),
            "check": _named(_check(), "a check of overnight doctor"),
        }
    ),
}
